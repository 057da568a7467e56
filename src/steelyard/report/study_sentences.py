"""What the numbers say, in sentences that claim no more than they show."""

from dataclasses import dataclass

from steelyard.report.formats import (
    Results,
    amount,
    defined,
    difference,
    interval,
    number,
    percent_interval,
    plain,
)
from steelyard.report.gold_curve import gold_sentence
from steelyard.report.tables import Row, summary_rows

FEW_SEEDS = 3  # with fewer, the spread between seeds is hardly estimated


@dataclass(frozen=True)
class Note:
    """A sentence below the headline; a caution limits what the headline says."""

    text: str
    is_caution: bool = False


def study_headline(results: Results) -> str:
    """One sentence: how much of the gap the best arm recovers, or why that is not known."""
    best = best_arm(results)
    if best is None:
        return "The study has no arm with a score other than naive."
    weak, ceiling = (_value(results.get(key)) for key in ("weak", "ceiling"))
    gap = f"the gap between the weak supervisors ({weak}) and the ceiling ({ceiling})"
    recovered = defined((best.pgr or {}).get("value"))
    if recovered is None:
        reason = _sentence(best.pgr_reason or "no reason was stored")
        return (
            f"The gap recovered cannot be computed: {reason} The best arm, {best.name}, scores "
            f"{interval(best.score, 2)}; the weak supervisors {weak}, the ceiling {ceiling}."
        )
    if recovered <= 0:
        return (
            f"The best arm, {best.name}, recovers none of {gap}: PGR {percent_interval(best.pgr)}."
        )
    return f"The best arm, {best.name}, recovers {percent_interval(best.pgr)} of {gap}."


def study_notes(results: Results) -> list[Note]:
    """Comparison with true labels, naive and the controls, and what limits the headline."""
    best = best_arm(results)
    if best is None:
        return []
    candidates = [
        _about_gold(results, best),
        _about_gold_curve(results, best),
        _about_zero(best),
        _about_naive(results, best),
        _about_ensemble(results, best),
        *_about_controls(results),
        _about_seeds(results),
    ]
    return [note for note in candidates if note is not None]


def best_arm(results: Results) -> Row | None:
    """The arm with the best score; naive, controls and oracles do not count."""
    arms = [row for row in _scored(results, "arm") if row.name != "naive"]
    return max(arms, key=lambda row: _quality(results, row.score), default=None)


def _about_gold(results: Results, best: Row) -> Note | None:
    """Which arms beat the student that is trained on the true labels of weak_train."""
    gold: Results = (results.get("references") or {}).get("gold_only") or {}
    if not gold.get("score"):
        return None
    rows = next((seed["rows"] for seed in gold["seeds"] if seed.get("rows")), None)
    what = f"gold_only, the student trained on the {amount(rows, 'true label')} of weak_train alone"
    score = f"{interval(gold['score'])}"
    arms: Results = results.get("arms") or {}
    names = [row.name for row in _scored(results, "arm")]
    better = [name for name in names if _is_better(results, arms[name].get("vs_gold_only"))]
    if better:
        others = [name for name in names if name not in better]
        rest = f" No better than it: {', '.join(others)}." if others else ""
        return Note(f"Better than {what} ({score}): {', '.join(better)}.{rest}", bool(others))
    gain = difference(arms[best.name].get("vs_gold_only"))
    text = f"No arm is significantly better than {what} ({score}); {best.name} differs from it by "
    return Note(f"{text}{gain}.", True)


def _about_gold_curve(results: Results, best: Row) -> Note | None:
    text = gold_sentence(results, best.name)
    return Note(text) if text else None


def _about_zero(best: Row) -> Note | None:
    low, value = (defined((best.pgr or {}).get(key)) for key in ("low", "value"))
    if low is None or value is None or low > 0 or value <= 0:
        return None
    return Note("The interval of the gap recovered includes 0: it may recover nothing.", True)


def _about_naive(results: Results, best: Row) -> Note | None:
    naive = next((row for row in _scored(results, "arm") if row.name == "naive"), None)
    gain = difference(best.vs_naive)
    if naive is not None and _quality(results, naive.score) >= _quality(results, best.score):
        scores = f"{interval(naive.score)} against {interval(best.score)}"
        return Note(f"Naive does at least as well as {best.name}: {scores}.", True)
    if best.vs_naive is None:
        return None
    if _is_better(results, best.vs_naive):
        return Note(f"{best.name} beats naive: {gain}.")
    clear = [row.name for row in _scored(results, "arm") if _is_better(results, row.vs_naive)]
    if clear:
        text = f"{best.name} is not clearly better than naive ({gain}), but these arms are: "
        return Note(text + f"{', '.join(clear)}.", True)
    text = f"No arm is significantly better than naive; {best.name} differs from it by {gain}."
    return Note(text, True)


def _about_ensemble(results: Results, best: Row) -> Note | None:
    span = results.get("weak_ensemble")
    if defined((span or {}).get("value")) is None:
        return None
    if _quality(results, span) < _quality(results, best.score):
        return None
    text = f"The weak supervisors' combined votes do at least as well as {best.name}: "
    return Note(text + f"{interval(span)} against {interval(best.score)}.", True)


def _is_better(results: Results, versus: Results | None) -> bool:
    """Whether a difference is an improvement: its interval excludes 0, and p is below 0.05."""
    key, sign = ("high", -1) if results.get("lower_is_better") else ("low", 1)
    bound, p = (defined((versus or {}).get(name)) for name in (key, "p"))
    return bound is not None and sign * bound > 0 and (p is None or p < 0.05)


def _about_controls(results: Results) -> list[Note]:
    """Each arm that selects, compared with its own control: does the selection help?"""
    comparisons = []
    for row in _scored(results, "arm"):
        if row.vs_control is None:
            continue
        control, gain = plain(row.vs_control.get("control") or ""), difference(row.vs_control)
        if _is_better(results, row.vs_control):
            comparisons.append(Note(f"{row.name} beats its control {control}: {gain}."))
        else:
            text = f"{row.name} is not clearly better than its control {control} ({gain}): "
            text += "there is no evidence that the selection itself helps."
            comparisons.append(Note(text, True))
    return comparisons


def _about_seeds(results: Results) -> Note | None:
    seeds = results.get("seeds") or []
    if not seeds or len(seeds) >= FEW_SEEDS:
        return None
    return Note(
        f"Only {amount(len(seeds), 'seed')}: the spread between seeds is barely estimated.", True
    )


def _scored(results: Results, role: str) -> list[Row]:
    rows = (row for row in summary_rows(results) if row.role == role)
    return [row for row in rows if defined((row.score or {}).get("value")) is not None]


def _quality(results: Results, span: Results | None) -> float:
    """A score in the direction in which higher is better."""
    value = float((span or {})["value"])
    return -value if results.get("lower_is_better") else value


def _value(span: Results | None) -> str:
    return number((span or {}).get("value"), 2)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
