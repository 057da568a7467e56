"""Metrics, by hand and against scikit-learn on the resampled items themselves."""

import re
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    roc_auc_score,
)

from steelyard.errors import ConfigError
from steelyard.evaluation import (
    LOWER_IS_BETTER,
    METRICS,
    SLOT_METRICS,
    find_metric,
    mean_interval,
    measure,
)
from steelyard.evaluation import resample_sums as module
from steelyard.evaluation.metrics import reward_margin
from steelyard.types import Floats, Ints


def sklearn_value(name: str, truth: Ints, probs: Floats) -> float:
    """scikit-learn's score, where an item with k tied classes is k items of weight 1/k."""
    tied = np.isclose(probs, probs.max(axis=1, keepdims=True), rtol=0, atol=1e-12)
    row, labels = np.nonzero(tied)
    weight, true = 1 / tied.sum(axis=1)[row], truth[row]
    f1 = {"sample_weight": weight, "zero_division": 0}
    by_label: dict[str, Callable[[], float]] = {
        "accuracy": lambda: accuracy_score(true, labels, sample_weight=weight),
        "balanced_accuracy": lambda: balanced_accuracy_score(true, labels, sample_weight=weight),
        "macro_f1": lambda: f1_score(true, labels, average="macro", **f1),
        "weighted_f1": lambda: f1_score(true, labels, average="weighted", **f1),
        "brier": lambda: ((probs - np.eye(probs.shape[1])[truth]) ** 2).sum(axis=1).mean(),
        "log_loss": lambda: log_loss(truth, probs, labels=range(probs.shape[1])),
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        warnings.filterwarnings("ignore", message="A single label was found")
        if name != "auroc":
            return float(by_label[name]())
    if len(np.unique(truth)) < probs.shape[1]:
        return float("nan")
    if probs.shape[1] == 2:
        return float(roc_auc_score(truth, probs[:, 1]))
    return float(roc_auc_score(truth, probs, multi_class="ovr", average="macro"))


def drawn(seed: int, items: int, classes: int, grid: int) -> tuple[Ints, Floats, Floats]:
    """Truth, probabilities with many ties, and three resamples."""
    rng = np.random.default_rng(seed)
    parts = rng.integers(1, grid + 1, size=(items, classes)).astype(np.float64)
    counts = rng.multinomial(items, np.full(items, 1 / items), size=3).astype(np.float64)
    truth = rng.integers(0, classes, size=items)
    return truth, parts / parts.sum(axis=1, keepdims=True), counts


@pytest.mark.parametrize("name", [name for name in METRICS if name != "ece"])
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    items=st.integers(2, 40),
    classes=st.integers(2, 5),
    grid=st.sampled_from([2, 4, 1000]),
)
def test_a_resample_scores_as_sklearn_scores_the_repeated_items(
    name: str, seed: int, items: int, classes: int, grid: int
) -> None:
    truth, probs, counts = drawn(seed, items, classes, grid)
    repeats = [np.repeat(np.arange(items), row.astype(int)) for row in counts]
    expected = [sklearn_value(name, truth[rows], probs[rows]) for rows in repeats]
    np.testing.assert_allclose(
        find_metric(name)(truth, probs, counts), expected, rtol=0, atol=1e-12
    )
    plain = find_metric(name)(truth, probs, None)
    np.testing.assert_allclose(plain, [sklearn_value(name, truth, probs)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_auroc_weighs_items_as_sklearn_weighs_samples(classes: int) -> None:
    truth, probs, counts = drawn(3, 200, classes, 5)
    expected = [
        roc_auc_score(
            truth, probs[:, 1] if classes == 2 else probs, multi_class="ovr", sample_weight=row
        )
        for row in counts
    ]
    np.testing.assert_allclose(find_metric("auroc")(truth, probs, counts), expected, atol=1e-12)


def test_auroc_by_hand() -> None:
    truth = np.array([0, 0, 1, 1])
    score = np.array([0.1, 0.4, 0.4, 0.8])
    probs = np.column_stack([1 - score, score])
    # pairs (positive, negative): .4 > .1 1, .4 = .4 1/2, .8 > .1 1, .8 > .4 1; 3.5 / 4
    assert find_metric("auroc")(truth, probs, None)[0] == 0.875
    # items 1 and 2 twice, 0 and 3 never: all four pairs tie
    assert find_metric("auroc")(truth, probs, np.array([[0, 2, 2, 0]], np.uint8))[0] == 0.5


def test_ece_by_hand() -> None:
    confidence = np.array([0.95, 0.97, 0.6, 0.62])
    probs = np.column_stack([confidence, 1 - confidence])
    truth = np.array([0, 1, 0, 0])
    # edges 14/15 = .9333 and 9/15 = .6 (closed above): bins {.95, .97}, {.6}, {.62}
    # |1 - 1.92| + |1 - .6| + |1 - .62| = .92 + .40 + .38 = 1.70; / 4 = .425
    counts = np.array([[1, 1, 1, 1], [2, 0, 1, 1]], dtype=np.float64)
    # item 0 twice, item 1 never: |2 - 1.90| + .40 + .38 = .88; / 4 = .22
    np.testing.assert_allclose(find_metric("ece")(truth, probs, counts), [0.425, 0.22], atol=1e-12)
    np.testing.assert_allclose(find_metric("ece")(truth, probs, None), [0.425], atol=1e-12)


def test_f1_by_hand() -> None:
    truth = np.array([0, 0, 0, 1])
    probs = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.3, 0.7, 0], [0.4, 0.6, 0]])
    # class 0: 2 hits, 3 actual, 2 predicted: 4/5; class 1: 1, 1, 2: 2/3; class 2 does not occur
    assert find_metric("macro_f1")(truth, probs, None)[0] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert find_metric("weighted_f1")(truth, probs, None)[0] == pytest.approx(
        (3 * 4 / 5 + 2 / 3) / 4
    )


def test_each_of_k_equal_probabilities_is_one_kth_of_a_prediction() -> None:
    probs = np.full((2, 4), 0.25)
    assert find_metric("accuracy")(np.array([0, 3]), probs, None)[0] == 0.25


def test_auroc_of_one_class_is_undefined() -> None:
    probs = np.array([[0.2, 0.8], [0.6, 0.4]])
    counts = np.array([[2, 0], [1, 1], [0, 2]], dtype=np.float64)
    values = find_metric("auroc")(np.array([1, 0]), probs, counts)
    np.testing.assert_array_equal(values, [np.nan, 1.0, np.nan])


@pytest.mark.parametrize("name", METRICS)
def test_blocks_of_resamples_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    truth, probs, counts = drawn(7, 50, 3, 4)
    whole = find_metric(name)(truth, probs, counts)
    monkeypatch.setattr(module, "CELLS", 1)
    np.testing.assert_allclose(find_metric(name)(truth, probs, counts), whole, rtol=1e-14)


def test_only_losses_are_better_when_lower() -> None:
    assert set(METRICS) >= LOWER_IS_BETTER == {"ece", "brier", "log_loss"}


def test_a_misspelt_metric_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=re.escape("got 'acuracy'. Did you mean `accuracy`?")):
        find_metric("acuracy")


def test_f1_of_slots_is_of_sums_over_the_corpus() -> None:
    table = np.array([[1.0, 0, 0], [0, 0.5, 2.5], [0, 0, 0]])  # TP, FP, FN of three items
    counts = np.array([[1, 1, 1], [2, 1, 0], [0, 3, 0], [0, 0, 3]], np.uint8)
    for name in SLOT_METRICS:
        # 2 / (2 + 3); 4 / (4 + 3); 0 / 9; no slot at all
        values = find_metric(name)(np.zeros(3, np.int64), table, counts)
        np.testing.assert_allclose(values, [0.4, 4 / 7, 0, np.nan])


def test_the_reward_margin_by_hand() -> None:
    # Rewards (1, 0), (0, 2), (3, 0) with the better answer first, first, second: 1 - 2 - 3 = -4,
    # over 3; counted 2, 1, 0 times: (2 * 1 - 2) / 3 = 0. A pair that is not read does not count.
    rewards = np.array([[1.0, 0], [0, 2], [3, 0]])
    probs = 1 / (1 + np.exp(rewards[:, ::-1] - rewards))
    truth = np.array([0, 0, 1])
    assert reward_margin(truth, probs) == pytest.approx([-4 / 3])
    assert reward_margin(truth, probs, np.array([[2, 1, 0], [1, 1, 1]])) == pytest.approx(
        [0.0, -4 / 3]
    )
    lost = np.column_stack([np.vstack([probs, [0, 0]]), [0, 0, 0, 1]])
    assert reward_margin(np.array([0, 0, 1, 1]), lost) == pytest.approx([-4 / 3])
    assert np.isnan(reward_margin(np.array([0]), np.array([[1.0, 0.0]])))
    assert np.isnan(reward_margin(np.array([0]), np.array([[0.0, 0.0, 1.0]])))


def test_a_large_margin_is_not_cut() -> None:
    from steelyard.models.lm.preference_training import bradley_terry

    rewards = np.array([[50.0, 0.0], [-300.0, 300.0]])  # s(50) rounds to 1
    assert reward_margin(np.array([0, 1]), bradley_terry(rewards)) == pytest.approx([325.0])
    scores = measure("reward_margin", np.array([0, 1]), [[bradley_terry(rewards)]], ONCE)
    interval = mean_interval(scores)
    assert interval.high > 325 > interval.low


ONCE = np.array([[1, 1], [2, 0], [0, 2]], dtype=np.uint8)
