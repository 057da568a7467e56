"""Tests for spammers: each voter against the consensus of the other voters."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.diagnostics.leave_one_out import LeaveOneOut, VoterLabels
from steelyard.types import Floats, Ints
from steelyard.types.arrays import tally

Bools = npt.NDArray[np.bool_]

_FEW = 5  # labels below which a voter is not counted as a labelling function


@dataclass(frozen=True, eq=False)
class SpammerTests:
    """p of each test for each voter, (V,); small is suspicious, 1 where the test does not apply."""

    against: Floats  # null: agrees with the others as often as chance, or more
    constant: Floats  # null: gives its favourite answer by rote at most half of the time
    random: Floats  # null: depends on the example at least half as much as the average voter
    related: Floats  # null: agrees with the others as often as chance, or less
    favourite: Ints  # the answer given most often
    share: Floats  # of the favourite answer, in [0, 1]
    usual: Floats  # share of that answer for an average voter on the same examples


def spammer_tests(consensus: LeaveOneOut) -> SpammerTests:
    """Test every voter by its labels a_m of n examples of closed answers.

    q_m is the consensus of the other voters (`LeaveOneOut`), C their common confusion matrix,
    r_m = q_m C the answers to expect of an average voter, and p(k) the share of the voter's own
    answers k.

    against, related: T = sum_m q_m(a_m), compared with random permutations of the same answers over
        the same examples. Mean and variance over all n! permutations are exact (Hoeffding 1951),
        the tail is normal, and p is no less than 1 / (number of different permutations).
    random: each answer is assumed to come from r_m with probability g, else from the voter's habits
        b_m (its other answers, and K answers as all voters give them). Score test of g >= 1/2:
        with f = (r_m + b_m) / 2 and U(a) = (r_m(a) - b_m(a)) / f(a), in [-2, 2],
        z = sum U(a_m) / sqrt(sum_m sum_a f(a) U(a)^2).
    constant: the favourite answer is assumed to be given by rote with probability g. If g <= 1/2,
        its number is at most binomial with mean share (1 + r_m(favourite)) / 2 (Hoeffding 1956); p
        is that tail, times K for having picked the favourite.

    Voters with a single answer are ignored by `random`, which cannot tell habit from chance,
    and by `constant` where most voters are of that kind: labelling functions. `constant` also
    ignores a voter that votes where others give its favourite more often than elsewhere (by two
    standard errors).

    Source: Hoeffding 1951, "A Combinatorial Central Limit Theorem"; Hoeffding 1956, "On the
        Distribution of the Number of Successes in Independent Trials"; Rao 1948 (score test). (The
        hypotheses at one half are ours: they hold for honest voters who are weaker than the average
        or prefer an answer.)
    """
    from scipy.special import betainc, gammaln, ndtr

    labels = consensus.labels
    n, k, line = labels.per_voter, labels.num_classes, np.arange(labels.voters)
    at_least_1 = np.maximum(n, 1)
    share = labels.given / at_least_1[:, None]
    favourite = share.argmax(axis=1)
    total = _sums(consensus, share, favourite)
    q, squares = total[:, 6 : 6 + k], total[:, 6 + k :]
    agreement, mixed, mixed_squares, slope, slope_variance, usual = total[:, :6].T

    mean = q / at_least_1[:, None]
    spread = (share * (squares - n[:, None] * mean**2)).sum(axis=1)
    spread -= mixed_squares - mixed**2 / at_least_1
    variance = np.maximum(spread, 0.0) * at_least_1 / np.maximum(n - 1, 1)
    z = _ratio(agreement - n * (share * mean).sum(axis=1), np.sqrt(variance))
    permutations = gammaln(n + 1) - gammaln(labels.given + 1).sum(axis=1)  # ln of their number
    least = np.exp(-np.maximum(permutations, 0.0))

    top = labels.given[line, favourite]
    is_single = (top == n) & (n > 0)
    enough = n >= _FEW
    by_design = bool(enough.any()) and is_single[enough].mean() > 0.5
    rate, base = mean[line, favourite], q.sum(axis=0) / at_least_1.sum()
    error = np.sqrt(np.maximum(squares[line, favourite] / at_least_1 - rate**2, 0) / at_least_1)
    excused = (rate - base[favourite] > 2 * error) | (is_single & by_design) | (n == 0)
    tail = betainc(np.maximum(top, 1), n - top + 1, (1 + usual / at_least_1) / 2)
    return SpammerTests(
        against=np.maximum(ndtr(z), least),
        constant=np.where(excused, 1.0, np.minimum(1.0, k * tail)),
        random=np.where(is_single | (n == 0), 1.0, ndtr(_ratio(slope, np.sqrt(slope_variance)))),
        related=np.maximum(ndtr(-z), least),
        favourite=favourite,
        share=share[line, favourite],
        usual=usual / at_least_1,
    )


def _sums(consensus: LeaveOneOut, share: Floats, favourite: Ints) -> Floats:
    """Sums over each voter's labels, (V, 6 + 2 K): see the columns below."""
    from scipy.sparse import csr_array

    labels = consensus.labels
    k = labels.num_classes
    habit = labels.given.sum(axis=0) / max(1.0, float(labels.given.sum()))
    total = np.zeros((labels.voters, 6 + 2 * k))
    for rows, q in consensus.blocks():
        voter, answer = labels.voter[rows], labels.answer[rows]
        line = np.arange(len(voter))
        r = q @ consensus.confusion
        habits = labels.given[voter] + k * habit
        habits[line, answer] -= 1  # without this answer, which would confirm itself
        habits /= habits.sum(axis=1, keepdims=True)
        total_rate = np.maximum(r + habits, 1e-300)
        slope = 2 * (r - habits) / total_rate
        mixed = (share[voter] * q).sum(axis=1)
        columns = (
            q[line, answer],
            mixed,
            mixed**2,
            slope[line, answer],
            (total_rate / 2 * slope**2).sum(axis=1),
            r[line, favourite[voter]],
        )
        of_voter = csr_array((np.ones(len(line)), (voter, line)), shape=(labels.voters, len(line)))
        total += of_voter @ np.column_stack((*columns, q, q**2))
    return total


def spammer_test_open(labels: VoterLabels) -> Floats:
    """p of "agrees with the others at least half as often as they agree with each other", (V,).

    For open answers, which have no common classes. With x_m the others' share that has the
    voter's answer on example m and s_m the share of pairs of others that agree, over examples with
    two others or more,

        z = sum_m (x_m - s_m / 2) / sqrt(sum_m s_m / 2 (1 - s_m / 2))

    The variance is that of a coin, the largest for a share. 1 for a voter without such examples.

    Source: ours.
    """
    from scipy.special import ndtr

    share, number = labels.shares()
    counts = labels.counts[labels.example]
    counts[np.arange(len(counts)), labels.answer] -= 1
    pairs = number * (number - 1)
    seen = pairs > 0
    agreeing = (counts * (counts - 1)).sum(axis=1)
    half = np.divide(agreeing, 2 * pairs, out=np.zeros_like(share), where=seen)
    lead = tally(labels.voter, labels.voters, np.where(seen, share - half, 0.0))
    spread = np.sqrt(tally(labels.voter, labels.voters, half * (1 - half)))
    return np.where(spread > 0, ndtr(_ratio(lead, spread)), 1.0)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 1e-9)


def benjamini_hochberg(p: Floats, level: float) -> Bools:
    """Which hypotheses to reject so that at most a share `level` of those is true, on average.

    Rejects the j smallest p, j the largest number with p_(j) <= j level / (number of tests). If
    all hypotheses are true, the chance of rejecting any is at most `level`.

    Source: Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    ranked = np.sort(p)
    passed = np.flatnonzero(ranked <= level * np.arange(1, len(p) + 1) / max(1, len(p)))
    return np.asarray(p <= ranked[passed[-1]]) if len(passed) else np.zeros(len(p), dtype=bool)
