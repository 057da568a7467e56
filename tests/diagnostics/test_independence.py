"""The effective number of voters: independent, dependent, identical."""

from pathlib import Path

import numpy as np
import pytest

from shared_data import DATA
from steelyard.diagnostics.independence import effective_voters
from steelyard.reliability import Majority, OneCoin
from steelyard.types import ABSTAIN
from steelyard.votes_io.read_votes import read_votes
from vote_tables import votes

JUDGES = Path(DATA / "judges_llmbar" / "six_judges.jsonl.gz")


def crowd(seed: int, copies: int, items: int = 2000, classes: int = 3) -> tuple[np.ndarray, ...]:
    """Six voters who are right 7 times in 10; the last `copies` repeat the first."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    wrong = (truth[:, None] + rng.integers(1, classes, (items, 6))) % classes
    rows = np.where(rng.random((items, 6)) < 0.7, truth[:, None], wrong)
    rows[:, 6 - copies :] = rows[:, :1]
    return rows, truth


def test_independent_voters_count_each() -> None:
    rows, truth = crowd(0, copies=0)
    found = effective_voters(table := votes(rows, 3), Majority().estimate(table), truth)
    assert found is not None
    assert found.judged_by == "truth"
    assert found.correlation.low < 0 < found.correlation.high
    assert found.effective.value == pytest.approx(6, abs=0.4)
    assert found.effective.high <= 6


def test_the_formula_with_copies_by_hand() -> None:
    # Six voters, of which three are identical: 3 of 15 pairs have correlation 1, the others 0:
    # rho = .2, effective = 6 / (1 + 5 x .2) = 3
    rows, truth = crowd(1, copies=2)
    found = effective_voters(table := votes(rows, 3), Majority().estimate(table), truth)
    assert found is not None
    assert found.correlation.value == pytest.approx(0.2, abs=0.02)
    assert found.effective.value == pytest.approx(3, abs=0.15)
    assert found.effective.low < 3 < found.effective.high


def test_identical_voters_are_one() -> None:
    rows, truth = crowd(2, copies=5)
    found = effective_voters(table := votes(rows, 3), Majority().estimate(table), truth)
    assert found is not None
    assert found.effective.value == pytest.approx(1)


def test_without_truth_the_posterior_stands_for_it() -> None:
    rows, truth = crowd(3, copies=0)
    table = votes(rows, 3)
    found = effective_voters(table, OneCoin().estimate(table))
    assert found is not None
    assert found.judged_by == "labels"
    assert found.effective.value == pytest.approx(6, abs=0.5)
    few = np.full(len(truth), ABSTAIN)
    few[:19] = truth[:19]  # too few
    again = effective_voters(table, OneCoin().estimate(table), few)
    assert again == found


def test_missing_votes_and_voters_without_a_common_item() -> None:
    rows, truth = crowd(4, copies=0)
    rows[np.random.default_rng(0).random(rows.shape) < 0.5] = ABSTAIN
    rows[:1000, 0], rows[1000:, 1] = ABSTAIN, ABSTAIN
    found = effective_voters(table := votes(rows, 3), Majority().estimate(table), truth)
    assert found is not None
    assert found.effective.value == pytest.approx(found.voters_per_item, abs=0.4)


def test_few_items_and_voters_who_never_err_have_no_number() -> None:
    table = votes([[0, 0]] * 19, 2)
    assert effective_voters(table, Majority().estimate(table)) is None
    table = votes([[0, 0]] * 50, 2)
    assert effective_voters(table, Majority().estimate(table), np.zeros(50, dtype=int)) is None


@pytest.mark.skipif(not JUDGES.exists(), reason="the shared data is not there")
def test_six_llm_judges_are_worth_about_two() -> None:
    loaded = read_votes(JUDGES, classes=("1", "2"), truth=("gold",))
    table, truth = loaded.votes, loaded.truth["gold"]
    found = effective_voters(table, Majority().estimate(table), truth)
    assert found is not None
    assert found.effective.value == pytest.approx(2.1, abs=0.1)
    assert found.correlation.value == pytest.approx(0.36, abs=0.03)
