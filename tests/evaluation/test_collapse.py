"""A collapsed seed is found; seeds that vary as seeds do are not."""

import numpy as np

from steelyard.evaluation import Scores
from steelyard.evaluation.collapse import collapsed_seeds


def scores(values: list[float], error: float = 0.02, lower_is_better: bool = False) -> Scores:
    seeds = np.array(values)
    noise = np.random.default_rng(0).normal(0, error, size=(len(seeds), 200))
    return Scores("accuracy", 500, seeds, seeds[:, None] + noise, lower_is_better)


def test_a_seed_at_chance_among_others_is_found() -> None:
    # chance .22; leads .56 .57 .01 .55 .58: .01 is below half of .565, and .55 > 3 * .02
    assert collapsed_seeds(scores([0.78, 0.79, 0.23, 0.77, 0.80]), 0.22) == [2]
    assert collapsed_seeds(scores([0.22, 0.21, 0.77, 0.23, 0.2], lower_is_better=True), 0.78) == [2]


def test_students_that_all_fail_have_not_collapsed() -> None:
    assert collapsed_seeds(scores([0.23, 0.22, 0.25]), 0.22) == []  # no lead is clear
    assert collapsed_seeds(scores([0.7]), 0.5) == []


def test_a_seed_of_one_answer_is_found() -> None:
    varied = np.eye(2)[np.arange(500) % 2]
    one = np.tile([0.6, 0.4], (500, 1))
    seeds = scores([0.56, 0.5, 0.55])
    assert collapsed_seeds(seeds, 0.5, [varied, one, varied]) == [1]
    assert collapsed_seeds(seeds, 0.5, [one, one, varied]) == []


def test_normal_seeds_are_hardly_ever_called_collapsed() -> None:
    rng = np.random.default_rng(3)
    found = [collapsed_seeds(scores(list(rng.normal(0.7, 0.03, 5))), 0.5) for _ in range(500)]
    assert sum(map(bool, found)) <= 5
