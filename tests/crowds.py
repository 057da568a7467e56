"""Crowds whose members are known: voters drawn with given skills, and planted suspects."""

from typing import Any

import numpy as np

from steelyard.types import Ints, Votes


def crowd(
    seed: int,
    *,
    examples: int = 300,
    voters: int = 30,
    per: int = 5,
    answers: int = 2,
    accuracy: tuple[float, float] = (0.7, 0.9),
    prior: list[float] | None = None,
    hard: float = 0.0,
    **suspects: int,
) -> tuple[Votes, list[str], Ints]:
    """Votes, the kind of each voter ("" is honest), and the truth.

    `per` voters answer each example. A `hard` share of the examples halves everybody's knowledge.
    The first voters are suspects: `random`, `constant`, `against` say how many there are of each.
    """
    rng = np.random.default_rng(seed)
    truth = rng.choice(answers, examples, p=prior)
    skill = rng.uniform(*accuracy, voters)
    example = np.repeat(np.arange(examples), per)
    voter = np.concatenate([rng.choice(voters, per, replace=False) for _ in range(examples)])
    chance = skill[voter]
    blurred = (rng.random(examples) < hard)[example]
    chance[blurred] = (chance[blurred] + 1 / answers) / 2
    is_right = rng.random(len(example)) < chance
    other = (truth[example] + rng.integers(1, max(2, answers), len(example))) % answers
    answer = np.where(is_right, truth[example], other)
    kinds = [kind for kind, number in suspects.items() for _ in range(number)]
    kinds += [""] * (voters - len(kinds))
    of = np.array(kinds)[voter]
    drawn = rng.choice(answers, len(example), p=prior)
    answer = np.where(of == "random", drawn, answer)
    answer = np.where(of == "constant", voter % answers, answer)
    answer = np.where(of == "against", np.where(is_right, other, truth[example]), answer)
    return table(example, voter, answer, examples, voters, answers), kinds, truth


def table(
    example: Any, voter: Any, answer: Any, examples: int, voters: int, answers: int, **more: Any
) -> Votes:
    """Votes from columns, of classes named a, b, c, ..."""
    plain: dict[str, Any] = {
        "ids": tuple(f"q{i}" for i in range(examples)),
        "voters": tuple(f"v{i}" for i in range(voters)),
        "queries": ("unchanged",),
        "example": np.asarray(example, dtype=np.int64),
        "voter": np.asarray(voter, dtype=np.int64),
        "query": np.zeros(len(example), dtype=np.int64),
        "answer": np.asarray(answer, dtype=np.int64),
        "candidates": np.full(examples, answers),
        "classes": tuple("abcdefghijklmnopqrstuvwxyz"[:answers]),
    }
    return Votes(**{**plain, **more})
