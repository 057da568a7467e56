"""Bins of entropy and scores by class, by hand."""

from math import log

import numpy as np
import pytest

from steelyard.evaluation.vote_agreement import BINS, class_scores, entropy_bins
from steelyard.types import ABSTAIN
from vote_tables import votes

# Two unanimous examples, two of 3-1 (in either order), one of 2-2, one without a readable vote.
CAST = votes([[0] * 4, [1] * 4, [0, 0, 0, 1], [1, 1, 1, 0], [0, 0, 1, 1], [ABSTAIN] * 4], answers=2)
LABEL = np.array([0, 1, 0, 1, 0, ABSTAIN])
ENTROPY = -(0.75 * log(0.75) + 0.25 * log(0.25))  # .5623 nats


def test_bins_by_hand() -> None:
    truth = np.array([0, 0, 0, 1, ABSTAIN, 1])
    low, middle, high = entropy_bins(CAST, LABEL, truth)
    assert [low.entropy, low.share, low.accuracy] == [0, 0.4, 0.5]
    assert [middle.entropy, middle.share, middle.accuracy] == [pytest.approx(ENTROPY), 0.4, 1]
    assert [high.entropy, high.share] == [pytest.approx(log(2)), 0.2]
    assert high.accuracy is None


def test_without_truth_there_are_shares_only() -> None:
    assert [row.accuracy for row in entropy_bins(CAST, LABEL)] == [None] * 3
    assert sum(row.share for row in entropy_bins(CAST, LABEL)) == pytest.approx(1)


def test_many_values_share_ten_bins() -> None:
    rng = np.random.default_rng(0)
    cast = votes(rng.integers(0, 4, (500, 11)), answers=4)
    label = cast.shares().argmax(axis=1)
    bins = entropy_bins(cast, label, label)
    assert len(bins) <= BINS
    assert sum(row.share for row in bins) == pytest.approx(1)
    assert [row.entropy for row in bins] == sorted(row.entropy for row in bins)
    assert all(row.accuracy == 1 for row in bins)


def test_no_votes_give_no_bins() -> None:
    assert entropy_bins(votes([[ABSTAIN]], answers=2), np.array([ABSTAIN])) == ()


def test_scores_by_class_by_hand() -> None:
    # Class a: right with .9 and .7, wrong with .4; class b: wrong with .6 only; c is never named.
    label = np.array([0, 0, 0, 1, 1, ABSTAIN])
    truth = np.array([0, 0, 1, 0, ABSTAIN, 1])
    score = np.array([0.9, 0.7, 0.4, 0.6, 0.1, 0.2])
    result = class_scores(label, score, truth, ("a", "b", "c"))
    assert [(row.name, row.right, row.wrong) for row in result] == [
        ("a", pytest.approx(0.8), pytest.approx(0.4)),
        ("b", None, pytest.approx(0.6)),
        ("c", None, None),
    ]
