"""Votes on open answers: joined by text, and silent where nobody answered."""

from typing import Any

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.reliability import VoteEntropy, VoteShare
from steelyard.selection import FirstVoter, Harden, refuse_one_label
from steelyard.types import ABSTAIN, Votes, join_votes


def open_votes(name: str, said: list[list[str]], **changes: Any) -> Votes:
    """One voter, who gives each example the listed answers, one for each query; "" abstains."""
    texts = [tuple(dict.fromkeys(text for text in row if text)) or ("",) for row in said]
    cast = [
        (i, q, own.index(text) if text else ABSTAIN)
        for i, (row, own) in enumerate(zip(said, texts, strict=True))
        for q, text in enumerate(row)
    ]
    columns = np.array(cast, dtype=np.int64).reshape(-1, 3).T
    plain: dict[str, Any] = {
        "ids": tuple(f"q{i}" for i in range(len(said))),
        "voters": (name,),
        "queries": ("plain", "steps", "check"),
        "example": columns[0],
        "voter": np.zeros(columns.shape[1], dtype=np.int64),
        "query": columns[1],
        "answer": columns[2],
        "candidates": np.array([len(own) for own in texts]),
        "candidate_texts": tuple(texts),
    }
    return Votes(**{**plain, **changes})


def test_equal_texts_of_two_supervisors_are_one_candidate() -> None:
    ann = open_votes("ann", [["72", "70"], ["5", ""], ["", ""]])
    bob = open_votes("bob", [["70", "71"], ["5", "5"], ["", "8"]])
    both = join_votes([ann, bob])
    assert both.candidate_texts == (("72", "70", "71"), ("5",), ("8",))
    assert both.candidates.tolist() == [3, 1, 1]
    # q0: ann 72 70, bob 70 71; q1: ann 5 -, bob 5 5; q2: bob's second answer alone.
    assert both.counts.tolist() == [[1, 2, 1], [3, 0, 0], [1, 0, 0]]
    assert both.answer.tolist() == [0, 1, 1, 2, 0, -1, 0, 0, -1, -1, -1, 0]
    assert join_votes([ann]).answer.tolist() == ann.answer.tolist()


def test_votes_about_other_questions_are_not_joined() -> None:
    ann, bob = open_votes("ann", [["1"]]), open_votes("bob", [["1"]], ids=("other",))
    with pytest.raises(InputError, match="about the same examples"):
        join_votes([ann, bob])


def test_a_question_that_nobody_answered_is_left_out() -> None:
    table = open_votes("ann", [["72", "70"], ["", ""], ["5", "5"]])
    for estimator in (VoteShare(), VoteEntropy()):
        reliability = estimator.estimate(table)
        np.testing.assert_allclose(reliability.posterior.sum(axis=1), 1)
        assert reliability.score[1] == 0
    selection = Harden().select(table, reliability)
    assert selection.weights.tolist() == [1, 0, 1]


def test_the_same_number_everywhere_is_no_single_class() -> None:
    from steelyard.studies.presets import PRESETS

    table = open_votes("ann", [["72"], ["5", "6"]])
    selection = FirstVoter().select(table, VoteShare().estimate(table))
    with pytest.raises(InputError, match="the same label"):
        refuse_one_label(selection)  # right for closed answers alone
    naive = PRESETS["naive"]
    chosen = naive.select(table, VoteShare().estimate(table), np.zeros(2, dtype=np.int64), seed=0)
    assert chosen.kept == 2
