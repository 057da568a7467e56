"""C by cross-validation on the labels that are learned."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from steelyard.models.logistic import HeadTargets
from steelyard.models.regularization import FOLDS, MIDDLE, STRENGTHS, choose_strengths
from steelyard.types import Floats, Ints, one_hot


def training_set(labels: Ints, weights: Floats | None = None) -> HeadTargets:
    given = np.ones(len(labels)) if weights is None else weights
    return HeadTargets(np.arange(len(labels)), one_hot(labels, int(labels.max()) + 1), given)


def cross_validated(x: Floats, y: Ints, strength: float) -> float:
    """Log loss of scikit-learn's model on the same folds."""
    fold, total = np.random.default_rng(0).permutation(len(y)) % FOLDS, 0.0
    for number in range(FOLDS):
        train, rest = fold != number, fold == number
        model = LogisticRegression(C=strength, max_iter=5000, tol=1e-8).fit(x[train], y[train])
        probs = model.predict_proba(x[rest])
        total -= np.log(np.maximum(probs[np.arange(rest.sum()), y[rest]], 1e-4)).sum()
    return total


@pytest.mark.parametrize(("classes", "noise"), [(2, 0.0), (2, 0.3), (3, 0.1)])
def test_the_choice_is_that_of_scikit_learns_models(classes: int, noise: float) -> None:
    rng = np.random.default_rng(classes)
    x = rng.standard_normal((150, 12))
    y = (x @ rng.standard_normal((12, classes))).argmax(axis=1)
    y = np.where(rng.random(150) < noise, rng.integers(classes, size=150), y)
    losses = [cross_validated(x, y, strength) for strength in STRENGTHS]
    chosen = choose_strengths(x, [training_set(y)])
    assert chosen == [STRENGTHS[int(np.argmin(losses))]]


def test_noise_asks_for_more_regularization_and_each_set_has_its_choice() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 20))
    clean = (x[:, 0] > 0).astype(np.int64)
    random = rng.integers(2, size=300)
    sets = [training_set(clean), training_set(random)]
    first, second = choose_strengths(x, sets)
    assert second == min(STRENGTHS) < first
    assert [first, second] == [choose_strengths(x, [one])[0] for one in sets]


def test_rows_without_weight_have_no_part() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 10))
    y = (x[:, 0] > 0).astype(np.int64)
    y[100:] = 1 - y[100:]
    weights = np.r_[np.ones(100), np.zeros(100)]
    weighted = choose_strengths(x, [training_set(y, weights)])
    assert weighted == choose_strengths(x, [training_set(y[:100])])


def test_too_few_labels_to_choose() -> None:
    # Two rows of two classes: each fold of one leaves one class, the empty fold nothing.
    assert choose_strengths(np.eye(2), [training_set(np.array([0, 1]))]) == [MIDDLE]
