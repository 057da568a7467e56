"""Rare classes have their share."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from steelyard.errors import ConfigError, InputError
from steelyard.reliability import VoteEntropy
from steelyard.selection import KeepMostReliable, balanced
from steelyard.studies.arms import Arm
from steelyard.studies.config import make_study
from steelyard.studies.presets import complete
from steelyard.types import Selection, Votes, one_hot
from vote_tables import votes


def of(targets: np.ndarray, weights: np.ndarray) -> Selection:
    ids = tuple(str(i) for i in range(len(targets)))
    return Selection(ids, targets, weights, tuple("" if w else "out" for w in weights))


def test_by_hand() -> None:
    # n = 3, 1: c = 4 / (2 * 3), 4 / (2 * 1) = 2/3, 2; the third class has no label
    found = balanced(of(one_hot(np.array([0, 0, 0, 1]), 3), np.ones(4)))
    np.testing.assert_allclose(found.weights, [2 / 3, 2 / 3, 2 / 3, 2])
    np.testing.assert_allclose(found.targets, one_hot(np.array([0, 0, 0, 1]), 3))


def test_half_strength_by_hand() -> None:
    # c in the ratio 9^-.5 : 1 = 1/3 : 1; 9 / 3 + 1 = 4, so scaled by 10 / 4: 5/6, 5/2
    found = balanced(of(one_hot(np.array([0] * 9 + [1]), 2), np.ones(10)), 0.5)
    np.testing.assert_allclose(found.weights, [5 / 6] * 9 + [5 / 2])


def test_soft_labels_by_hand() -> None:
    # n = 1.5, .5: c = 2/3, 2; row 0 is (.5, .5): .5 * 2/3 + .5 * 2 = 4/3, target (1/4, 3/4)
    found = balanced(of(np.array([[0.5, 0.5], [1.0, 0.0]]), np.ones(2)))
    np.testing.assert_allclose(found.weights, [4 / 3, 2 / 3])
    np.testing.assert_allclose(found.targets, [[0.25, 0.75], [1, 0]])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_it_is_scikit_learns(labels: list[int]) -> None:
    found = balanced(of(one_hot(np.array(labels), 5), np.ones(len(labels))))
    np.testing.assert_allclose(found.weights, compute_sample_weight("balanced", labels))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0, 3.0])), min_size=1),
    st.floats(0, 1),
)
def test_weights_in_all_stay_and_what_is_out_stays_out(
    rows: list[tuple[int, float]], strength: float
) -> None:
    labels, weights = np.array([k for k, _ in rows]), np.array([w for _, w in rows])
    if not weights.any():
        return
    before = of(one_hot(labels, 4), weights)
    found = balanced(before, strength)
    assert found.weights.sum() == pytest.approx(weights.sum())
    assert ((found.weights > 0) == (weights > 0)).all()
    mass = np.bincount(labels, weights=found.weights, minlength=4)
    was = np.bincount(labels, weights=weights, minlength=4)
    order = np.argsort(was[was > 0], kind="stable")
    assert (np.diff(mass[was > 0][order]) > -1e-9).all()  # no class overtakes a larger one
    if strength == 1:
        np.testing.assert_allclose(mass[was > 0], weights.sum() / (was > 0).sum())


def test_where_there_is_nothing_to_balance() -> None:
    with pytest.raises(ValueError, match="one label per example"):
        Arm(name="x", selection="apart", balance=1)
    with pytest.raises(ConfigError, match="`balance` of arm `x` weighs classes"):
        make_study(
            {
                "task": "multiple_choice",
                "data": {"train": "a.jsonl", "test": "b.jsonl"},
                "supervisors": [{"kind": "chooser", "model": "minilm"}],
                "student": {"kind": "chooser", "model": "minilm"},
                "arms": [{"name": "x", "selection": "hard", "balance": 1}],
            }
        )


def crowd() -> Votes:
    """Eight examples of class 0, on which all agree, and four of class 1, on which few do."""
    sure, unsure = [[0, 0, 0]] * 6 + [[0, 0, 1]] * 2, [[1, 1, 1]] + [[1, 1, 0]] * 3
    return votes(sure + unsure, answers=2)


def test_a_filter_of_all_may_keep_one_class_and_one_per_class_keeps_both() -> None:
    table = crowd()
    reliability = VoteEntropy().estimate(table)
    whole = KeepMostReliable(ties="random").select(table, reliability)
    assert [whole.weights[:8].astype(bool).sum(), whole.weights[8:].astype(bool).sum()] != [4, 2]
    each = KeepMostReliable(ties="random", per_class=True).select(table, reliability)
    assert each.weights[:8].astype(bool).sum() == 4
    assert each.weights[8:].astype(bool).sum() == 2
    assert each.weights[8] > 0  # the one of class 1 on which all agree
    assert not each.weights[6:8].any()


def test_its_control_draws_as_many_of_each_class() -> None:
    table = crowd()
    arm = Arm(
        name="x",
        reliability=VoteEntropy(),
        selection=KeepMostReliable(ties="random", per_class=True),
    )
    control = next(one for one in complete((arm,)) if one.control == "random_keep")
    assert control.description == "As many examples of each class as `x` keeps, drawn at random."
    reliability, truth = VoteEntropy().estimate(table), np.zeros(12, dtype=np.int64)
    drawn = [control.select(table, reliability, truth, seed).weights > 0 for seed in range(20)]
    assert {(int(one[:8].sum()), int(one[8:].sum())) for one in drawn} == {(4, 2)}
    assert any(one[6:8].any() for one in drawn)  # at random
    assert len({one.tobytes() for one in drawn}) > 5


def test_open_answers_have_no_classes_to_keep_apart() -> None:
    table = replace(crowd(), candidate_texts=(("a", "b"),) * 12)
    with pytest.raises(InputError, match="`per_class` needs classes"):
        KeepMostReliable(per_class=True).select(table, VoteEntropy().estimate(table))
