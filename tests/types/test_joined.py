"""Joined tables keep who said what, and the words of it."""

from dataclasses import replace

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.types import Spans, Votes, WordProbabilities, join_votes
from steelyard.types.joined import stack_votes
from vote_tables import votes


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


def test_votes_of_the_same_voters_on_other_examples_are_stacked_in_any_order() -> None:
    first = votes([[0, 1], [1, 1]], answers=2, ids=("a", "b"))
    second = votes([[1, 0]], answers=2, ids=("c",), queries=("other",))
    both = stack_votes([first, second])
    assert both.ids == ("a", "b", "c")
    assert both.example.tolist() == [0, 0, 1, 1, 2, 2]
    assert both.answer.tolist() == [0, 1, 1, 1, 1, 0]
    assert both.queries == ("unchanged", "other")
    assert both.query.tolist() == [0, 0, 0, 0, 1, 1]
    other = stack_votes([first, second], ids=("c", "a", "b"))
    assert other.ids == ("c", "a", "b")
    assert other.example.tolist() == [0, 0, 1, 1, 2, 2]
    assert other.voter.tolist() == [0, 1, 0, 1, 0, 1]
    assert other.answer.tolist() == [1, 0, 0, 1, 1, 1]
    assert other.shares().tolist() == [[0.5, 0.5], [0.5, 0.5], [0, 1]]


def test_votes_of_other_voters_or_classes_are_not_stacked() -> None:
    with pytest.raises(InputError, match="only if the same voters gave them; got v0 and v0, v1"):
        stack_votes([votes([[0]]), votes([[0, 1]])])
    with pytest.raises(InputError, match="only for the same classes"):
        stack_votes([votes([[0]]), votes([[0]], classes=("a", "b", "c", "d"))])


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
        word_probs=WordProbabilities(
            Spans(np.cumsum([0, *map(len, spans)]), *np.array(flat).T),
            -np.arange(1.0, len(flat) + 1),
        ),
    )


def test_words_stay_with_their_votes() -> None:
    table = spoken()  # votes: q0 v0, q0 v1, q1 v0, q1 v1; words of 3, 3, 1, 1
    second = table.of_voter(1).word_probs
    assert second is not None
    np.testing.assert_array_equal(second.spans.rows, [0, 2, 3, 4])
    np.testing.assert_array_equal(second.log_probs, [-4, -5, -6, -8])
    np.testing.assert_array_equal(second.spans.end, [2, 4, 1, 5])
    again = join_votes([table.of_voter(0), table.of_voter(1)])
    assert again.word_probs is not None
    np.testing.assert_array_equal(again.word_probs.log_probs, table.word_probs.log_probs)
    np.testing.assert_array_equal(again.word_probs.spans.rows, table.word_probs.spans.rows)


def test_words_are_dropped_where_one_of_several_does_not_know_them() -> None:
    table = spoken(1)
    assert join_votes([table, replace(table, word_probs=None)]).word_probs is None


def test_words_of_answers_that_only_others_gave_are_unknown() -> None:
    table = spoken(1)  # "go a" -1 -2, "b" -3; "never" -4
    other = replace(table, candidate_texts=(("c", "go a"), ("never",)))  # "c" -1 -2, "go a" -3
    both = join_votes([table, other])
    assert both.candidate_texts == (("go a", "b", "c"), ("never",))
    assert both.answer.tolist() == [0, 2, 0, 0]
    assert both.word_probs is not None
    np.testing.assert_array_equal(both.word_probs.spans.rows, [0, 2, 3, 4, 5, 6, 8, 9, 10])
    nan = np.nan
    np.testing.assert_array_equal(
        both.word_probs.log_probs, [-1, -2, -3, nan, -3, nan, -1, -2, -4, -4]
    )
    np.testing.assert_array_equal(both.word_probs.spans.end, [2, 4, 1, 0, 1, 0, 2, 4, 5, 5])
