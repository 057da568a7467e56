"""The nouns refuse what does not fit, and say which."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.types import (
    ABSTAIN,
    Reliability,
    Selection,
    Spans,
    Split,
    Votes,
    Words,
    join_votes,
    one_hot,
    rows_of,
)
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


def test_joined_votes_keep_who_said_what() -> None:
    first, second = votes([[0, 1], [1, 1]], answers=2), votes([[1], [0]], answers=2)
    both = join_votes([first, second])
    assert both.voters == ("v0", "v1", "v0#2")
    assert both.example.tolist() == [0, 0, 0, 1, 1, 1]
    assert both.voter.tolist() == [0, 1, 2, 0, 1, 2]
    assert both.answer.tolist() == [0, 1, 1, 1, 1, 0]


def test_votes_about_other_examples_are_not_joined() -> None:
    with pytest.raises(InputError, match="same examples"):
        join_votes([votes([[0]]), votes([[0]], ids=("other",))])


def test_a_voter_alone() -> None:
    alone = votes([[0, 1], [1, 1]], answers=2).of_voter(1)
    assert alone.voters == ("v1",)
    assert alone.answer.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("row", "text"),
    [([0.5, 0.4], "sum to 1"), ([1.5, -0.5], "sum to 1"), ([np.nan, 1.0], "sum to 1")],
)
def test_rows_that_are_no_distribution_are_refused(row: list[float], text: str) -> None:
    with pytest.raises(InputError, match=f"`posterior` of 'a'.*{text}"):
        Reliability(("a",), np.array([row]), np.array([0.5]))


def test_a_score_outside_its_range_is_named() -> None:
    with pytest.raises(InputError, match=r"score 1.2 of 'b' is not in \[0, 1\]"):
        Reliability(("a", "b"), np.full((2, 2), 0.5), np.array([0.5, 1.2]))


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_that_cannot_be_are_named(weight: float) -> None:
    with pytest.raises(InputError, match=r"weight .* of 'b' is not a finite number >= 0"):
        Selection(("a", "b"), one_hot(ints(0, 1), 2), np.array([1.0, weight]), ("", ""))


def test_truth_must_fit_its_questions() -> None:
    with pytest.raises(InputError, match="one answer per question"):
        Split((), ints(1))


def test_rows_are_joined_by_id() -> None:
    assert rows_of(("a", "b", "c"), ("c", "a")).tolist() == [2, 0]
    with pytest.raises(InputError, match="1 of 2 ids are unknown, first 'x'"):
        rows_of(("a",), ("a", "x"))


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


def spoken(voters: int = 2) -> Votes:
    """Two questions with 2 and 1 candidates; every voter knows the words of each.

    A candidate of example 0 has the words (0, 2) and (3, 4), the other (0, 1); log-probabilities
    are -1, -2, ... in the order of votes, candidates and words.
    """
    rows = np.array([[0] * voters, [0] * voters])
    spans = [[(0, 2), (3, 4)], [(0, 1)]] * voters + [[(0, 5)]] * voters
    flat = [span for text in spans for span in text]
    return votes(
        rows,
        candidates=np.array([2, 1]),
        candidate_texts=(("go a", "b"), ("never",)),
        words=Words(
            Spans(np.cumsum([0, *map(len, spans)]), *np.array(flat).T),
            -np.arange(1.0, len(flat) + 1),
        ),
    )


def test_words_stay_with_their_votes() -> None:
    table = spoken()  # votes: q0 v0, q0 v1, q1 v0, q1 v1; words of 3, 3, 1, 1
    second = table.of_voter(1).words
    assert second is not None
    np.testing.assert_array_equal(second.spans.rows, [0, 2, 3, 4])
    np.testing.assert_array_equal(second.log_probs, [-4, -5, -6, -8])
    np.testing.assert_array_equal(second.spans.end, [2, 4, 1, 5])
    again = join_votes([table.of_voter(0), table.of_voter(1)])
    assert again.words is not None
    np.testing.assert_array_equal(again.words.log_probs, table.words.log_probs)
    np.testing.assert_array_equal(again.words.spans.rows, table.words.spans.rows)


def test_words_are_dropped_where_one_of_several_does_not_know_them() -> None:
    table = spoken(1)
    assert join_votes([table, replace(table, words=None)]).words is None
    other = replace(table, candidate_texts=(("go a", "c"), ("never",)))
    assert join_votes([table, other]).words is None  # nobody scored the other's answers
