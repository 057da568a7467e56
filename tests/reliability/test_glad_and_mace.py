"""GLAD and MACE against crowd-kit, with truth, and on awkward votes."""

import gzip
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steelyard.errors import InputError
from steelyard.reliability import Glad, Mace, Majority
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from vote_tables import votes


def crowd(
    seed: int, skill: list[float], size: int = 60, answers: int = 3
) -> tuple[Votes, Ints, Floats]:
    """Voters that know with the given probability and else guess evenly."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, answers, size)
    knows = rng.random((size, len(skill))) < skill
    table = np.where(knows, truth[:, None], rng.integers(0, answers, (size, len(skill))))
    table[rng.random(table.shape) < 0.2] = ABSTAIN
    return votes(table, answers=answers), truth, np.array(skill)


def by_crowdkit(make: Callable[[], Any], table: Votes) -> Floats:
    """Its posterior; numbered by first vote, for its MACE mixes up parameters otherwise."""
    read = table.answer != ABSTAIN
    worker, _ = pd.factorize(table.voter[read])
    task, tasks = pd.factorize(table.example[read])
    label, labels = pd.factorize(table.answer[read])
    frame = pd.DataFrame({"task": task, "worker": worker, "label": label})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about crowd-kit's code
        found = make().fit(frame).probas_.sort_index().sort_index(axis=1)
    posterior = table.uniform()
    posterior[np.ix_(tasks, labels)] = found.to_numpy()
    return posterior


@pytest.mark.parametrize("seed", [0, 1])
def test_mace_is_crowdkits(seed: int) -> None:
    from crowdkit.aggregation import MACE

    table, _, _ = crowd(seed, [0.9, 0.7, 0.5, 0.3, 0.0])
    theirs = by_crowdkit(lambda: MACE(n_restarts=1, n_iter=200), table)
    np.testing.assert_allclose(Mace().estimate(table).posterior, theirs, atol=2e-3)


def test_glad_is_crowdkits() -> None:
    from crowdkit.aggregation import GLAD

    table, _, _ = crowd(2, [0.9, 0.7, 0.5, 0.3], size=25)
    settings = {"n_iter": 12, "tol": -10, "m_step_tol": 1e-8}  # its own tolerance ends too early
    theirs = by_crowdkit(lambda: GLAD(silent=True, **settings), table)
    np.testing.assert_allclose(Glad().estimate(table).posterior, theirs, atol=2e-3)


@pytest.mark.parametrize("method", [Glad(), Mace()])
def test_able_voters_are_found_and_outvote_the_others(method: Glad | Mace) -> None:
    table, truth, skill = crowd(3, [0.95, 0.95, 0.0, 0.0, 0.0], size=400)
    reliability = method.estimate(table)
    right = (reliability.posterior.argmax(axis=1) == truth).mean()
    plain = (Majority().estimate(table).posterior.argmax(axis=1) == truth).mean()
    assert right > plain + 0.1
    assert reliability.skill is not None
    # P(right) = knows + (1 - knows) / 3
    np.testing.assert_allclose(reliability.skill.accuracy, skill + (1 - skill) / 3, atol=0.12)


def test_mace_says_how_voters_guess() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 600)
    table = np.column_stack([truth, truth, truth, np.ones(600, dtype=int)])
    skill = Mace().estimate(votes(table, answers=2)).skill
    assert skill is not None
    assert skill.confusion is not None
    np.testing.assert_allclose(skill.confusion.sum(axis=2), 1)
    np.testing.assert_allclose(skill.confusion[3], [[0, 1], [0, 1]], atol=0.1)  # always says 1
    np.testing.assert_allclose(skill.confusion[0], np.eye(2), atol=0.05)


@pytest.mark.parametrize("method", [Glad(), Mace()])
def test_trusted_answers_stay_and_turn_the_voters_around(method: Glad | Mace) -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, 200)
    lies = np.where(rng.random((200, 3)) < 0.9, 1 - truth[:, None], truth[:, None])
    table = votes(np.column_stack([lies, truth, truth]), answers=2)
    gold = np.where(np.arange(200) < 40, truth, ABSTAIN)
    told = method.estimate(table, gold)
    np.testing.assert_array_equal(told.posterior[:40], np.eye(2)[truth[:40]])
    right = told.posterior.argmax(axis=1) == truth
    assert right[40:].mean() > 0.95
    assert (method.estimate(table).posterior.argmax(axis=1) == truth).mean() < 0.5


@pytest.mark.parametrize("method", [Glad(), Mace()])
def test_open_answers_are_refused(method: Glad | Mace) -> None:
    table = votes([[0, 1]], answers=2, candidate_texts=(("a", "b"),))
    with pytest.raises(
        InputError, match=r"here each has its own candidates .*; use `one_coin`, `majority`"
    ):
        method.estimate(table)


@pytest.mark.parametrize("method", [Glad(), Mace()])
def test_hundreds_of_votes_do_not_underflow(method: Glad | Mace) -> None:
    reliability = method.estimate(votes([[0] * 900, [1] * 900], answers=4))
    np.testing.assert_allclose(reliability.posterior, [[1, 0, 0, 0], [0, 1, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("method", [Glad(), Mace()])
def test_a_voter_that_gave_nothing_readable_is_at_chance(method: Glad | Mace) -> None:
    skill = method.estimate(votes([[0, ABSTAIN], [1, ABSTAIN]], answers=2)).skill
    assert skill is not None
    assert 0.5 <= skill.accuracy[1] <= 0.75  # chance, or the prior's half of knowing


@pytest.mark.parametrize("method", [Glad(), Mace()])
def test_a_soft_vote_weighs_as_it_leads(method: Glad | Mace) -> None:
    rng = np.random.default_rng(6)
    table = rng.integers(0, 2, (30, 3))
    sure = votes(table, answers=2, probs=np.eye(2)[table.ravel()])
    hard = method.estimate(votes(table, answers=2))
    np.testing.assert_allclose(method.estimate(sure).posterior, hard.posterior, atol=1e-6)
    half = np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]] * 30)
    leaning = method.estimate(votes([[0, 1, 1]] * 30, answers=2, probs=half))
    assert (leaning.posterior[:, 0] > 0.5).all()  # two votes for 1 that say nothing


@pytest.mark.parametrize("method", [Glad(), Mace()])
def test_gold_that_does_not_fit_is_refused(method: Glad | Mace) -> None:
    with pytest.raises(InputError, match=r"gold answer 2 of 'q0' is not in \[0, 2\)"):
        method.estimate(votes([[0, 1]], answers=2), np.array([2]))


def test_on_real_votes_mace_finds_the_few_that_know(shared_data: Path) -> None:
    # 108 bluebirds, 39 people: majority .759, crowd-kit's MACE .861 (2026-11-21, numbered by first
    # vote; .750 as the rows come)
    with gzip.open(shared_data / "crowd_bluebird" / "train.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    people = sorted({vote["annotator"] for row in rows for vote in row["votes"]})
    table = np.full((len(rows), len(people)), ABSTAIN)
    for i, row in enumerate(rows):
        for vote in row["votes"]:
            table[i, people.index(vote["annotator"])] = int(vote["label"])
    truth = np.array([int(row["gold"]) for row in rows])
    found = Mace().estimate(votes(table, answers=2)).posterior.argmax(axis=1)
    assert (found == truth).mean() == pytest.approx(0.861, abs=0.005)
