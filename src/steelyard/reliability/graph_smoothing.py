"""Labels moved towards those of similar examples, along a graph of nearest neighbours."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.neighbours import nearest
from steelyard.reliability.on_features import Measure, OnFeatures, check_features
from steelyard.reliability.protocol import Features
from steelyard.types import Floats, Ints, Reliability, Votes

if TYPE_CHECKING:
    from scipy.sparse import csr_array

EDGES = 2**16  # whose products of features are in memory at once


class GraphSmoothing(OnFeatures):
    """The mean vote, moved a share of the way to the mean of similar examples.

        q <- (1 - share) q + share W q,    `steps` times

    with q (N, K) the mean distributions of the votes and W a row-normalised similarity: w_ij is in
    proportion to the cosine of the features of i and j, at least 0, if j is among the k examples
    with the largest cosine and has a readable vote, else 0. An example without such neighbours
    keeps its q; one without votes starts from an even q.

    Example: q = (1, 0) with neighbours (0, 1) and (1, 0) of cosines .2 and .6 has W q = (.75, .25),
    and becomes (.875, .125) at a share of .5.

    Source: Lang et al. 2026, "Selective Weak-to-Strong Generalization", arXiv:2511.14166 (weak
        labels after graph smoothing; the abstract alone was read: the formula is ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["graph_smoothing"] = "graph_smoothing"
    measure: Measure = "confidence"
    """What the score is: the probability of the new label, or how it agrees with the votes."""
    k: int = Field(10, ge=1)
    """Number of neighbours."""
    share: float = Field(0.5, ge=0, le=1)
    """Share of the neighbours' labels in a label."""
    steps: int = Field(1, ge=1)
    """How often labels move; labels of neighbours' neighbours count from 2 on."""

    def estimate(self, votes: Votes, features: Features) -> Reliability:
        """Posterior and score from (N, d) features, row i of `votes.ids[i]`."""
        rows = check_features(votes, features, self.kind)
        graph = cosine_graph(rows, np.flatnonzero(votes.answered), self.k)
        return self.scored(votes, smooth(votes.means(), graph, self.share, self.steps))


def cosine_graph(features: Features, pool: Ints, k: int) -> "csr_array":
    """W (N, N): cosines of each row's k most similar other rows of `pool`, each row with sum 1.

    Negative cosines are 0. A row is all 0 where there is no positive one.
    """
    from scipy.sparse import csr_array

    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, length, out=np.zeros_like(features), where=length > 0)
    graph = nearest(unit, pool, k)  # between unit vectors the nearest have the largest cosine
    row = np.repeat(np.arange(len(unit)), np.diff(graph.indptr))
    cosine = np.zeros(len(row))
    for start in range(0, len(row), EDGES):
        edges = slice(start, start + EDGES)
        left, right = unit[row[edges]], unit[graph.indices[edges]]
        cosine[edges] = np.maximum((left * right).sum(axis=1), 0)
    total = np.bincount(row, cosine, minlength=len(unit))[row]
    weight = np.divide(cosine, total, out=np.zeros_like(cosine), where=total > 0)
    return csr_array((weight, graph.indices, graph.indptr), shape=graph.shape)


def smooth(labels: Floats, graph: "csr_array", share: float, steps: int) -> Floats:
    """Labels (N, K) after so many steps along W; rows without neighbours stay."""
    alone = np.asarray(graph.sum(axis=1)).ravel() == 0
    for _ in range(steps):
        moved = (1 - share) * labels + share * np.asarray(graph @ labels)
        labels = np.where(alone[:, None], labels, moved)
    return labels
