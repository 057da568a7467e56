"""The default method of `weigh`: voters' skills where votes can tell them, else the majority."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from steelyard.reliability.agreement import Majority
from steelyard.reliability.dependence import (
    Dependence,
    find_dependence,
    is_member,
    merge_families,
)
from steelyard.reliability.hierarchical import Hierarchical
from steelyard.reliability.protocol import EstimationData, VoteEstimator
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, VoterSkill, Votes

FEW_VOTERS = 12  # up to so many voters, a dependent group may hold the truth or be the copies
FEW_LABELS = 0.05  # share of labels by which two explanations of the votes must differ
ENOUGH_GOLD = 10  # trusted answers from which they decide between explanations
ITEMS_TO_LABEL = 10


@dataclass(frozen=True, eq=False)
class VoteAnalysis:
    """How far the votes alone determine the labels of N items with K answers."""

    dependence: Dependence
    main: Reliability  # each family of copies has one vote
    rivals: tuple[Floats, ...]  # posteriors (N, K) by other explanations; nan where they have none
    disputed: float  # largest share of labels in which a rival differs from `main`
    undecided: bool  # whether votes alone cannot tell the explanations apart

    def items_to_label(self, count: int = ITEMS_TO_LABEL) -> Ints:
        """Rows of the items whose true answers tell the explanations apart, best first."""
        if not self.rivals:
            return np.zeros(0, dtype=np.int64)
        gain = np.zeros(len(self.main.ids))
        for rival in self.rivals:
            filled = np.nan_to_num(rival)
            differs = filled.argmax(axis=1) != self.main.posterior.argmax(axis=1)
            answered = ~np.isnan(rival).any(axis=1)
            sure = filled.max(axis=1) * self.main.posterior.max(axis=1)
            gain = np.maximum(gain, np.where(differs & answered, sure, 0))
        order = np.argsort(-gain, kind="stable")[:count]
        return np.asarray(order[gain[order] > 0])


def analyse_votes(votes: Votes, gold: Ints | None = None) -> VoteAnalysis:
    """Estimate with copies merged, and find out whether another analysis fits as well.

    Where a group of voters agrees more than one truth explains, either its members share mistakes
    or they are right and the others share mistakes. With at most 12 voters both are tried: the
    group as one voter, and the group alone. If their labels differ in more than 5 % of the items,
    the votes alone cannot decide. The same holds where voters agree hardly more than by chance.
    Ten trusted answers or more settle it.
    """
    dependence = find_dependence(votes)
    merged, number = merge_families(votes, dependence.families)
    main = _estimate(merged, number, votes, gold)
    if dependence.near_chance:
        undecided = _gold_items(votes, gold) < ENOUGH_GOLD
        return VoteAnalysis(dependence, main, (), 1.0, undecided)
    if not dependence.groups or len(merged.voters) > FEW_VOTERS:
        if dependence.groups:
            sets = [*dependence.families, *_other_groups(dependence)]
            main = _estimate(*merge_families(votes, sets), votes, gold)
        return VoteAnalysis(dependence, main, (), 0.0, False)
    sets = [*dependence.families, *_other_groups(dependence)]
    rivals = [_estimate(*merge_families(votes, sets), votes, gold).posterior]
    rivals += [_group_alone(votes, group) for group in dependence.groups]
    disputed = max(_differing(main.posterior, rival) for rival in rivals)
    undecided = disputed > FEW_LABELS and _gold_items(votes, gold) < ENOUGH_GOLD
    return VoteAnalysis(dependence, main, tuple(rivals), disputed, undecided)


class Robust(VoteEstimator):
    """`hierarchical` with one vote for each family of copies; majority where votes cannot decide.

    1. Voters who are copies of each other (`find_dependence`) share one vote.
    2. `hierarchical` estimates labels and skills from these votes.
    3. If the votes alone cannot decide (`analyse_votes`), the labels are the majority's and the
       score is the vote share; a few trusted answers decide then.

    With more than 12 voters a dependent group shares one vote as well, since the others outnumber
    it. `skill` gives the members of a family the same accuracy.

    Source: `find_dependence` and `hierarchical` name theirs; the rules for joining them are ours.
    """

    version: ClassVar[int] = 1

    kind: Literal["robust"] = "robust"

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        return self.estimate_from(EstimationData(votes, gold))

    def estimate_from(self, data: EstimationData) -> Reliability:
        analysis = data.analysis or analyse_votes(data.votes, data.gold)
        if analysis.undecided:
            return Majority().estimate(data.votes, data.gold)
        return analysis.main


def _estimate(merged: Votes, number: Ints, votes: Votes, gold: Ints | None) -> Reliability:
    """`hierarchical` on merged votes, with the skills of all voters."""
    reliability = Hierarchical().estimate(merged, gold)
    skill = reliability.skill
    if skill is None or merged is votes:
        return reliability
    confusion = None if skill.confusion is None else skill.confusion[number]
    return replace(reliability, skill=VoterSkill(votes.voters, skill.accuracy[number], confusion))


def _other_groups(dependence: Dependence) -> list[tuple[int, ...]]:
    """The groups without voters of a family, which is merged already."""
    inside = {voter for family in dependence.families for voter in family}
    groups = [tuple(v for v in group if v not in inside) for group in dependence.groups]
    return [group for group in groups if len(group) > 1]


def _group_alone(votes: Votes, group: tuple[int, ...]) -> Floats:
    """Mean votes of a group's members (N, K); nan where none of them answered."""
    rows = np.flatnonzero(is_member(votes.voter, group) & (votes.answer != ABSTAIN))
    part = votes.take(rows)
    means = part.means()
    means[~part.answered] = np.nan
    return means


def _differing(main: Floats, rival: Floats) -> float:
    """Share of the items with a clear answer of the rival whose label differs from the main one."""
    clear = ~np.isnan(rival).any(axis=1)
    top = np.sort(np.nan_to_num(rival), axis=1)
    clear &= top[:, -1] > top[:, -2]
    if not clear.any():
        return 0.0
    return float((main.argmax(axis=1) != np.nan_to_num(rival).argmax(axis=1))[clear].mean())


def _gold_items(votes: Votes, gold: Ints | None) -> int:
    return 0 if gold is None else int(((gold != ABSTAIN) & votes.answered).sum())
