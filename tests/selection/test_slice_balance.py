"""Each label has the same weight in each slice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from steelyard.errors import ConfigError, InputError
from steelyard.selection import balanced, balanced_by_slice
from steelyard.studies.arms import Arm
from steelyard.studies.config import make_study
from steelyard.types import Selection, one_hot


def of(labels: list[int], weights: list[float], classes: int = 2) -> Selection:
    ids = tuple(str(i) for i in range(len(labels)))
    reasons = tuple("" if w else "out" for w in weights)
    return Selection(ids, one_hot(np.array(labels), classes), np.array(weights), reasons)


def test_by_hand() -> None:
    """Slice a has 3 unsafe and 1 safe, slice b 1 unsafe: three cells of 5 / 3 each."""
    found = balanced_by_slice(of([1, 1, 1, 0, 1], [1.0] * 5), ("a", "a", "a", "a", "b"))
    np.testing.assert_allclose(found.weights, [5 / 9, 5 / 9, 5 / 9, 5 / 3, 5 / 3])
    np.testing.assert_array_equal(found.targets, one_hot(np.array([1, 1, 1, 0, 1]), 2))


def test_half_strength_by_hand() -> None:
    # n = 4, 1: c in the ratio 1/2 : 1; 4/2 + 1 = 3, scaled by 5/3: 5/6, 5/3
    found = balanced_by_slice(of([1, 1, 1, 1, 1], [1.0] * 5), ("a", "a", "a", "a", "b"), 0.5)
    np.testing.assert_allclose(found.weights, [5 / 6] * 4 + [5 / 3])


ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("ab "), st.sampled_from([0.0, 0.5, 2.0])),
    min_size=1,
)


@given(ROWS)
def test_every_cell_has_the_same_weight_and_dropped_rows_stay_dropped(
    rows: list[tuple[int, str, float]],
) -> None:
    labels, slices, weights = map(list, zip(*rows, strict=True))
    if not any(weights):
        return
    found = balanced_by_slice(of(labels, weights, 3), tuple(slices))
    assert found.weights.sum() == pytest.approx(sum(weights))
    np.testing.assert_array_equal(found.weights > 0, np.array(weights) > 0)
    cells: dict[tuple[int, str], float] = {}
    for label, part, weight in zip(labels, slices, found.weights, strict=True):
        cells[label, part] = cells.get((label, part), 0.0) + weight
    full = [total for total in cells.values() if total > 0]
    np.testing.assert_allclose(full, full[0])


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab")), min_size=1))
def test_against_scikit_learn(rows: list[tuple[int, str]]) -> None:
    """Of hard labels it is `class_weight="balanced"` of the pair of slice and label."""
    labels, slices = [k for k, _ in rows], tuple(s for _, s in rows)
    found = balanced_by_slice(of(labels, [1.0] * len(rows), 3), slices)
    cells = [f"{s} {k}" for k, s in rows]
    np.testing.assert_allclose(found.weights, compute_sample_weight("balanced", cells))


@given(st.lists(st.floats(0.01, 0.99), min_size=1), st.floats(0, 1))
def test_one_slice_is_balance_by_class(shares: list[float], strength: float) -> None:
    share = np.array(shares)
    selection = Selection(
        tuple(map(str, range(len(share)))),
        np.column_stack([share, 1 - share]),
        np.ones(len(share)),
        ("",) * len(share),
    )
    found = balanced_by_slice(selection, ("a",) * len(share), strength)
    expected = balanced(selection, strength)
    np.testing.assert_allclose(found.weights, expected.weights)
    np.testing.assert_allclose(found.targets, expected.targets)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(InputError, match=r"`data\.slice` must be a column of the train rows too"):
        balanced_by_slice(of([0, 1], [1.0, 1.0]), ())
    with pytest.raises(ValueError, match="exclude each other"):
        Arm.model_validate({"name": "x", "selection": "hard", "balance": 1, "slice_balance": 1})
    plain = {
        "task": "classification",
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "supervisors": [{"kind": "tfidf"}],
        "student": {"kind": "probe", "model": "minilm", "layers": 2, "regularization": 1.0},
        "arms": ["slice_balanced"],
    }
    with pytest.raises(ConfigError, match=r"set `data\.slice` to a column of the train rows"):
        make_study(plain)
