"""Dawid-Skene: one step by hand, and crowd-kit's numbers."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowd_tables import crowd_kit_frame, drawn, read_nested
from steelyard.errors import InputError
from steelyard.reliability import DawidSkene, Hierarchical, OneCoin
from steelyard.reliability.vote_table import VoteTable
from steelyard.types import ABSTAIN
from vote_tables import votes

A = ABSTAIN
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # crowd-kit's


def test_one_step_by_hand() -> None:
    table = votes([[0, 0, 1], [1, 1, 1], [0, 1, 1]], answers=2)
    # start, T = vote shares:        q0 (2/3, 1/3)   q1 (0, 1)   q2 (1/3, 2/3)
    # prior = mean of T:             ((2/3 + 0 + 1/3) / 3, (1/3 + 1 + 2/3) / 3) = (1/3, 2/3)
    # rows, expected votes [truth][answer]:
    #   v0 answers 0 1 0: truth 0: 0: 2/3 + 1/3 = 1, 1: 0      -> (1, 0)
    #                     truth 1: 0: 1/3 + 2/3 = 1, 1: 1      -> (1/2, 1/2)
    #   v1 answers 0 1 1: truth 0: 0: 2/3, 1: 0 + 1/3          -> (2/3, 1/3)
    #                     truth 1: 0: 1/3, 1: 1 + 2/3          -> (1/6, 5/6)
    #   v2 answers 1 1 1: (0, 1) for both truths
    # E-step:
    #   q0: 1/3 * 1 * 2/3 * 1 = 2/9  and 2/3 * 1/2 * 1/6 * 1 = 1/18  -> (4/5, 1/5)
    #   q1: 1/3 * 0 * ...     = 0                                     -> (0, 1)
    #   q2: 1/3 * 1 * 1/3 * 1 = 1/9  and 2/3 * 1/2 * 5/6 * 1 = 5/18  -> (2/7, 5/7)
    reliability = DawidSkene(iterations=1).estimate(table)
    expected = [[4 / 5, 1 / 5], [0, 1], [2 / 7, 5 / 7]]
    np.testing.assert_allclose(reliability.posterior, expected, atol=1e-8)
    np.testing.assert_allclose(reliability.score, [4 / 5, 1, 5 / 7], atol=1e-8)
    assert reliability.skill is not None
    confusion = reliability.skill.confusion
    assert confusion is not None
    np.testing.assert_allclose(confusion[1], [[2 / 3, 1 / 3], [1 / 6, 5 / 6]], atol=1e-8)
    # accuracy over classes as they occur: v1 1/3 * 2/3 + 2/3 * 5/6 = 7/9; v2 2/3 * 1
    np.testing.assert_allclose(reliability.skill.accuracy, [2 / 3, 7 / 9, 2 / 3], atol=1e-8)
    # objective: ln of the sums above, 5/18, 0 + 2/3 * 1/2 * 5/6 = 5/18 and 7/18
    step = next(DawidSkene().steps(VoteTable.of(table)))
    assert step.objective == pytest.approx(np.log(5 / 18) * 2 + np.log(7 / 18), abs=1e-8)


@pytest.mark.parametrize("iterations", [1, 2, 10])
@pytest.mark.parametrize("seed", [0, 1])
def test_equal_to_crowd_kit_after_as_many_steps(seed: int, iterations: int) -> None:
    from crowdkit.aggregation import DawidSkene as CrowdKit

    table, _ = drawn(seed, examples=60, voters=8, answers=3, cast=5)
    theirs = CrowdKit(n_iter=iterations, tol=-1e9).fit_predict_proba(crowd_kit_frame(table))
    ours = DawidSkene(iterations=iterations, tolerance=0).estimate(table).posterior
    np.testing.assert_allclose(ours, theirs.sort_index()[[0, 1, 2]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["crowd_zencrowd", "crowd_adult", "crowd_weather", "wrench_trec"])
def test_equal_to_crowd_kit_on_real_votes(shared_data: Path, name: str) -> None:
    from crowdkit.aggregation import DawidSkene as CrowdKit

    table, _ = read_nested(shared_data / name)
    theirs = CrowdKit(n_iter=2, tol=-1e9).fit_predict_proba(crowd_kit_frame(table))
    theirs = theirs.reindex(columns=range(table.num_classes), fill_value=0).sort_index()
    estimator = DawidSkene(iterations=2, tolerance=0, abstentions="ignore")
    ours = estimator.estimate(table).posterior
    np.testing.assert_allclose(ours[theirs.index], theirs, rtol=0, atol=1e-6)


@given(
    seed=st.integers(0, 10_000),
    smoothing=st.sampled_from([0.0, 0.01, 1.0]),
    soft=st.booleans(),
    told=st.integers(0, 3),
)
def test_every_step_raises_the_objective(
    seed: int, smoothing: float, soft: bool, told: int
) -> None:
    table, truth = drawn(seed, examples=12, voters=5, answers=3, cast=3, soft=soft)
    gold = np.where(np.arange(12) < told, truth, ABSTAIN)
    objectives = [
        s.objective
        for s in islice(DawidSkene(smoothing=smoothing).steps(VoteTable.of(table, gold)), 12)
    ]
    assert (np.diff(objectives) >= -1e-6).all()  # 1e-6: no probability falls below 1e-10


def test_a_soft_vote_weighs_as_its_answer_leads() -> None:
    hard = votes([[0, 1, 1], [1, 1, 0]], answers=2)
    one_hot = votes([[0, 1, 1], [1, 1, 0]], answers=2, probs=np.eye(2)[[0, 1, 1, 1, 1, 0]])
    np.testing.assert_allclose(
        DawidSkene().estimate(one_hot).posterior, DawidSkene().estimate(hard).posterior
    )
    # leads .4 and .8, their mean .6: weights 2/3 and 4/3
    soft = VoteTable.of(votes([[0, 1]], answers=2, probs=np.array([[0.7, 0.3], [0.1, 0.9]])))
    np.testing.assert_allclose(soft.weight, [2 / 3, 4 / 3])
    # voters of accuracy .9 both ways: ln odds of 0 against 1 are (2/3 - 4/3) ln 9
    rows = np.log(np.array([[[0.9, 0.1], [0.1, 0.9]]] * 2))
    logits = soft.log_likelihood(rows)[0]
    assert logits[0] - logits[1] == pytest.approx(-2 / 3 * np.log(9))


@pytest.mark.parametrize("estimator", [DawidSkene(), OneCoin(), Hierarchical()])
def test_voters_who_are_never_sure_do_not_collapse(
    estimator: DawidSkene | OneCoin | Hierarchical,
) -> None:
    # five classifiers that share much of what they see, probabilities between .4 and .6, both
    # classes equally common: shared out, such votes made one class of everything
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, 1000)
    seen = (truth - 0.5) * 0.6 + rng.normal(size=1000)
    views = seen[:, None] + 0.7 * rng.normal(size=(1000, 5))
    right = 0.5 + 0.1 * np.tanh(views.ravel())
    probs = np.stack([1 - right, right], axis=1)
    table = votes((views > 0).astype(int), answers=2, probs=probs)
    labels = estimator.estimate(table).posterior.argmax(axis=1)
    assert 0.4 < labels.mean() < 0.6
    majority = ((views > 0).sum(axis=1) > 2).astype(int)
    assert (labels == truth).mean() > (majority == truth).mean() - 0.02


def test_trusted_answers_turn_a_wrong_majority() -> None:
    rows = [[k, k, 1 - k, 1 - k, 1 - k] for k in (0, 1) * 20]
    truth = np.array([0, 1] * 20)
    table = votes(rows, answers=2)
    assert (DawidSkene().estimate(table).posterior.argmax(axis=1) != truth).all()
    gold = np.where(np.arange(40) < 6, truth, ABSTAIN)
    assert (DawidSkene().estimate(table, gold).posterior.argmax(axis=1) == truth).all()


def test_trusted_answers_stay_and_say_so() -> None:
    reliability = DawidSkene().estimate(votes([[0, 0], [A, A]], answers=2), np.array([1, 0]))
    np.testing.assert_array_equal(reliability.posterior, [[0, 1], [1, 0]])
    np.testing.assert_array_equal(reliability.score, [1, 1])


def test_gold_that_is_no_answer_is_named() -> None:
    with pytest.raises(InputError, match=r"gold answer 5 of 'q1' is not in \[0, 2\)"):
        DawidSkene().estimate(votes([[0], [1]], answers=2), np.array([A, 5]))
    with pytest.raises(InputError, match=r"one answer per example, \(2,\); got \(1,\)"):
        DawidSkene().estimate(votes([[0], [1]], answers=2), np.array([0]))


def test_more_confusion_matrices_than_memory_are_refused() -> None:
    with pytest.raises(InputError, match="2 voters and 20,000 classes make 800,000,000 cells"):
        DawidSkene().estimate(votes([[0, 1]], answers=20_000))


def test_open_answers_are_refused() -> None:
    table = votes([[0, 1]], answers=2, candidate_texts=(("4", "5"),))
    with pytest.raises(InputError, match="`one_coin` or `hierarchical`"):
        DawidSkene().estimate(table)


def test_a_voter_that_always_abstains_changes_nothing() -> None:
    rows = [[0, 0, 1], [1, 1, 1], [0, 1, 1]]
    plain = DawidSkene().estimate(votes(rows, answers=2))
    more = DawidSkene().estimate(votes([[*row, A] for row in rows], answers=2))
    np.testing.assert_allclose(more.posterior, plain.posterior, atol=1e-12)
    assert more.skill is not None
    assert more.skill.accuracy[3] == pytest.approx(0.5)
