"""Intervals for labels and scores: values as score_quality has them, resamples of both kinds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.evaluation import score_quality
from steelyard.evaluation.label_intervals import (
    aurc_of_labels,
    auroc_of_labels,
    intervals_of_labels,
    label_accuracy,
    label_interval,
    resample_both,
)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(4, 40), grid=st.sampled_from([2, 5, 1000]))
def test_a_resample_is_judged_as_the_repeated_labels_are(seed: int, size: int, grid: int) -> None:
    rng = np.random.default_rng(seed)
    score, right = rng.integers(0, grid + 1, size) / grid, rng.random(size) < 0.7
    counts = rng.multinomial(size, np.full(size, 1 / size), size=3).astype(np.float64)
    statistics = (aurc_of_labels, auroc_of_labels)
    found = [make(score, right.astype(float))(counts) for make in statistics]
    accuracy = label_accuracy(right.astype(float))(counts)
    for r, row in enumerate(counts):
        rows = np.repeat(np.arange(size), row.astype(int))
        quality = score_quality(score[rows], right[rows])
        assert found[0][r] == pytest.approx(quality.aurc, abs=1e-12)
        expected = np.nan if quality.auroc is None else quality.auroc
        np.testing.assert_allclose(found[1][r], expected, atol=1e-12)
        assert accuracy[r] == pytest.approx(right[rows].mean())


def test_groups_and_seeds_are_drawn_whole() -> None:
    groups, seeds = np.array([0, 0, 1, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1])
    counts = resample_both(groups, seeds, 200)
    assert (counts[:, 0] == counts[:, 1]).all()  # one group, one seed
    both = (counts[:, 0] > 0) & (counts[:, 4] > 0)
    # (group 0, seed 0) * (group 1, seed 1) = (group 1, seed 0) * (group 0, seed 1)
    assert (counts[both, 0] * counts[both, 4] == counts[both, 2] * counts[both, 3]).all()
    alone = resample_both(groups, np.zeros(6, dtype=int), 50)
    assert (alone[:, [0, 2, 5]].sum(axis=1) == 3).all()  # three groups of one seed


def test_copies_of_rows_widen_nothing_away() -> None:
    """Ten copies of each row, as groups, have the interval of the rows and not a third of it."""
    rng = np.random.default_rng(0)
    right, score = (rng.random(80) < 0.7).astype(float), rng.random(80)
    one = intervals_of_labels(score, right, np.arange(80), np.zeros(80, dtype=int))["accuracy"]
    copies = np.repeat(np.arange(80), 10)
    many = intervals_of_labels(score[copies], right[copies], copies, np.zeros(800, dtype=int))
    assert one is not None
    assert many["accuracy"] is not None
    assert many["accuracy"].high - many["accuracy"].low == pytest.approx(one.high - one.low)
    assert one.low < one.value < one.high


def test_what_is_not_defined_is_none() -> None:
    spans = intervals_of_labels([0.5, 0.7], np.ones(2), np.arange(2), np.zeros(2, dtype=int))
    assert spans["auroc"] is None
    assert spans["accuracy"] is not None
    nothing = label_interval(lambda counts: np.array([np.nan]), np.ones((3, 2)))
    assert nothing is None


def test_the_interval_holds_the_truth_in_95_of_100_studies() -> None:
    """Accuracy .7 of 200 labels in groups of two, one seed: about binomial over 100 groups."""
    held = 0
    for study in range(150):
        rng = np.random.default_rng(study)
        right = np.repeat((rng.random(100) < 0.7).astype(float), 2)
        counts = resample_both(np.arange(200) // 2, np.zeros(200, dtype=int), 200, seed=study)
        span = label_interval(label_accuracy(right), counts)
        assert span is not None
        held += span.low <= 0.7 <= span.high
    assert 0.88 <= held / 150 <= 0.99  # three standard errors of .018 around .945
