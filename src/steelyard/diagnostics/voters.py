"""Accuracy, agreement, confusions and flags of every voter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from steelyard.diagnostics.leave_one_out import VoterLabels, leave_one_out, voter_labels
from steelyard.diagnostics.spammers import benjamini_hochberg, spammer_test_open, spammer_tests
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes
from steelyard.types.arrays import tally
from steelyard.types.weighted_shares import voter_accuracies, weighted_shares

MOST_CLASSES = 20
"""Classes up to which confusion matrices are made."""

LEVEL = 0.05
"""Chance of any flag among honest voters."""
_NORMAL = 1.959964  # 97.5 % quantile


@dataclass(frozen=True, eq=False)
class VoterTable:
    """What the votes show about each voter. Row v is voter `voters[v]`; nan is unknown."""

    voters: tuple[str, ...]  # V
    votes: Ints  # (V,), readable votes
    abstained: Ints  # (V,), unreadable ones
    accuracy: Floats  # (V, 3): value, low and high of 95 %, in [0, 1]
    agreement: Floats  # (V,), how often another voter agrees, in [0, 1]
    true_accuracy: Floats | None  # (V, 3), on examples with truth; None without truth
    flags: tuple[tuple[str, ...], ...]  # (V,), reasons for distrust
    confusion: Floats | None  # (V, K, K), P(answer l | truth k), rows sum to 1 or are nan
    confusion_votes: Floats | None  # (V, K), expected votes on examples of class k

    def rows(self) -> list[dict[str, Any]]:
        """For JSON: one entry for each voter, the highest lower bound of accuracy first."""
        low = np.where(np.isnan(self.accuracy[:, 1]), -1.0, self.accuracy[:, 1])
        return [self._row(int(v)) for v in np.lexsort((-self.votes, -low))]

    def _row(self, v: int) -> dict[str, Any]:
        truth, matrix, size = self.true_accuracy, self.confusion, self.confusion_votes
        return {
            "voter": self.voters[v],
            "votes": int(self.votes[v]),
            "abstained": int(self.abstained[v]),
            "accuracy": _span(self.accuracy[v]),
            "agreement": _number(self.agreement[v]),
            "true_accuracy": None if truth is None else _span(truth[v]),
            "flags": list(self.flags[v]),
            "confusion": None if matrix is None else [list(map(_number, row)) for row in matrix[v]],
            "confusion_votes": None if size is None else [round(float(x), 2) for x in size[v]],
        }


def judge_voters(
    votes: Votes,
    reliability: Reliability,
    truth: Ints | None = None,
    *,
    gold: Ints | None = None,
    level: float = LEVEL,
    flags: tuple[tuple[str, ...], ...] | None = None,
) -> VoterTable:
    """Accuracy, agreement, flags and confusions of each voter, from the votes alone or with truth.

    accuracy: expected share of right votes under the posterior P of the estimator,
        s / n with s = sum_m P(answer m is right). An interval counts both the sample of n
        examples and that P is not certain: Wilson's with n / (1 + h) examples,
        h = sum_m P (1 - P) / (n a (1 - a)), a = (s + 1/2) / (n + 1). The range reported begins at
        the lower end of the interval under the weighted share of votes as P (the voters are one
        source) and ends at the upper end where every label is right. On twelve crowds with complete
        truth it covers the accuracy of .93 of the 246 voters with 100 votes or more; where voters
        make the same mistakes they still look better than they are (.33 on `crowd_face`).
    true_accuracy: share of right votes where truth is known, with Wilson's interval.
    agreement: how often another voter of the same example, drawn at random, has the same answer.
    flags: from `spammer_tests` and `spammer_test_open`, against the *other* voters and not
        against P. Each of the three tests is made for all voters at a third of `level`
        (Benjamini-Hochberg), so that among honest voters the chance of any flag is at most
        `level`. A voter has at most one flag.
    confusion: expected number of votes for l where the truth is k, under P, as shares of each row;
        of closed answers with at most 20 classes.

    A voter that answers an example n times counts as n votes and one example.

    `truth` (N,) are true answers, ABSTAIN where unknown; `gold` (N,) are those that the estimator
    was given; `flags` (V) replace those of these votes.

    Source: Rubin 1987, "Multiple Imputation for Nonresponse in Surveys" (sum of the two
        variances); Wilson 1927, doi:10.1080/01621459.1927.10502953; flags: see `spammer_tests`.
    """
    read = votes.answer != ABSTAIN
    example, voter, answer = votes.example[read], votes.voter[read], votes.answer[read]
    size = len(votes.voters)
    posterior = reliability.posterior
    share = posterior[example, answer]
    pairs = np.sort(example * max(1, size) + voter, kind="stable")  # np.unique hashes: slower
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    examples = np.bincount(pairs % max(1, size), minlength=size)
    true_accuracy = None
    if truth is not None:
        rows = truth[example] != ABSTAIN
        judged = pairs[truth[pairs // max(1, size)] != ABSTAIN]
        true_accuracy = wilson(
            _mean(voter[rows], (answer == truth[example])[rows], size),
            tally(judged % max(1, size), size),
        )
    accuracy = _expected_accuracy(voter, share, examples)
    if len(example):
        weighted = weighted_shares(votes, voter_accuracies(votes, posterior), gold)
        one_source = weighted[example, answer]
        is_label = (answer == posterior.argmax(axis=1)[example]).astype(np.float64)
        low = _expected_accuracy(voter, one_source, examples)[:, 1]
        high = _expected_accuracy(voter, is_label, examples)[:, 2]
        accuracy[:, 1], accuracy[:, 2] = (
            np.minimum(accuracy[:, 1], low),
            np.maximum(accuracy[:, 2], high),
        )
    labels = voter_labels(votes)
    confusion, sums = _confusion(votes, posterior, example, voter, answer)
    return VoterTable(
        voters=votes.voters,
        votes=np.bincount(voter, minlength=size),
        abstained=np.bincount(votes.voter[~read], minlength=size),
        accuracy=accuracy,
        agreement=labels.agreement(),
        true_accuracy=true_accuracy,
        flags=voter_flags(votes, level, labels) if flags is None else flags,
        confusion=confusion,
        confusion_votes=sums,
    )


def wilson(share: Floats, number: Floats) -> Floats:
    """95 % interval of a share of `number` trials, (V, 3): value, low, high; nan without trials.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    number = np.where(number > 0, number, np.nan)
    square = _NORMAL**2 / number
    middle = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    low, high = np.minimum(middle - half, share), np.maximum(middle + half, share)
    return np.column_stack([np.where(number > 0, share, np.nan), low.clip(0, 1), high.clip(0, 1)])


def _mean(voter: Ints, values: npt.ArrayLike, size: int) -> Floats:
    """Mean of the values of each voter's votes, (V,); 0 without votes."""
    number = np.maximum(np.bincount(voter, minlength=size), 1)
    return np.asarray(np.bincount(voter, values, size) / number)


def _expected_accuracy(voter: Ints, share: Floats, examples: Ints) -> Floats:
    """`judge_voters`: accuracy, from the probability of each vote that it is right, (V, 3)."""
    mean = _mean(voter, share, len(examples))
    uncertainty = _mean(voter, share * (1 - share), len(examples))
    smooth = (examples * mean + 0.5) / (examples + 1)
    return wilson(mean, examples / (1 + uncertainty / (smooth * (1 - smooth))))


def _confusion(
    votes: Votes, posterior: Floats, example: Ints, voter: Ints, answer: Ints
) -> tuple[Floats | None, Floats | None]:
    k, size = votes.num_classes, len(votes.voters)
    if votes.candidate_texts or not 0 < k <= MOST_CLASSES:
        return None, None
    counts = np.empty((size, k, k))
    for truth in range(k):
        cells = tally(voter * k + answer, size * k, posterior[example, truth])
        counts[:, truth] = cells.reshape(size, k)
    sums = counts.sum(axis=2)
    shares = np.full_like(counts, np.nan)
    np.divide(counts, sums[:, :, None], out=shares, where=sums[:, :, None] > 0)
    return shares, sums


def voter_flags(
    votes: Votes, level: float = LEVEL, labels: VoterLabels | None = None
) -> tuple[tuple[str, ...], ...]:
    """At most one reason for distrust of each voter: the flags of `judge_voters`, V of them.

    `labels` are those of the votes, if they are known already.
    """
    labels = voter_labels(votes) if labels is None else labels
    if votes.candidate_texts:
        flagged = benjamini_hochberg(p := spammer_test_open(labels), level)
        text = "agrees with the other voters less than half as often as they do with each other"
        return tuple((f"{text} ({_p(p[v])})",) if is_in else () for v, is_in in enumerate(flagged))
    tests = spammer_tests(leave_one_out(labels))
    against, constant, random = (
        benjamini_hochberg(p, level / 3) for p in (tests.against, tests.constant, tests.random)
    )
    flags: list[tuple[str, ...]] = []
    for v in range(len(votes.voters)):
        text = ""
        if against[v]:
            text = f"agrees with the other voters less often than chance ({_p(tests.against[v])})"
        elif constant[v]:
            name = votes.classes[tests.favourite[v]] if votes.classes else tests.favourite[v]
            text = (
                f"answers {name!r} in {tests.share[v]:.0%} of its votes; an average voter would in "
                f"{tests.usual[v]:.0%} of them ({_p(tests.constant[v])})"
            )
        elif random[v]:
            is_related = tests.related[v] < level
            text = "is less than half as informative as an average voter"
            text = f"{text if is_related else 'answers at random'} ({_p(tests.random[v])})"
        flags.append((text,) if text else ())
    return tuple(flags)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _span(row: Floats) -> dict[str, float] | None:
    if np.isnan(row[0]):
        return None
    return {"value": float(row[0]), "low": float(row[1]), "high": float(row[2])}
