"""Co-supervision: assignments and rejections by hand, specialists, collapse, bad input."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import pytest

from known_predictions import Table
from steelyard.errors import InputError
from steelyard.reliability import Answers, CoSupervised, EstimationData, Fold
from steelyard.reliability.cross_fitting import FeatureHeads
from steelyard.types import ABSTAIN, Floats
from vote_tables import votes

ROWS = [[1, 2], [1, 2], [0, 0], [0, 1], [2, ABSTAIN], [ABSTAIN, ABSTAIN]]
PREDICTED = np.array(
    [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8], [1, 0, 0]]
)


def test_labels_and_scores_by_hand() -> None:
    table, model = votes(ROWS, answers=3), Table(PREDICTED)
    found = CoSupervised(rounds=1, folds=2).estimate_from(EstimationData(table, predictor=model))
    # .2 > .1 and .5 > .3: the first voter; both say 0; .4 = .4: both, so half each; alone: itself
    expected = [[0, 1, 0], [0, 1, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 0, 1], [1 / 3] * 3]
    np.testing.assert_allclose(found.posterior, expected)
    # the student says 0 of the first, which is not the label; of the fourth it says either
    np.testing.assert_allclose(found.score, [0, 0.5, 0.6, 0.4, 0.8, 0], atol=1e-12)
    # each is trained on the mean votes of the other part of the five with votes
    assert sorted(np.concatenate([fold.rows for fold in model.folds])) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(
        np.concatenate([fold.targets for fold in model.folds]),
        table.means()[np.concatenate([fold.rows for fold in model.folds])],
    )


def test_soft_votes_are_compared_by_cross_entropy() -> None:
    probs = np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.8, 0.2]])
    table = votes([[0, 0], [0, 0]], answers=2, probs=probs)
    p = np.array([[0.6, 0.4], [0.3, 0.7]])
    found = CoSupervised(rounds=1, folds=2).estimate_from(
        EstimationData(table, predictor=Table(p), has_classes=False)
    )
    # row 0: -.9 ln .6 - .1 ln .4 = .5514 < -.6 ln .6 - .4 ln .4 = .6730: the surer vote
    assert -0.9 * log(0.6) - 0.1 * log(0.4) == pytest.approx(0.5514, abs=1e-4)
    # row 1: -.5 ln .3 - .5 ln .7 = .7803 < -.8 ln .3 - .2 ln .7 = 1.0345: the even vote
    np.testing.assert_allclose(found.posterior, [[0.9, 0.1], [0.5, 0.5]])
    # .6 x .9 + .4 x .1 = .58; of an even vote the student's answer is a leading one: .5
    np.testing.assert_allclose(found.score, [0.58, 0.5])


@dataclass
class Nearest:
    """Predicts the label of the nearest trained row; its predictions are of each fold's own."""

    features: Floats

    def __call__(self, folds: Sequence[Fold], size: float) -> list[Answers | None]:
        answers: list[Answers | None] = []
        for fold in folds:
            gaps = np.abs(self.features[fold.asked[0]][:, None] - self.features[fold.rows])
            answers.append((fold.targets[gaps.argmin(axis=1)],))
        return answers


def test_the_second_round_trains_on_assigned_labels() -> None:
    table = votes([[0, 1], [0, 0], [1, 1], [1, 0]], answers=2)
    data = EstimationData(table, predictor=Nearest(np.array([0.0, 0.1, 1.0, 1.1])))
    method = CoSupervised(rounds=2, folds=4)
    found = method.estimate_from(data)
    # Row 0 is next to the clear row 1, row 3 to the clear row 2: they choose 0 and 1. Row 1 is next
    # to row 0, which is even in round 1 and 0 in round 2.
    np.testing.assert_array_equal(found.posterior, [[1, 0], [1, 0], [0, 1], [0, 1]])
    np.testing.assert_array_equal(found.score, [1, 1, 1, 1])
    once = CoSupervised(rounds=1, folds=4).estimate_from(data)
    np.testing.assert_array_equal(once.score, [1, 0.5, 0.5, 1])


def test_specialists_are_told_apart() -> None:
    """Each of two voters is right in its half and guesses in the other."""
    rng = np.random.default_rng(0)
    truth, half = rng.integers(0, 3, 300), np.arange(300) % 2
    guess = rng.integers(0, 3, (300, 2))
    table = np.where(np.arange(2) == half[:, None], truth[:, None], guess)
    features = (3 * np.eye(3, 5)[truth] + rng.standard_normal((300, 5))).astype(np.float32)
    data = EstimationData(votes(table, answers=3), predictor=FeatureHeads(features, 1e-2))
    found = CoSupervised().estimate_from(data)
    control = CoSupervised().at_random
    assert control is not None
    assert control.at_random is None
    drawn = control.estimate_from(data)
    kept = found.score > 0
    right, by_chance = (part.posterior.argmax(axis=1) == truth for part in (found, drawn))
    assert right.mean() > by_chance.mean() + 0.2
    assert right[kept].mean() > 0.95
    # 2/3 of the voters drawn at random are right: 1/2 + 1/2 x 1/3
    assert by_chance.mean() == pytest.approx(2 / 3, abs=0.06)
    assert (drawn.score > 0).sum() == kept.sum()
    assert ((drawn.score > 0) != kept).any()


@pytest.mark.parametrize("collapses", [0, 1])
def test_a_fold_that_collapses_keeps_the_mean_vote(collapses: int) -> None:
    table = votes([[0, 1], [1, 0], [0, 1], [1, 1]], answers=2)
    model = Table(np.full((4, 2), [0.2, 0.8]), collapses=collapses)
    found = CoSupervised(rounds=1, folds=2).estimate_from(EstimationData(table, predictor=model))
    lost = model.folds[collapses].asked[0]
    np.testing.assert_array_equal(found.posterior[lost], table.means()[lost])
    assert (found.score[lost] == 0.5).all()


def test_votes_of_one_class_train_nobody() -> None:
    table, model = votes([[0, 0], [0, 0], [0, 0]], answers=2), Table(np.full((3, 2), 0.5))
    found = CoSupervised(folds=3).estimate_from(EstimationData(table, predictor=model))
    assert not model.folds
    np.testing.assert_array_equal(found.posterior, [[1, 0]] * 3)


def test_a_class_that_nobody_is_assigned_is_not_trained_on() -> None:
    table = votes([[0, 2], [1, 2], [0, 0], [1, 1]] * 5, answers=3)
    model = Table(np.tile([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], (10, 1)))
    found = CoSupervised(rounds=2, folds=2).estimate_from(EstimationData(table, predictor=model))
    assert (found.posterior[:, 2] == 0).all()
    assert all((fold.targets[:, 2] == 0).all() for fold in model.folds[2:])
    np.testing.assert_allclose(found.score, 0.8)


def test_a_single_voter_is_refused() -> None:
    data = EstimationData(votes([[0], [1]], answers=2), predictor=Table(np.eye(2)))
    with pytest.raises(InputError, match="and there is only v0; add supervisors or voters"):
        CoSupervised().estimate_from(data)


def test_plans_count_the_trainings() -> None:
    assert CoSupervised(rounds=2, folds=3).training_sizes(50, 0) == (34,) * 6
