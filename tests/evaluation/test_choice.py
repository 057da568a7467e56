"""What chooses an arm is not what measures it."""

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.evaluation.choice import choose_elsewhere, combine, halve


def test_the_choice_by_hand() -> None:
    # model 0 is better on half 0, model 1 on half 1, in every seed: each is chosen for the other
    scores = np.array([[[0.9, 0.5]] * 3, [[0.5, 0.9]] * 3])
    assert choose_elsewhere(scores).tolist() == [[1, 0]] * 3
    assert choose_elsewhere(-scores, lower_is_better=True).tolist() == [[1, 0]] * 3


def test_the_measured_seed_and_half_have_no_say() -> None:
    scores = np.random.default_rng(0).random((4, 3, 2))
    chosen = choose_elsewhere(scores)
    for s in range(3):
        for half in range(2):
            changed = scores.copy()
            changed[:, s, :] = np.random.default_rng(1).random((4, 2))
            changed[:, :, half] = np.random.default_rng(2).random((4, 3))
            assert choose_elsewhere(changed)[s, half] == chosen[s, half]


def test_undefined_scores_and_one_seed() -> None:
    scores = np.array([[[np.nan, 0.2]], [[0.1, np.nan]]])
    assert choose_elsewhere(scores).tolist() == [[0, 1]]  # each is undefined on one half
    with pytest.raises(InputError, match="models, seeds, 2"):
        choose_elsewhere(np.zeros((2, 3)))


def test_halves_keep_groups_together() -> None:
    groups = np.repeat(np.arange(10), 3)
    halves = halve(groups)
    assert sorted(np.bincount(halves)) == [15, 15]
    assert all(len(set(halves[groups == g])) == 1 for g in range(10))


def test_combined_answers_are_those_of_the_chosen_models() -> None:
    tables = [[np.full((4, 2), q + 10 * s) for s in range(2)] for q in range(3)]
    combined = combine(tables, np.array([[2, 0], [1, 1]]), np.array([0, 1, 1, 0]))
    assert combined[0][:, 0].tolist() == [2, 0, 0, 2]
    assert combined[1][:, 0].tolist() == [11, 11, 11, 11]
