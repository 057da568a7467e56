"""The verdict of a `weigh` report: which labels to use, whom to drop, what to label next."""

from collections.abc import Sequence

from steelyard.report.formats import Results, amount, count, defined, number, percent, plain
from steelyard.report.weigh_next_steps import drop_sentence, relabel_sentence
from steelyard.report.weigh_sentences import chosen_method, decided, flagged, risk_sentence

AHEAD = 0.02  # by which another method must be right more often to be named
NAMED = 3  # voters, items or groups named in a sentence


def verdict(summary: Results) -> list[tuple[str, list[str]]]:
    """Questions of the reader, each with the sentences that answer it; none without votes."""
    if not summary.get("by_voter"):
        return []
    answers = {
        "Labels to use": _labels(summary),
        "How sure": _how_sure(summary),
        "Whom to drop": _voters(summary),
        "Label next": _next(summary),
    }
    return [(question, sentences) for question, sentences in answers.items() if sentences]


def _labels(summary: Results) -> list[str]:
    method = plain(summary.get("method") or "an unnamed method")
    if not decided(summary):
        which = "those of the majority" if method == "robust" else f"those of {method}"
        return [f"None yet: `labels.csv` has {which}, and the votes cannot tell if they are right."]
    sentences = [f"The labels in `labels.csv`, by the method {method}."]
    if risk := risk_sentence(summary):
        sentences = [f"{risk} All labels are in `labels.csv`."]
    unlabelled = (summary.get("label_scores") or {}).get("none")
    if unlabelled:
        verb = "has" if unlabelled == 1 else "have"
        sentences.append(f"{amount(unlabelled, 'item')} {verb} no label.")
    return [*sentences, *_better_method(summary)]


def _better_method(summary: Results) -> list[str]:
    """The method that is right more often on the known labels than the reported one."""
    accuracies = {
        name: accuracy
        for name, part in (summary.get("methods") or {}).items()
        if (accuracy := defined(part.get("accuracy"))) is not None
    }
    reported = defined(chosen_method(summary).get("accuracy"))
    if reported is None or max(accuracies.values()) - reported <= AHEAD:
        return []
    best = max(accuracies, key=lambda name: accuracies[name])
    return [
        f"But {plain(best)} is right more often on the labels that were checked "
        f"({number(accuracies[best])} against {number(reported)}): its labels are in "
        f"`methods/{plain(best)}.parquet`."
    ]


def _how_sure(summary: Results) -> list[str]:
    truth = summary.get("truth") or {}
    accuracy = defined(chosen_method(summary).get("accuracy"))
    if accuracy is not None:
        span = summary.get("label_accuracy") or {}
        low, high = defined(span.get("low")), defined(span.get("high"))
        interval = (
            ""
            if low is None or high is None
            else (f" (95 % interval {number(100 * low, 1)} to {percent(high, 1)})")
        )
        verb = "is" if truth.get("items") == 1 else "are"
        return [
            f"{percent(accuracy, 1)} of {amount(truth.get('items'), 'label')} that could be "
            f"checked {verb} right{interval}."
        ]
    sentences = ["Not measured. No true labels were given."]
    if decided(summary) and len(summary.get("by_voter") or ()) > 1:
        sentences += _score_counts(summary.get("label_scores"))
        sentences.append(
            "Scores and accuracies are estimated from the votes alone, and are too high where "
            "voters make the same mistakes."
        )
    return sentences


def _score_counts(scores: Results | None) -> list[str]:
    if not scores or not scores.get("labels"):
        return []
    labels = amount(scores["labels"], "label")
    return [
        f"{count(scores.get('sure'))} of {labels} have a score of 0.9 or more, "
        f"{count(scores.get('unsure'))} a score below 0.7."
    ]


def _voters(summary: Results) -> list[str]:
    if not decided(summary):
        return ["Nobody yet: the votes alone do not tell who is right."]
    voters = summary.get("by_voter") or ()
    if len(voters) < 2:
        return []
    sentences = []
    bad = [plain(voter.get("voter")) for voter in flagged(summary)]
    if bad:
        sentences.append(f"Review or drop {_named(bad, 'voter')} (reasons below).")
    families = (summary.get("dependence") or {}).get("families") or ()
    for family in families[:NAMED]:
        names = [plain(name) for name in family]
        sentences.append(f"Of {_named(names, 'voter')}, who answer alike, one is enough.")
    sentence = drop_sentence(summary.get("drop_voters"))
    if sentence.startswith("Without"):
        sentences.append(sentence)
    if sentences:
        return sentences
    if len(voters) == 2:
        return ["Not known: of two voters, only true labels tell who is right."]
    return ["Nobody stands out as unreliable."]


def _next(summary: Results) -> list[str]:
    first = [plain(name) for name in (summary.get("dependence") or {}).get("label_first") or ()]
    if not decided(summary) and first:
        return [
            f"The {amount(len(first), 'item')} of `label_first.csv`: fill in the column `truth` "
            "and weigh again with `--gold label_first.csv`."
        ]
    sentences = []
    if sentence := relabel_sentence(summary):
        items = [plain(item.get("id")) for item in summary.get("relabel") or ()]
        first = [*items[:NAMED]]
        sentences.append(
            sentence.removesuffix(".") + (f", first {_listed(first)}." if first else ".")
        )
    if not (summary.get("truth") or {}).get("items"):
        sentences.append(
            "50 to 100 items drawn at random, by hand: their true labels (`--truth`) measure how "
            "many labels are right."
        )
    return sentences


def _named(names: Sequence[str], noun: str) -> str:
    rest = len(names) - NAMED
    if rest <= 0:
        return _listed(names)
    return _listed([*names[:NAMED], f"{count(rest)} more {noun if rest == 1 else noun + 's'}"])


def _listed(names: Sequence[str]) -> str:
    """
    >>> _listed(["a"]), _listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
