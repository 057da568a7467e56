"""Reliability of the answer that all supervisors together find most probable."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat

from steelyard.errors import InputError
from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes

SMALLEST = 1e-300  # a probability below counts as this one: 0 has no logarithm


class JointDecoding(VoteEstimator):
    """The logarithmic pool of the supervisors' distributions over an example's candidates.

        P(a) is proportional to exp(sum_m w_m ln p_m(a)),  sum_m w_m = 1        score = max_a P(a)

    over the supervisors that gave a distribution for the example. Where a supervisor's distribution
    is the softmax of its log-probabilities of the candidates' texts, the most probable answer is
    that of the largest weighted sum of log-probabilities, sum_m w_m ln P_m(text | prompt): with the
    candidates the union of all supervisors' n-best answers this is joint decoding. One supervisor
    alone keeps its own distribution.

    A vote without probabilities counts as one-hot. Where no vote has any, P(a) is the weighted
    share of the votes. An example without a readable vote has a uniform posterior and score 0.

    Source: Cui et al. 2024, arXiv:2406.03199, joint decoding (from the authors' code; theirs takes
        the best answer alone); Genest and Zidek 1986, doi:10.1214/ss/1177013825, section 3 (the
        logarithmic pool).
    """

    version: ClassVar[int] = 1

    kind: Literal["joint_decoding"] = "joint_decoding"
    weights: (
        Annotated[dict[str, FiniteFloat], Field(min_length=1)] | Literal["certainty"] | None
    ) = None
    """Weight of each voter by its name, >= 0 and not all 0; `certainty`: larger for a lower entropy
    of the voter's list of answers (see `certainty_weights`); None: equal weights."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        """Posterior and score of each example.

        Raises:
            InputError: weights of other voters, or `certainty` for votes without lists of answers.
        """
        read = votes.answer != ABSTAIN
        example = votes.example[read]
        if self.weights == "certainty":
            weights = certainty_weights(_entropies(votes)[read], example, len(votes.ids))
        else:
            weights = _of_voters(votes.voters, self.weights)[votes.voter[read]]
        if votes.probs is None:
            mean = _weighted(votes.distributions[read], example, weights, len(votes.ids))
            total = mean.sum(axis=1, keepdims=True)
            posterior = np.where(total > 0, mean, votes.uniform())
        else:
            logs = np.log(np.maximum(votes.distributions[read], SMALLEST))
            posterior = log_pool(logs, example, weights, votes.possible)
        answered = np.bincount(example, weights=weights, minlength=len(votes.ids)) > 0
        return Reliability(
            votes.ids,
            posterior,
            np.where(answered, np.clip(posterior.max(axis=1, initial=0), 0, 1), 0),
        )


def log_pool(
    log_probs: Floats, example: Ints, weights: Floats, possible: npt.NDArray[np.bool_]
) -> Floats:
    """exp(sum_m w_m s_m(a)) over its sum, with weights of mean 1 an example, (N, K).

    Adding a constant to a supervisor's scores changes nothing: log-probabilities of whole texts and
    their normalised form over the candidates pool alike. Uniform over the possible answers where no
    supervisor has a weight.

    Args:
        log_probs: (R, K), finite scores s of one supervisor for the candidates of one example, in
            nats; values beyond its candidates are ignored.
        example: (R,), number of the example.
        weights: (R,), >= 0; scaled to a sum of 1 over an example's supervisors.
        possible: (N, K), which candidates each example has.
    """
    mean = _weighted(log_probs, example, weights, len(possible))
    mean = np.where(possible, mean, -np.inf)
    power = np.exp(mean - mean.max(axis=1, keepdims=True, initial=-1e308))
    posterior: Floats = power / np.maximum(power.sum(axis=1, keepdims=True), SMALLEST)
    return posterior


def certainty_weights(entropy: Floats, example: Ints, size: int) -> Floats:
    """w_m = softmax over an example's supervisors of 1 / sqrt(H_m), (R,).

    H_m, at least 1e-4, is the `entropy` (R,) of the supervisor's list of answers in nats; `example`
    (R,) is the number of the example, of `size`.

    Source: the code of Cui et al. 2024, arXiv:2406.03199 (an alternative there).
    """
    certainty = 1 / np.sqrt(np.maximum(entropy, 1e-4))
    peak = np.zeros(size)
    np.maximum.at(peak, example, certainty)
    power = np.exp(certainty - peak[example])
    weights: Floats = power / np.bincount(example, weights=power, minlength=size)[example]
    return weights


def _weighted(rows: Floats, example: Ints, weights: Floats, size: int) -> Floats:
    """Weighted mean of the rows of each example, 0 without weights, (N, K)."""
    total = np.bincount(example, weights=weights, minlength=size)[:, None]
    sums = np.zeros((size, rows.shape[1]))
    np.add.at(sums, example, weights[:, None] * rows)
    return np.asarray(np.divide(sums, total, out=np.zeros_like(sums), where=total > 0))


def _entropies(votes: Votes) -> Floats:
    """Entropy of each vote's list of answers; infinite without answers."""
    if votes.entropy is None:
        raise InputError(
            "`weights: certainty` needs voters that answer with lists; use `language_model` "
            "supervisors with `beams` or `api` supervisors with `words`, or give a weight for "
            "each voter."
        )
    return np.where(np.isfinite(votes.entropy), votes.entropy, np.inf)


def _of_voters(voters: tuple[str, ...], weights: Mapping[str, float] | None) -> Floats:
    """Weight of each voter, (V,)."""
    if weights is None:
        return np.ones(len(voters))
    wrong = sorted(set(weights) ^ set(voters))
    if wrong:
        what = "no voter" if wrong[0] in weights else "a voter without a weight"
        raise InputError(
            f"`weights` must name every voter once; {wrong[0]!r} is {what}. "
            f"Voters: {', '.join(voters)}."
        )
    values = np.array([weights[name] for name in voters])
    if (values < 0).any() or not (values > 0).any():
        raise InputError(
            f"`weights` must be >= 0 and not all 0, got {values.tolist()}; omit them for equal "
            "weights."
        )
    return values
