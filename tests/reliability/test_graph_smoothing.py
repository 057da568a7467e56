"""Smoothed labels: by hand, and the graph against scikit-learn's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from steelyard.reliability import GraphSmoothing
from steelyard.reliability.graph_smoothing import cosine_graph, smooth
from steelyard.types import ABSTAIN
from vote_tables import votes


def test_one_step_by_hand() -> None:
    # Unit vectors at 0, 60 and 90 degrees: cosines .5 (0, 60), 0 (0, 90), .8660 (60, 90).
    angle = np.deg2rad([0, 60, 90])
    features = 7 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    table = votes([[0], [1], [1]], answers=2)
    found = GraphSmoothing(k=2, share=0.5).estimate(table, features)
    # W: row 0 has row 1 alone; row 1 has .5 / 1.3660 = .36603 of row 0 and .63397 of row 2; row 2
    # has row 1 alone. Half of it: (1, 0) -> (.5, .5); (0, 1) -> (.18301, .81699); (0, 1) stays.
    expected = [[0.5, 0.5], [0.18301, 0.81699], [0, 1]]
    np.testing.assert_allclose(found.posterior, expected, atol=1e-5)
    np.testing.assert_allclose(found.score, [0.5, 0.81699, 1], atol=1e-5)


@given(seed=st.integers(0, 9999), k=st.integers(1, 5))
def test_the_graph_is_scikit_learns(seed: int, k: int) -> None:
    from sklearn.neighbors import kneighbors_graph

    features = np.random.default_rng(seed).standard_normal((12, 4)).astype(np.float32)
    distance = kneighbors_graph(features.astype(float), k, mode="distance", metric="cosine")
    expected = np.where(distance.toarray() > 0, np.maximum(1 - distance.toarray(), 0), 0)
    total = expected.sum(axis=1, keepdims=True)
    expected = np.divide(expected, total, out=np.zeros_like(expected), where=total > 0)
    found = cosine_graph(features, np.arange(12), k).toarray()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_two_steps_reach_neighbours_of_neighbours() -> None:
    angle = np.deg2rad([0, 30, 70])
    features = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    graph = cosine_graph(features, np.arange(3), 1)  # 0 -> 1, 1 -> 0, 2 -> 1
    np.testing.assert_array_equal(graph.toarray() > 0, [[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    labels = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    # once: row 2 is (0, 1) still; row 1 is (.5, .5). Twice: half of (0, 1) and half of (.5, .5)
    assert smooth(labels, graph, 0.5, 1)[2].tolist() == [0, 1]
    np.testing.assert_allclose(smooth(labels, graph, 0.5, 2)[2], [0.25, 0.75], atol=1e-6)


def test_who_is_like_nobody_keeps_the_votes() -> None:
    features = np.array([[1.0, 0], [-1, 0], [0, 0], [1, 0.1]])
    table = votes([[0], [1], [1], [ABSTAIN]], answers=2)
    found = GraphSmoothing(k=1, share=1.0).estimate(table, features)
    # row 0 is opposite to row 1 and without direction to row 2; nobody follows row 3
    np.testing.assert_array_equal(found.posterior, [[1, 0], [0, 1], [0, 1], [1, 0]])
    np.testing.assert_array_equal(found.score, [1, 1, 1, 0])
