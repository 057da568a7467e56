"""Cross-fitted self-training: against scikit-learn, by property, and on bad input."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from steelyard.errors import InputError
from steelyard.reliability import EstimationData, SelfTraining, TrustedExamples
from steelyard.reliability.refinement import class_weights, geometric_mean
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from vote_tables import votes


def world(
    seed: int, size: int = 240, answers: int = 3, skill: float = 0.55
) -> tuple[Votes, Floats, Ints]:
    """Weak voters that share mistakes, and features around the mean of the true class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, answers, size)
    shared = np.where(rng.random(size) < skill, truth, rng.integers(0, answers, size))
    own = rng.integers(0, answers, (size, 3))
    table = np.where(rng.random((size, 3)) < 0.8, shared[:, None], own)
    centres = 1.5 * rng.standard_normal((answers, 8))
    return votes(table, answers=answers), centres[truth] + rng.standard_normal((size, 8)), truth


def right(posterior: Floats, truth: Ints) -> float:
    return float((posterior.argmax(axis=1) == truth).mean())


def test_one_round_equals_scikit_learn() -> None:
    """Written again: start, folds, class weights, regressions, and the mean with the start."""
    table, features, _ = world(0)
    settings = SelfTraining(rounds=1, folds=3, votes_share=0.4, l2=0.02, seed=5)
    found = settings.estimate(table, features.astype(np.float32))

    mean = table.means()
    share = mean.mean(axis=0)
    start = mean / share
    start /= start.sum(axis=1, keepdims=True)
    label = start.argmax(axis=1)
    count = np.bincount(label, minlength=3)
    weight = (np.sqrt(share) / count)[label]
    weight /= weight.mean()
    fold = np.random.default_rng(5).permutation(len(label)) % 3
    sizes = [weight[fold != number].sum() for number in range(3)]
    model = LogisticRegression(C=1 / (2 * np.mean(sizes) * 0.02), tol=1e-10, max_iter=5000)
    prediction = np.empty_like(mean)
    for number in range(3):
        used = fold != number
        model.fit(features[used], label[used], sample_weight=weight[used])
        prediction[~used] = model.predict_proba(features[~used])
    logs = 0.6 * np.log(np.maximum(prediction, 1e-3)) + 0.4 * np.log(np.maximum(start, 1e-3))
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.posterior, expected, atol=2e-4)
    np.testing.assert_allclose(found.score, expected.max(axis=1), atol=2e-4)


def test_weights_of_the_surest_by_hand() -> None:
    # Class 0 has rows 0, 1, 3 with scores .9, .6, .8, class 1 row 2. Half of three is two: 0 and 3.
    # Weights 1/2 each, and 2 for row 2: mean 1, so they stay.
    posterior = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]])
    weights = class_weights(posterior, np.arange(4), 0.5, np.array([1.0, 2.0]))
    np.testing.assert_allclose(weights, [0.5, 0, 2, 0.5])
    # Row 2 may not be kept: the others' weights are 1 on average again.
    weights = class_weights(posterior, np.array([0, 1, 3]), 1.0, np.array([1.0, 2.0]))
    np.testing.assert_allclose(weights, [1, 1, 0, 1])


def test_geometric_mean_by_hand() -> None:
    # (.8, .2)^1 (.5, .5)^1 is as before; (.8, .2)^2 is .64 : .04
    rows, even = np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]])
    np.testing.assert_allclose(geometric_mean((rows, even), (1, 1)), rows)
    np.testing.assert_allclose(geometric_mean((rows,), (2,)), [[0.64 / 0.68, 0.04 / 0.68]])


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_better_than_the_votes_and_better_still_with_trusted_examples(seed: int) -> None:
    table, features, truth = world(seed, size=600)
    rows = features[:500].astype(np.float32)
    part = table.take(np.flatnonzero(table.example < 500))
    part = Votes(**{**vars_of(part), "ids": part.ids[:500], "candidates": part.candidates[:500]})
    trusted = TrustedExamples(features[500:].astype(np.float32), truth[500:])
    plain = SelfTraining().estimate(part, rows)
    majority = right(part.means(), truth[:500])
    assert right(plain.posterior, truth[:500]) > majority + 0.05
    data = EstimationData(part, features=rows, trusted=trusted)
    ignored = SelfTraining().estimate_from(data)
    np.testing.assert_array_equal(ignored.posterior, plain.posterior)
    with_gold = SelfTraining(gold="use").estimate_from(data)
    assert right(with_gold.posterior, truth[:500]) >= right(plain.posterior, truth[:500]) - 0.01
    assert right(with_gold.posterior, truth[:500]) > 0.85


def vars_of(table: Votes) -> dict[str, object]:
    names = ("ids", "voters", "queries", "example", "voter", "query", "answer", "candidates")
    return {name: getattr(table, name) for name in (*names, "probs", "classes")}


def test_names_of_classes_do_not_matter() -> None:
    table, features, _ = world(1)
    rows, order = features.astype(np.float32), np.array([2, 0, 1])
    other = Votes(**{**vars_of(table), "answer": order[table.answer]})
    first = SelfTraining().estimate(table, rows).posterior
    second = SelfTraining().estimate(other, rows).posterior
    np.testing.assert_allclose(second[:, order], first, atol=1e-3)


def test_a_rare_class_does_not_vanish() -> None:
    """Voters name class 1 on one item in twenty, where it is one in five."""
    rng = np.random.default_rng(0)
    truth = (rng.random(600) < 0.2).astype(np.int64)
    answers = truth[:, None] * (rng.random((600, 3)) < 0.25)
    features = 2.5 * truth[:, None] + rng.standard_normal((600, 4))
    found = SelfTraining().estimate(votes(answers, answers=2), features.astype(np.float32))
    assert 0.12 < (found.posterior.argmax(axis=1) == 1).mean() < 0.3
    assert right(found.posterior, truth) > 0.93


def test_votes_of_one_class_or_none_are_left_as_they_are() -> None:
    rows = np.random.default_rng(0).standard_normal((4, 2)).astype(np.float32)
    alike = votes([[0, 0], [0, ABSTAIN], [0, 0], [ABSTAIN, ABSTAIN]], answers=2)
    found = SelfTraining().estimate(alike, rows)
    np.testing.assert_array_equal(found.posterior[:3], [[1, 0]] * 3)
    np.testing.assert_array_equal(found.score, [1, 1, 1, 0])


def test_items_without_votes_are_predicted_with_score_0() -> None:
    table, features, truth = world(2, size=300)
    answers = np.array(table.answer).reshape(300, 3)
    answers[::10] = ABSTAIN
    found = SelfTraining().estimate(votes(answers, answers=3), features.astype(np.float32))
    assert (found.score[::10] == 0).all()
    assert right(found.posterior[::10], truth[::10]) > 0.5


def test_a_fold_without_a_class_and_few_examples() -> None:
    rows = np.eye(6, 4, dtype=np.float32)
    table = votes([[0], [0], [0], [0], [1], [2]], answers=3)
    found = SelfTraining(folds=6).estimate(table, rows)
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1)
    one = TrustedExamples(rows[:1], np.array([0]))  # one class alone says nothing
    same = SelfTraining(folds=6, gold="use").estimate(table, rows, one)
    np.testing.assert_array_equal(same.posterior, found.posterior)


def test_trusted_examples_of_another_model_are_refused() -> None:
    table, features, truth = world(0)
    trusted = TrustedExamples(np.zeros((2, 3), np.float32), truth[:2] * 0 + np.array([0, 1]))
    with pytest.raises(InputError, match=r"shape \(2, 3\).*must come from one model"):
        SelfTraining(gold="use").estimate(table, features.astype(np.float32), trusted)
