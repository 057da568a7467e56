"""Levels of difficulty: by hand, ties, and their opposite."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from steelyard.selection import difficulty_levels


def test_levels_by_hand() -> None:
    score = np.array([0.3, 0.9, 0.5, 0.8, 0.99, 0.1, 0.4])
    kept = np.array([1, 1, 1, 1, 0, 1, 1]) > 0
    # kept, highest first: rows 1, 3, 2, 6, 0, 5; three levels of two; row 4 is not kept
    easy = difficulty_levels(score, kept, "easy_to_hard", 3, seed=0)
    assert easy.tolist() == [2, 0, 1, 0, 0, 2, 1]
    hard = difficulty_levels(score, kept, "hard_to_easy", 3, seed=0)
    assert hard.tolist() == [0, 2, 1, 2, 0, 0, 1]


@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 99))
def test_levels_are_equally_large_and_no_score_is_before_a_higher_one(
    size: int, levels: int, seed: int
) -> None:
    score = np.random.default_rng(seed).integers(0, 4, size) / 4
    found = difficulty_levels(score, np.ones(size, dtype=bool), "easy_to_hard", levels, seed)
    counts = np.bincount(found, minlength=levels)
    assert counts.max() - counts.min() <= 1
    for level in range(1, levels):
        assert score[found == level].max(initial=0) <= score[found < level].min(initial=1)


def test_equal_scores_are_divided_by_the_seed() -> None:
    kept = np.ones(20, dtype=bool)
    first, second = (
        difficulty_levels(np.ones(20), kept, "easy_to_hard", 2, seed) for seed in (0, 1)
    )
    assert (first != second).any()
