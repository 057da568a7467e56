"""Confusions counted on trusted examples: by hand, as forward correction, and what they repair."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import InputError
from steelyard.objectives.one_label import product
from steelyard.reliability import DawidSkene, EstimationData, GoldConfusions, TrustedVotes
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from vote_tables import votes


def test_the_posterior_by_hand() -> None:
    # One voter, gold 0 0 0 1: right on two of three 0s and on the 1. Accuracy (3 + 4) / (4 + 5) =
    # 7/9. With smoothing 3: pi(0|0) = (2 + 7/3) / 6 = 13/18, pi(0|1) = (0 + 2/3) / 4 = 1/6. Prior
    # (3 + 1) / 6 = 2/3: an answer 0 has 2/3 * 13/18 = 26/54 against 1/3 * 1/6 = 3/54.
    table = votes([[0], [0], [1], [1], [0]], answers=2)
    gold = np.array([0, 0, 0, 1, ABSTAIN])
    found = GoldConfusions(smoothing=3, exponent=1).estimate(table, gold)
    np.testing.assert_allclose(found.posterior[4], [26 / 29, 3 / 29])
    np.testing.assert_array_equal(found.posterior[:4], [[1, 0], [1, 0], [1, 0], [0, 1]])
    assert found.skill is not None
    assert found.skill.confusion is not None
    np.testing.assert_allclose(found.skill.accuracy, [7 / 9])
    np.testing.assert_allclose(found.skill.confusion[0], [[13 / 18, 5 / 18], [1 / 6, 5 / 6]])
    # the exponent 1/2 takes the square roots of both likelihoods; a uniform prior drops the 2/3
    half = GoldConfusions(smoothing=3, exponent=0.5, prior="uniform").estimate(table, gold)
    odds = np.sqrt((13 / 18) / (1 / 6))
    np.testing.assert_allclose(half.posterior[4, 0], odds / (1 + odds))


@given(st.integers(0, 10_000))
def test_with_the_objective_product_it_is_forward_correction(seed: int) -> None:
    """The slope of -ln sum_k T_kl p_k (Patrini et al. 2017, theorem 2) in the logits."""
    rng = np.random.default_rng(seed)
    truth, said = rng.integers(0, 3, (2, 30))
    gold = np.where(np.arange(30) < 20, truth, ABSTAIN)
    settings = GoldConfusions(prior="uniform", exponent=1)
    found = settings.estimate(votes(said[:, None], answers=3), gold)
    assert found.skill is not None
    assert found.skill.confusion is not None
    transition = torch.from_numpy(found.skill.confusion[0])  # (truth, label)
    logits = torch.from_numpy(rng.standard_normal((10, 3))).requires_grad_()
    noisy = torch.softmax(logits, dim=1) @ transition
    forward = -noisy[torch.arange(10), torch.from_numpy(said[20:])].log().mean()
    (expected,) = torch.autograd.grad(forward, logits)
    (slope,) = torch.autograd.grad(product(logits, torch.from_numpy(found.posterior[20:])), logits)
    torch.testing.assert_close(slope, expected)


def dependent(seed: int, size: int = 500) -> tuple[Votes, Ints]:
    """Five copies of a voter who takes most 2s for 1, with a little noise of their own."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, size)
    shared = np.where((truth == 2) & (rng.random(size) < 0.7), 1, truth)
    shared = np.where(rng.random(size) < 0.2, rng.integers(0, 3, size), shared)
    noise = rng.random((size, 5)) < 0.1
    return votes(np.where(noise, rng.integers(0, 3, (size, 5)), shared[:, None]), answers=3), truth


def log_loss(posterior: Floats, truth: Ints) -> float:
    return -float(np.log(posterior[np.arange(len(truth)), truth]).mean())


@pytest.mark.parametrize("seed", range(3))
def test_copies_are_counted_as_less_than_their_number(seed: int) -> None:
    table, truth = dependent(seed)
    gold = np.where(np.arange(500) < 150, truth, ABSTAIN)
    fitted = GoldConfusions().estimate(table, gold)
    naive = GoldConfusions(exponent=1).estimate(table, gold)
    rest = slice(150, None)
    assert log_loss(fitted.posterior[rest], truth[rest]) < 0.7 * log_loss(
        naive.posterior[rest], truth[rest]
    )


def test_trusted_votes_of_other_examples_count_as_if_they_were_in_the_table() -> None:
    table, truth = dependent(4)
    apart = [
        votes(table.answer.reshape(500, 5)[part], answers=3, ids=ids)
        for part, ids in (
            (slice(0, 400), tuple(f"s{i}" for i in range(400))),
            (slice(400, 500), tuple(f"w{i}" for i in range(100))),
        )
    ]
    data = EstimationData(apart[0], trusted_votes=TrustedVotes(apart[1], truth[400:]))
    found = GoldConfusions().estimate_from(data)
    gold = np.where(np.arange(500) >= 400, truth, ABSTAIN)
    whole = GoldConfusions().estimate(table, gold)
    assert found.ids == apart[0].ids
    np.testing.assert_array_equal(found.posterior, whole.posterior[:400])
    np.testing.assert_array_equal(found.score, whole.score[:400])


def test_without_em_labels_differ_from_dawid_and_skenes() -> None:
    table, truth = dependent(5)
    gold = np.where(np.arange(500) < 150, truth, ABSTAIN)
    found = GoldConfusions().estimate(table, gold).posterior[150:]
    em = DawidSkene().estimate(table, gold).posterior[150:]
    assert log_loss(found, truth[150:]) < log_loss(np.maximum(em, 1e-10), truth[150:])


def test_without_trusted_answers_the_majority_wins() -> None:
    # four of five right: (.8, .2 / 3 each); two votes for 1 against one for 0, shares 16 : 4/3
    found = GoldConfusions().estimate(votes([[1, 1, 0]], answers=4))
    weights = np.array([0.8 * (0.2 / 3) ** 2, 0.8**2 * 0.2 / 3, (0.2 / 3) ** 3, (0.2 / 3) ** 3])
    np.testing.assert_allclose(found.posterior[0], weights / weights.sum())


def test_open_answers_are_refused() -> None:
    table = votes([[0], [1]], candidates=np.array([2, 2]), candidate_texts=(("a", "b"), ("c", "d")))
    with pytest.raises(InputError, match="use `hierarchical`"):
        GoldConfusions().estimate(table)
