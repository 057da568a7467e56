"""Labels corrected by the confusions that voters show on examples whose answer is known."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.protocol import EstimationData, VoteEstimator
from steelyard.reliability.vote_table import (
    VoteTable,
    refuse_many,
    refuse_open,
    reliability_of,
    softmax_rows,
)
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, VoterSkill, Votes, one_hot
from steelyard.types.joined import stack_votes

EXPONENTS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Exponents tried on the votes."""
RIGHT, WRONG = 4.0, 1.0
"""Votes that are added to those of each voter when its accuracy is estimated."""


class GoldConfusions(VoteEstimator):
    """The posterior of the votes under each voter's confusions on trusted examples, without EM.

        P(k | votes)  ~  prior_k prod over votes of (pi_v(l | k) ^ w) ^ t
        pi_v(l | k)   ~  smoothing c_v(l | k) + votes of v for l on trusted examples of class k

    with w the vote's weight, as of `dawid_skene`, and c_v the confusions of a voter whose accuracy
    is the same in each class: that of v on all trusted examples, with four right votes of five
    added. The prior has the trusted examples' shares of classes, with one example of each added.
    The exponent t allows for voters who err together: of six values between 0.1 and 1 it is the one
    under which the trusted answers are likeliest, each predicted from the other folds.

    A student that minimises the cross-entropy with this posterior (`selection: soft`) learns
    corrected labels. With `prior: uniform` and `objective: product` it has exactly the gradient of
    Patrini et al.'s forward correction: the slope of -ln sum_k pi(l | k) p_k is p - r with
    r_k ~ pi(l | k) p_k, which is that objective. Backward correction would need negative targets.

    In a study, supervisors vote on weak_train: on each third of it after training on the other two.
    It can be used as `{name: corrected, reliability: gold_confusions, selection: soft}`, and with
    `steelyard weigh --gold`. Without trusted answers each voter is right four times of five.
    Abstentions are ignored.

    Raises (in `estimate`): InputError for open answers, or for more voters and classes than there
    is memory for.

    Source: Hendrycks et al. 2018, "Using Trusted Data to Train Deep Networks on Labels Corrupted by
        Severe Noise", arXiv:1802.05300 (confusions counted on trusted examples); Patrini et al.
        2017, "Making Deep Neural Networks Robust to Label Noise: A Loss Correction Approach",
        arXiv:1609.03683 (forward correction; several voters, smoothing and the exponent: ours).
    """

    version: ClassVar[int] = 1
    needs_gold_votes: ClassVar[bool] = True

    kind: Literal["gold_confusions"] = "gold_confusions"
    prior: Literal["gold", "uniform"] = "gold"
    """`gold`: the shares of classes among the trusted examples. `uniform`: equal ones, for
    `objective: product`, where the student's own prediction is the prior."""
    smoothing: float = Field(5.0, gt=0)
    """Votes added to each row of each confusion matrix."""
    exponent: float | None = Field(None, gt=0, le=1)
    """The exponent t; null chooses it on the trusted examples."""
    folds: int = Field(5, ge=2)
    """Parts of the trusted examples, for the choice of the exponent."""
    seed: int = Field(0, ge=0)
    """Random seed for the folds."""

    @property
    def uses_gold(self) -> bool:
        return True

    def estimate_from(self, data: EstimationData) -> Reliability:
        if data.trusted_votes is None:
            return self.estimate(data.votes, data.gold)
        size = len(data.votes.ids)
        gold = np.full(size, ABSTAIN) if data.gold is None else data.gold
        stacked = stack_votes((data.votes, data.trusted_votes.votes))
        whole = self.estimate(stacked, np.concatenate([gold, data.trusted_votes.answers]))
        return Reliability(data.votes.ids, whole.posterior[:size], whole.score[:size], whole.skill)

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        refuse_open(votes, self.kind, "`hierarchical`")
        refuse_many(votes, self.kind, "`hierarchical`")
        table = VoteTable.of(votes, gold)
        trusted = np.flatnonzero((table.gold != ABSTAIN) & table.answered)
        exponent = self.exponent or self._best_exponent(table, trusted)
        prior, confusion, accuracy = self._fit(table, trusted)
        posterior, _ = table.posterior_of(
            np.log(prior) + exponent * table.log_likelihood(np.log(confusion))
        )
        skill = VoterSkill(votes.voters, accuracy, confusion.transpose(0, 2, 1))
        return reliability_of(votes, posterior, gold, skill)

    def _fit(self, table: VoteTable, trusted: Ints) -> tuple[Floats, Floats, Floats]:
        """Class shares (K,), P(answer l | truth k) as [v, l, k], and accuracies (V,)."""
        size, _, k = table.shape
        states = np.zeros((size, k))
        states[trusted] = one_hot(table.gold[trusted], k)
        counts = table.counts(states)
        hits = np.trace(counts, axis1=1, axis2=2) + RIGHT
        accuracy = hits / (counts.sum(axis=(1, 2)) + RIGHT + WRONG)
        alike = np.repeat(((1 - accuracy) / max(k - 1, 1))[:, None, None], k, axis=1)
        rows = np.where(np.eye(k) > 0, accuracy[:, None, None], alike)
        counts += self.smoothing * rows
        shares = states.sum(axis=0) + 1 if self.prior == "gold" else np.ones(k)
        return shares / shares.sum(), counts / counts.sum(axis=1, keepdims=True), accuracy

    def _best_exponent(self, table: VoteTable, trusted: Ints) -> float:
        """The exponent under which trusted answers, predicted from other folds, are likeliest."""
        fold = np.random.default_rng(self.seed).permutation(len(trusted)) % self.folds
        likelihood = np.zeros(len(EXPONENTS))
        for number in range(self.folds):
            asked = trusted[fold == number]
            prior, confusion, _ = self._fit(table, trusted[fold != number])
            evidence = table.log_likelihood(np.log(confusion))[asked]
            for e, exponent in enumerate(EXPONENTS):
                predicted, _ = softmax_rows(np.log(prior) + exponent * evidence)
                right = predicted[np.arange(len(asked)), table.gold[asked]]
                likelihood[e] += np.log(np.maximum(right, 1e-300)).sum()
        best = np.flatnonzero(likelihood == likelihood.max())[-1]  # without examples: 1
        return EXPONENTS[int(best)]
