"""Reliability from the labels of similar examples."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.on_features import OnFeatures, check_features
from steelyard.reliability.protocol import Features
from steelyard.types import Floats, Ints, Reliability, Votes

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class NearestNeighbours(OnFeatures):
    """The mean label of the k nearest examples, compared with the example's own label.

        p_i = mean of q_j over the k examples j nearest to i by Euclidean distance

    with q the mean distribution of an example's votes. The example itself is the nearest of the k
    (`include_self`), as in the source, so that its own label has a share of 1/k. Where there are
    fewer than k examples all are taken, and where there is no other, p = q.

    Source: EleutherAI/w2s, `w2s/probe.py` (`KnnProbe`); for K classes and soft labels the total
        variation distance in place of |p - q|, ours.
    """

    version: ClassVar[int] = 1

    kind: Literal["knn"] = "knn"
    k: int = Field(50, ge=1)
    """Number of neighbours."""
    include_self: bool = True
    """Whether the example counts among its k neighbours, as in the source."""

    def estimate(self, votes: Votes, features: Features) -> Reliability:
        """Posterior and score from (N, d) features, row i of `votes.ids[i]`."""
        rows = check_features(votes, features, self.kind)
        pool = np.flatnonzero(votes.answered)
        graph = nearest(rows, pool, self.k - self.include_self)
        if self.include_self:
            graph = graph + _self_edges(pool, len(rows))
        return self.scored(votes, mean_label(graph, votes.means()))


def nearest(features: Features, pool: Ints, k: int) -> "csr_array":
    """The k rows of `pool` nearest to each row without the row itself, (N, N) sparse, entries 1.

    All of the pool if it has at most k other rows. Distances are computed block by block, so that
    memory grows with N k and not with N^2.
    """
    from scipy.sparse import csr_array
    from sklearn.neighbors import NearestNeighbors

    size = len(features)
    wanted = min(k + 1, len(pool)) if k else 0  # k + 1: the row itself may be among them
    if wanted == 0:
        return csr_array((size, size), dtype=np.float32)
    candidates = features if len(pool) == size else features[pool]
    search = NearestNeighbors(n_neighbors=wanted, algorithm="brute").fit(candidates)
    nearest = pool[search.kneighbors(features, return_distance=False)].astype(np.int32)
    keep = nearest != np.arange(size)[:, None]
    keep[keep.sum(axis=1) > k, -1] = False
    ends = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
    index = nearest[keep]
    return csr_array((np.ones(len(index), dtype=np.float32), index, ends), shape=(size, size))


def mean_label(graph: "csr_array", labels: Floats) -> Floats:
    """Mean of the labels (N, K) over each row's neighbours; its own label where it has none."""
    count = np.diff(graph.indptr)[:, None]
    total = np.asarray(graph @ labels)
    mean: Floats = np.divide(total, count, out=labels.copy(), where=count > 0)
    return mean


def _self_edges(rows: Ints, size: int) -> "csr_array":
    """Each of the rows as its own neighbour, (size, size)."""
    from scipy.sparse import csr_array

    entries = np.ones(len(rows), dtype=np.float32)
    return csr_array((entries, (rows, rows)), shape=(size, size))
