"""What the numbers say, in sentences that claim no more than they show."""

from dataclasses import dataclass

from steelyard.report.formats import (
    Results,
    counted,
    defined,
    difference,
    interval,
    number,
    percent_interval,
    plain,
)
from steelyard.report.tables import Row, summary_rows

FEW_SEEDS = 3  # with fewer, the spread between seeds is hardly known


@dataclass(frozen=True)
class Remark:
    """A sentence below the headline; a caution tells the reader not to trust the headline far."""

    text: str
    is_caution: bool


def headline(results: Results) -> str:
    """One sentence: how much of the gap the best arm recovers, or why that is not said."""
    best = best_arm(results)
    if best is None:
        return "The study has no arm with a score besides naive."
    weak, ceiling = (_value(results.get(key)) for key in ("weak", "ceiling"))
    gap = f"the gap between the weak supervisors ({weak}) and the ceiling ({ceiling})"
    recovered = defined((best.pgr or {}).get("value"))
    if recovered is None:
        reason = _sentence(best.pgr_reason or "no reason was stored")
        return (
            f"The gap recovered cannot be given: {reason} The best arm, {best.name}, scores "
            f"{interval(best.score, 2)}; the weak supervisors {weak}, the ceiling {ceiling}."
        )
    if recovered <= 0:
        return (
            f"The best arm, {best.name}, recovers none of {gap}: PGR {percent_interval(best.pgr)}."
        )
    return f"The best arm, {best.name}, recovers {percent_interval(best.pgr)} of {gap}."


def remarks(results: Results) -> list[Remark]:
    """Comparison with naive, with the controls, and what limits the headline."""
    best = best_arm(results)
    if best is None:
        return []
    found = [
        _about_zero(best),
        _about_naive(results, best),
        _about_ensemble(results, best),
        *_about_controls(results),
        _about_seeds(results),
    ]
    return [remark for remark in found if remark is not None]


def best_arm(results: Results) -> Row | None:
    """The arm with the highest score; naive, controls and oracles do not compete."""
    arms = [row for row in _scored(results, "arm") if row.name != "naive"]
    return max(arms, key=_score, default=None)


def _about_zero(best: Row) -> Remark | None:
    low, value = (defined((best.pgr or {}).get(key)) for key in ("low", "value"))
    if low is None or value is None or low > 0 or value <= 0:
        return None
    return Remark("The interval of the gap recovered reaches 0: it may recover nothing.", True)


def _about_naive(results: Results, best: Row) -> Remark | None:
    naive = next((row for row in _scored(results, "arm") if row.name == "naive"), None)
    told = difference(best.vs_naive)
    if naive is not None and _score(naive) >= _score(best):
        scores = f"{interval(naive.score)} against {interval(best.score)}"
        return Remark(f"Naive does at least as well as {best.name}: {scores}.", True)
    if best.vs_naive is None:
        return None
    if beats_naive(best):
        return Remark(f"{best.name} beats naive: {told}.", False)
    clear = [row.name for row in _scored(results, "arm") if beats_naive(row)]
    if clear:
        text = f"{best.name} is not clearly better than naive ({told}), but these arms are: "
        return Remark(text + f"{', '.join(clear)}.", True)
    text = f"No arm is significantly better than naive; {best.name} differs from it by {told}."
    return Remark(text, True)


def _about_ensemble(results: Results, best: Row) -> Remark | None:
    span = results.get("weak_ensemble")
    value = defined((span or {}).get("value"))
    if value is None or value < _score(best):
        return None
    text = f"The weak supervisors' votes taken together do at least as well as {best.name}: "
    return Remark(text + f"{interval(span)} against {interval(best.score)}.", True)


def beats_naive(row: Row) -> bool:
    """Whether the arm is significantly better than naive."""
    return is_above_zero(row.vs_naive)


def is_above_zero(versus: Results | None) -> bool:
    """Whether the interval of a difference is above 0 and p, where given, below 0.05."""
    low, p = (defined((versus or {}).get(key)) for key in ("low", "p"))
    return low is not None and low > 0 and (p is None or p < 0.05)


def _about_controls(results: Results) -> list[Remark]:
    """Each arm that selects against its own control: does the selecting help?"""
    told = []
    for row in _scored(results, "arm"):
        if row.vs_control is None:
            continue
        control, gain = plain(row.vs_control.get("control") or ""), difference(row.vs_control)
        if is_above_zero(row.vs_control):
            told.append(Remark(f"{row.name} beats its control {control}: {gain}.", False))
        else:
            text = f"{row.name} is not clearly better than its control {control} ({gain}): "
            told.append(Remark(text + "that its selecting helps is not shown.", True))
    return told


def _about_seeds(results: Results) -> Remark | None:
    seeds = results.get("seeds") or []
    if not seeds or len(seeds) >= FEW_SEEDS:
        return None
    return Remark(
        f"Only {counted(len(seeds), 'seed')}: the spread between seeds is hardly known.", True
    )


def _scored(results: Results, role: str) -> list[Row]:
    rows = (row for row in summary_rows(results) if row.role == role)
    return [row for row in rows if defined((row.score or {}).get("value")) is not None]


def _score(row: Row) -> float:
    return float((row.score or {})["value"])


def _value(span: Results | None) -> str:
    return number((span or {}).get("value"), 2)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
