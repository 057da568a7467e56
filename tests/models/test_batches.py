"""Which examples go together, and how they are padded."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from steelyard.models.batches import CPU_TOKENS, NO_OPTION, Batcher, micro_batches, plan_steps
from steelyard.models.encode import Encoded


def ragged(lengths: list[list[int]]) -> Encoded:
    """Examples of sequences of the given lengths; token t is t + 1."""
    flat = [length for example in lengths for length in example]
    return Encoded(
        tokens=np.arange(1, sum(flat) + 1, dtype=np.int32),
        types=None,
        starts=np.concatenate([[0], np.cumsum(flat)]).astype(np.int64),
        rows=np.concatenate([[0], np.cumsum([len(e) for e in lengths])]).astype(np.int64),
        pad=0,
        truncated=0,
    )


@given(st.lists(st.integers(1, 50), min_size=1, max_size=90), st.integers(1, 9), st.integers(0, 5))
def test_an_epoch_shows_each_example_once(lengths: list[int], size: int, seed: int) -> None:
    steps = -(-len(lengths) // size)
    made = list(plan_steps(np.array(lengths), size, 2 * steps, seed))
    for epoch in (made[:steps], made[steps:]):
        assert sorted(np.concatenate(epoch)) == list(range(len(lengths)))
        assert all(len(rows) <= size for rows in epoch)
    assert [r.tolist() for r in plan_steps(np.array(lengths), size, 3, seed)] == [
        r.tolist() for r in made[:3]
    ] or len(made) < 3


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(10, 200))
def test_parts_of_a_step_keep_to_the_budget_and_lose_nothing(
    lengths: list[int], budget: int
) -> None:
    costs = np.array(lengths)
    parts = micro_batches(np.arange(len(costs)), costs, budget)
    assert sorted(np.concatenate(parts)) == list(range(len(costs)))
    assert all(len(part) == 1 or len(part) * costs[part].max() <= budget for part in parts)


@given(st.lists(st.integers(1, 900), min_size=1, max_size=40), st.integers(64, 9000))
def test_a_processor_s_passes_are_small_and_another_device_s_are_not(
    lengths: list[int], budget: int
) -> None:
    encoded, rows = ragged([[length] for length in lengths]), np.arange(len(lengths))
    costs, near = encoded.costs, Batcher(encoded).parts(rows, budget)
    assert sorted(np.concatenate(near)) == rows.tolist()
    assert all(
        len(part) == 1 or len(part) * costs[part].max() <= min(budget, CPU_TOKENS) for part in near
    )
    far = Batcher(encoded, device="cuda:0").parts(rows, budget)
    assert list(map(list, far)) == list(map(list, micro_batches(rows, costs, budget)))


def test_padding_by_hand() -> None:
    # tokens: example 0 -> 1 2 3, example 1 -> 4
    inputs = Batcher(ragged([[3], [1]])).inputs(np.array([1, 0]))
    assert inputs["input_ids"].tolist() == [[4, 0, 0], [1, 2, 3]]
    assert inputs["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]


def test_states_stand_in_for_tokens() -> None:
    states = np.arange(8, dtype=np.float32).reshape(4, 2)
    inputs = Batcher(ragged([[3], [1]]), states).inputs(np.array([1, 0]))
    assert inputs["inputs_embeds"].tolist() == [
        [[6, 7], [0, 0], [0, 0]],
        [[0, 1], [2, 3], [4, 5]],
    ]
    assert "input_ids" not in inputs


def test_a_choosers_logits_are_dealt_to_the_options() -> None:
    reader = Batcher(ragged([[1, 1, 1], [1, 1]]))
    logits = torch.tensor([[4.0], [5.0], [1.0], [2.0], [3.0]])
    table = reader.select(logits, np.array([1, 0]), width=3)
    assert table.tolist() == [[4.0, 5.0, NO_OPTION], [1.0, 2.0, 3.0]]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 9), st.integers(0, 5))
def test_an_epoch_shows_level_after_level(levels: list[int], size: int, seed: int) -> None:
    steps = -(-len(levels) // size)
    made = list(plan_steps(np.ones(len(levels)), size, 2 * steps, seed, np.array(levels)))
    assert len(made) == 2 * steps
    for epoch in (made[:steps], made[steps:]):
        rows = np.concatenate(epoch)
        assert sorted(rows) == list(range(len(levels)))
        assert (np.diff(np.array(levels)[rows]) >= 0).all()


def test_within_a_level_the_order_is_random() -> None:
    levels = np.repeat([0, 1], 50)
    first = next(plan_steps(np.ones(100), 50, 1, 0, levels))
    assert set(first) == set(range(50))
    assert sorted(first) != first.tolist()
    again = list(plan_steps(np.ones(100), 50, 4, 0, levels))[2]
    assert set(again) == set(first)
    assert again.tolist() != first.tolist()
