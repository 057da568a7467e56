"""Voters of one population: the model that `weigh` takes when nobody says which."""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.checks import reliability_of
from steelyard.reliability.protocol import VoteEstimator
from steelyard.reliability.variational import Fit, coin, coin_leave_one_out, rows
from steelyard.reliability.vote_table import CELLS, VoteTable, shared_classes
from steelyard.types import Floats, Ints, Reliability, VoterSkill, Votes

SAMPLE_VOTES = (30_000, 200_000)
"""Above the first number of votes, the model is chosen on a random sample of examples: about as
many votes, or ROW_VOTES for each row of a confusion matrix if that is between the two."""
ROW_VOTES = 10
"""Fewer votes for each row of each kind, and kinds are not tried."""
COARSE = 1e-4
"""Of the fits to that sample: their differences are larger. In nats per vote."""
KIND_EXAMPLES = 50
"""Fewer answered examples for each kind of each class, and kinds are not tried: a class is then
hardly more than a name for what a few examples share."""
LABELLING_FUNCTIONS = 0.5
"""Voters whose own answers differ less than this share of how far those of all voters do."""


class Hierarchical(VoteEstimator):
    """Voters' skills are drawn from a shared prior that is learnt; evidence chooses the model.

    From the smaller to the larger claim:

    - `coin`: each voter has one accuracy, drawn from a learnt Beta: the fewer its votes, the closer
      it is to all others, down to the majority vote.
    - `rows`: each voter has a confusion matrix, its rows drawn from a learnt Dirichlet that
      only knows right from wrong. Tried if there is a vote for each row.
    - `rows` with two or more kinds of examples in each class, which explain votes that go wrong
      together (hard examples, voters that copy). Tried if there are ten votes for each row, and
      50 examples for each kind.

    Classes are equally common, or their shares are learnt. Each is fitted by variational Bayes,
    which bounds its log evidence from below; the posterior is the average of the fits, weighted by
    exp(bound). Two cases leave these models open to collapse, and have one accuracy per voter
    that is judged by the other voters alone:

    - answers are open, or examples differ in their number of answers;
    - voters are labelling functions, which tell by whether they answer at all: two answers of one
      voter differ less than half as often as two answers of any voters,

          sum_v n_v D_v / sum_v n_v <= D / 2,   D = 1 - sum_l share_l^2 (D_v unbiased, of voter v)

      Which class's functions are right is then left open by the votes. Unless there are trusted
      answers, the majority stands, and a tie goes to the class that is named more rarely: right
      where classes are about equally common, wrong where one of them is rare indeed.

    Trusted answers are held fixed; the fits then begin at what these say about the voters. A
    soft vote counts as in `dawid_skene`. The score is the posterior of the winning answer, 0
    where nobody answered. `skill` has posterior means of the likeliest fit.

    Source: Paun et al. 2018, "Comparing Bayesian Models of Annotation" (hierarchical Dawid-Skene);
        Kim and Ghahramani 2012, "Bayesian Classifier Combination" (rows); Li et al. 2019,
        "Exploiting Worker Correlation for Label Aggregation in Crowdsourcing" (kinds of a class).
        The learnt tied prior, the choice by evidence and the cases of collapse are ours.
    """

    version: ClassVar[int] = 1

    kind: Literal["hierarchical"] = "hierarchical"
    iterations: int = Field(200, ge=1)
    """Most steps of each fit."""
    tolerance: float = Field(1e-6, ge=0)
    """A fit ends when a step gains less of its bound per vote, in nats."""
    kinds: int = Field(4, ge=1)
    """Most kinds of examples within a class; more are tried only while they raise the evidence."""
    restarts: int = Field(6, ge=2)
    """Random divisions into kinds that are tried; two, if neither of them raises the evidence."""
    seed: int = 0
    """Of these divisions, and of the sample on which a large table's model is chosen."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        whole = VoteTable.of(votes, gold)
        shared = shared_classes(votes)
        if not shared or are_labelling_functions(whole):
            equal_weights = shared and not (whole.gold >= 0).any()
            best = coin_leave_one_out(
                whole,
                self.iterations,
                self.tolerance,
                equal_weights=equal_weights,
                confusion=shared,
            )
            posterior = best.posterior
        elif len(whole.weight) <= SAMPLE_VOTES[0]:
            fits = [fit for _, _, fit in self._fits(whole)]
            best = max(fits, key=lambda fit: fit.bound)
            posterior = averaged(fits)
        else:
            sample = VoteTable.of(*_sample(votes, whole.gold, sample_size(whole), self.seed))
            coarse = self.model_copy(update={"tolerance": max(self.tolerance, COARSE)})
            learn, kinds, fit = max(coarse._fits(sample), key=lambda entry: entry[2].bound)
            best = self._fit(whole, learn, kinds, start=fit if kinds > 1 else None)
            posterior = best.posterior
        skill = VoterSkill(votes.voters, np.clip(best.accuracy, 0, 1), best.confusion)
        return reliability_of(votes, posterior, gold, skill)

    def _fits(self, table: VoteTable) -> list[tuple[bool, int, Fit]]:
        """Whether class shares are learnt, kinds per class (0 for `coin`), and the fit."""
        _, v, k = table.shape
        most = min(self.kinds, max(1, int(table.answered.sum()) // (KIND_EXAMPLES * k)))
        rows_votes = len(table.weight) / (v * k)
        if v * k * k > CELLS or rows_votes < 1:
            most = 0
        elif rows_votes < 2 * ROW_VOTES:
            most = 1
        else:
            most = min(most, int(rows_votes / ROW_VOTES))
        fits = []
        for learn in (False, True):
            level = [self._fit(table, learn, 0)]
            fits.append((learn, 0, level[0]))
            for kinds in range(1, most + 1):
                before = max(fit.bound for fit in level)
                level = [self._fit(table, learn, kinds, s) for s in range(min(kinds, 2))]
                if kinds > 1:
                    if max(fit.bound for fit in level) <= before:
                        break
                    level += [self._fit(table, learn, kinds, s) for s in range(2, self.restarts)]
                fits += [(learn, kinds, fit) for fit in level]
        return fits

    def _fit(
        self,
        table: VoteTable,
        learn: bool,
        kinds: int,
        restart: int = 0,
        start: Fit | None = None,
    ) -> Fit:
        stop = (self.iterations, self.tolerance)
        if kinds == 0:
            return coin(table, *stop, learn_shares=learn, confusion=True)
        seed = self.seed + restart
        return rows(table, *stop, learn_shares=learn, kinds=kinds, seed=seed, start=start)


def are_labelling_functions(table: VoteTable) -> bool:
    """Whether voters (nearly) always give the same answer, each its own; so too if nobody votes."""
    _, v, k = table.shape
    cell = table.voter * k + table.answer
    given = np.bincount(cell, table.weight, minlength=v * k).reshape(v, k)
    given = given[table.voter_weight > 1]
    size = given.sum(axis=1)
    spread_within = (size - (given**2).sum(axis=1) / size) * size / (size - 1)
    total = given.sum(axis=0)
    spread = 1 - ((total / max(total.sum(), 1)) ** 2).sum()
    return bool(spread_within.sum() <= LABELLING_FUNCTIONS * spread * size.sum())


def sample_size(table: VoteTable) -> int:
    """Most votes on which the model is chosen."""
    _, v, k = table.shape
    return min(max(SAMPLE_VOTES[0], ROW_VOTES * v * k), SAMPLE_VOTES[1])


def averaged(fits: list[Fit]) -> Floats:
    """Posterior of the fits, (N, K), each weighted by exp(its bound on the log evidence)."""
    bounds = np.array([fit.bound for fit in fits])
    weights = np.exp(bounds - bounds.max())
    weights /= weights.sum()
    posterior = np.zeros_like(fits[0].posterior)
    for fit, weight in zip(fits, weights, strict=True):
        posterior += weight * fit.posterior
    return posterior


def _sample(votes: Votes, gold: Ints, target: int, seed: int) -> tuple[Votes, Ints]:
    """About `target` votes: those on a random part of the examples; and their trusted answers."""
    size = len(votes.ids)
    wanted = max(1, size * target // len(votes.example))
    picked = np.zeros(size, dtype=bool)
    picked[np.random.default_rng(seed).choice(size, min(wanted, size), replace=False)] = True
    kept = picked[votes.example]
    part = replace(
        votes,
        ids=tuple(votes.ids[i] for i in np.flatnonzero(picked)),
        example=(np.cumsum(picked) - 1)[votes.example[kept]],
        voter=votes.voter[kept],
        query=votes.query[kept],
        answer=votes.answer[kept],
        candidates=votes.candidates[picked],
        probs=None if votes.probs is None else votes.probs[kept],
        texts=(),
        reasons=(),
    )
    return part, gold[picked]
