"""Judging reliability scores, by hand and by brute force."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from steelyard.errors import InputError
from steelyard.evaluation import CoverageRisk, ScoreBin, score_quality


def test_quality_by_hand() -> None:
    score = np.array([0.9, 0.5, 0.5, 0.2])
    right = np.array([True, True, False, False])
    quality = score_quality(score, right)
    # pairs: .9 > .5, .9 > .2, .5 = .5 (1/2), .5 > .2: 3.5 / 4
    assert quality.auroc == 0.875
    # expected errors of the first k: 0, .5, 1, 2; risks 0, 1/4, 1/3, 1/2; mean 13/48
    assert quality.aurc == pytest.approx(13 / 48, abs=1e-12)
    assert quality.risk_coverage == (
        CoverageRisk(0.25, 0.0),
        CoverageRisk(0.5, 0.25),
        CoverageRisk(0.75, 1 / 3),
        CoverageRisk(1.0, 0.5),
    )
    # bins of width .1: |1 - .9| + |1 - 1| + |0 - .2| = .3; / 4
    assert quality.ece == pytest.approx(0.075, abs=1e-12)
    assert quality.bins == (
        ScoreBin(0.2, 0.2, 0.25, 0.0),
        ScoreBin(0.5, 0.5, 0.5, 0.5),
        ScoreBin(0.9, 0.9, 0.25, 1.0),
    )


def test_aurc_is_the_mean_over_all_orders_of_the_ties() -> None:
    score = np.array([0.3, 0.8, 0.8, 0.3, 0.3, 1.0])
    right = np.array([True, False, True, False, True, False])
    values = []
    for order in permutations(range(6)):
        if (np.diff(score[list(order)]) <= 0).all():
            errors = np.cumsum(~right[list(order)])
            values.append((errors / np.arange(1, 7)).mean())
    assert len(values) == 1 * 2 * 6
    assert score_quality(score, right).aurc == pytest.approx(np.mean(values), abs=1e-12)


@pytest.mark.parametrize("levels", [3, 10, 1000])
def test_auroc_is_sklearns(levels: int) -> None:
    rng = np.random.default_rng(levels)
    score = rng.integers(0, levels + 1, size=300) / levels
    right = rng.random(300) < score
    expected = roc_auc_score(right, score)
    assert score_quality(score, right).auroc == pytest.approx(expected, abs=1e-12)


def test_labels_all_right_or_all_wrong_have_no_auroc() -> None:
    score = np.array([0.2, 0.7])
    right, wrong = (
        score_quality(score, np.array([True, True])),
        score_quality(score, np.array([False, False])),
    )
    assert (right.auroc, right.aurc) == (None, 0.0)
    assert (wrong.auroc, wrong.aurc) == (None, 1.0)


def test_many_scores_fall_into_ten_equal_bins() -> None:
    score = np.random.default_rng(0).permutation(np.arange(1, 201)) / 200
    bins = score_quality(score, score > 0.5).bins
    assert [each.share for each in bins] == pytest.approx([0.1] * 10)
    assert [each.accuracy for each in bins] == [0.0] * 5 + [1.0] * 5
    # 20 scores each: 1/200 to 20/200, 21/200 to 40/200, ...
    assert [each.low for each in bins] == pytest.approx([(20 * b + 1) / 200 for b in range(10)])
    assert [each.high for each in bins] == pytest.approx([(20 * b + 20) / 200 for b in range(10)])


def test_ties_are_never_split_over_bins() -> None:
    # 50 distinct scores and 150 labels of score 1: these are one bin
    score = np.concatenate([np.arange(50) / 100, np.ones(150)])
    bins = score_quality(score, score == 1).bins
    assert bins[-1] == ScoreBin(1.0, 1.0, 0.75, 1.0)
    assert sum(each.share for each in bins) == pytest.approx(1.0)
    assert all(low.high < high.low for low, high in pairwise(bins))


def test_the_order_of_the_labels_is_irrelevant() -> None:
    rng = np.random.default_rng(1)
    score = rng.integers(0, 30, size=150) / 30
    right, order = rng.random(150) < 0.6, rng.permutation(150)
    first, second = score_quality(score, right), score_quality(score[order], right[order])
    assert first.bins == second.bins
    assert first.aurc == pytest.approx(second.aurc, abs=1e-12)
    assert first.ece == pytest.approx(second.ece, abs=1e-12)


def test_a_long_curve_keeps_a_hundred_points_and_ends_at_the_risk_of_all() -> None:
    rng = np.random.default_rng(2)
    score, right = rng.random(1234), rng.random(1234) < 0.8
    curve = score_quality(score, right).risk_coverage
    assert len(curve) == 100
    assert curve[0].coverage == 1 / 1234
    assert curve[-1].coverage == 1.0
    assert curve[-1].risk == pytest.approx(1 - right.mean())


def test_scores_that_do_not_fit_are_refused() -> None:
    right = np.array([True, False])
    with pytest.raises(InputError, match=r"got \(3,\) and \(2,\)"):
        score_quality(np.ones(3), right)
    with pytest.raises(InputError, match=r"at least one; got \(0,\)"):
        score_quality(np.ones(0), right[:0])
    with pytest.raises(InputError, match=r"in \[0, 1\], got nan in row 1"):
        score_quality(np.array([0.5, np.nan]), right)
    with pytest.raises(InputError, match="True or False for each label, got int64"):
        score_quality(np.ones(2), np.array([1, 0]))
