"""Who shares mistakes: planted copies are found, independent voters are not."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowds import crowd, table
from steelyard.diagnostics.copies import _count, _surplus, find_copies
from steelyard.diagnostics.leave_one_out import LeaveOneOut, voter_labels
from steelyard.types import Votes
from steelyard.types.arrays import pairs_in_groups
from vote_tables import votes

INDEPENDENT = {
    "few each": {"voters": 30, "examples": 300},
    "everybody everywhere": {"voters": 20, "per": 20, "examples": 300},
    "four of unlike skill": {"voters": 4, "per": 4, "examples": 2000, "accuracy": (0.6, 0.9)},
    "hard examples": {"voters": 10, "examples": 2000, "hard": 0.4, "answers": 4},
    "with spammers": {"examples": 600, "random": 3, "constant": 3, "against": 3},
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_independent_voters_are_not_called_copies(name: str) -> None:
    alarms = sum(
        bool(find_copies(crowd(seed, **INDEPENDENT[name])[0]))  # type: ignore[arg-type]
        for seed in range(20)
    )
    assert alarms <= 1  # of 20, at a level of 5 %


def copied(poll: Votes, share: float, seed: int = 0) -> Votes:
    """The votes with v1 repeating what v0 said on a share of their common examples."""
    said = {
        example: answer
        for example, voter, answer in zip(poll.example, poll.voter, poll.answer, strict=True)
        if voter == 0
    }
    rng = np.random.default_rng(seed)
    answer = [
        said[e] if v == 1 and e in said and rng.random() < share else a
        for e, v, a in zip(poll.example, poll.voter, poll.answer, strict=True)
    ]
    return replace(poll, answer=np.array(answer))


@pytest.mark.parametrize(
    "settings",
    [
        {"voters": 10, "examples": 2000, "hard": 0.4},
        {"voters": 20, "per": 20, "examples": 300, "hard": 0.3},
        {"voters": 10, "examples": 1500, "answers": 25},
    ],
    ids=["sparse", "dense", "25 classes"],
)
def test_a_planted_copy_is_the_only_pair_found(settings: dict[str, int]) -> None:
    for seed in range(5):
        pairs = find_copies(copied(crowd(seed, **settings)[0], share=1.0))  # type: ignore[arg-type]
        assert [(pair.left, pair.right) for pair in pairs] == [("v0", "v1")]
        assert pairs[0].agree == 1.0
        assert pairs[0].expected < 0.9
        assert pairs[0].mistakes > 1.5 * pairs[0].mistakes_expected


def test_copies_of_open_answers_are_found() -> None:
    rng = np.random.default_rng(0)
    is_right = rng.random((400, 6)) < 0.6
    answer = np.where(is_right, 0, 1 + rng.integers(0, 9, (400, 6)))
    answer[:, 1] = answer[:, 0]
    poll = votes(answer, answers=10, candidate_texts=(tuple("abcdefghij"),) * 400)
    assert [(pair.left, pair.right) for pair in find_copies(poll)] == [("v0", "v1")]


def test_pairs_are_of_stances_on_one_example_each_once() -> None:
    said = voter_labels(crowd(0, examples=7, voters=5, per=3)[0])
    found = [
        pair
        for left, right in pairs_in_groups(said.example, 2)
        for pair in zip(left, right, strict=True)
    ]
    assert len(found) == len(set(found)) == 7 * 3
    assert all(said.example[left] == said.example[right] for left, right in found)


@given(st.integers(0, 999), st.booleans())
def test_sums_of_pairs_equal_the_formula(seed: int, by_class: bool) -> None:
    """One accuracy for all voters and equal weights, so that the sums can be written down."""
    poll, _, _ = crowd(seed, examples=6, voters=4, per=4)
    said = voter_labels(poll)
    pairs = _count(LeaveOneOut(said, np.full(4, log(3))), by_class)
    assert list(zip(pairs.left, pairs.right, strict=True)) == [
        (u, v) for u in range(4) for v in range(u + 1, 4)
    ]
    table_ = said.answer.reshape(6, 4)
    for row, (u, v) in enumerate(zip(pairs.left, pairs.right, strict=True)):
        rest = np.delete(table_, [u, v], axis=1)
        is_clear = rest[:, 0] == rest[:, 1]  # two that differ leave one half each
        same = table_[:, u] == table_[:, v]
        assert pairs.items[row] == 6
        assert pairs.agree[row] == same.sum()
        assert pairs.mistakes[row] == (same & is_clear & (table_[:, u] != rest[:, 0])).sum()
        assert 0 <= pairs.expected_mistakes[row] <= is_clear.sum()
        assert pairs.expected_mistakes[row] <= pairs.expected[row] <= 6


def test_pairs_as_expected_are_poisson() -> None:
    # No pair but the first departs from L = 2; without overdispersion P(S >= 9) of a Poisson with
    # 1.25 x 2 x (ratio of sums 47 / 40) = 2.9375 is 1 - sum_{s < 9} e^-L L^s / s!
    mistakes, expected = np.array([9.0] + [2.0] * 19), np.full(20, 2.0)
    mean, tail, term = 1.25 * 2 * 47 / 40, 1.0, 1.0
    for s in range(9):
        term = term * mean / s if s else 1.0
        tail -= exp(-mean) * term
    assert _surplus(mistakes, expected)[0] == pytest.approx(tail)


def test_mistakes_that_everybody_shares_are_no_sign_of_copying() -> None:
    """Twice the expected mistakes in every pair is how the examples are, not how the voters are."""
    expected = np.full(50, 10.0)
    assert _surplus(2 * expected, expected).min() > 0.5
    assert _surplus(np.append(2 * expected, 60.0), np.append(expected, 10.0))[-1] < 1e-4


def test_nothing_to_compare_gives_no_pairs() -> None:
    assert find_copies(votes([[0, 0, 1]] * 30, answers=2)) == ()  # a third cannot judge two
    lonely = table(np.arange(30), np.arange(30) % 5, np.zeros(30, dtype=int), 30, 5, 2)
    assert find_copies(lonely) == ()
    assert find_copies(table([], [], [], 3, 5, 2)) == ()
