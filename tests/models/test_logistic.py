"""Stacked logistic heads are scikit-learn's, one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from steelyard.errors import InputError, TrainingError
from steelyard.models import logistic
from steelyard.models.logistic import HeadTargets, fit_heads
from steelyard.types import Floats


def reference(features: Floats, lesson: HeadTargets, strength: float) -> Floats:
    """scikit-learn's probabilities; a soft target is a row for each class."""
    i, k = np.nonzero(lesson.targets * lesson.weights[:, None])
    head = LogisticRegression(C=strength, tol=1e-11, max_iter=20_000)
    head.fit(
        features[lesson.rows][i], k, sample_weight=(lesson.targets * lesson.weights[:, None])[i, k]
    )
    probs = np.zeros((len(features), lesson.targets.shape[1]))
    probs[:, head.classes_] = head.predict_proba(features)
    return probs


def draw(seed: int, rows: int = 60, answers: int = 3) -> HeadTargets:
    """Soft and hard targets, unequal weights, about a third of them 0, rows in any order."""
    rng = np.random.default_rng(seed)
    targets = np.eye(answers)[rng.integers(0, answers, rows)]
    soft = rng.random(rows) < 0.3
    targets[soft] = rng.dirichlet(np.ones(answers), int(soft.sum()))
    weights = np.where(rng.random(rows) < 0.3, 0.0, rng.exponential(size=rows))
    return HeadTargets(rng.permutation(rows), targets, weights)


def features(seed: int = 0, rows: int = 60, columns: int = 5) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(1.0, rng.uniform(0.2, 3, columns), (rows, columns))


@given(
    seed=st.integers(0, 2**31),
    answers=st.integers(2, 4),
    count=st.integers(1, 5),
    strength=st.sampled_from([0.01, 1.0, 30.0]),
)
def test_stacked_heads_are_scikit_learns(
    seed: int, answers: int, count: int, strength: float
) -> None:
    x = features(seed)
    lessons = [draw(seed + n, answers=answers) for n in range(count)]
    heads = fit_heads(x, lessons, strength)
    for head, lesson in zip(heads, lessons, strict=True):
        found = head.probabilities(x)
        np.testing.assert_allclose(found, reference(x, lesson, strength), atol=1e-4)
        np.testing.assert_allclose(found.sum(axis=1), 1)


def test_without_features_that_say_anything_a_head_is_the_share_of_each_class() -> None:
    # x = 0: the bias alone is fitted, without penalty. Weights 1, 1, 2 on classes 0, 0, 1: a half.
    lesson = HeadTargets(np.arange(3), np.eye(2)[[0, 0, 1]], np.array([1.0, 1.0, 2.0]))
    (head,) = fit_heads(np.zeros((3, 2)), [lesson], 1.0)
    np.testing.assert_allclose(head.probabilities(np.zeros((1, 2))), [[0.5, 0.5]], atol=1e-6)


def test_company_changes_nothing() -> None:
    x, lessons = features(), [draw(n) for n in range(6)]
    whole = fit_heads(x, lessons, 1.0)
    for head, lesson in zip(whole, lessons, strict=True):
        (alone,) = fit_heads(x, [lesson], 1.0)
        np.testing.assert_allclose(head.probabilities(x), alone.probabilities(x), atol=1e-6)


def test_lessons_on_other_rows_are_solved_apart_and_alike() -> None:
    # Three lessons on 20 rows each of 60: together they would have three times their rows.
    x = features()
    lessons = [
        HeadTargets(np.arange(20 * n, 20 * n + 20)[::-1], draw(n, 20).targets, draw(n, 20).weights)
        for n in range(3)
    ]
    for head, lesson in zip(fit_heads(x, lessons, 1.0), lessons, strict=True):
        np.testing.assert_allclose(head.probabilities(x), reference(x, lesson, 1.0), atol=1e-4)


def test_a_small_table_means_smaller_stacks_and_the_same_heads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, lessons = features(), [draw(n) for n in range(5)]
    whole = [head.probabilities(x) for head in fit_heads(x, lessons, 1.0)]
    monkeypatch.setattr(logistic, "TABLE", 2 * 60 * 4)  # two heads of three classes on 60 rows
    monkeypatch.setattr(logistic, "PART", 1)  # 64 rows at once are the fewest
    parts = [head.probabilities(x) for head in fit_heads(x, lessons, 1.0)]
    np.testing.assert_allclose(parts, whole, atol=1e-6)


@pytest.mark.parametrize("classes", [(0, 2), (0, 1, 3)])
def test_a_class_that_nobody_teaches_has_probability_0(classes: tuple[int, ...]) -> None:
    x, other = features(), draw(1, answers=4)
    labels = np.array(classes)[np.random.default_rng(0).integers(0, len(classes), 60)]
    lesson = HeadTargets(np.arange(60), np.eye(4)[labels], np.ones(60))
    head, _ = fit_heads(x, [lesson, other], 1.0)
    found = head.probabilities(x)
    np.testing.assert_allclose(found, reference(x, lesson, 1.0), atol=1e-4)
    assert found[:, [k for k in range(4) if k not in classes]].max() == 0


def test_a_row_of_weight_0_is_absent_and_weight_2_is_two_rows() -> None:
    x, lesson = features(), draw(3)
    keep = np.flatnonzero(lesson.weights > 0)
    without = HeadTargets(lesson.rows[keep], lesson.targets[keep], lesson.weights[keep])
    twice = HeadTargets(
        np.concatenate([without.rows, without.rows + 60]),
        np.tile(without.targets, (2, 1)),
        np.tile(without.weights / 2, 2),
    )
    heads = fit_heads(np.concatenate([x, x]), [lesson, without, twice], 1.0)
    found = [head.probabilities(x) for head in heads]
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)


def test_one_class_is_refused() -> None:
    lesson = HeadTargets(np.arange(3), np.eye(2)[[0, 0, 1]], np.array([1.0, 1.0, 0.0]))
    with pytest.raises(InputError, match="at least two classes, got 1 on 2 rows"):
        fit_heads(features(rows=3), [lesson], 1.0)


def test_a_head_that_is_not_found_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "STEPS", 1)
    with pytest.raises(TrainingError, match="does not converge in 1 steps; lower `regularization`"):
        fit_heads(features(), [draw(0)], 1.0)
