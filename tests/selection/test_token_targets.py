"""The words of what is taught."""

from dataclasses import replace

import numpy as np
import pytest

from steelyard.reliability import Majority
from steelyard.selection import (
    FirstVoter,
    Harden,
    PerSupervisor,
    Soften,
    select_token_targets,
)
from steelyard.types import ABSTAIN, Selection, Spans, Votes, WordProbabilities
from vote_tables import votes

TEXTS = (("go a", "b"), ("never",))


def table(answers: list[list[int]]) -> Votes:
    """Two voters weigh "go a" and "b", and "never".

    v0: go -1, a -2; b -3; never -4. v1: "go a" as one word -7; b -5; never cannot be weighed.
    """
    spans = [[(0, 2), (3, 4)], [(0, 1)], [(0, 4)], [(0, 1)], [(0, 5)], [(0, 5)]]
    logs = [-1, -2, -3, -7, -5, -4, np.nan]
    flat = np.array([span for text in spans for span in text])
    return votes(
        answers,
        candidates=np.array([2, 1]),
        candidate_texts=TEXTS,
        word_probs=WordProbabilities(
            Spans(np.cumsum([0, *map(len, spans)]), *flat.T), np.array(logs, dtype=float)
        ),
    )


def hard(cast: Votes) -> Selection:
    return Harden().select(cast, Majority().estimate(cast))


def test_pooled_words_are_the_mean_where_all_have_a_boundary() -> None:
    """go and a are one word for v1: (-1 - 2 - 7) / 2 = -5; never is v0's alone, -4."""
    cast = table([[0, 0], [0, 0]])
    found = select_token_targets(cast, hard(cast))
    assert found is not None
    assert found.example.tolist() == [0, 1]
    assert found.candidate.tolist() == [0, 0]
    assert found.share.tolist() == [1, 1]
    assert found.words.spans.begin.tolist() == [0, 0]
    assert found.words.spans.end.tolist() == [4, 5]
    assert found.words.log_probs == pytest.approx([-5, -4])


def test_the_first_voter_is_not_pooled() -> None:
    cast = table([[0, 1], [0, 0]])
    naive = FirstVoter()
    found = select_token_targets(
        cast, naive.select(cast, Majority().estimate(cast)), naive.counted(cast)
    )
    assert found is not None
    assert found.words.log_probs == pytest.approx([-1, -2, -4])
    assert found.words.spans.begin.tolist() == [0, 3, 0]


def test_supervisors_kept_apart_teach_their_own_answers_with_their_own_words() -> None:
    """v0 says "go a", v1 "b"; of "never" v1 has no words, so that v0 has all of its weight."""
    cast = table([[0, 1], [0, 0]])
    kept = PerSupervisor(weights=(0.25, 0.75)).select(cast, Majority().estimate(cast))
    found = select_token_targets(cast, kept)
    assert found is not None
    assert found.example.tolist() == [0, 0, 1]
    assert found.candidate.tolist() == [0, 1, 0]
    assert found.share == pytest.approx([0.25, 0.75, 1])
    assert found.words.log_probs == pytest.approx([-1, -2, -5, -4])


def test_a_soft_target_teaches_every_answer_with_its_share() -> None:
    cast = table([[0, 1], [0, 0]])
    found = select_token_targets(cast, Soften().select(cast, Majority().estimate(cast)))
    assert found is not None
    assert found.candidate.tolist() == [0, 1, 0]
    assert found.share == pytest.approx([0.5, 0.5, 1])
    assert found.words.log_probs == pytest.approx([-5, -4, -4])  # b: (-3 - 5) / 2


def test_an_answer_has_the_mean_entropy_of_the_lists_that_are_pooled() -> None:
    """v0's lists have .2 and .6, v1's .4 and 1: pooled (.2 + .4) / 2 and (.6 + 1) / 2."""
    cast = replace(table([[0, 1], [0, 0]]), entropy=np.array([0.2, 0.4, 0.6, 1.0]))
    majority = Majority().estimate(cast)
    first, kept = FirstVoter(), PerSupervisor().select(cast, majority)
    for found, expected in (
        (select_token_targets(cast, Soften().select(cast, majority)), [0.3, 0.3, 0.8]),
        (select_token_targets(cast, first.select(cast, majority), first.counted(cast)), [0.2, 0.6]),
        (select_token_targets(cast, kept), [0.2, 0.4, 0.6]),
    ):
        assert found is not None
        assert found.entropy == pytest.approx(expected)
    plain = select_token_targets(table([[0, 1], [0, 0]]), kept)
    assert plain is not None
    assert plain.entropy is None


def test_examples_left_out_and_votes_without_words_teach_no_word() -> None:
    cast = table([[0, 0], [ABSTAIN, ABSTAIN]])
    found = select_token_targets(cast, hard(cast))
    assert found is not None
    assert found.example.tolist() == [0]
    assert select_token_targets(replace(cast, word_probs=None), hard(cast)) is None
