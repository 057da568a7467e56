"""CROWDLAB: by hand, against cleanlab, and the classifier against scikit-learn."""

from typing import Any

import numpy as np
from cleanlab.multiannotator import get_label_quality_multiannotator
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from steelyard.reliability import Crowdlab
from steelyard.reliability.cross_fitting import cross_fitted
from steelyard.reliability.crowdlab import crowdlab_posterior
from steelyard.types import ABSTAIN, Floats, Ints
from vote_tables import votes


def world(seed: int, size: int = 120, classes: int = 3) -> tuple[Ints, Floats, Floats, Ints]:
    """Answers of four voters with gaps, a classifier's predictions, features, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, size)
    right = rng.random((size, 4)) < [0.9, 0.7, 0.6, 0.5]
    answers = np.where(right, truth[:, None], rng.integers(0, classes, (size, 4)))
    answers[rng.random((size, 4)) < 0.3] = ABSTAIN
    answers[np.arange(size), rng.integers(0, 4, size)] = truth  # one vote at least
    prediction = rng.dirichlet(np.ones(classes), size) + np.eye(classes)[truth]
    centres = 2 * rng.standard_normal((classes, 5))
    features = centres[truth] + rng.standard_normal((size, 5))
    return answers, prediction / prediction.sum(axis=1, keepdims=True), features, truth


def cleanlabs(answers: Ints, prediction: Floats) -> dict[str, Any]:
    return dict(
        get_label_quality_multiannotator(
            np.where(answers == ABSTAIN, np.nan, answers),
            prediction,
            verbose=False,
            return_detailed_quality=False,
            return_annotator_stats=False,
            return_weights=True,
        )
    )


def test_the_posterior_by_hand() -> None:
    # Majority 0, 0, 1, the most frequent is 0: E = 1/3. Agreement of the votes with it 1, 1, 2/3:
    # P = 8/9, e of the other answer 1/9. With the others agree: voter 0 and 1 (2 + 2 + 1) / 6 =
    # 5/6, voter 2 (2 + 2 + 0) / 6 = 2/3; weights 1 - (1/6) / (1/3) = 1/2, 1/2, and 1 - 1 = 1e-6.
    # The classifier is wrong on example 2 alone: 1 - (1/3) / (1/3) = 1e-6, times sqrt 3.
    answers = np.array([[0, 0, 0], [0, 0, 0], [1, 1, 0]])
    prediction = np.array([[0.6, 0.4], [0.9, 0.1], [0.7, 0.3]])
    found = crowdlab_posterior(votes(answers, answers=2), prediction)
    np.testing.assert_allclose(found[:, 0], [8 / 9, 8 / 9, 1 / 9], atol=1e-5)


@given(st.integers(0, 10_000), st.integers(2, 4))
def test_posterior_and_consensus_are_cleanlabs(seed: int, classes: int) -> None:
    answers, prediction, _, _ = world(seed, size=40, classes=classes)
    found = crowdlab_posterior(votes(answers, answers=classes), prediction)
    expected = cleanlabs(answers, prediction)["label_quality"]
    np.testing.assert_array_equal(found.argmax(axis=1), expected["consensus_label"])
    np.testing.assert_allclose(found.max(axis=1), expected["consensus_quality_score"], atol=1e-9)


def test_a_voter_alone_on_its_examples_has_the_mean_agreement() -> None:
    answers, prediction, _, _ = world(1, size=60)
    answers[:5] = ABSTAIN
    answers[:5, 3] = [0, 1, 2, 0, 1]
    answers[5:, 3] = ABSTAIN
    answers[5:, 0] = np.where((answers[5:, :3] == ABSTAIN).all(axis=1), 0, answers[5:, 0])
    found = crowdlab_posterior(votes(answers, answers=3), prediction)
    expected = cleanlabs(answers, prediction)["label_quality"]
    np.testing.assert_allclose(found.max(axis=1), expected["consensus_quality_score"], atol=1e-9)


def test_predictions_of_other_folds_are_scikit_learns() -> None:
    _, _, features, truth = world(2)
    targets, weights = np.eye(3)[truth], np.where(np.arange(120) < 100, 1.0, 0.0)
    found = cross_fitted(features, targets, weights, folds=3, l2=0.02, seed=7)
    fold = np.random.default_rng(7).permutation(100) % 3
    expected = np.zeros((120, 3))
    for f in range(3):
        size = int((fold != f).sum())
        model = LogisticRegression(C=1 / (2 * size * 0.02), tol=1e-10, max_iter=5000)
        model.fit(features[:100][fold != f], truth[:100][fold != f])
        expected[:100][fold == f] = model.predict_proba(features[:100][fold == f])
        expected[100:] += model.predict_proba(features[100:]) / 3
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_heads_of_one_class_or_no_example() -> None:
    features, targets = np.eye(4, 3), np.eye(2)[[0, 0, 0, 1]]
    found = cross_fitted(features, targets, np.ones(4), folds=4, l2=0.1, seed=0)
    np.testing.assert_array_equal(found[3], [1, 0])  # the others are all of class 0
    assert (found[:3] > 0).all()
    found = cross_fitted(features, targets, np.zeros(4), folds=2, l2=0.1, seed=0)
    np.testing.assert_array_equal(found, np.full((4, 2), 0.5))
    one = cross_fitted(features, targets, np.array([0, 0, 0, 1.0]), folds=2, l2=0.1, seed=0)
    # one head has the example and predicts its class, the other has none and is even
    np.testing.assert_array_equal(one[0], [0.25, 0.75])
    np.testing.assert_array_equal(one[3], [0.5, 0.5])


def test_labels_are_better_than_the_majority() -> None:
    answers, _, features, truth = world(3, size=400)
    answers[np.arange(400) % 2 == 0, 0] = ABSTAIN
    answers[::9] = ABSTAIN
    table = votes(answers, answers=3)
    found = Crowdlab().estimate(table, features.astype(np.float32))
    answered = table.answered
    majority = (table.means().argmax(axis=1) == truth)[answered].mean()
    assert (found.posterior.argmax(axis=1) == truth)[answered].mean() > majority + 0.02
    assert (found.posterior.argmax(axis=1) == truth)[~answered].mean() > 0.75
    assert (found.score[~answered] == 0).all()
    np.testing.assert_allclose(found.score[answered], found.posterior[answered].max(axis=1))


def test_one_voter_counts_as_much_as_the_classifier() -> None:
    table = votes([[0], [1], [ABSTAIN]], answers=2)
    found = crowdlab_posterior(table, np.array([[0.2, 0.8], [0.4, 0.6], [0.3, 0.7]]))
    np.testing.assert_allclose(found, [[0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
