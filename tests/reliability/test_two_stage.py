"""Two stages: by hand, and what is left where a stage cannot be trained."""

import numpy as np
import pytest

from known_predictions import Table
from steelyard.errors import ConfigError
from steelyard.reliability import EstimationData, TwoStage
from steelyard.selection import KeepAbove, NothingToLearn
from steelyard.types import ABSTAIN, Votes
from vote_tables import votes

ROWS = [
    [0, 0, 0, 0, 0],  # share 1: A
    [1, 1, 1, 1, 0],  # share .8: A
    [0, 0, 0, 1, 1],  # share .6: discarded
    [0, 0, 0, 1, 1],  # the same
    [0, 0, 1, 1, ABSTAIN],  # share .5: discarded
    [ABSTAIN] * 5,
]
PREDICTED = np.array([[0.5, 0.5], [0.5, 0.5], [0.1, 0.9], [0.4, 0.6], [0.8, 0.2], [0.9, 0.1]])


def estimation(table: Votes, model: Table, has_classes: bool = True) -> EstimationData:
    return EstimationData(table, predictor=model, has_classes=has_classes)


def test_both_stages_by_hand() -> None:
    table, model = votes(ROWS, answers=2), Table(PREDICTED)
    found = TwoStage(threshold=0.7, confidence=0.7).estimate_from(estimation(table, model))
    (fold,) = model.folds
    assert fold.rows.tolist() == [0, 1]
    assert fold.targets.tolist() == [[1, 0], [0, 1]]
    assert fold.asked[0].tolist() == [2, 3, 4]
    # of .9, .6 and .8 the first and the last are above .7; row 3 is discarded for good
    expected = [[1, 0], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6], [0.8, 0.2], [0.5, 0.5]]
    np.testing.assert_allclose(found.posterior, expected, atol=1e-12)
    np.testing.assert_allclose(found.score, [1, 0.8, 0.9, 0, 0.8, 0], atol=1e-12)
    selection = KeepAbove().select(table, found)
    assert selection.weights.tolist() == [1, 1, 1, 0, 1, 0]
    assert selection.targets.argmax(axis=1)[[0, 1, 2, 4]].tolist() == [0, 1, 1, 0]
    assert selection.reasons[3] == "score not above 0"


def test_the_control_draws_as_many_discarded_examples() -> None:
    rng = np.random.default_rng(0)
    table = votes([[0] * 5, [1] * 5, *[[0, 0, 0, 1, 1]] * 40], answers=2)
    model = Table(rng.dirichlet([1, 1], 42))
    method = TwoStage()
    control = method.at_random
    assert control is not None
    assert control.at_random is None
    found = method.estimate_from(estimation(table, model))
    drawn = control.estimate_from(estimation(table, model))
    np.testing.assert_array_equal(found.posterior, drawn.posterior)
    kept, drawn_kept = np.flatnonzero(found.score), np.flatnonzero(drawn.score)
    assert len(kept) == len(drawn_kept)
    assert {0, 1} <= set(drawn_kept)
    assert (kept != drawn_kept).any()


def test_options_that_a_question_lacks_have_no_probability() -> None:
    table = votes([[0, 0, 0], [0, 1, 1]], answers=3, candidates=np.array([3, 2]))
    model = Table(np.array([[1, 0, 0], [0.3, 0.2, 0.5]]))
    found = TwoStage(confidence=0.55).estimate_from(estimation(table, model, has_classes=False))
    # one label is enough where positions are no classes; .3 : .2 is .6 : .4
    np.testing.assert_allclose(found.posterior[1], [0.6, 0.4, 0])
    np.testing.assert_allclose(found.score, [1, 0.6])


@pytest.mark.parametrize("collapses", [-1, 0])
def test_without_a_student_of_stage_one_only_a_is_kept(collapses: int) -> None:
    rows = [[0] * 5, [int(collapses == 0)] * 5, [0, 0, 0, 1, 1]]
    model = Table(np.full((3, 2), [0.9, 0.1]), collapses=collapses)
    found = TwoStage().estimate_from(estimation(votes(rows, answers=2), model))
    assert len(model.folds) == collapses + 1  # A has one class, or its student collapses
    assert found.score.tolist() == [1, 1, 0]
    assert found.posterior[2].tolist() == [0.6, 0.4]


def test_where_nobody_agrees_nothing_is_kept() -> None:
    table, model = votes([[0, 1], [1, 0]], answers=2), Table(np.full((2, 2), 0.5))
    found = TwoStage().estimate_from(estimation(table, model))
    assert not model.folds
    with pytest.raises(NothingToLearn, match=r"keeps none of 2 examples \({'score not above 0': 2"):
        KeepAbove().select(table, found)


def test_written_answers_are_refused() -> None:
    with pytest.raises(ConfigError, match="`two_stage` lets the student choose among given ans"):
        TwoStage().check_task("generation")
