"""The alternative annotator test: by hand, against its formulas written again, and its ends."""

import numpy as np
import pytest
from scipy import stats

from steelyard.diagnostics.alternative_annotator import (
    alternative_annotator,
    benjamini_yekutieli,
)
from steelyard.errors import ConfigError
from steelyard.types import ABSTAIN
from vote_tables import votes

PEOPLE = ("v1", "v2", "v3")


def test_winning_shares_by_hand() -> None:
    # Model v0 and people v1, v2, v3, four kinds of items, ten of each:
    #   0 | 0 0 0  all agree: model and v1 tie, both win
    #   1 | 0 0 0  the model errs: against v1 it loses (0 of 2 against 2 of 2)
    #   0 | 1 0 0  v1 errs: the model wins against v1
    #   0 | 0 1 1  model and v1 agree with nobody: tie
    # v1: model wins 30 of 40, v1 wins 30 of 40.
    kinds = [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]]
    found = alternative_annotator(votes(kinds * 10, 2), "v0", PEOPLE, epsilon=0.2)
    assert found is not None
    first = found.people[0]
    assert (first.person, first.items, first.model_wins, first.person_wins) == (
        *("v1", 40, 0.75, 0.75),
    )
    # differences 0, 1, -1, 0 ten times each: mean 0, sd sqrt(20 / 39); t = -.2 / (sd / sqrt(40))
    t = -0.2 / (np.sqrt(20 / 39) / np.sqrt(40))
    assert first.p == pytest.approx(stats.t.cdf(t, 39))


@pytest.mark.parametrize("seed", range(5))
def test_the_formulas_written_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 120)
    rows = np.where(rng.random((120, 5)) < 0.75, truth[:, None], rng.integers(0, 3, (120, 5)))
    rows[rng.random(rows.shape) < 0.2] = ABSTAIN
    found = alternative_annotator(votes(rows, 3), "v0", ("v1", "v2", "v3", "v4"), epsilon=0.1)
    assert found is not None
    advantages, p_values = [], []
    for j in (1, 2, 3, 4):
        differences, wins = [], []
        for row in rows:
            others = [row[k] for k in (1, 2, 3, 4) if k != j and row[k] != ABSTAIN]
            if row[0] == ABSTAIN or row[j] == ABSTAIN or not others:
                continue
            model, person = (np.mean([x == o for o in others]) for x in (row[0], row[j]))
            differences.append(float(person >= model) - float(model >= person))
            wins.append(float(model >= person))
        advantages.append(np.mean(wins))
        p_values.append(stats.ttest_1samp(differences, 0.1, alternative="less").pvalue)
    assert found.advantage == pytest.approx(np.mean(advantages))
    np.testing.assert_allclose([c.p for c in found.people], p_values)
    assert found.winning_rate == np.mean(benjamini_yekutieli(np.array(p_values)))
    assert found.passes == (found.winning_rate >= 0.5)


def test_benjamini_yekutieli_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for _run in range(50):
        p = rng.random(6) ** 4
        expected = stats.false_discovery_control(p, method="by") <= 0.05
        np.testing.assert_array_equal(benjamini_yekutieli(p), expected)


def test_a_model_better_than_people_passes_and_a_coin_does_not() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 300)
    people = np.where(rng.random((300, 3)) < 0.8, truth[:, None], 1 - truth[:, None])
    good = np.where(rng.random(300) < 0.95, truth, 1 - truth)
    for model, passes in ((good, True), (rng.integers(0, 2, 300), False)):
        found = alternative_annotator(votes(np.column_stack([model, people]), 2), "v0", PEOPLE)
        assert found is not None
        assert found.passes is passes
        assert found.winning_rate == float(passes)


def test_on_a_scale_the_nearer_answer_wins() -> None:
    # People say 0 and 0; the model 1, the person set aside 3: nominal a tie, on a scale a win.
    rows = [[1, 3, 0, 0]] * 40
    names = ("a", "b", "c", "d")
    tie = alternative_annotator(votes(rows, 4, classes=names), "v0", PEOPLE)
    near = alternative_annotator(votes(rows, 4, classes=names), "v0", PEOPLE, scale="ordinal")
    assert tie is not None
    assert near is not None
    assert (tie.people[0].model_wins, tie.people[0].person_wins) == (1.0, 1.0)
    assert (near.people[0].model_wins, near.people[0].person_wins) == (1.0, 0.0)


def test_few_items_use_signed_ranks_and_few_people_give_nothing() -> None:
    rows = [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]] * 4
    found = alternative_annotator(votes(rows, 2), "v0", PEOPLE)
    assert found is not None
    difference = np.array([0, -1, 0, 0] * 4) - 0.15
    assert found.people[0].p == pytest.approx(stats.wilcoxon(difference, alternative="less").pvalue)
    assert alternative_annotator(votes(rows, 2), "v0", ("v1", "v2")) is None


def test_unknown_names_are_refused() -> None:
    table = votes([[0, 0, 0, 0]], 2)
    with pytest.raises(ConfigError, match="'gpt' is not a voter"):
        alternative_annotator(table, "gpt", PEOPLE)
    with pytest.raises(ConfigError, match="cannot be a person too"):
        alternative_annotator(table, "v1", PEOPLE)
