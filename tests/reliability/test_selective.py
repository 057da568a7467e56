"""P(IK): by hand against scikit-learn, the control, and what is left without a student."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from known_predictions import Table
from steelyard.errors import ConfigError
from steelyard.reliability import EstimationData, GraphSmoothing, Selective, TrustedExamples
from steelyard.types import Floats, Votes
from vote_tables import votes


def drawn(seed: int = 0) -> tuple[Votes, Floats, TrustedExamples, Floats]:
    """A student that is right where the first feature is positive, among 60 and 40 trusted."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((100, 3)).astype(np.float32)
    truth = rng.integers(0, 2, 100)
    right = features[:, 0] + 0.3 * rng.standard_normal(100) > 0
    said = np.where(right, truth, 1 - truth)
    predicted = np.where(np.arange(2) == said[:, None], 0.9, 0.1)
    table = votes(np.where(rng.random((60, 3)) < 0.7, truth[:60, None], 0), answers=2)
    return table, features[:60], TrustedExamples(features[60:], truth[60:]), predicted


def data(model: Any, seed: int = 0) -> EstimationData:
    table, features, trusted, _ = drawn(seed)
    return EstimationData(table, features=features, trusted=trusted, predictor=model)


def test_the_student_answers_where_a_regression_says_so() -> None:
    table, features, trusted, predicted = drawn()
    model = Table(predicted)
    found = Selective(l2=0.02).estimate_from(data(model))
    # once on all 40 trusted rows, then on 32 of them five times, each asked the other 8
    assert [len(fold.rows) for fold in model.folds] == [40, 32, 32, 32, 32, 32]
    assert model.folds[0].asked[0].tolist() == list(range(60))
    held_out = np.concatenate([fold.asked[0] for fold in model.folds[1:]])
    assert sorted(held_out) == list(range(60, 100))
    # |W|^2 / 2 + C sum(loss) is 1/(2 l2 n) times n (mean loss + l2 |W|^2): C = 1 / (2 40 .02)
    right = predicted[60:].argmax(axis=1) == trusted.answers
    theirs = LogisticRegression(C=1 / (2 * 40 * 0.02), tol=1e-10).fit(trusted.features, right)
    known = theirs.predict_proba(features)[:, 1] > 0.5
    assert 10 < known.sum() < 50
    weak = GraphSmoothing().estimate(table, features).posterior
    expected = np.where(known[:, None], predicted[:60], weak)
    np.testing.assert_allclose(found.posterior, expected, atol=1e-12)
    np.testing.assert_allclose(found.score, expected.max(axis=1), atol=1e-12)


def test_the_control_lets_the_student_answer_as_many() -> None:
    table, features, _, predicted = drawn()
    method = Selective(share=0.3)
    control = method.at_random
    assert control is not None
    assert control.at_random is None
    weak = GraphSmoothing(share=0.3).estimate(table, features).posterior
    of_student = [
        (part.estimate_from(data(Table(predicted))).posterior != weak).any(axis=1)
        for part in (method, control)
    ]
    assert of_student[0].sum() == of_student[1].sum()
    assert (of_student[0] != of_student[1]).any()


@pytest.mark.parametrize(("right", "known"), [(True, 60), (False, 0)])
def test_who_is_always_right_knows_everything(right: bool, known: int) -> None:
    table, features, trusted, predicted = drawn()
    predicted[60:] = np.eye(2)[trusted.answers if right else 1 - trusted.answers]
    found = Selective().estimate_from(data(Table(predicted)))
    weak = GraphSmoothing().estimate(table, features).posterior
    expected = predicted[:60] if right else weak
    np.testing.assert_array_equal(found.posterior, expected)
    assert (found.posterior == predicted[:60]).all(axis=1).sum() == known


@pytest.mark.parametrize("case", ["collapsed", "one class"])
def test_without_a_student_all_labels_are_weak(case: str) -> None:
    table, features, trusted, predicted = drawn()
    if case == "one class":
        trusted = TrustedExamples(trusted.features, np.zeros(40, dtype=np.int64))
    model = Table(predicted, collapses=0)
    plain = EstimationData(table, features=features, trusted=trusted, predictor=model)
    found = Selective().estimate_from(plain)
    weak = GraphSmoothing().estimate(table, features)
    np.testing.assert_array_equal(found.posterior, weak.posterior)
    np.testing.assert_array_equal(found.score, weak.score)


def test_a_fold_that_collapses_is_no_example() -> None:
    _, _, _, predicted = drawn()
    first = Selective().estimate_from(data(Table(predicted, collapses=2)))
    whole = Selective().estimate_from(data(Table(predicted)))
    assert (first.posterior == whole.posterior).all(axis=1).mean() > 0.8


def test_plans_count_the_trainings() -> None:
    assert Selective(folds=3).training_sizes(100, 40) == (40, 27, 27, 27)


def test_it_needs_true_answers() -> None:
    table, features, _, predicted = drawn()
    with pytest.raises(ConfigError, match=r"there are none; set `data\.weak_train`, or take"):
        Selective().estimate_from(
            EstimationData(table, features=features, predictor=Table(predicted))
        )
