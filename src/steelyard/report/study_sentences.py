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
from steelyard.report.recommendation import recommendation_reasons, recommendation_sentence
from steelyard.report.tables import Row, summary_rows

FEW_SEEDS = 3  # with fewer, the spread between seeds is hardly estimated


@dataclass(frozen=True)
class Note:
    """A sentence below the headline; a caution limits what the headline says."""

    text: str
    is_caution: bool = False


def study_headline(results: Results) -> str:
    """One sentence: the recommended arm, or how much of the gap the best arm recovers."""
    return recommendation_sentence(results) or gap_sentence(results)


def gap_sentence(results: Results) -> str:
    """How much of the gap the best arm recovers, or why that is not known."""
    best = best_arm(results)
    if best is None:
        return "The study has no arm with a score other than naive."
    weak, ceiling = (_value(results.get(key)) for key in ("weak", "ceiling"))
    gap = f"the gap between the weak supervisors ({weak}) and the ceiling ({ceiling})"
    elsewhere: Results | None = results.get("best")
    if not elsewhere:
        return (
            f"The best arm on these test rows, {best.name}, scores {interval(best.score, 2)}; the "
            f"weak supervisors {weak}, the ceiling {ceiling}."
        )
    name = _choices(elsewhere.get("chosen") or {})
    pgr = elsewhere.get("pgr")
    recovered = defined((pgr or {}).get("value"))
    if recovered is None:
        reason = _sentence(plain(elsewhere.get("pgr_reason") or "no reason was stored"))
        return (
            f"The gap recovered cannot be computed: {reason} The best arm, {name}, scores "
            f"{interval(elsewhere.get('score'), 2)} {APART}; the weak supervisors {weak}, the "
            f"ceiling {ceiling}."
        )
    if recovered <= 0:
        share = percent_interval(pgr)
        return f"The best arm, {name}, recovers none of {gap}: PGR {share}, {APART}."
    return f"The best arm, {name}, recovers {percent_interval(pgr)} of {gap}, {APART}."


APART = "measured on test rows and seeds that did not choose it"


def _choices(chosen: Results) -> str:
    """The arm that was chosen, or the arms and how often."""
    total, names = sum(chosen.values()), list(chosen)
    if len(names) == 1:
        return plain(names[0])
    first, *others = (f"{plain(name)} in {chosen[name]}" for name in names)
    return ", ".join([f"{first} of {total} choices", *others])


def study_notes(results: Results) -> list[Note]:
    """Comparison with true labels, naive and the controls, and what limits the headline."""
    best = best_arm(results)
    if best is None:
        return []
    candidates = [
        *_about_recommendation(results),
        _about_gold(results, best),
        _about_arms_with_gold(results),
        _about_gold_curve(results, best),
        _about_zero(results),
        _about_naive(results, best),
        _about_ensemble(results, best),
        *_about_controls(results),
        _about_seeds(results),
    ]
    return [note for note in candidates if note is not None]


def _about_recommendation(results: Results) -> list[Note]:
    """Reasons of the recommendation, and what the truth of the test rows says."""
    reasons = recommendation_reasons(results)
    if not reasons:
        return []
    notes = [Note(reasons, not results["recommendation"]["arm"])]
    return [*notes, Note(gap_sentence(results))] if recommendation_sentence(results) else notes


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


def _about_arms_with_gold(results: Results) -> Note | None:
    """Which arms learn true labels besides the votes."""
    arms: Results = results.get("arms") or {}
    plain = {name: arm for name, arm in arms.items() if arm.get("role") == "arm"}
    names = [name for name, arm in plain.items() if arm.get("uses_gold")]
    if not names:
        return None
    return Note(f"With the true labels of weak_train besides the votes: {', '.join(names)}.")


def _about_gold_curve(results: Results, best: Row) -> Note | None:
    text = gold_sentence(results, best.name)
    return Note(text) if text else None


def _about_zero(results: Results) -> Note | None:
    pgr = (results.get("best") or {}).get("pgr") or {}
    low, value = (defined(pgr.get(key)) for key in ("low", "value"))
    if low is None or value is None or low > 0 or value <= 0:
        return None
    return Note("The interval of the gap recovered includes 0: it may recover nothing.", True)


def _about_naive(results: Results, best: Row) -> Note | None:
    naive = next((row for row in _scored(results, "arm") if row.name == "naive"), None)
    if naive is not None and _quality(results, naive.score) >= _quality(results, best.score):
        scores = f"{interval(naive.score)} against {interval(best.score)}"
        return Note(f"Naive does at least as well as {best.name}: {scores}.", True)
    elsewhere = (results.get("best") or {}).get("vs_naive")
    clear = [row for row in _scored(results, "arm") if _is_better(results, row.vs_naive)]
    if clear:
        gains = "; ".join(f"{row.name} {difference(row.vs_naive)}" for row in clear)
        return Note(f"Better than naive, of all arms tested together: {gains}.")
    if elsewhere is None:
        return None
    text = "No arm is clearly better than naive; the best, chosen on other rows and seeds, differs "
    return Note(f"{text}by {difference(elsewhere)}.{power(elsewhere)}", True)


def _about_ensemble(results: Results, best: Row) -> Note | None:
    span = results.get("weak_ensemble")
    if defined((span or {}).get("value")) is None:
        return None
    if _quality(results, span) < _quality(results, best.score):
        return None
    text = f"The weak supervisors' combined votes do at least as well as {best.name}: "
    return Note(text + f"{interval(span)} against {interval(best.score)}.", True)


def _is_better(results: Results, versus: Results | None) -> bool:
    """Whether a difference is an improvement: its interval excludes 0, and p is below 0.05.

    Both hold for all arms at once where the results have them so.
    """
    versus = versus or {}
    key, sign = ("high", -1) if results.get("lower_is_better") else ("low", 1)
    bounds = (defined(versus.get(key)), defined((versus.get("simultaneous") or {}).get(key)))
    present = [sign * bound for bound in bounds if bound is not None]
    ps = [defined(versus.get(name)) for name in ("p", "p_holm")]
    return bool(present) and min(present) > 0 and all(p is None or p < 0.05 for p in ps)


def power(versus: Results) -> str:
    """What a study of this size could have found, as sentences that start with a space."""
    detectable = defined(versus.get("detectable"))
    if detectable is None:
        return ""
    needed = versus.get("seeds_needed")
    seeds = "with these test rows no number of seeds finds one of the size seen"
    if needed is not None:
        seeds = f"one of the size seen needs {amount(needed, 'seed')}"
    return f" A true difference of {number(detectable)} is found in 80 % of such studies; {seeds}."


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
            margin = defined(row.vs_control.get("within"))
            equal = "" if margin is None else f" They are equivalent within {number(margin)}."
            comparisons.append(Note(f"{text}{power(row.vs_control)}{equal}", True))
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
