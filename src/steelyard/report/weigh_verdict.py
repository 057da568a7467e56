"""The verdict on the first screen: which labels to use, whom to drop, what to label next."""

from steelyard.report.formats import Results, amount, count, defined, number, percent, plain
from steelyard.report.weigh_sentences import decided, flagged

NAMED = 5  # voters that are named
SURE = 0.9  # score from which a label is called sure


def verdict(summary: Results) -> list[tuple[str, str]]:
    """Pairs of a question and its answer in plain words, the most important first."""
    if not summary.get("by_voter"):
        return []
    answers = (
        ("Which labels to use", _labels(summary)),
        ("How sure", _sure(summary)),
        ("Whom to drop", _drop(summary)),
        ("What to label next", _next(summary)),
    )
    return [(question, answer) for question, answer in answers if answer]


def _labels(summary: Results) -> str:
    if not decided(summary):
        return (
            "None yet for anything that matters: two explanations of the votes fit, and they give "
            "different labels. labels.csv has the majority's."
        )
    if any(not plain(text).startswith("Copies:") for text in summary.get("limits") or ()):
        return "Those of labels.csv with care: read the notes below first."
    method = plain(summary.get("method") or "")
    best = _better_method(summary)
    if best:
        return f"Those of `{best}` are right more often than those of `{method}`; see the table."
    return f"Those of labels.csv, weighed by `{method}`."


def _better_method(summary: Results) -> str:
    """A method that is right clearly more often on items with known truth."""
    methods = summary.get("methods") or {}
    chosen = defined((methods.get(summary.get("method")) or {}).get("accuracy"))
    items = defined((summary.get("truth") or {}).get("items")) or 0
    if chosen is None or items < 100:
        return ""
    name, part = max(methods.items(), key=lambda entry: defined(entry[1].get("accuracy")) or 0)
    best = defined(part.get("accuracy")) or 0
    return plain(name) if best - chosen > 2 * (0.25 / items) ** 0.5 else ""


def _sure(summary: Results) -> str:
    chosen = (summary.get("methods") or {}).get(summary.get("method")) or {}
    accuracy = defined(chosen.get("accuracy"))
    scores = summary.get("scores") or {}
    sure = defined(scores.get("sure"))
    parts = []
    if accuracy is not None:
        items = count((summary.get("truth") or {}).get("items"))
        parts.append(f"{percent(accuracy, 1)} of {items} labels with known truth are right.")
    elif decided(summary) and defined(scores.get("mean")) is not None:
        parts.append(
            f"By the votes alone about {percent(scores['mean'])} of the labels are right; true "
            "labels of a hundred items would measure it."
        )
    if sure is not None and decided(summary):
        parts.append(f"{percent(sure)} of the labels have a score of {number(SURE, 1)} or more.")
    return " ".join(parts)


def _drop(summary: Results) -> str:
    if not decided(summary):
        return "Nobody yet: the votes cannot tell who is right."
    bad = flagged(summary)
    copies = (summary.get("dependence") or {}).get("families") or []
    parts = []
    if bad:
        names = ", ".join(plain(voter.get("voter")) for voter in bad[:NAMED])
        others = f" and {count(len(bad) - NAMED)} more" if len(bad) > NAMED else ""
        verb = "stands" if len(bad) == 1 else "stand"
        parts.append(f"{names}{others} {verb} out as unreliable, and already count for little.")
    if copies:
        names = "; ".join(" and ".join(map(plain, family[:3])) for family in copies[:3])
        parts.append(f"Keep one of each: {names} give nearly the same answers.")
    if not parts and len(summary["by_voter"]) > 2:
        parts.append("Nobody: no voter stands out.")
    return " ".join(parts)


def _next(summary: Results) -> str:
    first = (summary.get("dependence") or {}).get("label_first") or []
    if first and not decided(summary):
        return (
            f"{', '.join(map(plain, first))}: fill in their true labels in label_first.csv and run "
            "again with `--gold label_first.csv`."
        )
    items = defined(summary.get("relabel_items"))
    if not items:
        return "Nothing: one more vote would hardly change a label."
    gain = "would gain from one more vote; the least certain come first below."
    return f"{amount(items, 'item')} {gain}"
