"""Whether the votes alone decide the labels: copies, rival groups, chance, collapse."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from steelyard.diagnostics.consistency import Consistency
from steelyard.diagnostics.voters import voter_flags
from steelyard.io.counted import counted
from steelyard.reliability.dependence import DependentPair, merge_families
from steelyard.reliability.robust import VoteAnalysis
from steelyard.types import ABSTAIN, Ints, Votes
from steelyard.types.show import listed

COLLAPSED = 0.2  # share of labels that would have to change for the class shares of the votes
FEWEST_LABELS = 30  # below which class shares are not compared


def dependence_summary(analysis: VoteAnalysis) -> dict[str, Any]:
    """The entry `dependence` of summary.json."""
    dependence, rows, votes = analysis.dependence, analysis.items_to_label(), analysis.joined[0]
    return {
        "tested": dependence.tested,
        "mean_correlation": dependence.mean_correlation,
        "families": [_names(votes, family) for family in dependence.families],
        "groups": [_names(votes, group) for group in dependence.groups],
        "pairs": [_pair(votes, pair) for pair in dependence.pairs],
        "decided": not analysis.undecided,
        "disputed": analysis.disputed,
        "label_first": [votes.ids[row] for row in rows],
    }


def decision_warnings(analysis: VoteAnalysis, repeated: Sequence[Consistency]) -> list[str]:
    """What limits all labels, most important first."""
    dependence, votes = analysis.dependence, analysis.joined[0]
    notes = _one_answer(votes)
    notes += [text for entry in repeated if (text := _repeated(entry))]
    if analysis.undecided and dependence.near_chance:
        notes.append(
            "Votes alone cannot decide: voters agree hardly more than by chance (correlation "
            f"{dependence.mean_correlation:.2f}), so these votes hold almost no information."
        )
    elif analysis.undecided:
        groups = "; ".join(" and ".join(_names(votes, group)) for group in dependence.groups[:3])
        items = counted(len(analysis.items_to_label()), "item")
        notes.append(
            f"Votes alone cannot decide: {groups} agree with each other more than the other voters "
            f"explain. Either they are right, or they share mistakes: {analysis.disputed:.0%} "
            f"of the labels depend on it. Label {items} (label_first.csv) and give them as `gold`."
        )
    for family in dependence.families[:5]:
        names = listed(_names(votes, family))
        notes.append(f"Copies: {names} nearly always agree; they share one vote.")
    if len(votes.voters) == 1:
        text = "There is one voter: its reliability cannot be estimated"
        if repeated:
            text += ", however often it was asked: that its answers agree is consistency"
        notes.append(f"{text}.")
    elif len(votes.voters) == 2:
        notes.append("Two voters: where they differ, only true answers tell who is right.")
    return notes


def _one_answer(votes: Votes) -> list[str]:
    named = np.unique(votes.answer[votes.answer != ABSTAIN])
    if not votes.classes or len(named) != 1:
        return []
    name = votes.classes[int(named[0])]
    return [f"Every vote names the same class, {name!r}: the votes say nothing about the items."]


def _repeated(entry: Consistency) -> str:
    """What is wrong with a voter who was asked in several ways; empty if nothing is."""
    if entry.constant:
        return (
            f"{entry.voter} answers {entry.commonest!r} in {entry.share:.0%} of its votes, however "
            "it is asked: these say hardly anything about the items."
        )
    if entry.follows_the_question:
        return (
            f"{entry.voter} agrees with itself hardly more than by chance when it is asked in "
            f"other ways ({entry.agreement:.0%} of the pairs of answers, by chance "
            f"{entry.chance:.0%}): its answers follow the prompt or the order, not the item."
        )
    return ""


def collapse_warnings(votes: Votes, labels: dict[str, Ints]) -> list[str]:
    """Methods whose labels name some classes far more often than the votes do."""
    if not votes.classes or votes.candidate_texts:
        return []
    shares = votes.shares()[votes.answered].mean(axis=0) if votes.answered.any() else None
    notes = []
    for name, label in labels.items():
        given = label[votes.answered & (label != ABSTAIN)]
        if shares is None or len(given) < FEWEST_LABELS:
            continue
        share = np.bincount(given, minlength=votes.num_classes) / len(given)
        if np.abs(share - shares).sum() / 2 > COLLAPSED:
            top = int((share - shares).argmax())
            notes.append(
                f"`{name}` labels {share[top]:.0%} of the items {votes.classes[top]!r}, the votes "
                f"only {shares[top]:.0%}: the method has probably collapsed. Use another one."
            )
    return notes


def independent_flags(votes: Votes, analysis: VoteAnalysis) -> tuple[tuple[str, ...], ...]:
    """Flags of each voter, judged by voters that are independent of each other, V of them.

    Each family of copies counts as one of the others. Nobody is flagged where the votes cannot
    decide, because the others are no yardstick then.
    """
    if analysis.undecided:
        return ((),) * len(votes.voters)
    joined, first = analysis.joined
    merged, second = merge_families(joined, analysis.dependence.families)
    flags = voter_flags(merged)
    return tuple(flags[v] for v in second[first])


def _names(votes: Votes, voters: tuple[int, ...]) -> list[str]:
    return [votes.voters[v] for v in voters]


def _pair(votes: Votes, pair: DependentPair) -> dict[str, Any]:
    return {
        "left": votes.voters[pair.left],
        "right": votes.voters[pair.right],
        "items": pair.items,
        "agreement": pair.agreement,
        "correlation": pair.correlation,
        "expected": pair.expected,
        "copies": pair.copies,
    }
