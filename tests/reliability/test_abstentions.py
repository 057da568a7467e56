"""Abstentions as answers: against dense models, by hand, and on labelling functions."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.reliability import DawidSkene, OneCoin
from steelyard.reliability.abstentions import abstentions_are_answers
from steelyard.reliability.vote_table import VoteTable
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from steelyard.votes_io.read_votes import read_votes
from vote_tables import votes


def dense_dawid_skene(answers: Ints, k: int, steps: int) -> Floats:
    """Dawid and Skene's EM with abstention as answer k, from mean votes; (N, k)."""
    n = len(answers)
    coded = np.where(answers == ABSTAIN, k, answers)
    given_by = np.eye(k + 1)[coded]  # (n, v, k + 1)
    heard = (answers != ABSTAIN).any(axis=1)
    posterior = np.full((n, k), 1 / k)
    posterior[heard] = given_by[heard][:, :, :k].sum(axis=1)
    posterior /= posterior.sum(axis=1, keepdims=True)
    for _ in range(steps):
        prior = posterior[heard].mean(axis=0)
        rows = np.einsum("nvl,nk->vlk", given_by[heard], posterior[heard])
        rows = np.maximum(rows, 1e-10)
        rows /= rows.sum(axis=1, keepdims=True)
        logits = np.log(prior) + np.einsum("nvl,vlk->nk", given_by, np.log(rows))
        likelihood = np.exp(logits - logits.max(axis=1, keepdims=True))
        posterior[heard] = (likelihood / likelihood.sum(axis=1, keepdims=True))[heard]
    return posterior


@pytest.mark.parametrize("seed", range(5))
def test_dawid_skene_equals_a_dense_model_with_one_more_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 60)
    answers = np.where(rng.random((60, 5)) < 0.7, truth[:, None], rng.integers(0, 3, (60, 5)))
    answers[rng.random((60, 5)) < np.array([0.1, 0.6, 0.3])[truth][:, None]] = ABSTAIN
    estimator = DawidSkene(iterations=7, tolerance=0, abstentions="answer")
    posterior = estimator.estimate(votes(answers, answers=3)).posterior
    np.testing.assert_allclose(posterior, dense_dawid_skene(answers, 3, 7), atol=1e-6)


def test_one_coin_learns_who_answers_what() -> None:
    # Voters 0 and 1 answer only where the truth is a, voter 2 everywhere: an item that only voter 2
    # answers is b, whatever its accuracy.
    answers = np.array([[0, 0, 0]] * 20 + [[ABSTAIN, ABSTAIN, 1]] * 20 + [[ABSTAIN, ABSTAIN, 0]])
    table = votes(answers, answers=2)
    assert OneCoin().estimate(table).posterior[-1, 1] > 0.9
    assert OneCoin(abstentions="ignore").estimate(table).posterior[-1, 0] > 0.9


def test_a_full_table_and_labelling_functions_are_recognised() -> None:
    full = VoteTable.of(votes([[0, ABSTAIN], [1, 1], [0, 0]], answers=2))
    assert abstentions_are_answers(full, "auto")
    assert not abstentions_are_answers(full, "ignore")
    mixed = VoteTable.of(votes([[0, 1], [1, 1], [0, 0]], answers=2))
    assert not abstentions_are_answers(mixed, "auto")  # nobody abstains
    assert abstentions_are_answers(mixed, "answer")
    functions = np.array([[0, ABSTAIN], [ABSTAIN, 1], [0, 1], [0, ABSTAIN]])
    assert abstentions_are_answers(VoteTable.of(without_abstentions(functions)), "auto")
    partly = np.array([[0, ABSTAIN], [1, 1], [0, 1], [1, 0], [ABSTAIN, 0]])
    assert not abstentions_are_answers(VoteTable.of(without_abstentions(partly)), "auto")


def without_abstentions(answers: Ints) -> Votes:
    whole = votes(answers, answers=2)
    return whole.take(np.flatnonzero(whole.answer != ABSTAIN))


@given(st.lists(st.lists(st.integers(-1, 2), min_size=3, max_size=3), min_size=1, max_size=8))
def test_any_table_has_a_posterior(rows: list[list[int]]) -> None:
    table = votes(rows, answers=3)
    for estimator in (DawidSkene(abstentions="answer"), OneCoin(abstentions="answer")):
        reliability = estimator.estimate(table)
        np.testing.assert_allclose(reliability.posterior.sum(axis=1), 1)
        assert reliability.skill is not None
        assert np.isfinite(reliability.skill.accuracy).all()


@pytest.mark.parametrize(
    ("name", "least", "ignored"), [("youtube", 0.8, 0.5), ("trec", 0.45, 0.35), ("sms", 0.95, 0.85)]
)
def test_labelling_functions_no_longer_collapse(
    name: str, least: float, ignored: float, shared_data: Path
) -> None:
    """Label accuracy on covered train rows; with abstentions ignored both models collapse."""
    path = shared_data / f"wrench_{name}" / "train.jsonl.gz"
    table = read_votes(path, truth=("gold",))
    truth = table.truth["gold"]
    rows = np.flatnonzero((truth >= 0) & table.votes.answered)
    for kind in (DawidSkene, OneCoin):
        right = {
            setting: (
                kind(abstentions=setting).estimate(table.votes).posterior.argmax(axis=1) == truth
            )[rows].mean()
            for setting in ("auto", "ignore")
        }
        assert right["auto"] > least
        assert right["ignore"] < ignored
