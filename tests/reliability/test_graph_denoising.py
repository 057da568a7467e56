"""GED: no cycles, consistent orders as they are, and wrong votes outvoted by the way around."""

from itertools import combinations, pairwise, permutations

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import InputError
from steelyard.reliability.agreement import Majority
from steelyard.reliability.graph_denoising import GraphDenoising, Pairs
from steelyard.reliability.preference_graph import descendants, forward_edges, widest_paths
from steelyard.types import Floats, Question
from vote_tables import votes


def asked(pairs: list[tuple[str, str]], text: str = "Which?") -> list[Question]:
    return [
        Question(f"q{i}", f"{text}" if len(pair) == 2 else pair[2], tuple(pair[:2]))
        for i, pair in enumerate(pairs)
    ]


def eades(weights: Floats) -> set[tuple[int, int]]:
    """A second implementation, of one graph, as the paper tells it."""
    left, head, tail = set(range(len(weights))), [], []
    while left:
        while sinks := [u for u in sorted(left) if not any(weights[u, v] > 0 for v in left)]:
            tail.insert(0, sinks[0])
            left.discard(sinks[0])
        while sources := [u for u in sorted(left) if not any(weights[v, u] > 0 for v in left)]:
            head.append(sources[0])
            left.discard(sources[0])
        if left:
            surplus = {u: sum(weights[u, v] - weights[v, u] for v in left) for u in sorted(left)}
            best = max(surplus, key=lambda u: surplus[u])
            head.append(best)
            left.discard(best)
    place = {u: i for i, u in enumerate(head + tail)}
    edges = np.argwhere(weights > 0).tolist()
    return {(u, v) for u, v in edges if place[u] < place[v]}


def tournaments(seed: int, graphs: int, nodes: int, density: float) -> Floats:
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.integers(-8, 9, size=(graphs, nodes, nodes)).astype(float), 1)
    upper *= rng.random(upper.shape) < density
    return np.maximum(upper, 0) + np.maximum(-upper, 0).transpose(0, 2, 1)


@given(st.integers(0, 10_000), st.integers(2, 7), st.sampled_from([0.4, 0.8, 1.0]))
def test_many_graphs_at_once_are_each_alone(seed: int, nodes: int, density: float) -> None:
    weights = tournaments(seed, 5, nodes, density)
    kept = forward_edges(weights)
    reached = descendants(kept)
    widest = widest_paths(np.where(kept, weights, 0.0))
    for g in range(5):
        edges = {(int(u), int(v)) for u, v in np.argwhere(kept[g])}
        assert edges == eades(weights[g])
        graph = networkx.DiGraph(edges)
        graph.add_nodes_from(range(nodes))
        assert networkx.is_directed_acyclic_graph(graph)
        assert reached[g].tolist() == [len(networkx.descendants(graph, u)) for u in range(nodes)]
        for u, v in permutations(range(nodes), 2):
            paths = networkx.all_simple_paths(graph, u, v)
            links = [min(weights[g, a, b] for a, b in pairwise(p)) for p in paths]
            assert widest[g, u, v] == max(links, default=0)


@given(st.permutations(range(5)), st.integers(1, 3))
def test_a_consistent_order_is_returned_unchanged(order: list[int], voters: int) -> None:
    pairs = list(combinations("abcde", 2))
    rank = dict(zip("abcde", order, strict=True))
    table = [[int(rank[u] > rank[v])] * voters for u, v in pairs]
    questions = asked(pairs)
    table_votes, known = votes(table, answers=2), Pairs.of(questions)
    found = GraphDenoising().estimate(table_votes, pairs=known)
    assert found.posterior.argmax(axis=1).tolist() == [row[0] for row in table]
    assert (found.score == 1).all()
    beaten = GraphDenoising().rank(table_votes, known)
    assert beaten.tolist() == [4 - place for place in order]


def test_a_cycle_by_hand() -> None:
    # Five voters: a > b by 4:1, b > c by 5:0, c > a by 3:2, so w = 3, 5, 1. No sink, no source;
    # out - in: a 3 - 1 = 2, b 5 - 3 = 2, c 1 - 5 = -4: a goes first and c -> a is dropped.
    # Strength a -> c over b: min(3/5, 5/5) = .6, so P(a better than c) = .8, against 2 of 5 votes.
    table = [[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]
    known = Pairs.of(asked([("a", "b"), ("b", "c"), ("c", "a")]))
    found = GraphDenoising().estimate(votes(table, answers=2), pairs=known)
    np.testing.assert_allclose(found.posterior[:, 0], [0.8, 1.0, 0.2])
    np.testing.assert_allclose(found.score, [0.8, 1.0, 0.8])
    assert GraphDenoising().rank(votes(table, answers=2), known).tolist() == [2, 1, 0]


@given(st.integers(0, 10_000))
def test_pairs_that_share_nothing_have_the_plain_vote(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(-1, 2, size=(12, 5))
    known = Pairs.of(asked([(f"a{i}", f"b{i}") for i in range(12)]))
    cast = votes(table, answers=2)
    plain = Majority().estimate(cast)
    found = GraphDenoising().estimate(cast, pairs=known)
    np.testing.assert_allclose(found.posterior, plain.posterior)
    decided = plain.posterior[:, 0] != 0.5
    np.testing.assert_allclose(found.score, np.where(decided, plain.score, 0))


def test_equal_texts_of_other_questions_are_other_candidates() -> None:
    questions = [
        Question("q0", "Is it safe?", ("yes", "no")),
        Question("q1", "Is it dangerous?", ("no", "yes")),
        Question("q2", "Is it safe?", ("no", "yes")),
    ]
    known = Pairs.of(questions)
    assert (known.candidates, known.first.tolist(), known.second.tolist()) == (
        *(4, [0, 2, 1], [1, 3, 0]),
    )
    # q0 and q2 are one pair, asked twice: "yes" by 3 of 3 and by 1 of 3, so w = 3 - 1 = 2 of 6.
    found = GraphDenoising().estimate(
        votes([[0, 0, 0], [0, 0, 0], [1, 0, 0]], answers=2), pairs=known
    )
    np.testing.assert_allclose(found.posterior[:, 0], [4 / 6, 1, 2 / 6])


def test_probabilities_count_and_order_of_the_choices_does_not() -> None:
    # Two voters, .9 and .4 for a: w = .8 - .2 = .6 of 2 votes, P = (1 + .3) / 2 = .65.
    probs = np.array([[0.9, 0.1], [0.4, 0.6]])
    for choices, table, rows in ((("a", "b"), [[0, 1]], probs), (("b", "a"), [[1, 0]], 1 - probs)):
        known = Pairs.of(asked([choices]))
        found = GraphDenoising().estimate(votes(table, answers=2, probs=rows), pairs=known)
        assert found.posterior[0, choices.index("a")] == pytest.approx(0.65)


def test_nobody_answered_equal_texts_and_ties_are_undecided() -> None:
    table = [[-1, -1], [0, 0], [0, 1]]
    known = Pairs.of(asked([("a", "b"), ("c", "c"), ("d", "e")]))
    found = GraphDenoising().estimate(votes(table, answers=2), pairs=known)
    assert (found.posterior == 0.5).all()
    assert (found.score == 0).all()


def test_denoising_finds_an_order_behind_noisy_votes() -> None:
    # 300 prompts, 6 candidates, all 15 pairs, 3 voters that are right 2 times of 3.
    rng = np.random.default_rng(0)
    questions, truth = [], []
    for prompt in range(300):
        rank = rng.permutation(6)
        for u, v in combinations(range(6), 2):
            name = f"{prompt}-{u}-{v}"
            questions.append(Question(name, f"prompt {prompt}", (f"answer {u}", f"answer {v}")))
            truth.append(int(rank[u] > rank[v]))
    right = rng.random((len(truth), 3)) < 2 / 3
    table = np.where(right, np.array(truth)[:, None], 1 - np.array(truth)[:, None])
    cast = votes(table, answers=2, ids=tuple(one.id for one in questions))
    found = GraphDenoising().estimate(cast, pairs=Pairs.of(questions))
    accuracy = (found.posterior.argmax(axis=1) == truth).mean()
    plain = (Majority().estimate(cast).posterior.argmax(axis=1) == truth).mean()
    assert accuracy > plain + 0.015
    sure = found.score > np.median(found.score)
    assert (found.posterior.argmax(axis=1) == truth)[sure].mean() > accuracy


def test_it_says_what_it_needs() -> None:
    cast = votes([[0, 1]], answers=2)
    with pytest.raises(InputError, match="needs votes on pairs"):
        GraphDenoising().estimate(cast)
    with pytest.raises(InputError, match="needs votes on pairs"):
        GraphDenoising().estimate(votes([[0, 3]]), pairs=Pairs.of(asked([("a", "b")])))
    with pytest.raises(InputError, match="two choices; 'x' has 3"):
        Pairs.of([Question("x", "?", ("a", "b", "c"))])
