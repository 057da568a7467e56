"""What the votes show, in sentences that claim no more."""

from steelyard.report.formats import Results, amount, count, defined, number, percent, plain
from steelyard.report.study_sentences import Note

NO_TRUTH = (
    "No true labels were given. Accuracies are estimated from the votes alone, and are too high "
    "where voters make the same mistakes. A hundred true labels (--truth) help."
)


def title(summary: Results) -> str:
    """Name of the page."""
    return f"Votes of {plain(summary.get('source') or 'an unnamed file')}"


def flagged(summary: Results) -> list[Results]:
    """Voters with a flag, those with most votes first."""
    voters = [voter for voter in summary.get("by_voter") or () if voter.get("flags")]
    return sorted(voters, key=lambda voter: -(defined(voter.get("votes")) or 0))


def weigh_headline(summary: Results) -> str:
    """Whom to trust, and how good the labels are if that is known."""
    voters, bad = len(summary.get("by_voter") or ()), len(flagged(summary))
    if voters == 0:
        trust = "There are no votes."
    elif not decided(summary):
        trust = "Votes alone cannot decide which labels are right, and whom to trust."
    elif voters == 1:
        trust = "There is only one voter, and no other to compare it with."
    elif voters == 2 and bad == 0:
        trust = "There are only two voters: where they differ, only true labels tell who is right."
    elif bad == 0:
        trust = f"None of the {count(voters)} voters stands out as unreliable."
    else:
        trust = (
            f"{count(bad)} of {count(voters)} voters {'looks' if bad == 1 else 'look'} unreliable "
            f"({percent(_share_of_votes(summary))} of the votes)."
        )
    accuracy = defined(_chosen(summary).get("accuracy"))
    if accuracy is None:
        return trust
    items = (summary.get("truth") or {}).get("items")
    return f"{percent(accuracy, 1)} of {count(items)} labels with known truth are correct. {trust}"


def decided(summary: Results) -> bool:
    """Whether the votes alone decide the labels."""
    return bool((summary.get("dependence") or {}).get("decided", True))


def weigh_notes(summary: Results) -> list[Note]:
    """What else to know at first sight."""
    sentences = [Note(text, is_caution=True) for text in _about_decision(summary)]
    sentences += [*_about_flags(summary), *_about_copies(summary)]
    chosen = _chosen(summary)
    auroc = defined(chosen.get("auroc"))
    if auroc is not None:
        sentences.append(_about_score(auroc))
    elif defined(chosen.get("accuracy")) is None and len(summary.get("by_voter") or ()) > 1:
        sentences.append(Note(NO_TRUTH, is_caution=True))
    if sentence := risk_sentence(summary):
        is_empty = (summary.get("risk_control") or {}).get("threshold") is None
        sentences.append(Note(sentence, is_empty))
    return sentences


def _about_decision(summary: Results) -> list[str]:
    """The warnings that limit all labels."""
    warnings = [plain(text) for text in summary.get("warnings") or ()]
    return [text for text in warnings if text.startswith(("Votes alone", "Copies:", "`"))]


def facts(summary: Results) -> str:
    """The votes and the method in one sentence."""
    classes = summary.get("classes") or ()
    sizes = [
        amount(summary.get("items"), "item"),
        amount(summary.get("votes"), "vote"),
        amount(summary.get("voters"), "voter"),
        f"{count(len(classes))} classes" if classes else "open answers",
    ]
    details = [f"{count(summary['abstained'])} abstained"] if summary.get("abstained") else []
    duplicates = (summary.get("duplicates") or {}).get("found")
    if duplicates:
        policy = {"last": "the last counts", "mean": "their mean counts"}
        how = policy.get(summary["duplicates"].get("policy"), "refused")
        details.append(f"{count(duplicates)} given twice ({how})")
    gold = (summary.get("truth") or {}).get("gold_items")
    if gold:
        details.append(f"{amount(gold, 'label')} fixed as true")
    method = plain(summary.get("method") or "an unnamed method")
    return f"{', '.join(sizes)}; {'; '.join([f'weighed by {method}', *details])}."


def risk_sentence(summary: Results) -> str:
    """What risk control kept, or why it kept nothing; empty where it was not requested."""
    risk = summary.get("risk_control")
    if not risk:
        return ""
    alpha, delta = defined(risk.get("alpha")), defined(risk.get("delta"))
    sure = percent(None if delta is None else 1 - delta)
    if defined(risk.get("threshold")) is None:
        reason = plain(risk.get("reason") or "")
        return (
            f"No set of labels has an error rate of at most {percent(alpha)} with {sure} "
            f"confidence. {reason}"
        )
    return (
        f"{count(risk.get('kept'))} labels ({percent(risk.get('share'))}), those with a score of "
        f"at least {number(risk.get('threshold'))}, have an error rate of at most "
        f"{percent(alpha)}, with {sure} confidence."
    )


def risk_evidence(summary: Results) -> str:
    """The evidence for `risk_sentence`; empty where nothing was kept."""
    risk = summary.get("risk_control")
    if not risk or defined(risk.get("threshold")) is None:
        return ""
    return (
        f"{count(risk.get('wrong'))} of {count(risk.get('gold'))} kept labels with known truth "
        f"are wrong; the upper bound of the error rate is {percent(risk.get('bound'), 1)}."
    )


def glossary(summary: Results) -> dict[str, str]:
    """A definition for each term on the page."""
    has_truth = bool((summary.get("truth") or {}).get("items"))
    return {term: text for term, text in GLOSSARY.items() if has_truth or term not in TRUTH_TERMS}


TRUTH_TERMS = ("AUROC", "AURC", "ECE", "True accuracy")
GLOSSARY = {
    "Accuracy": (
        "The estimated share of a voter's answers that are correct, given the labels and their "
        "probabilities. The dot is its value, the bar its likely range: from the lower end of a "
        "95 % interval if the voters are one source, to the upper end if all labels are right. "
        "It depends on the labels: voters who make the same mistakes look better than they are."
    ),
    "True accuracy": (
        "Measured on items with known truth, with its 95 % interval: the mark in the bar."
    ),
    "Agreement": "How often another random voter on the same item gives the same answer.",
    "Flags": (
        "A voter is flagged by a test against the other voters, never against itself, and the "
        "tests are corrected for the number of voters: if all voters are honest, the probability "
        "that any is flagged is at most 5 %. 'At random' means that more than half of its answers "
        "are independent of the items; 'the same answer' that more than half are given regardless "
        "of the item; 'less than half as informative' that it depends on the item, but less than "
        "half as much as an average voter. A voter without a flag may still be poor: few votes are "
        "not enough to show it."
    ),
    "Copies": (
        "Pairs that make the same mistakes more often than independent voters of the same "
        "accuracy. The test does not tell who copied, and cannot detect a copy of a voter who is "
        "always right. Two models that learned the same mistakes are detected too: together they "
        "are worth one voter."
    ),
    "Gain": (
        "The expected increase in the probability of the most probable answer after one more vote "
        "by a typical voter. 0 where no single vote can change the label."
    ),
    "Score": "How reliable a label is, from 0 to 1.",
    "AUROC": (
        "The probability that a correct label has a higher score than a wrong one; 0.5 is chance."
    ),
    "AURC": (
        "The mean share of wrong labels when the highest scores are kept first; lower is better."
    ),
    "ECE": (
        "The mean distance between the score and the share of correct labels; lower is better."
    ),
}


def _chosen(summary: Results) -> Results:
    method: Results = (summary.get("methods") or {}).get(summary.get("method")) or {}
    return method


def _share_of_votes(summary: Results) -> float | None:
    total = sum(defined(voter.get("votes")) or 0 for voter in summary.get("by_voter") or ())
    return sum(defined(v.get("votes")) or 0 for v in flagged(summary)) / total if total else None


def _about_flags(summary: Results) -> list[Note]:
    bad = flagged(summary)
    if not bad:
        return []
    names = ", ".join(plain(voter.get("voter")) for voter in bad[:3])
    rest = f" and {amount(len(bad) - 3, 'more voter')}" if len(bad) > 3 else ""
    sentences = [Note(f"Review or drop {names}{rest} (reasons below).", True)]
    if (_share_of_votes(summary) or 0) > 0.5:
        text = "They cast most of the votes: only true labels can tell which side is right."
        sentences.append(Note(text, is_caution=True))
    return sentences


def _about_copies(summary: Results) -> list[Note]:
    pairs = len(summary.get("copies") or ())
    if not pairs:
        return []
    what = "pair of voters shares" if pairs == 1 else "pairs of voters share"
    text = f"{count(pairs)} {what} mistakes as copies do: count each pair as one voter."
    return [Note(text, True)]


def _about_score(auroc: float) -> Note:
    text = f"A correct label has a higher score than a wrong one {percent(auroc)} of the time"
    if auroc < 0.6:
        return Note(f"{text}: the score barely tells which labels to trust.", is_caution=True)
    return Note(f"{text} (AUROC {number(auroc)}; chance is 50 %).")
