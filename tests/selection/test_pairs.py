"""The best and the worst of several answers: by hand, and what makes no pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import InputError
from steelyard.selection import BestAndWorst, best_and_worst
from steelyard.types import Floats, Question

NAN = float("nan")
SHARES = np.array([0.3, 0.3, 0.4])  # the authors' of three supervisors


def scored(
    texts: list[str], scores: list[list[float]], shares: Floats | None = None
) -> BestAndWorst:
    return best_and_worst([texts], [np.array(scores)], shares)


def test_a_pair_by_hand() -> None:
    # s = .3 s1 + .3 s2 + .4 s3:  a .3*-1 + .3*-4 + .4*-2 = -2.3,  b .3*-2 + .3*-2 + .4*-1 = -1.6,
    # c .3*-3 + .3*-1 + .4*-5 = -3.2. Chosen b, rejected c; supervisor 2 alone prefers c: .3.
    found = scored(["a", "b", "c"], [[-1, -4, -2], [-2, -2, -1], [-3, -1, -5]], SHARES)
    assert (found.chosen, found.rejected) == (("b",), ("c",))
    assert found.flip_probability.tolist() == pytest.approx([0.3])
    assert not any(found.dropped.values())


def test_an_equal_score_is_half_a_doubt_and_one_large_lead_outweighs_many() -> None:
    # Even shares: a 9 - 1 + 0 over b's 0: two of three do not prefer a; 1/3 + 1/2 * 1/3 = 1/2.
    found = scored(["a", "b"], [[9, -1, 0], [0, 0, 0]])
    assert found.chosen == ("a",)
    assert found.flip_probability.tolist() == pytest.approx([0.5])


def test_questions_without_a_pair_are_counted() -> None:
    found = best_and_worst(
        [["a", " a ", ""], ["a", "b"], ["a", "b"], ["b", "a"]],
        [np.array(t) for t in ([[1.0], [2], [3]], [[NAN], [1]], [[1.0], [1]], [[1.0], [2]])],
    )
    assert found.dropped == {
        "fewer than two distinct answers": 1,
        "no supervisor scored all answers": 1,
        "equal scores": 1,
    }
    assert found.question.tolist() == [3]
    assert (found.chosen, found.rejected, found.flip_probability.tolist()) == (
        ("a",),
        ("b",),
        [0.0],
    )


def test_a_silent_supervisor_leaves_its_share_to_the_others() -> None:
    # Supervisor 3 says nothing of c. The others have .5 each: a 2, b 1.5, c 1.
    found = scored(["a", "b", "c"], [[1, 3, 9], [1, 2, 0], [2, 0, NAN]], SHARES)
    assert (found.chosen, found.rejected) == (("a",), ("c",))
    assert found.flip_probability.tolist() == pytest.approx([0.5])


def test_what_the_student_is_taught() -> None:
    asked = [Question("q0", "Why?"), Question("q1", "Who?", ("old",))]
    found = best_and_worst(
        [["x"], ["a", "b"]], [np.array([[1.0, 1]]), np.array([[2.0, 0], [0, 1]])]
    )
    taught, selection = found.training_set(asked)
    assert taught == (Question("q1", "Who?", ("a", "b")),)
    assert selection.ids == ("q1",)
    assert selection.targets.tolist() == [[0.5, 0.5]]  # one of two prefers b
    assert selection.weights.tolist() == [1]
    nothing, empty = best_and_worst([["x"]], [np.array([[1.0]])]).training_set(asked)
    assert (nothing, empty.targets.shape) == ((), (0, 2))


@given(st.lists(st.lists(st.integers(-5, 5), min_size=3, max_size=3), min_size=2, max_size=6))
def test_the_chosen_answer_is_never_worse_and_shares_have_no_unit(rows: list[list[int]]) -> None:
    texts = [f"t{h}" for h in range(len(rows))]
    table = np.array(rows, dtype=float)
    one, other = (best_and_worst([texts], [table], scale * SHARES) for scale in (1, 10))
    assert (one.chosen, one.rejected) == (other.chosen, other.rejected)
    assert one.flip_probability == pytest.approx(other.flip_probability)
    for best, worst in zip(one.chosen, one.rejected, strict=True):
        together = table @ SHARES
        assert together[texts.index(best)] == together.max()
        assert together[texts.index(worst)] == together.min()


@pytest.mark.parametrize(
    ("scores", "shares", "message"),
    [
        ([[1.0]], None, r"question 0 must be finite, \(2, 1\).* got shape \(1, 1\)"),
        ([[1.0], [np.inf]], None, "must be finite"),
        ([[1.0], [2.0]], [0.0], "not all 0"),
        ([[1.0], [2.0]], [-1.0], "numbers >= 0"),
        ([[1.0], [2.0]], [1.0, 1.0], "must be 1 numbers"),
    ],
)
def test_what_cannot_be_is_refused(
    scores: list[list[float]], shares: list[float] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        scored(["a", "b"], scores, None if shares is None else np.array(shares))
