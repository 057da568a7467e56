"""GED: pairwise preferences of several evaluators as one graph, made free of contradictions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from steelyard.errors import InputError
from steelyard.reliability.preference_graph import (
    components,
    descendants,
    forward_edges,
    widest_paths,
)
from steelyard.reliability.protocol import BaseEstimator, EstimationData
from steelyard.types import Floats, Ints, Question, Reliability, Votes
from steelyard.types.task_kinds import AnswerForm

MOST_NODES = 2048  # candidates of one graph: its tables have the square of it in cells
MOST_CELLS = 2**22  # cells of the tables of graphs that are processed together


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which two candidates each example compares.

    Candidates are numbered across all prompts. Candidates that are compared, directly or through
    others, form one graph.
    """

    ids: tuple[str, ...]  # N
    first: Ints  # (N,), the candidate that is answer 0
    second: Ints  # (N,), the candidate that is answer 1
    candidates: int  # in all

    @classmethod
    def of(cls, questions: Sequence[Question]) -> "Pairs":
        """Pairs of questions with two choices; equal choices of equal questions are one candidate.

        Raises:
            InputError: a question has another number of choices.
        """
        number: dict[tuple[str, str, str], int] = {}
        pairs = np.empty((len(questions), 2), dtype=np.int64)
        for i, question in enumerate(questions):
            if len(question.choices) != 2:
                raise InputError(
                    f"A pair must have two choices; {question.id!r} has {len(question.choices)}. "
                    "Compare the candidates of a question two by two."
                )
            for c, choice in enumerate(question.choices):
                key = (question.context, question.text, choice)
                pairs[i, c] = number.setdefault(key, len(number))
        ids = tuple(question.id for question in questions)
        return cls(ids, pairs[:, 0], pairs[:, 1], len(number))


class GraphDenoising(BaseEstimator):
    """GED: preferences that contradict the others are dropped, and the rest are counted.

    With s_i(u, v) the probability with which evaluator i prefers u to v (1 or 0 of a plain vote),

        w(u, v) = sum_i s_i(u, v) - s_i(v, u),  an edge u -> v where it is positive

    of which `preference_graph.forward_edges` drops those that run against a greedy order, so that
    no cycle is left. Then, with m = w / votes of the pair,

        strength(u, v) = max over paths u -> v of the least m along the path
        P(u is better than v) = (1 + strength(u, v) - strength(v, u)) / 2        score = max P

    Candidates are the same if prompt and text are. A pair without other comparisons has its mean
    vote, so that with one pair per prompt this is `confidence`. A dropped pair is decided by the
    paths around it; without one nothing contradicts it, and it has its mean vote. If that is even,
    as for two equal texts, the score is 0.

    Source: Hu et al. 2024, "Language Model Preference Evaluation with Multiple Weak Evaluators",
        arXiv:2410.12869 (the paper ranks by the number of descendants, which is the same order
        along paths: `rank`; the weakest link of the strongest path as a margin is ours, after
        Schulze's method of voting).
    """

    version: ClassVar[int] = 1
    needs_questions: ClassVar[bool] = True
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("pair",)
    scope: ClassVar[str] = "`graph_denoising` judges pairs of answers"
    instead: ClassVar[str] = "`majority`, or another estimator of votes alone"

    kind: Literal["graph_denoising"] = "graph_denoising"

    def estimate_from(self, data: EstimationData) -> Reliability:
        return self.estimate(data.votes, data.gold, pairs=Pairs.of(data.questions))

    def estimate(
        self, votes: Votes, gold: Ints | None = None, *, pairs: Pairs | None = None
    ) -> Reliability:
        """Posterior of each pair from all pairs of its graph; trusted answers are ignored.

        Raises:
            InputError: `pairs` is missing or about other examples, or a graph is too large.
        """
        lead = np.zeros(len(votes.ids))
        for part in _graphs(votes, pairs):
            strength = widest_paths(np.where(forward_edges(part.weight), part.margin, 0.0))
            by_paths, by_votes = part.lead(strength), part.lead(part.margin)
            lead[part.rows] = np.where(by_paths != 0, by_paths, by_votes)
        posterior = np.stack([1 + lead, 1 - lead], axis=1) / 2
        score = np.where(lead != 0, posterior.max(axis=1, initial=0), 0.0)
        return Reliability(votes.ids, posterior, score)

    def rank(self, votes: Votes, pairs: Pairs) -> Ints:
        """How many candidates each beats after denoising, directly or through others, (C,).

        The best of a prompt's candidates beats the most. -1 for a candidate without votes.
        """
        beaten = np.full(pairs.candidates, -1, dtype=np.int64)
        for part in _graphs(votes, pairs):
            beaten[part.nodes] = descendants(forward_edges(part.weight))
        return beaten


@dataclass(frozen=True, eq=False)
class _Graphs:
    """G graphs of n candidates each, and the examples about them."""

    nodes: Ints  # (G, n), numbers of the candidates
    rows: Ints  # (R,), examples
    graph: Ints  # (R,), which of the G
    first: Ints  # (R,), position among the n
    second: Ints  # (R,)
    weight: Floats  # (G, n, n), w where it is positive
    margin: Floats  # (G, n, n), w / votes where it is positive

    def lead(self, edges: Floats) -> Floats:
        """Edge from the first to the second candidate minus the reverse edge, (R,)."""
        forward = edges[self.graph, self.first, self.second]
        return np.asarray(forward - edges[self.graph, self.second, self.first])


def _graphs(votes: Votes, pairs: Pairs | None) -> Iterator[_Graphs]:
    """All graphs, those of one size together, in parts to bound memory."""
    if pairs is None or pairs.ids != votes.ids or (votes.candidates != 2).any():
        raise InputError(
            "`graph_denoising` needs votes on pairs of candidates and must know which they are; "
            "use it for preferences, or take `majority`."
        )
    component = components(pairs.candidates, pairs.first, pairs.second)
    sizes = np.bincount(component, minlength=1)
    if sizes.max() > MOST_NODES:
        raise InputError(
            f"`graph_denoising` compares at most {MOST_NODES:,} candidates of one question with "
            f"each other; {pairs.ids[int(np.argmax(sizes[component[pairs.first]]))]!r} is one of "
            f"{sizes.max():,}. Ask about fewer."
        )
    order = np.argsort(component, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)])
    position = np.empty(len(component), dtype=np.int64)
    position[order] = np.arange(len(component)) - starts[component[order]]
    row_component = component[pairs.first]
    sorted_rows = np.argsort(row_component, kind="stable")
    preference = votes.distributions[:, 0] - votes.distributions[:, 1]  # 0 for an abstention
    lead = np.bincount(votes.example, preference, minlength=len(votes.ids))
    for n in np.unique(sizes[sizes > 1]):
        same_size = np.flatnonzero(sizes == n)
        for chunk in np.array_split(same_size, max(1, len(same_size) * n * n // MOST_CELLS)):
            low, high = np.searchsorted(row_component[sorted_rows], [chunk[0], chunk[-1] + 1])
            rows = sorted_rows[low:high]
            rows = rows[sizes[row_component[rows]] == n]
            graph = np.searchsorted(chunk, row_component[rows])
            first, second = position[pairs.first[rows]], position[pairs.second[rows]]
            weight, number = np.zeros((2, len(chunk), n, n))
            for a, b, sign in ((first, second, 1), (second, first, -1)):
                np.add.at(weight, (graph, a, b), sign * lead[rows])
                np.add.at(number, (graph, a, b), votes.counts[rows].sum(axis=1))
            weight = np.where(weight > 1e-9, weight, 0.0)  # rounding is no preference
            margin = np.divide(weight, number, out=np.zeros_like(weight), where=number > 0)
            nodes = order[starts[chunk][:, None] + np.arange(n)]
            yield _Graphs(nodes, rows, graph, first, second, weight, margin)
