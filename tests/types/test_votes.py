"""A table of votes refuses what does not fit, and counts by hand."""

from typing import Any

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.types import ABSTAIN, Votes
from vote_tables import votes


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def test_a_vote_outside_the_answers_is_named() -> None:
    with pytest.raises(InputError) as error:
        votes([[0, 1], [1, 4]])
    assert str(error.value) == (
        "vote 4 of 'v1' on 'q1' is not an answer in [0, 4); "
        "an answer that cannot be read is ABSTAIN (-1)."
    )


def test_an_option_that_the_example_does_not_have_is_no_answer() -> None:
    with pytest.raises(InputError, match=r"vote 3 of 'v0' on 'q1' is not an answer in \[0, 3\)"):
        votes([[3], [3]], candidates=ints(4, 3))


def test_votes_must_be_sorted_and_as_long_as_each_other() -> None:
    with pytest.raises(InputError, match="sorted by example"):
        votes([[0], [1]], example=ints(1, 0))
    with pytest.raises(InputError, match=r"`answer` must have one entry per vote, \(2,\)"):
        votes([[0], [1]], answer=ints(0))


def test_shares_by_hand() -> None:
    table = votes([[2, 2, 2, 0], [1, 0, ABSTAIN, ABSTAIN], [ABSTAIN] * 4])
    # 3/4 and 1/4; 1/2 and 1/2; nobody answered: uniform over four
    expected = [[0.25, 0, 0.75, 0], [0.5, 0.5, 0, 0], [0.25] * 4]
    np.testing.assert_array_equal(table.shares(), expected)


def test_uniform_knows_how_many_options_an_example_has() -> None:
    table = votes([[ABSTAIN], [ABSTAIN]], candidates=ints(4, 2))
    np.testing.assert_array_equal(table.shares(), [[0.25] * 4, [0.5, 0.5, 0, 0]])


def test_means_are_over_readable_distributions() -> None:
    probs = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    table = votes([[0, ABSTAIN, 1]], answers=2, probs=probs)
    np.testing.assert_allclose(table.means(), [[(0.9 + 0.2) / 2, (0.1 + 0.8) / 2]])


# exp(p/T) over its sum, such as 4-1 at T = 0.2: 1 / (1 + e^((.2 - .8) / .2)) = .9526.
SHARPENED = [
    ([0, 0, 0, 0, 0], [1.0], [1.0]),
    ([0, 0, 0, 0, 1], [0.9526, 0.0474], [0.6457, 0.3543]),
    ([0, 0, 0, 1, 1], [0.7311, 0.2689], [0.5498, 0.4502]),
    ([0, 0, 0, 1, 2], [0.7870, 0.1065, 0.1065], [0.4272, 0.2864, 0.2864]),
    ([0, 0, 1, 1, 2], [0.4223, 0.4223, 0.1554], [0.3548, 0.3548, 0.2905]),
    ([0, 0, 1, 2, 3], [0.4754, 0.1749, 0.1749, 0.1749], [0.2893, 0.2369, 0.2369, 0.2369]),
    ([0, 1, 2, 3, 4], [0.2] * 5, [0.2] * 5),
    ([0, 1], [0.5, 0.5], [0.5, 0.5]),
]


@pytest.mark.parametrize(("row", "sharp", "flat"), SHARPENED)
def test_sharpened_shares_are_the_papers(
    row: list[int], sharp: list[float], flat: list[float]
) -> None:
    table = votes([row], answers=5)
    for temperature, expected in ((0.2, sharp), (1.0, flat)):
        padded = expected + [0.0] * (5 - len(expected))
        np.testing.assert_allclose(table.sharpened(temperature), [padded], atol=5.1e-5)


def test_a_voter_alone() -> None:
    alone = votes([[0, 1], [1, 1]], answers=2).of_voter(1)
    assert alone.voters == ("v1",)
    assert alone.answer.tolist() == [1, 1]


def test_each_way_of_asking_can_be_a_voter_of_its_own() -> None:
    table = Votes(
        ids=("a", "b"),
        voters=("m", "n"),
        queries=("plain", "list"),
        example=ints(0, 0, 0, 1),
        voter=ints(0, 0, 1, 0),
        query=ints(0, 1, 1, 1),
        answer=ints(0, 1, 1, 1),
        candidates=ints(2, 2),
    )
    apart = table.by_query()
    assert apart.voters == ("m, plain", "m, list", "n, list")
    assert apart.voter.tolist() == [0, 1, 2, 1]
    assert apart.answer.tolist() == table.answer.tolist()
    assert len(apart.queries) == 1
