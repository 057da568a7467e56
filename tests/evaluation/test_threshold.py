"""Thresholds for a recall or a cost, by hand and against every possible threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import recall_score

from steelyard.errors import InputError
from steelyard.evaluation import Threshold, at_threshold
from steelyard.types import Floats
from steelyard.types.arrays import leaders

CLASSES = ("safe", "unsafe")
COSTS = {"unsafe": {"safe": 5.0}, "safe": {"unsafe": 1.0}}
TRUTH = np.array([1, 1, 1, 1, 0, 0, 0, 0])
UNSAFE = np.array([0.9, 0.7, 0.4, 0.1, 0.6, 0.3, 0.2, 0.05])


def two(unsafe: Floats) -> Floats:
    return np.column_stack([1 - unsafe, unsafe])


@pytest.mark.parametrize(
    ("recall", "expected"),
    [
        (0.25, 0.8),  # 1 of 4: between .9 and .7
        (0.5, 0.65),  # 2 of 4: between .7 and .6
        (0.75, 0.35),  # 3 of 4 need .4: between .4 and .3
        (0.76, 0.075),  # 4 of 4 need .1: between .1 and .05
        (1.0, 0.075),
    ],
)
def test_recall_by_hand(recall: float, expected: float) -> None:
    found = Threshold(of="unsafe", recall=recall).choose(TRUTH, two(UNSAFE), CLASSES)
    assert found == pytest.approx(expected)


def test_costs_by_hand() -> None:
    # misses cost 5: at .35 one miss, one false alarm: 6; at .075 no miss, 3 false alarms: 3
    costly = Threshold(of="unsafe", costs=COSTS)
    assert costly.choose(TRUTH, two(UNSAFE), CLASSES) == pytest.approx(0.075)
    # equal costs: at .35 1 + 1 = 2, at .65 2 + 0 = 2, at .5 2 + 1 = 3; .35 and .65 are as near
    even = Threshold(of="unsafe", costs={})
    assert even.choose(TRUTH, two(UNSAFE), CLASSES) in (pytest.approx(0.35), pytest.approx(0.65))
    # false alarms cost 100: nothing above .9 is called, (.9 + 1) / 2; at .8 1 of 4 is hit for free
    strict = Threshold(of="unsafe", costs={"safe": {"unsafe": 100}})
    assert strict.choose(TRUTH, two(UNSAFE), CLASSES) == pytest.approx(0.65)
    never = Threshold(of="unsafe", costs={"unsafe": {"safe": 0}})
    assert never.choose(np.array([1, 0]), two(np.array([0.2, 0.6])), CLASSES) == pytest.approx(0.8)


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0, 0.1, 0.25, 0.5, 0.9, 1])), min_size=2),
    st.floats(0.01, 1),
)
def test_no_other_threshold_is_better(rows: list[tuple[bool, float]], recall: float) -> None:
    """Against all thresholds on a fine grid, with recall and cost counted row by row."""
    truth, unsafe = np.array([int(t) for t, _ in rows]), np.array([float(p) for _, p in rows])
    if not truth.any():
        return
    grid = np.linspace(0, 1, 201)

    def called(threshold: float) -> np.ndarray:
        return leaders(at_threshold(two(unsafe), 1, threshold))[:, 1] > 0.5

    found = Threshold(of="unsafe", recall=recall).choose(truth, two(unsafe), CLASSES)
    assert recall_score(truth, called(found)) >= recall - 1e-9
    np.testing.assert_array_equal(called(found), unsafe >= found)
    better = [t for t in grid if called(t)[truth == 1].mean() >= recall - 1e-9]
    assert called(found).sum() == called(max(better)).sum()

    def cost(threshold: float) -> float:
        answer = called(threshold)
        return float(5 * ((truth == 1) & ~answer).sum() + ((truth == 0) & answer).sum())

    cheap = Threshold(of="unsafe", costs=COSTS).choose(truth, two(unsafe), CLASSES)
    assert cost(cheap) == min(map(cost, grid))


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0.01, 0.99))
def test_the_order_and_the_mass_stay(unsafe: list[float], threshold: float) -> None:
    probs = np.column_stack([two(np.array(unsafe)) * 0.75, np.full(len(unsafe), 0.25)])
    moved = at_threshold(probs, 1, threshold)
    np.testing.assert_allclose(moved.sum(axis=1), 1)
    np.testing.assert_array_equal(moved[:, 2], 0.25)
    order = np.argsort(unsafe)
    assert (np.diff(moved[order, 1]) >= -1e-9).all()


def test_rows_without_an_answer() -> None:
    """Their probability counts as 1/2 when a threshold is chosen; they stay without an answer."""
    moved = at_threshold(np.zeros((1, 2)), 1, 0.3)
    np.testing.assert_array_equal(moved, [[0, 0]])
    chosen = Threshold(of="unsafe", recall=1).choose(
        np.array([1, 0]), np.array([[0, 0], [0.7, 0.3]]), CLASSES
    )
    assert chosen == pytest.approx(0.4)


def test_what_cannot_work_is_refused() -> None:
    for settings in ({"of": "unsafe"}, {"of": "unsafe", "recall": 0.5, "costs": {}}):
        with pytest.raises(ValidationError, match="give either `recall` or `costs`"):
            Threshold.model_validate(settings)
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Threshold(of="unsafe", recall=1.1)
    target = Threshold(of="unsafe", recall=0.5)
    with pytest.raises(InputError, match="between two classes, and this task has 3"):
        target.check_classes(("a", "b", "unsafe"))
    with pytest.raises(InputError, match="names the class 'bad', and the classes are 'safe'"):
        Threshold(of="unsafe", costs={"bad": {}}).check_classes(CLASSES)
    with pytest.raises(InputError, match="no row of weak_train is of class 'unsafe'"):
        target.choose(np.zeros(3, dtype=int), two(np.array([0.1, 0.2, 0.3])), CLASSES)
