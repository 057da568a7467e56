"""The control whose votes are those on other questions."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from steelyard.selection import shuffled_votes
from steelyard.types import ABSTAIN, Votes
from vote_tables import votes


def drawn(seed: int) -> Votes:
    """Three voters on twenty questions of two or three options, some of which abstain."""
    rng = np.random.default_rng(seed)
    candidates = rng.integers(2, 4, 20)
    rows = (rng.random((20, 3)) * candidates[:, None]).astype(np.int64)
    rows[rng.random((20, 3)) < 0.2] = ABSTAIN
    probs = rng.random((60, 3)) * (np.arange(3) < np.repeat(candidates, 3)[:, None])
    probs /= probs.sum(axis=1, keepdims=True)
    texts = tuple(f"t{i}" for i in range(60))
    return votes(rows, candidates=candidates, probs=probs, texts=texts)


def of_questions(table: Votes) -> list[tuple[object, ...]]:
    """What is said of each question: voters, answers, probabilities and texts."""
    found: list[list[object]] = [[] for _ in table.ids]
    for m in range(len(table.answer)):
        assert table.probs is not None
        part = (int(table.voter[m]), int(table.answer[m]), tuple(table.probs[m]), table.texts[m])
        found[table.example[m]].append(part)
    return [(int(n), *parts) for n, parts in zip(table.candidates, found, strict=True)]


@given(st.integers(0, 1000))
def test_the_votes_are_the_same_and_lie_elsewhere(seed: int) -> None:
    """The multiset of what is said of questions is kept, among questions of one size."""
    before = drawn(seed)
    after = shuffled_votes(before, seed)
    assert Counter(of_questions(after)) == Counter(of_questions(before))
    assert of_questions(after) != of_questions(before)
    assert after.ids == before.ids
    np.testing.assert_array_equal(after.candidates, before.candidates)
    again = shuffled_votes(before, seed)
    np.testing.assert_array_equal(again.answer, after.answer)


def test_by_chance_alone_votes_agree_with_the_truth() -> None:
    """Votes that were all right: afterwards one in four is, with a standard error of .0097."""
    truth = np.arange(2000) % 4
    after = shuffled_votes(votes(truth[:, None], answers=4), 0)
    assert abs((after.answer == truth).mean() - 0.25) < 0.03
