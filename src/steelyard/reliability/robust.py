"""The default method of `weigh`: voters' skills where votes can tell them, else the majority."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from steelyard.reliability.agreement import Majority
from steelyard.reliability.confidence import with_confidence
from steelyard.reliability.dependence import Dependence, find_dependence, merge_families
from steelyard.reliability.hierarchical import Hierarchical
from steelyard.reliability.protocol import EstimationData, VoteEstimator
from steelyard.reliability.vote_table import VoteTable
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, VoterSkill, Votes

FEW_VOTERS = 12  # up to so many voters, a dependent group may hold the truth or be the copies
FEW_LABELS = 0.05  # share of labels by which two explanations of the votes must differ
ENOUGH_GOLD = 10  # trusted answers from which they decide between explanations
ITEMS_TO_LABEL = 10


@dataclass(frozen=True, eq=False)
class VoteAnalysis:
    """How far the votes alone determine the labels of N items with K answers.

    Where a group of voters agrees more than one truth explains, either its members share mistakes
    or they are right and the others share mistakes. With at most 12 voters both are tried: the
    group as one voter, and the group alone. If their labels differ in more than 5 % of the items,
    the votes alone cannot decide. The same holds where voters agree hardly more than by chance.
    Ten trusted answers or more settle it. Fits are made when they are first asked for.

    Voters who are one voter asked in several ways (`same`) share one vote: that they agree shows
    how consistent it is, not how right.
    """

    votes: Votes
    gold: Ints | None = None  # (N,), trusted answers, ABSTAIN elsewhere
    same: tuple[tuple[int, ...], ...] = ()  # sets of voters that are ways of asking one voter

    @cached_property
    def joined(self) -> tuple[Votes, Ints]:
        """Votes with one voter for each set of `same`, and the new number of each voter, (V,)."""
        return merge_families(self.votes, self.same)

    @cached_property
    def dependence(self) -> Dependence:
        """Among the voters of `joined`."""
        return find_dependence(self.joined[0])

    @cached_property
    def main(self) -> Reliability:
        """`hierarchical` with one vote for each family; with many voters, for each group too."""
        families = self.dependence.families
        sets = families if self._few_voters else (*families, *self._other_groups)
        return self._estimate(sets)

    @cached_property
    def rivals(self) -> tuple[Floats, ...]:
        """Posteriors (N, K) by other explanations; nan where a group did not answer."""
        groups = self.dependence.groups
        if self.dependence.near_chance or not groups or not self._few_voters:
            return ()
        merged = self._estimate((*self.dependence.families, *self._other_groups))
        return (merged.posterior, *(_group_alone(self.joined[0], group) for group in groups))

    @cached_property
    def disputed(self) -> float:
        """Largest share of labels in which a rival differs from `main`; 1 near chance."""
        if self.dependence.near_chance:
            return 1.0
        return max((_differing(self.main.posterior, rival) for rival in self.rivals), default=0.0)

    @property
    def undecided(self) -> bool:
        """Whether votes alone cannot tell the explanations apart."""
        gold = 0 if self.gold is None else ((self.gold != ABSTAIN) & self.votes.answered).sum()
        return bool(gold < ENOUGH_GOLD) and self.disputed > FEW_LABELS

    def items_to_label(self, count: int = ITEMS_TO_LABEL) -> Ints:
        """Rows of the items whose true answers tell the explanations apart, best first."""
        gain = np.zeros(len(self.votes.ids))
        for rival in self.rivals:
            filled = np.nan_to_num(rival)
            differs = filled.argmax(axis=1) != self.main.posterior.argmax(axis=1)
            sure = filled.max(axis=1) * self.main.posterior.max(axis=1)
            gain = np.maximum(gain, np.where(differs, sure, 0))  # 0 where the group is silent
        order = np.argsort(-gain, kind="stable")[:count]
        return np.asarray(order[gain[order] > 0])

    @cached_property
    def _few_voters(self) -> bool:
        copies = sum(len(family) - 1 for family in self.dependence.families)
        return len(self.joined[0].voters) - copies <= FEW_VOTERS

    @property
    def _other_groups(self) -> tuple[tuple[int, ...], ...]:
        """The groups without voters of a family, which is merged already."""
        inside = {voter for family in self.dependence.families for voter in family}
        groups = (tuple(v for v in group if v not in inside) for group in self.dependence.groups)
        return tuple(group for group in groups if len(group) > 1)

    def _estimate(self, sets: tuple[tuple[int, ...], ...]) -> Reliability:
        """`hierarchical` with one vote for each set, its score, and the skills of all voters."""
        joined, first = self.joined
        merged, second = merge_families(joined, sets)
        number = second[first]
        reliability = Hierarchical().estimate(merged, self.gold)
        reliability = with_confidence(VoteTable.of(merged, self.gold), reliability)
        skill = reliability.skill
        if skill is None or merged is self.votes:
            return reliability
        confusion = None if skill.confusion is None else skill.confusion[number]
        skill = VoterSkill(self.votes.voters, skill.accuracy[number], confusion)
        return replace(reliability, skill=skill)


class Robust(VoteEstimator):
    """`hierarchical` with one vote for each family of copies; majority where votes cannot decide.

    1. Voters who are copies of each other (`find_dependence`) share one vote.
    2. `hierarchical` estimates labels and skills from these votes.
    3. If the votes alone cannot decide (`VoteAnalysis`), the labels are the majority's and the
       score is the vote share; a few trusted answers decide then.

    With more than 12 voters a dependent group shares one vote as well, since the others outnumber
    it. The score allows for dependence that is left (`with_confidence`). `skill` gives the members
    of a family the same accuracy.

    Source: `find_dependence` and `hierarchical` name theirs; the rules for joining them are ours.
    """

    version: ClassVar[int] = 2 + Hierarchical.version

    kind: Literal["robust"] = "robust"

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        return self.estimate_from(EstimationData(votes, gold))

    def estimate_from(self, data: EstimationData) -> Reliability:
        analysis = data.analysis or VoteAnalysis(data.votes, data.gold)
        if analysis.undecided:
            return Majority().estimate(data.votes, data.gold)
        return analysis.main


def _group_alone(votes: Votes, group: tuple[int, ...]) -> Floats:
    """Mean votes of a group's members (N, K); nan where none of them answered."""
    rows = np.flatnonzero(np.isin(votes.voter, group) & (votes.answer != ABSTAIN))
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
