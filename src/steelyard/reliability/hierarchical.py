"""Voters whose skills have a shared prior: the default method of `weigh`."""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.abstentions import are_labelling_functions
from steelyard.reliability.protocol import VoteEstimator
from steelyard.reliability.variational import Fit, fit_coin, fit_coin_leave_one_out, fit_rows
from steelyard.reliability.vote_table import CELLS, VoteTable, reliability_of, shared_classes
from steelyard.types import Floats, Ints, Reliability, VoterSkill, Votes

SAMPLE_VOTES = (30_000, 200_000)
"""Above the first number of votes, the model is chosen on a random sample of examples: about as
many votes, or ROW_VOTES for each row of a confusion matrix if that is between the two."""
ROW_VOTES = 10
"""Votes for each row of each kind, below which kinds are not tried."""
COARSE = 1e-4
"""Tolerance of the fits to that sample, whose bounds differ by more, in nats per vote."""
KIND_EXAMPLES = 50
"""Answered examples for each kind of each class, below which kinds are not tried: they would only
describe what a few examples share."""


class Hierarchical(VoteEstimator):
    """Voters' skills have a shared, learnt prior; the evidence chooses the model.

    From the simplest to the most complex model:

    - `fit_coin`: each voter has one accuracy with a learnt Beta prior; with few votes it is near
      that of all others, down to the majority vote.
    - `fit_rows`: each voter has a confusion matrix, whose rows have a learnt Dirichlet prior with
      one value for right and one for wrong answers. Tried if there is a vote for each row.
    - `fit_rows` with two or more kinds of examples in each class, for votes that are wrong together
      (hard examples, voters that copy). Tried if there are ten votes for each row, and 50 examples
      for each kind.

    Classes are equally common, or their shares are learnt. Each model is fitted by variational
    Bayes with a lower bound on its log evidence; the posterior is the average of the fits, weighted
    by exp(bound). In two cases these models may collapse, and each voter has one accuracy estimated
    from the other voters (`fit_coin_leave_one_out`):

    - answers are open, or examples differ in their number of answers;
    - voters are labelling functions, which abstain or name their class: two answers of one voter
      differ less than half as often as two answers of any voters,

          sum_v n_v D_v / sum_v n_v <= D / 2,   D = 1 - sum_l share_l^2 (D_v unbiased, of voter v)

      The votes then cannot show which class's functions are right. Without trusted answers the
      majority wins, and a tie goes to the class that is named more rarely: right where classes are
      about equally common, wrong where one of them is rare.

    Trusted answers are held fixed, and the fits start at the skills that these show. A soft vote
    counts as in `dawid_skene`. The score is the posterior of the winning answer, 0 without a vote.
    `skill` has posterior means of the fit with the largest bound.

    Source: Paun et al. 2018, "Comparing Bayesian Models of Annotation" (hierarchical Dawid-Skene);
        Kim and Ghahramani 2012, "Bayesian Classifier Combination" (rows); Li et al. 2019,
        "Exploiting Worker Correlation for Label Aggregation in Crowdsourcing" (kinds of a class).
        The learnt tied prior, the choice by evidence and the cases of collapse are ours.
    """

    version: ClassVar[int] = 1

    kind: Literal["hierarchical"] = "hierarchical"
    iterations: int = Field(200, ge=1)
    """Maximum number of steps of each fit."""
    tolerance: float = Field(1e-6, ge=0)
    """A fit ends when a step raises its bound by less than this per vote, in nats."""
    kinds: int = Field(4, ge=1)
    """Maximum number of kinds of examples in a class; more are tried while the evidence rises."""
    restarts: int = Field(6, ge=2)
    """Number of random divisions into kinds; two, if neither of them raises the evidence."""
    seed: int = 0
    """Random seed for these divisions, and for the sample on which a large table's model is
    chosen."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        whole = VoteTable.of(votes, gold)
        shared = shared_classes(votes)
        if not shared or are_labelling_functions(whole):
            equal_weights = shared and not (whole.gold >= 0).any()
            best = fit_coin_leave_one_out(
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
            return fit_coin(table, *stop, learn_shares=learn, confusion=True)
        seed = self.seed + restart
        return fit_rows(table, *stop, learn_shares=learn, kinds=kinds, seed=seed, start=start)


def sample_size(table: VoteTable) -> int:
    """Number of votes above which the model is chosen on a sample."""
    _, v, k = table.shape
    return min(max(SAMPLE_VOTES[0], ROW_VOTES * v * k), SAMPLE_VOTES[1])


def averaged(fits: list[Fit]) -> Floats:
    """Mean posterior of the fits, (N, K), weighted by exp(bound on the log evidence)."""
    bounds = np.array([fit.bound for fit in fits])
    weights = np.exp(bounds - bounds.max())
    weights /= weights.sum()
    posterior = np.zeros_like(fits[0].posterior)
    for fit, weight in zip(fits, weights, strict=True):
        posterior += weight * fit.posterior
    return posterior


def _sample(votes: Votes, gold: Ints, target: int, seed: int) -> tuple[Votes, Ints]:
    """About `target` votes on randomly drawn examples, and the trusted answers of these."""
    size = len(votes.ids)
    wanted = max(1, size * target // len(votes.example))
    drawn = np.zeros(size, dtype=bool)
    drawn[np.random.default_rng(seed).choice(size, min(wanted, size), replace=False)] = True
    part = votes.take(np.flatnonzero(drawn[votes.example]))
    part = replace(
        part,
        ids=tuple(votes.ids[i] for i in np.flatnonzero(drawn)),
        example=(np.cumsum(drawn) - 1)[part.example],
        candidates=votes.candidates[drawn],
    )
    return part, gold[drawn]
