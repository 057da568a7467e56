"""A score that allows for dependent votes: by hand, by property, and on real crowds."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from steelyard.reliability import Hierarchical, Majority, Robust
from steelyard.reliability.confidence import with_confidence
from steelyard.reliability.vote_table import VoteTable
from steelyard.types import ABSTAIN, NO_CANDIDATE, Floats, Ints, Reliability, Votes
from steelyard.types.weighted_shares import voter_accuracies, weighted_shares
from steelyard.votes_io.read_votes import read_votes
from vote_tables import votes


def test_accuracies_and_weighted_shares_by_hand() -> None:
    # Voter 0 answers a, a with P .9 and .8, voter 1 a, b with .9 and .2: mean .7, so that
    # (1.7 + 1.4) / 4 = .775 and (1.1 + 1.4) / 4 = .625; above chance .275 and .125.
    table = votes([[0, 0], [0, 1]], answers=2)
    accuracies = voter_accuracies(table, np.array([[0.9, 0.1], [0.8, 0.2]]))
    np.testing.assert_allclose(accuracies, [0.775, 0.625])
    shares = weighted_shares(table, accuracies)
    np.testing.assert_allclose(shares, [[1, 0], [0.275 / 0.4, 0.125 / 0.4]])
    shares = weighted_shares(table, accuracies, np.array([ABSTAIN, 1]))
    np.testing.assert_allclose(shares, [[1, 0], [0, 1]])
    # A trusted answer that no vote names is no column: the votes stand.
    unnamed = weighted_shares(table, accuracies, np.array([ABSTAIN, NO_CANDIDATE]))
    np.testing.assert_allclose(unnamed, [[1, 0], [0.275 / 0.4, 0.125 / 0.4]])
    # A voter below chance keeps the least weight.
    shares = weighted_shares(table, np.array([0.775, 0.3]))
    np.testing.assert_allclose(shares[1], [0.275 / 0.285, 0.01 / 0.285])


def test_the_score_is_the_mean_of_both_pools_by_hand() -> None:
    # One vote for each example: no vote can be predicted from others, so that the factor is 1.
    # Voter 0 has accuracy (.8 + .6 + 2 * .7) / 4 = .7: q = .7, w = 1, score .85.
    table = votes([[0], [1]], answers=2)
    posterior = np.array([[0.8, 0.2], [0.4, 0.6]])
    before = Reliability(table.ids, posterior, posterior.max(axis=1))
    after = with_confidence(VoteTable.of(table), before)
    np.testing.assert_allclose(after.score, [0.85, 0.85])
    np.testing.assert_allclose(after.posterior, [[0.85, 0.15], [0.15, 0.85]])


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(-1, 2), min_size=3, max_size=3), min_size=1, max_size=8),
    st.integers(0, 1000),
)
def test_labels_stay_and_posteriors_match_the_score(rows: list[list[int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = votes(rows, answers=3)
    gold = np.where(rng.random(len(rows)) < 0.3, rng.integers(0, 3, len(rows)), ABSTAIN)
    before = Hierarchical().estimate(table, gold)
    after = with_confidence(VoteTable.of(table, gold), before)
    label = before.posterior.argmax(axis=1)
    np.testing.assert_allclose(after.posterior.sum(axis=1), 1)
    heard = table.answered & (gold == ABSTAIN)
    chosen = after.posterior[np.arange(len(rows)), label]
    assert (chosen >= after.posterior.max(axis=1) - 1e-12).all()
    np.testing.assert_allclose(after.score[heard], chosen[heard])
    np.testing.assert_array_equal(after.score[~heard], before.score[~heard])
    np.testing.assert_array_equal(after.posterior[~heard], before.posterior[~heard])


def test_dependent_mistakes_lower_the_score_and_independent_ones_hardly() -> None:
    """Nine voters of accuracy .8; on 40 % hard items of the second crowd they guess."""
    errors = []
    for hard in (0.0, 0.4):
        rng = np.random.default_rng(0)
        truth = rng.integers(0, 3, 1500)
        skill = np.where(rng.random(1500) < hard, 1 / 3, 0.8)[:, None]
        wrong = (truth[:, None] + rng.integers(1, 3, (1500, 9))) % 3
        table = votes(np.where(rng.random((1500, 9)) < skill, truth[:, None], wrong), answers=3)
        before = Hierarchical(kinds=1).estimate(table)
        after = with_confidence(VoteTable.of(table), before)
        right = before.posterior.argmax(axis=1) == truth
        errors.append([abs(x.score.mean() - right.mean()) for x in (before, after)])
    (_, independent), (sure, calibrated) = errors
    assert independent < 0.13
    assert calibrated < sure / 2


def real(name: str, folder: Path) -> tuple[Votes, Ints]:
    table = read_votes(folder / name / "train.jsonl.gz", truth=("gold",), duplicates="last")
    return table.votes, table.truth["gold"]


def ranking_and_calibration(reliability: Reliability, truth: Ints) -> tuple[float, float]:
    """AUROC and ECE (15 bins) of the score, with ties between labels in expectation."""
    posterior, score = reliability.posterior, reliability.score
    best = posterior >= posterior.max(axis=1, keepdims=True) - 1e-12
    right: Floats = best[np.arange(len(truth)), truth] / best.sum(axis=1)
    outcome = np.repeat([1, 0], len(truth))
    weight = np.concatenate([right, 1 - right])
    area = float(roc_auc_score(outcome, np.tile(score, 2), sample_weight=weight))
    bins = np.minimum((score * 15).astype(int), 14)
    off = np.bincount(bins, right - score, minlength=15)
    return area, float(np.abs(off).sum() / len(truth))


def test_on_real_crowds_it_ranks_like_the_majority_and_is_calibrated(shared_data: Path) -> None:
    results: dict[str, list[tuple[float, float]]] = {"majority": [], "robust": []}
    for name in ("adult", "bluebird", "dog", "face", "music_genre", "rte", "temporal", "weather"):
        poll, truth = real(f"crowd_{name}", shared_data)
        rows = np.flatnonzero((truth != ABSTAIN) & poll.answered)
        for kind in (Majority(), Robust()):
            whole = kind.estimate(poll)
            ids = tuple(poll.ids[i] for i in rows)
            part = Reliability(ids, whole.posterior[rows], whole.score[rows])
            results[kind.kind].append(ranking_and_calibration(part, truth[rows]))
    majority, robust = (np.mean(results[kind], axis=0) for kind in ("majority", "robust"))
    assert robust[0] >= majority[0] - 0.01
    assert robust[1] <= 0.1


@pytest.mark.parametrize("size", [0, 1])
def test_no_votes_and_one_answer(size: int) -> None:
    table = votes([[ABSTAIN, ABSTAIN]] * 2, answers=2) if size == 0 else votes([[0]], answers=1)
    before = Majority().estimate(table)
    after = with_confidence(VoteTable.of(table), before)
    np.testing.assert_array_equal(after.score, before.score)
