"""Reliability from the neighbourhood graph of the examples of each label."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.reliability.neighbours import mean_label, nearest
from steelyard.reliability.on_features import OnFeatures, check_features
from steelyard.reliability.protocol import Features
from steelyard.types import Ints, Reliability, Votes

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Topological(OnFeatures):
    """The mean label of the nearest examples among those in the connected core of their class.

    1. Each example points to its k nearest others; edges between examples of different labels are
       removed. The label is the best answer of q, the mean distribution of the votes.
    2. The core of a class is the largest strongly connected component of its examples: within it
       every example can be reached from every other one along the edges.
    3. p_i = mean of q_j over the `k_zeta` examples j of all cores that are nearest to i, without i.

    Examples outside the cores are predicted like the others. An example whose best answers are
    tied has no label, and is in no core. Without any core, p = q.

    Source: EleutherAI/w2s, `w2s/topo.py`, after Wu et al. 2020, "A topological filter for learning
        with label noise", arXiv:2012.04835 (K classes and ties are ours; the source filters out
        all examples outside the cores, here they are ranked by their score like the others; when it
        relabels, the source counts an example among its own neighbours).
    """

    version: ClassVar[int] = 1

    kind: Literal["topological"] = "topological"
    k: int = Field(50, ge=1)
    """Number of neighbours that an example points to."""
    k_zeta: int = Field(50, ge=1)
    """Number of neighbours in the cores whose labels are averaged."""

    def estimate(self, votes: Votes, features: Features) -> Reliability:
        """Posterior and score from (N, d) features, row i of `votes.ids[i]`."""
        rows = check_features(votes, features, self.kind)
        labels = votes.means()
        ranked = np.sort(labels, axis=1)
        clear = votes.answered
        if labels.shape[1] > 1:
            clear = clear & (ranked[:, -1] - ranked[:, -2] > 1e-12)
        graph = nearest(rows, np.flatnonzero(clear), self.k)
        inside = class_cores(graph, np.where(clear, labels.argmax(axis=1), -1))
        graph = nearest(rows, np.flatnonzero(inside), self.k_zeta)
        return self.scored(votes, mean_label(graph, labels))


def class_cores(graph: "csr_array", label: Ints) -> npt.NDArray[np.bool_]:
    """Which rows are in the largest strongly connected component of their label, (N,).

    Among components of equal size it is that with the first row. `graph` (N, N) has edges from the
    row to the column; rows of `label` -1 are in no core.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    start = np.repeat(np.arange(len(label)), np.diff(graph.indptr))
    same = label[start] == label[graph.indices]
    ends = np.concatenate([[0], np.cumsum(np.bincount(start[same], minlength=len(label)))])
    inner = csr_array((graph.data[same], graph.indices[same], ends), shape=graph.shape)
    _, component = connected_components(inner, directed=True, connection="strong")
    size = np.bincount(component)[component]
    order = np.lexsort((np.arange(len(label)), -size, label))
    first = order[np.flatnonzero(np.diff(label[order], prepend=-2))]
    return np.isin(component, component[first[label[first] >= 0]]) & (label >= 0)
