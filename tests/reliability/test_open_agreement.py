"""Near-same texts are one answer, and different numbers never are."""

from typing import Any

import numpy as np
import pytest

from steelyard.reliability import Majority, OpenAgreement
from steelyard.types import ABSTAIN, Votes
from vote_tables import votes


def open_votes(rows: list[list[int]], texts: list[tuple[str, ...]]) -> Votes:
    candidates = np.array([len(own) for own in texts])
    return votes(rows, candidates=candidates, candidate_texts=tuple(texts))


def test_the_cluster_has_its_members_votes() -> None:
    table = open_votes([[0, 0, 1, 2, 2]], [("Barack Obama", "barack  obama ", "Joe Biden")])
    reliability = OpenAgreement().estimate(table)
    # the same name but for case and spaces: 3 of 5 votes, at the spelling with the most votes
    np.testing.assert_allclose(reliability.posterior, [[0.6, 0, 0.4]])
    assert reliability.score[0] == pytest.approx(0.6)
    np.testing.assert_allclose(Majority().estimate(table).posterior, [[0.4, 0.2, 0.4]])


def test_of_equal_members_the_head_comes_first_in_the_alphabet_not_by_number() -> None:
    first = OpenAgreement().estimate(open_votes([[0, 1]], [("new york", "New York")]))
    second = OpenAgreement().estimate(open_votes([[0, 1]], [("New York", "new york")]))
    np.testing.assert_array_equal(first.posterior, [[0, 1]])
    np.testing.assert_array_equal(second.posterior, [[1, 0]])


@pytest.mark.parametrize(
    "texts",
    [
        ("it costs 12 dollars in all", "it costs 13 dollars in all"),
        ("the answer is 1.5 metres", "the answer is 15 metres"),
        ("the water is safe to drink", "the water is not safe to drink"),
        ("you can do that at home", "you can't do that at home"),
    ],
)
def test_numbers_and_negations_keep_texts_apart(texts: tuple[str, str]) -> None:
    assert OpenAgreement(threshold=0.3).estimate(open_votes([[0, 1]], [texts])).score[0] == 0.5


def test_the_threshold_is_the_cosine_of_letter_runs() -> None:
    # " ab " has the runs " a", "ab", "b ", " ab", "ab ", " ab ", and " ac " six as well, of which
    # " a" alone is shared: cosine 1 / 6
    table = open_votes([[0, 1]], [("ab", "ac")])
    assert OpenAgreement(threshold=0.16).estimate(table).score[0] == 1
    assert OpenAgreement(threshold=0.17).estimate(table).score[0] == 0.5


def test_chains_of_near_texts_are_one_cluster() -> None:
    words = ["one two three", "one two three four", "one two three four five six"]
    table = open_votes([[0, 1, 2]], [tuple(words)])
    ends = open_votes([[0, 1]], [(words[0], words[2])])
    near = OpenAgreement(threshold=0.8)  # cosines .86 and .84 in a row, .72 from end to end
    assert near.estimate(ends).score[0] == 0.5
    assert near.estimate(table).score[0] == 1


def test_examples_do_not_share_their_clusters() -> None:
    texts = [("paris", "london"), ("london",), ("rome", "paris", "milan")]
    table = open_votes([[0, 1], [0, 0], [2, 1]], texts)
    reliability = OpenAgreement().estimate(table)
    np.testing.assert_allclose(reliability.posterior, [[0.5, 0.5, 0], [1, 0, 0], [0, 0.5, 0.5]])


def test_candidates_that_nobody_gave_join_nothing() -> None:
    texts = [("Paris", "paris"), ("a", "b")]
    reliability = OpenAgreement().estimate(open_votes([[1, 1], [ABSTAIN, ABSTAIN]], texts))
    np.testing.assert_allclose(reliability.posterior, [[0, 1], [0.5, 0.5]])
    np.testing.assert_array_equal(reliability.score, [1, 0])


def test_an_embedding_model_may_say_what_is_near(tiny_bert: str) -> None:
    # words that the model does not know are one token to it, and so the same text
    table = open_votes([[0, 1, 2]], [("zebra", "quagga", "good film very fine not")])
    kwargs: dict[str, Any] = {"threshold": 0.9999, "model": tiny_bert}
    reliability = OpenAgreement(**kwargs).estimate(table)
    np.testing.assert_allclose(reliability.posterior, [[0, 2 / 3, 1 / 3]])
    assert OpenAgreement(threshold=0.9999).estimate(table).score[0] == pytest.approx(1 / 3)


def test_threshold_one_merges_the_same_text_alone() -> None:
    table = open_votes([[0, 1, 2]], [("Paris", "paris", "paris.")])
    assert OpenAgreement(threshold=1).estimate(table).score[0] == pytest.approx(2 / 3)
