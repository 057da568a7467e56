"""Estimators that look at features: by hand, against full matrices and scikit-learn, bad input."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.sparse.csgraph import connected_components

from steelyard.errors import ConfigError, InputError
from steelyard.reliability import (
    ESTIMATORS,
    FEATURE_ESTIMATORS,
    Logistic,
    NearestNeighbours,
    Topological,
)
from steelyard.reliability.neighbours import nearest
from steelyard.reliability.topological import class_cores
from steelyard.types import ABSTAIN, Votes
from vote_tables import votes

LINE = np.array([[0.0], [1.0], [3.0], [10.0], [12.0]])
"""Nearest others, first to last: 1 2 3 4; 0 2 3 4; 1 0 3 4; 4 2 1 0; 3 2 1 0."""


def drawn(seed: int, size: int = 60, answers: int = 3) -> tuple[Votes, np.ndarray, np.ndarray]:
    """Votes right 7 times in 10, features around the mean of their class, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, answers, size)
    said = np.where(
        rng.random((size, 3)) < 0.7, truth[:, None], rng.integers(0, answers, (size, 3))
    )
    centres = 3 * rng.standard_normal((answers, 5))
    return votes(said, answers=answers), centres[truth] + rng.standard_normal((size, 5)), truth


def dense(features: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """The graph of `nearest` from the whole matrix of distances."""
    size = len(features)
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    distance[:, np.setdiff1d(np.arange(size), pool)] = np.inf
    graph = np.zeros((size, size))
    for i, row in enumerate(distance):
        graph[i, [j for j in np.argsort(row)[:k] if np.isfinite(row[j])]] = 1
    return graph


def test_nearest_neighbours_by_hand() -> None:
    table = votes([[0], [0], [1], [1], [0]], answers=2)
    found = NearestNeighbours(k=3).estimate(table, LINE)
    # itself and two more: {0,1,2}, {1,0,2}, {2,1,0} have one 1 of three; {3,4,2} two, {4,3,2} two
    np.testing.assert_allclose(found.posterior[:, 1], [1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    # p of the label: 2/3 for a 0 among 1/3, 1/3 for the 1 of row 2, and so on
    np.testing.assert_allclose(found.score, [2 / 3, 2 / 3, 1 / 3, 2 / 3, 1 / 3])
    alone = NearestNeighbours(k=2, include_self=False).estimate(table, LINE)
    # the same pairs of others: {1,2}, {0,2}, {1,0}, {4,2}, {3,2}
    np.testing.assert_allclose(alone.posterior[:, 1], [1 / 2, 1 / 2, 0, 1 / 2, 1])


def test_scores_of_soft_labels_by_hand() -> None:
    rows = np.array([[0.9, 0.1], [0.6, 0.4]])
    table = votes([[0], [0]], answers=2, probs=rows)
    either = [
        NearestNeighbours(k=2, measure=m).estimate(table, LINE[:2])
        for m in ("expected_agreement", "closeness")
    ]
    # p = (.75, .25) for both; .75 * .9 + .25 * .1 = .7 and .75 * .6 + .25 * .4 = .55;
    # |.75 - .9| = |.75 - .6| = .15 in each class, half of the sum is .15
    np.testing.assert_allclose(either[0].posterior, [[0.75, 0.25]] * 2)
    np.testing.assert_allclose(either[0].score, [0.7, 0.55])
    np.testing.assert_allclose(either[1].score, [0.85, 0.85])


@pytest.mark.parametrize("kind", FEATURE_ESTIMATORS)
def test_of_hard_labels_both_scores_are_the_labels_probability(kind: str) -> None:
    _, features, truth = drawn(0)
    table = votes(truth[:, None], answers=3)
    for measure in ("expected_agreement", "closeness"):
        found = FEATURE_ESTIMATORS[kind](measure=measure).estimate(table, features)
        np.testing.assert_allclose(found.score, found.posterior[np.arange(60), truth], atol=1e-12)


@given(seed=st.integers(0, 9999), size=st.integers(1, 12), k=st.integers(0, 14))
def test_neighbours_are_those_of_the_full_matrix(seed: int, size: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((size, 3)).astype(np.float32)
    pool = np.flatnonzero(rng.random(size) < 0.7)
    np.testing.assert_array_equal(nearest(features, pool, k).toarray(), dense(features, pool, k))


def test_equal_texts_are_neighbours_of_each_other_and_never_of_themselves() -> None:
    graph = nearest(np.zeros((30, 4), dtype=np.float32), np.arange(30), 5).toarray()
    assert (graph.sum(axis=1) == 5).all()
    assert (np.diag(graph) == 0).all()


def test_cores_by_hand() -> None:
    # two cycles of label 0, 0-1-2 and 3-4; label 1 has 5 -> 6 -> 5 and 7 that only points there;
    # 2 -> 5 and 5 -> 2 join labels and do not count; 8 has no label
    edges = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 3), (5, 6), (6, 5), (7, 5), (2, 5), (5, 2), (8, 0)]
    graph = np.zeros((9, 9))
    graph[tuple(np.array(edges).T)] = 1
    from scipy.sparse import csr_array

    inside = class_cores(csr_array(graph), np.array([0, 0, 0, 0, 0, 1, 1, 1, -1]))
    np.testing.assert_array_equal(np.flatnonzero(inside), [0, 1, 2, 5, 6])


@given(seed=st.integers(0, 9999))
def test_cores_are_those_of_one_graph_for_each_class(seed: int) -> None:
    """Against the source's way: a matrix of edges for each class, its components by size."""
    rng = np.random.default_rng(seed)
    features, label = rng.standard_normal((25, 2)).astype(np.float32), rng.integers(0, 3, 25)
    graph = nearest(features, np.arange(25), 4)
    expected = np.zeros(25, dtype=bool)
    for a in np.unique(label):
        edges = graph.toarray() * (label == a)[:, None] * (label == a)
        _, component = connected_components(edges, connection="strong")
        size = np.where(label == a, np.bincount(component)[component], 0)
        expected |= component == component[size.argmax()]
    np.testing.assert_array_equal(class_cores(graph, label), expected)


def test_what_stands_alone_among_others_is_relabelled() -> None:
    """Two clouds far apart; one example of each has the label of the other."""
    rng = np.random.default_rng(1)
    features = np.concatenate([rng.standard_normal((20, 2)), 50 + rng.standard_normal((20, 2))])
    truth = np.repeat([0, 1], 20)
    said = truth.copy()
    said[[3, 30]] = 1 - said[[3, 30]]
    found = Topological(k=5, k_zeta=5).estimate(votes(said[:, None], answers=2), features)
    # 3 and 30 have no neighbour of their label: they are outside, and nobody's neighbours
    np.testing.assert_array_equal(found.posterior, np.eye(2)[truth])
    np.testing.assert_array_equal(found.score, said == truth)


def test_a_tied_label_is_in_no_core() -> None:
    table = votes([[0, 0], [0, 0], [0, 1], [0, 0]], answers=2)
    found = Topological(k=3, k_zeta=3).estimate(table, LINE[:4])
    np.testing.assert_allclose(found.posterior, [[1, 0]] * 4)  # the tie teaches nobody
    np.testing.assert_allclose(found.score, [1, 1, 0.5, 1])


@pytest.mark.parametrize("answers", [2, 4])
@pytest.mark.parametrize("l2", [1e-3, 1e-1])
def test_the_head_is_scikit_learns(answers: int, l2: float) -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(answers)
    features, targets = rng.standard_normal((200, 6)), rng.dirichlet(np.ones(answers), 200)
    table = votes(targets.argmax(axis=1)[:, None], answers=answers, probs=targets)
    ours = Logistic(l2=l2).estimate(table, features).posterior
    # soft labels: a row for each class, weighted; |W|^2 / 2 + C sum(loss) is ours times C N
    theirs = LogisticRegression(C=1 / (2 * 200 * l2), tol=1e-10, max_iter=10_000)
    rows = np.repeat(features, answers, axis=0)
    theirs.fit(rows, np.tile(np.arange(answers), 200), sample_weight=targets.ravel())
    np.testing.assert_allclose(ours, theirs.predict_proba(features), atol=1e-5)


def test_one_class_alone_is_predicted_everywhere() -> None:
    found = Logistic().estimate(votes([[1], [1], [ABSTAIN]], answers=3), LINE[:3])
    np.testing.assert_array_equal(found.posterior, [[0, 1, 0]] * 3)
    np.testing.assert_array_equal(found.score, [1, 1, 0])


@pytest.mark.parametrize("kind", FEATURE_ESTIMATORS)
def test_labels_get_better_and_the_score_finds_the_wrong_ones(kind: str) -> None:
    table, features, truth = drawn(7, size=400)
    found = FEATURE_ESTIMATORS[kind](measure="expected_agreement").estimate(table, features)
    voted = table.means()
    clear = (voted == voted.max(axis=1, keepdims=True)).sum(axis=1) == 1
    right = voted.argmax(axis=1) == truth
    assert (found.posterior.argmax(axis=1) == truth).mean() > right.mean() + 0.05
    gap = found.score[clear & right].mean() - found.score[clear & ~right].mean()
    assert gap > (0.25 if kind == "graph_smoothing" else 0.3)  # half of it is the votes themselves


@pytest.mark.parametrize("kind", FEATURE_ESTIMATORS)
@given(seed=st.integers(0, 999), silent=st.floats(0, 1))
def test_the_contract_of_every_estimator_on_features(kind: str, seed: int, silent: float) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 9))
    rows = rng.integers(0, 3, (size, 2))
    rows[rng.random(size) < silent] = ABSTAIN
    features = rng.standard_normal((size, 4))
    estimate = FEATURE_ESTIMATORS[kind]().estimate
    table = votes(rows, answers=3)
    first, again = (estimate(table, features) for _ in range(2))
    assert first.ids == table.ids
    assert first.score.tobytes() == again.score.tobytes()
    assert (first.score[(rows == ABSTAIN).all(axis=1)] == 0).all()
    order = rng.permutation(3)
    renamed = estimate(votes(np.where(rows < 0, rows, order[rows]), answers=3), features)
    np.testing.assert_allclose(renamed.posterior[:, order], first.posterior, atol=1e-4)
    np.testing.assert_allclose(renamed.score, first.score, atol=1e-4)


@pytest.mark.parametrize("kind", FEATURE_ESTIMATORS)
def test_the_silent_are_predicted_and_teach_nothing(kind: str) -> None:
    table, features, _ = drawn(3, size=400)
    rows = table.answer.reshape(400, 3).copy()
    rows[:10] = ABSTAIN
    estimator = FEATURE_ESTIMATORS[kind](measure="closeness")
    whole = estimator.estimate(votes(rows, answers=3), features)
    spoken = estimator.estimate(votes(rows[10:], answers=3), features[10:])
    np.testing.assert_allclose(whole.posterior[10:], spoken.posterior, atol=1e-6)
    assert not np.allclose(whole.posterior[:10], 1 / 3, atol=0.05)
    assert (whole.score[:10] == 0).all()


@pytest.mark.parametrize("kind", FEATURE_ESTIMATORS)
@pytest.mark.parametrize(
    ("features", "said"),
    [
        (np.ones((2, 4)), "a row for each of 3 examples, got shape (2, 4)"),
        (np.ones(3), "a row for each of 3 examples, got shape (3,)"),
        (np.array([[1.0], [np.nan], [np.inf]]), "of 'q1' are not finite, and 1 more"),
    ],
)
def test_features_that_do_not_fit(kind: str, features: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        FEATURE_ESTIMATORS[kind]().estimate(votes([[0], [1], [0]], answers=2), features)
    assert said in str(error.value)


@pytest.mark.parametrize("kind", FEATURE_ESTIMATORS)
def test_answers_of_their_own_are_refused(kind: str) -> None:
    table = votes([[0], [1]], candidates=np.array([2, 3]))
    with pytest.raises(InputError, match=f"`{kind}` compares the labels of similar examples"):
        FEATURE_ESTIMATORS[kind]().estimate(table, np.ones((2, 3)))
    with pytest.raises(ConfigError, match="the task is multiple_choice"):
        FEATURE_ESTIMATORS[kind]().check_task("multiple_choice")
    FEATURE_ESTIMATORS[kind]().check_task("classification")


@pytest.mark.parametrize(
    "wrong", [lambda: NearestNeighbours(k=0), lambda: Logistic(l2=0), lambda: Topological(k_zeta=0)]
)
def test_settings_that_cannot_be(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        wrong()


def test_no_kind_is_in_both_registries() -> None:
    assert not set(ESTIMATORS) & set(FEATURE_ESTIMATORS)
