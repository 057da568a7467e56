"""One target per weak supervisor, for objectives that use several."""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from steelyard.errors import InputError
from steelyard.io.renamed_settings import renamed_value
from steelyard.selection.label_and_ties import UNANSWERED, select
from steelyard.selection.protocol import BaseSelector
from steelyard.types import ABSTAIN, Floats, Reliability, Selection, SupervisorTargets, Votes

MAX_SUPERVISORS = 64


class PerSupervisor(BaseSelector):
    """Every example with the distribution of each voter, (N, M, K).

    A voter's distribution is the mean of its readable votes about the example; without a readable
    vote it abstains there. For open questions only its answers count, not the probabilities that
    it gives to the answers of others. The pooled target, whose accuracy is reported, is the
    weighted mean over the voters that answered.

    Source: Cui et al. 2024, arXiv:2406.03199 (several weak supervisors; fixed, mean or
        accuracy-like weights, from the authors' code).
    """

    version: ClassVar[int] = 1
    targets_per_supervisor: ClassVar[bool] = True

    kind: Literal["per_supervisor", "apart"] = "per_supervisor"
    weights: Literal["uniform", "accuracy"] | tuple[float, ...] = "uniform"
    """Weights of the voters: `uniform`; `accuracy`, in proportion to the accuracy above chance that
    the arm's estimator learned (such as `dawid_skene`); or one number > 0 per voter, in order."""
    max_supervisors: int = Field(MAX_SUPERVISORS, ge=1)
    """More voters than this are refused, because each adds a term to the loss."""

    @field_validator("kind")
    @classmethod
    def _new_kind(cls, value: str) -> str:
        return renamed_value(value, {"apart": "per_supervisor"})

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        size, voters = len(votes.ids), len(votes.voters)
        if voters > self.max_supervisors:
            raise InputError(
                f"{voters} voters are too many for one target each (at most "
                f"{self.max_supervisors}). Use one label per example, for example with "
                "`reliability: dawid_skene` and `selection: hard`, or fewer voters."
            )
        table = np.zeros((size, voters, votes.num_classes))
        read = votes.answer != ABSTAIN
        counted = replace(votes, probs=None) if votes.candidate_texts else votes
        np.add.at(table, (votes.example[read], votes.voter[read]), counted.distributions[read])
        total = table.sum(axis=2, keepdims=True)
        np.divide(table, total, out=table, where=total > 0)
        weights = self._weights(votes, reliability)
        pooled = np.einsum("nmk,m->nk", table, weights)
        mass = pooled.sum(axis=1, keepdims=True)
        pooled = np.divide(pooled, mass, out=votes.uniform(), where=mass > 0)
        selection = select(votes.ids, pooled, {UNANSWERED: ~votes.answered})
        targets = SupervisorTargets(votes.voters, table, weights)
        return replace(selection, per_supervisor=targets)

    def _weights(self, votes: Votes, reliability: Reliability) -> Floats:
        """Weight of each voter, (M,), sum 1."""
        voters = len(votes.voters)
        raw = np.ones(voters)
        if isinstance(self.weights, tuple):
            raw = np.array(self.weights, dtype=float)
            if len(raw) != voters or not (raw > 0).all() or not np.isfinite(raw).all():
                raise InputError(
                    f"`weights` must be {voters} numbers > 0, one for each voter in the order "
                    f"{', '.join(votes.voters)}; got {self.weights}."
                )
        elif self.weights == "accuracy":
            skill = reliability.skill
            if skill is None or skill.voters != votes.voters:
                raise InputError(
                    "`weights: accuracy` needs an estimator that learns how accurate each voter "
                    "is; use `reliability: dawid_skene`, `one_coin` or `hierarchical`."
                )
            chance = 1 / max(votes.num_classes, 2)
            raw = np.maximum(skill.accuracy - chance, 1e-3)
        weights: Floats = raw / raw.sum()
        return weights
