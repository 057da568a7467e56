"""Reliability from a Dirichlet distribution over each example's class probabilities."""

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.errors import TrainingError
from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes
from steelyard.types.arrays import row_entropy

TOLERANCE = 1e-9  # largest error of the fixed-point equation, in nats
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

    Expected entropy measures how undecided the votes are, mutual information how much they differ
    from each other, vacuity how few they are. An example without a readable vote has a uniform
    posterior and score 0; with a single possible answer the score is 1.

    Source: Minka 2000, "Estimating a Dirichlet distribution", section 1 (the objective; Newton
        steps in place of its fixed point; the prior is ours); Malinin and Gales 2018,
        arXiv:1802.10501 (expected entropy, mutual information); Sensoy et al.
        2018, arXiv:1806.01768 (vacuity K / A).
    """

    version: ClassVar[int] = 1

    kind: Literal["dirichlet"] = "dirichlet"
    measure: Literal["expected_entropy", "mutual_information", "vacuity"] = "expected_entropy"
    """The score is 1 minus this measure."""
    prior: float = Field(1.0, gt=0)
    """Number of imagined votes: the more, the less certain a few votes make the posterior."""
    smoothing: float = Field(0.01, gt=0, lt=1)
    """Share e of the uniform distribution in the mixture with a voter's probabilities."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        alpha = self._fit(votes)
        total = alpha.sum(axis=1)
        posterior = alpha / np.maximum(total, 1e-300)[:, None]
        k = votes.candidates
        uncertainty = uncertainties(alpha, votes.possible)[self.measure]
        score = np.where(k > 1, np.clip(1 - uncertainty, 0, 1), 1.0)
        answered = votes.answered
        posterior = np.where(answered[:, None], posterior, votes.uniform())
        return Reliability(votes.ids, posterior, np.where(answered, score, 0.0))

    def _fit(self, votes: Votes) -> Floats:
        """alpha of each example, (N, K); 0 beyond its candidates."""
        from scipy.special import psi

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
        uniform = psi(np.ones(1)) - psi(k.astype(np.float64))
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
    from scipy.special import psi, zeta  # digamma, and zeta(2, x) the trigamma function

    alpha = np.where(possible, 1.0, 0.0)
    rows = np.flatnonzero(possible.sum(axis=1) > 1)  # not converged yet
    for _ in range(STEPS):
        a, mask = alpha[rows], possible[rows]
        inside = np.where(mask, a, 1.0)
        total = a.sum(axis=1, keepdims=True)
        slope = np.where(mask, mean_log[rows] - psi(inside) + psi(total), 0.0)
        unsolved = np.abs(slope).max(axis=1, initial=0) > TOLERANCE
        rows = rows[unsolved]
        if len(rows) == 0:
            return alpha
        a, mask, slope, inside = a[unsolved], mask[unsolved], slope[unsolved], inside[unsolved]
        curve = np.where(mask, 1 / zeta(2, inside), 0.0)
        curve_of_total = 1 / zeta(2, total[unsolved])
        shared = (slope * curve).sum(axis=1, keepdims=True) / (
            curve_of_total - curve.sum(axis=1, keepdims=True)
        )
        step = a + curve * (slope + shared)
        alpha[rows] = np.where(mask, np.maximum(step, a / 2), 0.0)
    raise TrainingError(
        f"The Dirichlet of {len(rows)} of {len(alpha)} examples is not found after {STEPS} steps; "
        f"the first is row {int(rows[0])}. Raise `prior` or `smoothing`."
    )


def uncertainties(alpha: Floats, possible: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    """Expected entropy, mutual information (both over ln K) and vacuity of each row, (N,)."""
    from scipy.special import psi

    k = np.maximum(possible.sum(axis=1), 1)
    total = np.maximum(alpha.sum(axis=1), 1e-300)
    mean = alpha / total[:, None]
    largest = np.where(k > 1, np.log(k), 1.0)
    expected = psi(total + 1) - (mean * psi(alpha + 1)).sum(axis=1)
    return {
        "expected_entropy": expected / largest,
        "mutual_information": (row_entropy(mean) - expected) / largest,
        "vacuity": k / total,
    }
