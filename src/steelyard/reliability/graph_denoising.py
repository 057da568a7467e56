"""GED: pairwise preferences of several evaluators as one graph, made free of contradictions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from steelyard.errors import InputError
from steelyard.reliability.preference_graph import descendants, forward_edges, widest_paths
from steelyard.reliability.protocol import BaseEstimator, EstimationData
from steelyard.types import Floats, Ints, Question, Reliability, Votes
from steelyard.types.task_kinds import AnswerForm

MOST_NODES = 2048  # candidates of one graph: its tables have the square of it
CELLS = 2**22  # of the tables of the graphs that are worked on together


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which two candidates each example compares.

    Candidates are numbered across all prompts. Those that are compared, directly or through
    others, make one graph.
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
        for question in questions:
            if len(question.choices) != 2:
                raise InputError(
                    f"A pair must have two choices; {question.id!r} has {len(question.choices)}. "
                    "Compare the candidates of a question two by two."
                )
            for choice in question.choices:
                number.setdefault((question.context, question.text, choice), len(number))
        first, second = (
            np.array(
                [
                    number[question.context, question.text, question.choices[c]]
                    for question in questions
                ],
                np.int64,
            )
            for c in (0, 1)
        )
        return cls(tuple(question.id for question in questions), first, second, len(number))


class GraphDenoising(BaseEstimator):
    """GED: preferences that contradict the others are dropped, the rest decide.

    With s_i(u, v) the probability with which evaluator i prefers u to v (1 or 0 of a plain vote),

        w(u, v) = sum_i s_i(u, v) - s_i(v, u),  an edge u -> v where it is positive

    of which `preference_graph.forward_edges` drops those that run against a greedy order, so that
    no cycle is left. Then, with m = w / votes of the pair,

        strength(u, v) = max over paths u -> v of the least m along the path
        P(u is better than v) = (1 + strength(u, v) - strength(v, u)) / 2        score = max P

    Candidates are the same where prompt and text are. A pair that is compared with nothing else has
    its mean vote, so that with one pair of each prompt this is `confidence`. A dropped pair is
    decided by the way around it; where there is none, nothing contradicts it, and it has its own
    mean vote. Where that is even, as for two equal texts, the score is 0.

    Source: Hu et al. 2024, "Language Model Preference Evaluation with Multiple Weak Evaluators",
        arXiv:2410.12869 (the paper ranks by the number of descendants, which is the same order
        along paths: `rank`; the weakest link of the strongest path as a margin is ours, after
        Schulze's method of voting).
    """

    version: ClassVar[int] = 1
    needs_questions: ClassVar[bool] = True
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("pair",)
    judges_what: ClassVar[str] = "`graph_denoising` judges pairs of answers"
    instead: ClassVar[str] = "`majority`, or another estimator of votes alone"

    kind: Literal["graph_denoising"] = "graph_denoising"

    def estimate_from(self, data: EstimationData) -> Reliability:
        return self.estimate(data.votes, data.gold, pairs=Pairs.of(data.questions))

    def estimate(
        self, votes: Votes, gold: Ints | None = None, *, pairs: Pairs | None = None
    ) -> Reliability:
        """Judge each pair by all pairs of its graph; trusted answers are passed over.

        Raises:
            InputError: `pairs` is missing or about other examples, or a graph is too large.
        """
        ahead = np.zeros(len(votes.ids))
        for part in _graphs(votes, pairs):
            strength = widest_paths(np.where(forward_edges(part.weight), part.margin, 0.0))
            there, back = (
                (part.graph, part.first, part.second),
                (part.graph, part.second, part.first),
            )
            lead = strength[there] - strength[back]
            own_lead = part.margin[there] - part.margin[back]
            ahead[part.rows] = np.where(lead != 0, lead, own_lead)
        posterior = np.stack([1 + ahead, 1 - ahead], axis=1) / 2
        return Reliability(
            votes.ids, posterior, np.where(ahead != 0, posterior.max(axis=1, initial=0), 0.0)
        )

    def rank(self, votes: Votes, pairs: Pairs) -> Ints:
        """How many candidates each beats after denoising, directly or through others, (C,).

        The best of a prompt's candidates has the most. -1 for a candidate of no vote.
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
    first: Ints  # (R,), place among the n
    second: Ints  # (R,)
    weight: Floats  # (G, n, n), w where it is positive
    margin: Floats  # (G, n, n), w / votes where it is positive


def _graphs(votes: Votes, pairs: Pairs | None) -> Iterator[_Graphs]:
    """All graphs, those of one size together."""
    if pairs is None or pairs.ids != votes.ids or (votes.candidates != 2).any():
        raise InputError(
            "`graph_denoising` needs votes on pairs of candidates and must know which they are; "
            "use it for preferences, or take `majority`."
        )
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = pairs.candidates
    link = coo_array((np.ones(len(pairs.ids)), (pairs.first, pairs.second)), (size, size))
    component = connected_components(link, directed=False)[1].astype(np.int64)
    sizes = np.bincount(component, minlength=1)
    if sizes.max() > MOST_NODES:
        raise InputError(
            f"`graph_denoising` compares at most {MOST_NODES:,} candidates of one question with "
            f"each other; {pairs.ids[int(np.argmax(sizes[component[pairs.first]]))]!r} is one of "
            f"{sizes.max():,}. Ask about fewer."
        )
    order = np.argsort(component, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)])
    position = np.empty(size, dtype=np.int64)
    position[order] = np.arange(size) - starts[component[order]]
    of_row = component[pairs.first]
    preference = votes.distributions[:, 0] - votes.distributions[:, 1]  # 0 of an abstention
    lead = np.bincount(votes.example, preference, minlength=len(votes.ids))
    number_of_votes = votes.counts.sum(axis=1)
    by_component = np.argsort(of_row, kind="stable")
    for n in np.unique(sizes[sizes > 1]):
        every = np.flatnonzero(sizes == n)
        for chunk in np.array_split(every, max(1, len(every) * n * n // CELLS)):
            low, high = np.searchsorted(of_row[by_component], [chunk[0], chunk[-1] + 1])
            rows = by_component[low:high]
            rows = rows[sizes[of_row[rows]] == n]
            graph = np.searchsorted(chunk, of_row[rows])
            first, second = position[pairs.first[rows]], position[pairs.second[rows]]
            weight, number = np.zeros((2, len(chunk), n, n))
            for a, b, sign in ((first, second, 1), (second, first, -1)):
                np.add.at(weight, (graph, a, b), sign * lead[rows])
                np.add.at(number, (graph, a, b), number_of_votes[rows])
            weight = np.where(weight > 1e-9, weight, 0.0)  # rounding is no preference
            margin = np.divide(weight, number, out=np.zeros_like(weight), where=number > 0)
            nodes = order[starts[chunk][:, None] + np.arange(n)]
            yield _Graphs(nodes, rows, graph, first, second, weight, margin)
