"""Self-training by a student: against `self_training`, by hand, and by property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from known_predictions import Table
from steelyard.errors import ConfigError
from steelyard.reliability import (
    EstimationData,
    SelfTraining,
    StudentSelfTraining,
    TrustedExamples,
)
from steelyard.reliability.cross_fitting import FeatureHeads
from steelyard.reliability.refinement import class_weights
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from vote_tables import votes


def noisy(seed: int, size: int = 90, answers: int = 3) -> tuple[Votes, Floats, Ints]:
    """Votes that are right in six of ten cases, and features around the true class's mean."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, answers, size)
    table = np.where(
        rng.random((size, 3)) < 0.6, truth[:, None], rng.integers(0, answers, (size, 3))
    )
    table[::11] = ABSTAIN
    features = 2 * np.eye(answers, 4)[truth] + rng.standard_normal((size, 4))
    return votes(table, answers=answers), features.astype(np.float32), truth


@pytest.mark.parametrize("gold", ["ignore", "use"])
def test_with_regressions_for_students_it_is_self_training(gold: str) -> None:
    table, features, truth = noisy(0)
    trusted = TrustedExamples(features[:30] + 0.1, truth[:30])
    settings = {"rounds": 2, "folds": 3, "votes_share": 0.4, "gold": gold, "seed": 3}
    data = EstimationData(table, features=features, trusted=trusted)
    expected = SelfTraining(**settings).estimate_from(data)
    rows = np.concatenate([features, trusted.features]) if gold == "use" else features
    heads = FeatureHeads(rows, l2=1e-2)
    found = StudentSelfTraining(**settings).estimate_from(
        EstimationData(table, trusted=trusted, predictor=heads)
    )
    np.testing.assert_array_equal(found.posterior, expected.posterior)
    np.testing.assert_array_equal(found.score, expected.score)


def test_options_by_hand() -> None:
    """Mean vote q and prediction p, P ~ sqrt(p q): nothing is divided by a share of a position."""
    # q = (3/4, 1/4), p = (1/5, 4/5): sqrt(.15) : sqrt(.2) = .38730 : .44721, so .46411 and .53589
    # q = (1/2, 1/4, 1/4), p = (.1, .1, .8): sqrt(.05) : sqrt(.025) : sqrt(.2), times sqrt(40)
    # = sqrt(2) : 1 : sqrt(8), sum 5.24264: .26975, .19074, .53951
    table = votes([[0, 0, 0, 1], [0, 0, 1, 2]], answers=3, candidates=np.array([2, 3]))
    model = Table(np.array([[0.2, 0.8, 0.0], [0.1, 0.1, 0.8]]))
    settings = StudentSelfTraining(rounds=1, folds=2, votes_share=0.5)
    found = settings.estimate_from(EstimationData(table, predictor=model, has_classes=False))
    expected = [[0.46411, 0.53589, 0], [0.26975, 0.19074, 0.53951]]
    np.testing.assert_allclose(found.posterior, expected, atol=1e-5)
    np.testing.assert_allclose(found.score, [0.53589, 0.53951], atol=1e-5)
    assert found.posterior[0, 2] == 0  # there is no third option
    # Each fold is trained on the other question, with its first option: position 0 for both.
    assert [fold.targets.tolist() for fold in model.folds] == [[[1, 0, 0]]] * 2


def test_of_options_the_surest_of_all_are_kept_with_one_weight() -> None:
    # Scores .9, .6, .7, .8 with labels 0, 0, 1, 0; half of four is two: rows 0 and 3.
    posterior = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]])
    weights = class_weights(posterior, np.arange(4), 0.5, np.array([1.0, 2.0]), by_class=False)
    np.testing.assert_array_equal(weights, [1, 0, 0, 1])


@given(st.integers(0, 1000))
def test_the_order_of_the_options_does_not_matter(seed: int) -> None:
    """With every question's options in another order, the answers are in that order."""
    rng = np.random.default_rng(seed)
    size, k = 12, 3
    order = np.argsort(rng.random((size, k)), axis=1)  # new position -> old option
    to_new = np.argsort(order, axis=1)
    answers = rng.integers(0, k, (size, 3))
    rows = rng.dirichlet(np.ones(k), size)
    settings = StudentSelfTraining(rounds=2, folds=3)

    def estimate(answers: Ints, rows: Floats) -> Floats:
        data = EstimationData(votes(answers, k), predictor=Table(rows), has_classes=False)
        return settings.estimate_from(data).posterior

    first = estimate(answers, rows)
    moved = np.take_along_axis(to_new, answers, axis=1)
    second = estimate(moved, np.take_along_axis(rows, order, axis=1))
    np.testing.assert_allclose(second, np.take_along_axis(first, order, axis=1), atol=1e-12)


@pytest.mark.parametrize("trusted", [0, 20])
def test_plans_count_the_trainings(trusted: int) -> None:
    """30 questions, 3 folds, half of them kept after the first round; all are answered."""
    rng = np.random.default_rng(0)
    table = votes(rng.integers(0, 2, (30, 1)), answers=2)
    model = Table(rng.dirichlet(np.ones(2), 30 + trusted))
    settings = StudentSelfTraining(rounds=3, folds=3, gold="use" if trusted else "ignore")
    gold = TrustedExamples(np.zeros((trusted, 0), np.float32), rng.integers(0, 2, trusted))
    settings.estimate_from(EstimationData(table, trusted=gold, predictor=model, has_classes=False))
    planned = settings.training_sizes(30, trusted)
    assert len(planned) == len(model.folds) == (9 if not trusted else 13)
    # 20 of 30 in the first round without trusted rows, then 2/3 of 15, give or take the folds'
    # shares of the kept ones; the sums of three folds are exact: each row is in two trainings
    found = [len(fold.rows) for fold in model.folds]
    assert sum(planned[-6:]) == sum(found[-6:]) == 2 * 2 * 15 + 6 * trusted
    if trusted:
        assert planned[:4] == (20, 14, 14, 14)  # 2/3 of 20, rounded up
        assert sorted(found[:4]) == [13, 13, 14, 20]
    else:
        assert planned[:3] == tuple(found[:3]) == (20, 20, 20)


def test_a_fold_that_collapses_keeps_what_the_votes_say() -> None:
    table = votes([[0, 0, 1], [1, 1, 0], [0, 1, 1], [0, 0, 0]], answers=2)
    rows = np.full((4, 2), [0.01, 0.99])
    settings = StudentSelfTraining(rounds=1, folds=2, votes_share=0.5)
    whole = settings.estimate_from(EstimationData(table, predictor=Table(rows)))
    broken = Table(rows, collapses=1)
    found = settings.estimate_from(EstimationData(table, predictor=broken))
    lost, kept = broken.folds[1].asked[0], broken.folds[0].asked[0]
    np.testing.assert_array_equal(found.posterior[kept], whole.posterior[kept])
    start = table.means() / table.means().mean(axis=0)
    start /= start.sum(axis=1, keepdims=True)
    flat = np.sqrt(np.maximum(start, 1e-3))
    expected = flat / flat.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.posterior[lost], expected[lost])


def test_open_answers_are_refused() -> None:
    StudentSelfTraining().check_task("preference")
    with pytest.raises(ConfigError, match="relabels questions with given answers, and the task is"):
        StudentSelfTraining().check_task("generation")
