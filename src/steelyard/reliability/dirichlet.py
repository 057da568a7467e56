"""Reliability from a Dirichlet distribution over each example's class probabilities."""

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.errors import TrainingError
from steelyard.reliability.agreement import entropy
from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes

TOLERANCE = 1e-9  # of the fixed point's equation, in nats
STEPS = 200


class Dirichlet(VoteEstimator):
    """A Dirichlet fitted to the distributions that the voters give each example.

    The votes p_1 ... p_n on an example with K answers are draws from Dirichlet(alpha). Its maximum
    a posteriori alpha, with `prior` imagined votes drawn from the uniform Dirichlet, solves

        psi(alpha_a) - psi(A) = (sum_m ln p_m(a) + prior (psi(1) - psi(K))) / (n + prior)

    with A = sum_a alpha_a and psi the digamma function. Votes are first mixed with the uniform
    distribution, (1 - e) p + e / K, for a probability of 0 has no logarithm. Where no vote has
    probabilities, votes are draws from one multinomial instead, and alpha = 1 + counts, the
    conjugate update. Either way an example without votes has alpha = 1.

    P(a) = alpha_a / A, and the score is 1 minus one of

        expected_entropy     E[H(p)] / ln K = (psi(A + 1) - sum_a P(a) psi(alpha_a + 1)) / ln K
        mutual_information   (H(P) - E[H(p)]) / ln K
        vacuity              K / A, at most 1

    Expected entropy says how undecided the votes are, mutual information how much they differ among
    each other, vacuity how little they say. An example without a readable vote has a uniform
    posterior and score 0; with a single possible answer the score is 1.

    Source: Minka 2000, "Estimating a Dirichlet distribution", section 1 (the objective; Newton
        steps in place of its fixed point; the prior is ours); Malinin and Gales 2018,
        arXiv:1802.10501 (expected entropy, mutual information); Sensoy et al.
        2018, arXiv:1806.01768 (vacuity K / A).
    """

    version: ClassVar[int] = 1

    kind: Literal["dirichlet"] = "dirichlet"
    measure: Literal["expected_entropy", "mutual_information", "vacuity"] = "expected_entropy"
    """What is taken from 1 to give the score."""
    prior: float = Field(1.0, gt=0)
    """Imagined votes beside those with probabilities: with more of them few votes say less."""
    smoothing: float = Field(0.01, gt=0, lt=1)
    """Share e of the uniform distribution that is mixed into a voter's probabilities."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        alpha = self._fit(votes)
        total = alpha.sum(axis=1)
        posterior = alpha / np.maximum(total, 1e-300)[:, None]
        k = votes.candidates
        uncertainty = uncertainties(alpha, votes.possible)[self.measure]
        score = np.where(k > 1, np.clip(1 - uncertainty, 0, 1), 1.0)
        answered = votes.counts.sum(axis=1) > 0
        posterior = np.where(answered[:, None], posterior, votes.uniform())
        return Reliability(votes.ids, posterior, np.where(answered, score, 0.0))

    def _fit(self, votes: Votes) -> Floats:
        """alpha of each example, (N, K); 0 beyond its candidates."""
        possible = votes.possible
        if votes.probs is None:
            return np.where(possible, 1 + votes.counts, 0.0)
        read = np.flatnonzero(votes.answer != ABSTAIN)
        example, k = votes.example[read], np.maximum(votes.candidates, 1)[:, None]
        mixed = (1 - self.smoothing) * votes.distributions[read] + self.smoothing / k[example]
        logs = np.log(mixed)
        size = len(votes.ids)
        columns = [np.bincount(example, logs[:, a], size) for a in range(votes.num_classes)]
        n = np.bincount(example, minlength=size)[:, None]
        uniform = digamma(np.ones(1)) - digamma(k.astype(np.float64))
        sums = np.stack(columns, axis=1) if columns else np.zeros((size, 0))
        mean_log = (sums + self.prior * uniform) / (n + self.prior)
        return fit_dirichlet(mean_log, possible)


def fit_dirichlet(mean_log: Floats, possible: npt.NDArray[np.bool_]) -> Floats:
    """alpha with psi(alpha_a) - psi(sum alpha) = mean_log_a over the possible answers, (N, K).

    The likelihood is concave; Newton steps for all rows at once, with the inverse of the Hessian
    diag(-psi'(alpha)) + psi'(A) in closed form. A step that would reach 0 halves alpha instead.
    One possible answer alone has alpha = 1.

    Args:
        mean_log: (N, K), mean logarithm of the probabilities; sum_a exp(mean_log_a) < 1.
        possible: (N, K), which answers each row has.

    Raises:
        TrainingError: no solution is reached.

    Source: Minka 2000, "Estimating a Dirichlet distribution", section 1.
    """
    alpha = np.where(possible, 1.0, 0.0)
    left = np.flatnonzero(possible.sum(axis=1) > 1)
    for _ in range(STEPS):
        a, mask, wanted = alpha[left], possible[left], mean_log[left]
        inside = np.where(mask, a, 1.0)
        total = a.sum(axis=1, keepdims=True)
        slope = np.where(mask, wanted - digamma(inside) + digamma(total), 0.0)
        open_rows = np.abs(slope).max(axis=1, initial=0) > TOLERANCE
        left = left[open_rows]
        if len(left) == 0:
            return alpha
        a, mask, slope, inside = a[open_rows], mask[open_rows], slope[open_rows], inside[open_rows]
        curve = np.where(mask, 1 / trigamma(inside), 0.0)
        whole = 1 / trigamma(total[open_rows])
        shared = (slope * curve).sum(axis=1, keepdims=True) / (
            whole - curve.sum(axis=1, keepdims=True)
        )
        step = a + curve * (slope + shared)
        alpha[left] = np.where(mask, np.maximum(step, a / 2), 0.0)
    raise TrainingError(
        f"The Dirichlet of {len(left)} of {len(alpha)} examples is not found after {STEPS} steps; "
        f"the first is row {int(left[0])}. Raise `prior` or `smoothing`."
    )


def uncertainties(alpha: Floats, possible: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    """Expected entropy, mutual information (both over ln K) and vacuity of each row, (N,)."""
    k = np.maximum(possible.sum(axis=1), 1)
    total = np.maximum(alpha.sum(axis=1), 1e-300)
    mean = alpha / total[:, None]
    most = np.where(k > 1, np.log(k), 1.0)
    expected = digamma(total + 1) - (mean * digamma(alpha + 1)).sum(axis=1)
    return {
        "expected_entropy": expected / most,
        "mutual_information": (entropy(mean) - expected) / most,
        "vacuity": k / total,
    }


def digamma(x: Floats) -> Floats:
    from scipy.special import psi

    return np.asarray(psi(x))


def trigamma(x: Floats) -> Floats:
    from scipy.special import zeta

    return np.asarray(zeta(2, x))
