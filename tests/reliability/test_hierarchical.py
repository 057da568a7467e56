"""The hierarchical model: its bound, its shrinking, where others collapse, and the real sets."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.special import betaln, gammaln, logsumexp

from crowd_tables import accuracy, drawn, read_nested, table_of
from steelyard.reliability import DawidSkene, Hierarchical, OneCoin
from steelyard.reliability.abstentions import are_labelling_functions
from steelyard.reliability.variational import fit_coin, fit_coin_leave_one_out, fit_rows
from steelyard.reliability.vote_table import VoteTable
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from vote_tables import votes

A = ABSTAIN


@pytest.mark.parametrize("learn_shares", [False, True])
@pytest.mark.parametrize("model", ["coin", "rows"])
def test_the_bound_is_below_the_exact_evidence_and_near(model: str, learn_shares: bool) -> None:
    table, _ = drawn(4, examples=7, voters=3, answers=2, cast=3)
    vote_table = VoteTable.of(table)
    if model == "coin":
        fit = fit_coin(vote_table, 300, 0, learn_shares=learn_shares, confusion=True)
    else:
        fit = fit_rows(vote_table, 300, 0, learn_shares=learn_shares)
    exact = exact_evidence(table, fit.prior, learn_shares)
    assert exact - 3 < fit.bound < exact


def exact_evidence(table: Votes, prior: Floats, learn_shares: bool) -> float:
    """ln sum over all truths of P(truths) prod_v P(v's votes | truths), skills integrated out."""
    n, v, k = len(table.ids), len(table.voters), table.num_classes
    terms = []
    for truths in product(range(k), repeat=n):
        truth = np.array(truths)
        sizes = np.bincount(truth, minlength=k)
        # classes' shares ~ Dirichlet(1): B(1 + sizes) / B(1) = prod sizes! (k - 1)! / (n + k - 1)!
        shares = gammaln(sizes + 1).sum() + gammaln(k) - gammaln(n + k)
        term = shares if learn_shares else -n * np.log(k)
        for voter in range(v):
            mine = table.voter == voter
            said, true = table.answer[mine], truth[table.example[mine]]
            if prior.ndim == 1:
                right = (said == true).sum()
                term += betaln(prior[0] + right, prior[1] + mine.sum() - right) - betaln(*prior)
                continue
            for state in range(k):
                count = np.bincount(said[true == state], minlength=k)
                alpha = prior[:, state]
                term += (gammaln(alpha + count) - gammaln(alpha)).sum()
                term -= gammaln(alpha.sum() + count.sum()) - gammaln(alpha.sum())
        terms.append(term)
    return float(logsumexp(terms))


def test_accuracy_by_others_by_hand() -> None:
    # One example, v0 says 0, v1 and v2 say 1. Begin: shares (1/3, 2/3), all log odds ln(.8/.2).
    # Right votes 1/3, 2/3, 2/3; of Beta(.8, .2) and one vote: means (.8 + c) / 2.
    fit = fit_coin_leave_one_out(
        VoteTable.of(votes([[0, 1, 1]], answers=2)), 1, 0, equal_weights=False, confusion=True
    )
    np.testing.assert_allclose(fit.accuracy, [(0.8 + c) / 2 for c in (1 / 3, 2 / 3, 2 / 3)])


def test_voters_with_one_vote_each_are_the_majority() -> None:
    table, _ = drawn(0, examples=200, voters=1000, answers=3, cast=5)
    alone = replace(table, voter=np.arange(1000), voters=tuple(f"v{j}" for j in range(1000)))
    reliability = Hierarchical().estimate(alone)
    ranked = np.sort(table.counts, axis=1)
    clear = ranked[:, -1] > ranked[:, -2]
    labels = reliability.posterior.argmax(axis=1)
    np.testing.assert_array_equal(labels[clear], table.counts.argmax(axis=1)[clear])
    assert reliability.skill is not None
    assert np.ptp(reliability.skill.accuracy) < 0.5  # what one vote can move


def biased(voters: int, answers: int, seed: int) -> Floats:
    """Confusion matrices of voters who each err in their own way."""
    rng = np.random.default_rng(seed)
    own = np.where(np.eye(answers, dtype=bool), 2.5, 1.5 / (answers - 1))
    return np.array([[rng.dirichlet(row) for row in own] for _ in range(voters)])


def test_confusions_are_recovered_where_votes_are_many() -> None:
    confusion = biased(12, 3, seed=1)
    table, truth = drawn(1, examples=2000, voters=12, answers=3, cast=6, confusion=confusion)
    reliability = Hierarchical().estimate(table)
    assert reliability.skill is not None
    assert reliability.skill.confusion is not None
    # about 333 votes for each row: standard error at most .5 / sqrt(333) = .027
    assert np.abs(reliability.skill.confusion - confusion).mean() < 0.027
    assert np.abs(reliability.skill.accuracy - confusion.diagonal(0, 1, 2).mean(1)).max() < 0.06
    assert accuracy(reliability.posterior, table, truth) > 0.95


WORLDS = {
    "few votes per voter": {"examples": 400, "voters": 500, "answers": 4, "cast": 3},
    "few votes per example": {"examples": 1000, "voters": 20, "answers": 3, "cast": 2},
    "rare class": {"examples": 1000, "voters": 40, "answers": 2, "cast": 4, "prior": [0.95, 0.05]},
    "many classes": {"examples": 600, "voters": 60, "answers": 20, "cast": 4},
    "biased voters": {
        **{"examples": 600, "voters": 30, "answers": 2, "cast": 8},
        "confusion": biased(30, 2, seed=2),
    },
    "adversaries and constant voters": {
        **{"examples": 600, "voters": 20, "answers": 2, "cast": 8},
        "confusion": [[[0.85, 0.15], [0.15, 0.85]]] * 12
        + [[[0.2, 0.8], [0.8, 0.2]]] * 4
        + [[[1, 0], [1, 0]]] * 4,
    },
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("world", WORLDS)
def test_near_the_best_of_simpler_models_in_known_worlds(world: str, seed: int) -> None:
    table, truth = drawn(seed, **WORLDS[world])
    best = max(
        accuracy(posterior, table, truth)
        for posterior in (
            table.shares(),
            DawidSkene().estimate(table).posterior,
            OneCoin().estimate(table).posterior,
        )
    )
    ours = Hierarchical().estimate(table)
    assert accuracy(ours.posterior, table, truth) >= best - 0.01
    right = ours.posterior.argmax(axis=1) == truth
    assert abs(ours.score.mean() - right.mean()) < 0.06  # calibrated on the whole


def labelling_functions(seed: int, count: int, classes: int) -> tuple[Votes, Ints]:
    """Functions that fire on about a seventh of the examples and name one class each."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, 2000)
    example, voter = [], []
    for v in range(count):
        own, other = (np.flatnonzero((truth == v % classes) == is_own) for is_own in (True, False))
        fires, precision = int(rng.uniform(100, 500)), rng.uniform(0.6, 0.98)
        hits = min(int(fires * precision), len(own))
        misses = min(fires - hits, len(other))
        example += [rng.choice(own, hits, replace=False), rng.choice(other, misses, replace=False)]
        voter.append(np.full(hits + misses, v))
    who = np.concatenate(voter)
    sizes = (len(truth), count, classes)
    return table_of(np.concatenate(example), who, who % classes, sizes), truth


def test_of_two_functions_that_disagree_the_rarer_claim_wins() -> None:
    """Function 0 says "a" of all six examples, function 1 says "b" of the last two.

    "a" has 6 of 8 votes and "b" 2, so the examples with one vote for each go to "b". Fair ties
    would be draws, and what others say is no help: each function has only the other to judge it.
    """
    table = votes([[0, ABSTAIN]] * 4 + [[0, 1]] * 2, answers=2)
    posterior = Hierarchical().estimate(table).posterior
    assert posterior.argmax(axis=1).tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labelling_functions_do_not_collapse(seed: int, classes: int) -> None:
    table, truth = labelling_functions(seed, 20, classes)
    assert are_labelling_functions(VoteTable.of(table))
    collapsed = DawidSkene(abstentions="ignore").estimate(table).posterior
    assert accuracy(collapsed, table, truth) < 1.2 / classes
    majority = accuracy(table.shares(), table, truth)
    ours = Hierarchical().estimate(table).posterior
    assert accuracy(ours, table, truth) >= majority - 0.01
    # fewer than ten votes: the majority stands
    ranked = np.sort(table.counts, axis=1)
    clear = (ranked[:, -1] > ranked[:, -2]) & (table.counts.sum(axis=1) < 10)
    np.testing.assert_array_equal(ours.argmax(1)[clear], table.counts.argmax(1)[clear])


def test_a_wrong_majority_is_turned_by_trusted_answers_alone() -> None:
    wrong, right = [[0.2, 0.8], [0.8, 0.2]], [[0.8, 0.2], [0.2, 0.8]]
    table, truth = drawn(
        0, examples=300, voters=10, answers=2, cast=10, confusion=[wrong] * 7 + [right] * 3
    )
    assert accuracy(Hierarchical().estimate(table).posterior, table, truth) < 0.1
    gold = np.where(np.arange(300) < 8, truth, A)
    told = Hierarchical().estimate(table, gold)
    assert accuracy(told.posterior[8:], part(table, 8), truth[8:]) > 0.95
    assert told.skill is not None
    assert (told.skill.accuracy[:7] < 0.3).all()
    assert (told.skill.accuracy[7:] > 0.7).all()


def part(table: Votes, first: int) -> Votes:
    """The examples from `first` on."""
    kept = table.example >= first
    columns = {name: getattr(table, name)[kept] for name in ("voter", "query", "answer")}
    example = table.example[kept] - first
    return replace(
        table,
        ids=table.ids[first:],
        candidates=table.candidates[first:],
        example=example,
        **columns,
    )


def test_open_answers_follow_the_voter_that_others_confirm() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((800, 3)) < [0.3, 0.4, 0.65]
    said = [
        [("true" if ok else f"wrong {rng.integers(0, 30)}") for ok in example] for example in right
    ]
    texts = tuple(tuple(dict.fromkeys(("true", *names))) for names in said)
    rows_ = [[own.index(name) for name in names] for own, names in zip(texts, said, strict=True)]
    sizes = np.array([len(own) for own in texts])
    table = votes(rows_, candidates=sizes, candidate_texts=texts)
    truth = np.zeros(800, dtype=np.int64)
    ours = Hierarchical().estimate(table)
    assert accuracy(ours.posterior, table, truth) > accuracy(table.shares(), table, truth) + 0.05
    assert ours.skill is not None
    assert ours.skill.accuracy.argmax() == 2
    assert ours.skill.confusion is None


def test_votes_that_go_wrong_together_become_kinds_of_a_class(shared_data: Path) -> None:
    # zencrowd: four prolific voters err alike; one kind per class takes their errors for a class
    table, gold = read_nested(shared_data / "crowd_zencrowd")
    one = accuracy(Hierarchical(kinds=1).estimate(table).posterior, table, gold)
    assert accuracy(Hierarchical().estimate(table).posterior, table, gold) > one + 0.08


def test_a_large_table_is_fitted_in_two_passes() -> None:
    confusion = biased(40, 2, seed=3)
    table, truth = drawn(0, examples=8000, voters=40, answers=2, cast=5, confusion=confusion)
    assert len(table.answer) == 40_000
    ours = accuracy(Hierarchical().estimate(table).posterior, table, truth)
    assert ours >= accuracy(DawidSkene().estimate(table).posterior, table, truth) - 0.01


# majority, Dawid-Skene, one-coin of crowd-kit 1.4.2, the last vote of a voter on an example,
# 2026-11-21, `python -m benchmarks.crowd`
CROWD_KIT = {
    "crowd_adult": (0.760, 0.769, 0.712),
    "crowd_bluebird": (0.759, 0.889, 0.583),
    "crowd_dog": (0.812, 0.843, 0.830),
    "crowd_face": (0.635, 0.640, 0.611),
    "crowd_music_genre": (0.707, 0.769, 0.793),
    "crowd_rte": (0.875, 0.927, 0.925),
    "crowd_sentiment_polarity": (0.882, 0.915, 0.917),
    "crowd_temporal": (0.939, 0.942, 0.939),
    "crowd_trec_relevance": (0.661, 0.702, 0.560),
    "crowd_weather": (0.847, 0.840, 0.860),
    "crowd_zencrowd": (0.825, 0.800, 0.858),
    "wrench_sms": (0.971, 0.839, 0.843),
    "wrench_trec": (0.491, 0.201, 0.336),
    "wrench_youtube": (0.914, 0.438, 0.438),
}


@pytest.mark.parametrize("name", CROWD_KIT)
def test_near_the_best_of_crowd_kit_on_real_votes(shared_data: Path, name: str) -> None:
    table, gold = read_nested(shared_data / name)
    assert accuracy(Hierarchical().estimate(table).posterior, table, gold) >= (
        max(CROWD_KIT[name]) - 0.01
    )
    assert accuracy(DawidSkene().estimate(table).posterior, table, gold) >= (
        CROWD_KIT[name][1] - 0.005
    )


@pytest.mark.parametrize(
    ("table", "answers"),
    [
        ([[0]], 2),  # one voter, one example
        ([[0], [1], [2], [0]], 3),  # one voter
        ([[0, 0, 1]], 2),  # one example
        ([[1, 1, 1]] * 6, 3),  # all agree
        ([[A, A]] * 3, 2),  # nobody answers
        ([[0, 1, A], [1, 1, A], [0, 0, A]], 2),  # a voter that always abstains
        ([[0, 0], [0, A]], 1),  # one class
    ],
)
@pytest.mark.parametrize("soft", [False, True])
def test_small_tables(table: list[list[int]], answers: int, soft: bool) -> None:
    size = len(table) * len(table[0])
    changes = {"probs": np.full((size, answers), 1 / answers)} if soft else {}
    vote_table = votes(table, answers=answers, **changes)
    reliability = Hierarchical().estimate(vote_table)
    assert reliability.skill is not None
    assert np.isfinite(reliability.skill.accuracy).all()
    if not soft:
        best = vote_table.counts >= vote_table.counts.max(axis=1, keepdims=True)
        labels = reliability.posterior.argmax(axis=1)
        assert best[np.arange(len(labels)), labels].all()
    silent = ~vote_table.counts.any(axis=1)
    np.testing.assert_allclose(reliability.posterior[silent], 1 / answers)
    np.testing.assert_array_equal(reliability.score[silent], 0)


def test_no_examples() -> None:
    nothing = votes(np.zeros((0, 2), dtype=np.int64), answers=2)
    assert Hierarchical().estimate(nothing).posterior.shape[0] == 0
