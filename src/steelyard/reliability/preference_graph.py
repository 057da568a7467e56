"""Connected components, and algorithms on many small directed graphs at once.

G graphs of n nodes are a table (G, n, n): cell [g, u, v] is the weight of the edge u -> v of graph
g; 0 is no edge.
"""

import numpy as np
import numpy.typing as npt

from steelyard.types import Floats, Ints

Bools = npt.NDArray[np.bool_]


def components(size: int, first: Ints, second: Ints) -> Ints:
    """Number of the connected component of each node, (size,), from edges first - second, (E,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def forward_edges(weights: Floats) -> Bools:
    """Edges that remain after a greedy minimum feedback arc set, (G, n, n); they have no cycle.

    Sinks are moved to the end of an order, sources to its beginning; if there is neither, the node
    with the largest sum of weights out minus in (the lowest number of equals) goes to the
    beginning. Edges that run against the order are dropped. A graph without a cycle keeps all.

    Args:
        weights: (G, n, n), not negative, at most one of [u, v] and [v, u] positive.

    Source: Eades, Lin and Smyth 1993, "A fast and effective heuristic for the feedback arc set
        problem", section 2 (weighted degrees as in arXiv:2410.12869).
    """
    edges = weights > 0
    unranked = np.ones(weights.shape[:2], dtype=bool)
    rank = np.zeros(weights.shape[:2], dtype=np.int64)
    step = 0
    while unranked.any():
        for axis, at_end in ((2, True), (1, False)):  # sinks have no edges out, sources none in
            while (loose := unranked & ~(edges & _between(unranked)).any(axis=axis)).any():
                step += 1
                rank[loose] = 2**62 - step if at_end else step
                unranked &= ~loose
        graphs = np.flatnonzero(unranked.any(axis=1))
        if len(graphs):
            step += 1
            rest = np.where(_between(unranked[graphs]), weights[graphs], 0.0)
            surplus = np.where(unranked[graphs], rest.sum(axis=2) - rest.sum(axis=1), -np.inf)
            first = surplus.argmax(axis=1)
            rank[graphs, first] = step
            unranked[graphs, first] = False
    forward: Bools = edges & (rank[:, :, None] < rank[:, None, :])
    return forward


def _between(nodes: Bools) -> Bools:
    """Which edges have both ends among the nodes, (G, n, n)."""
    edges: Bools = nodes[:, :, None] & nodes[:, None, :]
    return edges


def widest_paths(strength: Floats) -> Floats:
    """max over paths u -> v of the least strength along the path, (G, n, n); 0 without a path.

    Source: Pollack 1960, "The maximum capacity through a network" (by Floyd and Warshall's loop).
    """
    widest = strength.copy()
    for k in range(widest.shape[1]):
        np.maximum(widest, np.minimum(widest[:, :, k, None], widest[:, None, k]), out=widest)
    return widest


def descendants(forward: Bools) -> Ints:
    """How many nodes can be reached from each, (G, n). A candidate with more is the better one."""
    reached: Ints = (widest_paths(forward.astype(np.float64)) > 0).sum(axis=2)
    return reached
