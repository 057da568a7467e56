"""How far the voters agree, beyond chance: Krippendorff's alpha, Fleiss' kappa, Gwet's AC1."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from steelyard.diagnostics.leave_one_out import VoterLabels, voter_labels
from steelyard.diagnostics.resampling import (
    Resamples,
    as_numbers,
    percentile_interval,
    ratio,
    sampled_items,
)
from steelyard.errors import ConfigError
from steelyard.types import Floats, Interval, Ints, Votes

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MANY = 2000
"""Answers from which there are fewer resamples."""
FEWER = 200
Scale = Literal["nominal", "ordinal", "interval"]
"""Whether answers are only equal or different, or have an order, or a distance."""


@dataclass(frozen=True)
class Agreement:
    """How far the voters agree; None where a coefficient is undefined."""

    items: int  # with answers of at least two voters
    items_used: int  # a random part of many items
    scale: Scale
    observed: Interval | None  # P(two voters of an item agree)
    krippendorff: Interval | None  # alpha with the distance of `scale`
    krippendorff_nominal: Interval | None
    fleiss: Interval | None
    ac1: Interval | None


def agreement_coefficients(
    votes: Votes, scale: Scale = "nominal", *, resamples: int = 1000
) -> Agreement:
    """Coefficients of agreement among all voters, with 95 % bootstrap intervals over items.

    >>> import steelyard as sy
    >>> rows = [("no", "no"), ("no", "yes"), ("yes", "yes"), ("yes", "yes")]
    >>> rows = [{"id": str(i), "ann": a, "bob": b} for i, (a, b) in enumerate(rows)]
    >>> found = sy.agreement_coefficients(sy.weigh(rows, ["majority"]).votes)
    >>> round(found.krippendorff.value, 3), round(found.ac1.value, 3)
    (0.533, 0.529)

    With n_ik the number of voters of item i who answered k, m_i = sum_k n_ik >= 2 and d(k, l) the
    distance of two answers (nominal: 1 unless equal; interval: (x_k - x_l)^2 with x the class
    names as numbers, or their places 0, 1, ... in the list; ordinal: the same with x the mean rank
    of a class among all answers),

        alpha = 1 - D_o / D_e,    D_o = sum_i sum_kl n_ik n_il d(k, l) / (m_i - 1)
                                  D_e = sum_kl n_k n_l d(k, l) / (n - 1)
        observed = mean_i sum_k n_ik (n_ik - 1) / (m_i (m_i - 1))
        fleiss, ac1 = (observed - chance) / (1 - chance), with p_k = mean_i n_ik / m_i and
            chance = sum_k p_k^2 for Fleiss,  sum_k p_k (1 - p_k) / (K - 1) for AC1

    p_k counts items with one answer too; all else items with two or more. Abstentions and voters
    who were not asked count as no answer. A voter asked several times about an item counts once,
    with the answer given most often. More than 10,000 items are sampled. Ranks of resamples are
    those of all items.

    Args:
        votes: closed or open answers; open ones have the scale "nominal".
        scale: of the classes.
        resamples: number of bootstrap resamples.

    Raises:
        ConfigError: a scale of open answers.

    Source: Krippendorff 2011, "Computing Krippendorff's alpha-reliability" (alpha and its
        distances); Fleiss 1971, doi:10.1037/h0031619, for several numbers of voters as in
        Gwet 2014, "Handbook of Inter-Rater Reliability" (AC1: Gwet 2008,
        doi:10.1348/000711006X126600).
    """
    if votes.candidate_texts and scale != "nominal":
        raise ConfigError("`scale` is for classes, and these answers are open; remove it.")
    labels = voter_labels(votes)
    rows = sampled_items(np.unique(labels.example))
    table = _counts(labels, _global_answers(votes, labels), rows)
    total = np.asarray(table.sum(axis=1), dtype=float).ravel()
    many = table.shape[1] > MANY
    draws = Resamples.draw(len(rows), min(FEWER, resamples) if many else resamples)
    observed, square = _observed(table, total, draws)
    k = max(2, table.shape[1] if votes.candidate_texts else votes.num_classes)
    chance = (1 - square) / (k - 1)
    nominal = _alpha(table, total, draws, None)
    alpha = nominal
    if scale != "nominal":
        pooled = np.asarray(table[total >= 2].sum(axis=0), dtype=float).ravel()
        alpha = _alpha(table, total, draws, positions(votes.class_names, pooled, scale))
    return Agreement(
        items=int((np.bincount(labels.example) >= 2).sum()),
        items_used=int((total >= 2).sum()),
        scale=scale,
        observed=percentile_interval(observed),
        krippendorff=percentile_interval(alpha),
        krippendorff_nominal=percentile_interval(nominal),
        fleiss=percentile_interval(ratio(observed - square, 1 - square)),
        ac1=percentile_interval(ratio(observed - chance, 1 - chance)),
    )


def _observed(table: "csr_array", total: Floats, draws: Resamples) -> tuple[Floats, Floats]:
    """Observed agreement, and the sum of the squared shares of answers, (1 + R,) both."""
    same = np.asarray(table.multiply(table).sum(axis=1)).ravel() - total
    paired = total >= 2
    share = np.where(paired, same / np.maximum(total * (total - 1), 1), 0.0)
    observed, items = draws.sums(np.column_stack([share, paired])).T
    each = table.multiply((1 / np.maximum(total, 1))[:, None]).tocsr()
    shares = draws.sums(each) / max(1, len(total))
    return ratio(observed, items), (shares**2).sum(axis=1)


def _alpha(table: "csr_array", total: Floats, draws: Resamples, place: Floats | None) -> Floats:
    """Krippendorff's alpha on each resample, (1 + R,), with nominal or squared distances."""
    paired = total >= 2
    table = table.multiply(paired[:, None]).tocsr()
    total = np.where(paired, total, 0.0)
    if place is None:
        distance = total**2 - np.asarray(table.multiply(table).sum(axis=1)).ravel()
    else:
        distance = 2 * (total * (table @ place**2) - (table @ place) ** 2)
    sums = draws.sums(np.column_stack([total, distance / np.maximum(total - 1, 1)]))
    pooled, (size, disagree) = draws.sums(table), sums.T
    if place is None:
        expected = size**2 - (pooled**2).sum(axis=1)
    else:
        expected = 2 * (size * (pooled @ place**2) - (pooled @ place) ** 2)
    alpha: Floats = 1 - ratio(disagree * (size - 1), expected)
    return alpha


def positions(names: tuple[str, ...], pooled: Floats, scale: Scale) -> Floats:
    """Places (K,) of the classes on a scale, whose squared differences are the distances.

    `pooled` (K,) are the answers for each class. The places of a nominal scale have no meaning.
    """
    if scale == "ordinal":
        rank: Floats = np.cumsum(pooled) - pooled / 2
        return rank
    numbers = as_numbers(names)
    return np.arange(len(names), dtype=float) if numbers is None else numbers


def _global_answers(votes: Votes, labels: VoterLabels) -> Ints:
    """Numbers of answers that mean the same on every item, (B,)."""
    if not votes.candidate_texts:
        return labels.answer
    number: dict[str, int] = {}
    pairs = zip(labels.example.tolist(), labels.answer.tolist(), strict=True)
    return np.array(
        [number.setdefault(votes.candidate_texts[i][a], len(number)) for i, a in pairs],
        dtype=np.int64,
    )


def _counts(labels: VoterLabels, answer: Ints, rows: Ints) -> "csr_array":
    """Answers for each class on some items, (N', K), sparse."""
    from scipy.sparse import csr_array

    number = np.full(len(labels.candidates), -1)
    number[rows] = np.arange(len(rows))
    taken = number[labels.example] >= 0
    cell = number[labels.example][taken], answer[taken]
    shape = len(rows), max(int(answer.max(initial=0)) + 1, labels.num_classes, 1)
    return csr_array((np.ones(int(taken.sum())), cell), shape=shape)
