"""What a weighing says, in sentences that claim no more than the votes show."""

from dataclasses import dataclass

from steelyard.report.formats import Results, count, counted, defined, number, percent, plain

NO_TRUTH = (
    "No truth was given. Accuracies are what the votes imply about each other, too high where "
    "voters err together. A hundred true answers (--truth) help."
)


@dataclass(frozen=True)
class Said:
    """A sentence below the headline."""

    text: str
    is_caution: bool = False


def title(summary: Results) -> str:
    """Name of the page."""
    return f"Votes of {plain(summary.get('source') or 'an unnamed file')}"


def flagged(summary: Results) -> list[Results]:
    """Voters with a flag, those with most votes first."""
    found = [voter for voter in summary.get("by_voter") or () if voter.get("flags")]
    return sorted(found, key=lambda voter: -(defined(voter.get("votes")) or 0))


def headline(summary: Results) -> str:
    """Whom to trust, and how good the labels are if that is known."""
    voters, bad = len(summary.get("by_voter") or ()), len(flagged(summary))
    if voters == 0:
        trust = "There are no votes."
    elif voters == 1:
        trust = "One voter: there is nobody to compare it with."
    elif voters == 2 and bad == 0:
        trust = "Two voters: where they differ, only true answers tell who is right."
    elif bad == 0:
        trust = f"None of the {count(voters)} voters stands out as unreliable."
    else:
        trust = (
            f"{count(bad)} of {count(voters)} voters look unreliable; they cast "
            f"{percent(_share_of_votes(summary))} of the votes."
        )
    accuracy = defined(_chosen(summary).get("accuracy"))
    if accuracy is None:
        return trust
    items = (summary.get("truth") or {}).get("items")
    return f"{percent(accuracy, 1)} of {count(items)} labels of known truth are right. {trust}"


def remarks(summary: Results) -> list[Said]:
    """What else to know at once."""
    said = [*_about_flags(summary), *_about_copies(summary)]
    chosen = _chosen(summary)
    auroc = defined(chosen.get("auroc"))
    if auroc is not None:
        said.append(_about_score(auroc))
    elif defined(chosen.get("accuracy")) is None and len(summary.get("by_voter") or ()) > 1:
        said.append(Said(NO_TRUTH, is_caution=True))
    if sentence := risk_sentence(summary):
        said.append(Said(sentence, (summary.get("risk_control") or {}).get("threshold") is None))
    return said


def facts(summary: Results) -> str:
    """What was weighed, in one sentence."""
    classes = summary.get("classes") or ()
    number_of = [
        counted(summary.get("items"), "item"),
        counted(summary.get("votes"), "vote"),
        counted(summary.get("voters"), "voter"),
        f"{count(len(classes))} classes" if classes else "open answers",
    ]
    more = [f"{count(summary['abstained'])} abstained"] if summary.get("abstained") else []
    found = (summary.get("duplicates") or {}).get("found")
    if found:
        policy = {"last": "the last counts", "mean": "their mean counts"}
        how = policy.get(summary["duplicates"].get("policy"), "refused")
        more.append(f"{count(found)} given twice ({how})")
    gold = (summary.get("truth") or {}).get("gold_items")
    if gold:
        more.append(f"{count(gold)} answers held fixed as true")
    method = plain(summary.get("method") or "an unnamed method")
    return f"{', '.join(number_of)}; weighed by {method}{'; ' + ', '.join(more) if more else ''}."


def risk_sentence(summary: Results) -> str:
    """What risk control kept, or why it kept nothing; empty where it was not asked for."""
    risk = summary.get("risk_control")
    if not risk:
        return ""
    alpha, delta = defined(risk.get("alpha")), defined(risk.get("delta"))
    sure = percent(None if delta is None else 1 - delta)
    if defined(risk.get("threshold")) is None:
        reason = plain(risk.get("reason") or "")
        return (
            f"No set of labels has at most {percent(alpha)} errors with {sure} certainty. {reason}"
        )
    return (
        f"{count(risk.get('kept'))} labels ({percent(risk.get('share'))}) have at most "
        f"{percent(alpha)} errors, with {sure} certainty: those of score "
        f"{number(risk.get('threshold'))} and above."
    )


def risk_evidence(summary: Results) -> str:
    """What the claim of `risk_sentence` rests on; empty where nothing was kept."""
    risk = summary.get("risk_control")
    if not risk or defined(risk.get("threshold")) is None:
        return ""
    return (
        f"{count(risk.get('wrong'))} of {count(risk.get('gold'))} kept labels of known truth are "
        f"wrong; the upper bound is {percent(risk.get('bound'), 1)}."
    )


def notes(summary: Results) -> dict[str, str]:
    """A definition for each word on the page."""
    told = dict(NOTES)
    if not (summary.get("truth") or {}).get("items"):
        for word in ("AUROC", "AURC", "ECE", "True accuracy"):
            told.pop(word)
    return told


NOTES = {
    "Accuracy": (
        "The share of a voter's answers that are right, according to the labels and how sure "
        "they are. The bar is its 95 % interval, the dot its value. It is as good as the labels: "
        "voters who err together look better than they are."
    ),
    "True accuracy": (
        "The same by known truth, with its own 95 % interval: the small mark in the bar."
    ),
    "Agreement": "How often another voter, drawn at random from the same item, says the same.",
    "Distrust": (
        "A voter is flagged by a test against the other voters, never against itself, and the "
        "tests are corrected for the number of voters: if all are honest, the chance that any is "
        "flagged is at most 5 %. 'At random' means that more than half of its answers have nothing "
        "to do with the items; 'the same answer' that more than half are given by rote; 'against "
        "the others' that it agrees less often than chance. A voter without a flag may be poor: "
        "with few votes, nothing can be shown."
    ),
    "Copies": (
        "Pairs that make the same mistakes more often than independent voters as good as they are. "
        "It does not say who copied, and cannot see a copy of a voter who is always right. Two "
        "models that learnt the same mistakes are found too: together they are worth one voter."
    ),
    "Gain": (
        "How much surer of its best answer an item will be, on average, after one more vote by a "
        "typical voter. 0 where no single vote can change the label."
    ),
    "Score": "How far a label can be trusted, from 0 to 1.",
    "AUROC": "The chance that a right label has a higher score than a wrong one; 0.5 is a coin.",
    "AURC": "The mean share of wrong labels when the best scores are kept first; lower is better.",
    "ECE": "How far the score is from the share of right labels, on average; lower is better.",
}


def _chosen(summary: Results) -> Results:
    found: Results = (summary.get("methods") or {}).get(summary.get("method")) or {}
    return found


def _share_of_votes(summary: Results) -> float | None:
    total = sum(defined(voter.get("votes")) or 0 for voter in summary.get("by_voter") or ())
    return sum(defined(v.get("votes")) or 0 for v in flagged(summary)) / total if total else None


def _about_flags(summary: Results) -> list[Said]:
    bad = flagged(summary)
    if not bad:
        return []
    names = ", ".join(plain(voter.get("voter")) for voter in bad[:3])
    more = f" and {count(len(bad) - 3)} more" if len(bad) > 3 else ""
    said = [Said(f"Leave out or look at {names}{more}: reasons are in the table below.", True)]
    if (_share_of_votes(summary) or 0) > 0.5:
        text = "They cast most of the votes: which side is right, only true answers can tell."
        said.append(Said(text, is_caution=True))
    return said


def _about_copies(summary: Results) -> list[Said]:
    pairs = len(summary.get("copies") or ())
    if not pairs:
        return []
    what = "pair of voters shares" if pairs == 1 else "pairs of voters share"
    return [Said(f"{count(pairs)} {what} mistakes as copies do: take each pair for one.", True)]


def _about_score(auroc: float) -> Said:
    told = f"A right label has a higher score than a wrong one {percent(auroc)} of the time"
    if auroc < 0.6:
        return Said(f"{told}: the score hardly tells which labels to trust.", is_caution=True)
    return Said(f"{told} (AUROC {number(auroc)}; 50 % would be a coin).")
