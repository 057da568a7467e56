"""Copies and groups of voters are found without a model of voters, and not among honest ones."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_data import DATA
from steelyard.reliability import Hierarchical, Majority, Robust
from steelyard.reliability.dependence import find_dependence, merge_families
from steelyard.reliability.robust import VoteAnalysis
from steelyard.types import ABSTAIN, Ints, Votes
from vote_tables import votes

JUDGES = (0.9, 0.85, 0.75, 0.6, 0.4)


def world(
    seed: int, size: int, answers: int, skills: tuple[float, ...], copied: dict[int, float]
) -> tuple[Votes, Ints]:
    """Independent voters, and behind them copies: voter -> share of its answers copied."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, answers, size)

    def voter(skill: float) -> Ints:
        wrong = (truth + rng.integers(1, answers, size)) % answers
        return np.where(rng.random(size) < skill, truth, wrong)

    columns = [voter(skill) for skill in skills]
    for source, share in copied.items():
        own = voter(skills[source])
        columns.append(np.where(rng.random(size) < share, columns[source], own))
    return votes(np.array(columns).T, answers), truth


def right(method: Robust | Hierarchical | Majority, table: Votes, truth: Ints) -> float:
    posterior = method.estimate(table).posterior
    best = posterior >= posterior.max(axis=1, keepdims=True) - 1e-12
    return float((best[np.arange(len(truth)), truth] / best.sum(axis=1)).mean())


def test_the_correlation_by_hand() -> None:
    """40 items, two classes: ann says yes on 20; bob agrees on 30 of 40, and says yes on 20.

    Chance agreement is .5, so the correlation is (.75 - .5) / (1 - .5) = .5.
    """
    ann = np.repeat([0, 1], 20)
    bob = ann.copy()
    bob[[0, 1, 2, 3, 4, 20, 21, 22, 23, 24]] ^= 1
    found = find_dependence(votes(np.stack([ann, bob], axis=1), 2))
    assert found.mean_correlation == pytest.approx(0.5)
    assert (found.families, found.groups, found.tested) == ((), (), False)


def test_two_identical_voters_are_copies_and_two_good_ones_among_good_ones_are_not() -> None:
    column = np.arange(60) % 3
    assert find_dependence(votes(np.stack([column, column], axis=1), 3)).families == ((0, 1),)
    assert find_dependence(votes(np.stack([column] * 3, axis=1), 3)).families == ()
    few = np.stack([column[:29]] * 2, axis=1)
    assert find_dependence(votes(few, 3)).families == ()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("answers", [2, 3])
def test_a_copied_judge_does_not_take_over(seed: int, answers: int) -> None:
    table, truth = world(seed, 500, answers, JUDGES, {2: 0.95})
    assert find_dependence(table).families == ((2, 5),)
    honest = table.take(np.flatnonzero(table.voter != 5))
    assert right(Robust(), table, truth) >= right(Hierarchical(), honest, truth) - 0.03
    assert right(Robust(), table, truth) > right(Majority(), table, truth)
    assert right(Hierarchical(), table, truth) < right(Majority(), table, truth)  # the fault


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("size", "answers", "skills"),
    [
        (400, 2, (0.95, 0.95, 0.6, 0.6, 0.6)),
        (300, 2, (0.8,) * 9),
        (500, 4, (0.9, 0.8, 0.7, 0.6)),
        (300, 5, (0.95, 0.5, 0.5, 0.5, 0.5, 0.5)),
    ],
)
def test_honest_voters_are_independent(
    seed: int, size: int, answers: int, skills: tuple[float, ...]
) -> None:
    table, _ = world(100 + seed, size, answers, skills, {})
    found = VoteAnalysis(table)
    assert found.dependence.pairs == ()
    assert not found.undecided
    np.testing.assert_array_equal(
        Robust().estimate(table).posterior.argmax(axis=1),
        Hierarchical().estimate(table).posterior.argmax(axis=1),
    )


def test_a_group_of_a_few_voters_makes_the_votes_undecided() -> None:
    """Half of the answers copied: the pair may be right, or share mistakes."""
    table, truth = world(0, 500, 2, JUDGES, {2: 0.6})
    found = VoteAnalysis(table)
    assert found.dependence.groups == ((2, 5),)
    assert found.undecided
    majority = Majority().estimate(table)
    np.testing.assert_array_equal(Robust().estimate(table).posterior, majority.posterior)
    rows = found.items_to_label()
    assert len(set(rows.tolist())) == 10
    main = found.main.posterior[rows].argmax(axis=1)
    assert any((r[rows].argmax(axis=1) != main).all() for r in found.rivals)
    gold = np.full(500, ABSTAIN)
    gold[rows] = truth[rows]
    assert not VoteAnalysis(table, gold).undecided


def test_random_answers_hold_no_information() -> None:
    table, _ = world(1, 120, 4, (0.25,) * 5, {})
    found = VoteAnalysis(table)
    assert found.dependence.near_chance
    assert found.undecided


def test_a_few_items_say_nothing_about_chance() -> None:
    """Two voters who differ on all of three items have a correlation of -1, by chance alone."""
    dependence = find_dependence(votes([[0, 1], [1, 0], [0, 1]], 2))
    assert dependence.mean_correlation is None
    assert not dependence.near_chance


def test_a_family_votes_once() -> None:
    """v0 and v2 agree on a and differ on b: one vote for 1, then an abstention."""
    table = votes([[1, 0, 1], [0, 1, 1]], 2)
    merged, number = merge_families(table, [(0, 2)])
    assert merged.voters == ("v0", "v1")
    assert number.tolist() == [0, 1, 0]
    rows = sorted(zip(merged.example, merged.voter, merged.answer, strict=True))
    assert rows == [(0, 0, 1), (0, 1, 0), (1, 0, ABSTAIN), (1, 1, 1)]
    same, _ = merge_families(table, [])
    assert same is table


@given(st.data())
def test_the_order_of_voters_and_the_names_of_classes_change_nothing(data: st.DataObject) -> None:
    table, _ = world(data.draw(st.integers(0, 20)), 200, 3, (0.9, 0.8, 0.7, 0.6), {1: 0.97})
    voters = np.array(data.draw(st.permutations(range(5))))
    classes = np.array(data.draw(st.permutations(range(3))))
    answer = classes[table.answer.reshape(200, 5)[:, voters]]
    other = find_dependence(votes(answer, 3))
    names = {frozenset(voters[list(family)].tolist()) for family in other.families}
    assert names == {frozenset(family) for family in find_dependence(table).families}


def test_on_a_real_jury_votes_cannot_decide_and_ten_gold_answers_can() -> None:
    path = DATA / "judges_llmbar" / "six_judges.jsonl.gz"
    if not path.exists():
        pytest.skip("the shared data sets are not here")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    names = sorted({vote["annotator"] for row in rows for vote in row["votes"]})
    answers = np.full((len(rows), len(names)), ABSTAIN)
    for i, row in enumerate(rows):
        for vote in row["votes"]:
            answers[i, names.index(vote["annotator"])] = int(vote["label"]) - 1
    table, truth = votes(answers, 2), np.array([int(row["gold"]) - 1 for row in rows])
    found = VoteAnalysis(table)
    assert [[names[v] for v in group] for group in found.dependence.groups] == [["GPT-4", "PaLM2"]]
    assert found.undecided
    assert right(Robust(), table, truth) > right(Hierarchical(), table, truth) + 0.1
    chosen = found.items_to_label()
    gold = np.full(len(truth), ABSTAIN)
    gold[chosen] = truth[chosen]
    labels = Robust().estimate(table, gold).posterior.argmax(axis=1)
    rest = np.setdiff1d(np.arange(len(truth)), chosen)
    assert (labels == truth)[rest].mean() > 0.75
