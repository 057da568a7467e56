"""What the votes show, in sentences that claim no more."""

from steelyard.report.formats import Results, amount, count, defined, number, percent, plain
from steelyard.report.study_sentences import Note


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
    accuracy = defined(chosen_method(summary).get("accuracy"))
    if accuracy is None:
        return trust
    items = (summary.get("truth") or {}).get("items")
    verb = "is" if items == 1 else "are"
    share = f"{percent(accuracy, 1)} of {amount(items, 'label')} with known truth {verb} correct."
    return f"{share} {trust}"


def decided(summary: Results) -> bool:
    """Whether the votes alone decide the labels."""
    return bool((summary.get("dependence") or {}).get("decided", True))


def weigh_notes(summary: Results) -> list[Note]:
    """What else to know at first sight, what limits all labels first."""
    sentences = [Note(text, is_caution=True) for text in limits(summary)]
    if (_share_of_votes(summary) or 0) > 0.5:
        text = "Voters who look unreliable cast most of the votes"
        text += ": only true labels can tell which side is right."
        sentences.append(Note(text, is_caution=True))
    sentences += _about_copies(summary)
    auroc = defined(chosen_method(summary).get("auroc"))
    if auroc is not None:
        sentences.append(_about_score(auroc))
    return sorted(sentences, key=lambda note: not note.is_caution)


def limits(summary: Results) -> list[str]:
    """The warnings that limit all labels."""
    return [plain(text) for text in summary.get("limits") or ()]


def other_warnings(summary: Results) -> list[str]:
    """The warnings that do not limit all labels."""
    first = set(summary.get("limits") or ())
    return [plain(text) for text in summary.get("warnings") or () if text not in first]


def facts(summary: Results) -> str:
    """The votes and the method in one sentence."""
    classes = summary.get("classes") or ()
    sizes = [
        amount(summary.get("items"), "item"),
        amount(summary.get("votes"), "vote"),
        amount(summary.get("voters"), "voter"),
        amount(len(classes), "class") if classes else "open answers",
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


def chosen_method(summary: Results) -> Results:
    """What the summary holds about the reported method."""
    method: Results = (summary.get("methods") or {}).get(summary.get("method")) or {}
    return method


def _share_of_votes(summary: Results) -> float | None:
    total = sum(defined(voter.get("votes")) or 0 for voter in summary.get("by_voter") or ())
    return sum(defined(v.get("votes")) or 0 for v in flagged(summary)) / total if total else None


def _about_copies(summary: Results) -> list[Note]:
    pairs = len(summary.get("copies") or ())
    if not pairs:
        return []
    what = "pair of voters shares" if pairs == 1 else "pairs of voters share"
    text = f"{count(pairs)} {what} mistakes as copies do: count each pair as one voter."
    return [Note(text, True)]


def _about_score(auroc: float) -> Note:
    text = f"A correct label has a higher score than a wrong one {percent(auroc, 1)} of the time"
    if auroc < 0.6:
        return Note(f"{text}: the score barely tells which labels to trust.", is_caution=True)
    return Note(f"{text} (AUROC {number(auroc)}; chance is 50 %).")
