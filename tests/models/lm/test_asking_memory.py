"""Memory that runs out while a model is asked: smaller passes, the same results, or one line."""

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from drawn_models import questions
from steelyard.errors import ConfigError
from steelyard.models import memory
from steelyard.models.batches import micro_batches
from steelyard.models.lm.beam_search import n_best
from steelyard.models.lm.option_scores import score_options
from steelyard.models.lm.sampling import sample_replies
from steelyard.models.lm.sequence_scores import score_texts
from steelyard.models.memory import TokenBudget
from steelyard.types import Ints

FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nMore lines"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]
ASK: dict[str, Callable[..., Any]] = {
    "options": lambda *pair: score_options(*pair, questions(12)).log_probs,
    "replies": lambda *pair: [
        reply.text
        for reply in sample_replies(
            *pair,
            [replace(q, seed=i) for i, q in enumerate(questions(12))],
            max_new_tokens=6,
            temperature=1.0,
        )
    ],
    "texts": lambda *pair: score_texts(*pair, questions(12)).log_probs,
    "lists": lambda *pair: n_best(*pair, questions(6), beams=3, max_new_tokens=4).scored.texts,
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is to be released here, and looking for it takes most of the time."""
    monkeypatch.setattr(memory, "_release", lambda: None)


@contextmanager
def room_for(model: Any, rows: int, error: BaseException) -> Iterator[list[int]]:
    """Inside, a pass over more rows raises."""
    plain, passes = model.forward, []

    def limited(*args: Any, **options: Any) -> Any:
        size = len(options["input_ids"])
        passes.append(size)
        if size > rows:
            raise error
        return plain(*args, **options)

    limited.__signature__ = inspect.signature(plain)  # type: ignore[attr-defined]
    model.forward = limited
    try:
        yield passes
    finally:
        del model.forward


@pytest.mark.parametrize(("what", "error"), list(zip(ASK, FULL, strict=True)), ids=ASK)
def test_results_are_the_same_in_smaller_passes(
    llama: tuple[Any, Any],
    what: str,
    error: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, words = llama
    expected, most = ASK[what](model, words), 3 if what == "lists" else 2
    with caplog.at_level(logging.WARNING), room_for(model, most, error) as passes:
        found = ASK[what](model, words)
    assert max(passes) > most  # memory did run out
    assert "Memory ran out; passes now have at most" in caplog.text
    if isinstance(expected, np.ndarray):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    else:
        assert found == expected


@pytest.mark.parametrize("what", ASK)
def test_a_single_question_without_memory_is_one_line(llama: tuple[Any, Any], what: str) -> None:
    model, words = llama
    with room_for(model, 0, FULL[0]), pytest.raises(ConfigError) as caught:
        ASK[what](model, words)
    said = str(caught.value)
    assert said.startswith("Memory ran out at item '")
    for part in (" tokens", "CUDA out of memory. Tried", "`quantization: 4bit`", "smaller `model`"):
        assert part in said
    assert "\n" not in said
    assert ("`max_new_tokens: 6`" in said) == (what == "replies")


def test_what_is_done_stays_done_and_rows_keep_their_results() -> None:
    """Rows of 1, 2, 4 and 8 tokens, 16 at first; passes above 5 tokens fail.

    16: (1, 2, 4) of 4 * 3 = 12, then (8); 12 fails. 8 and 4: (1, 2), and (4), and (8), which fails.
    """
    costs = np.array([1, 2, 4, 8])
    runs: list[list[int]] = []

    def plan(rows: Ints, tokens: int) -> list[Ints]:
        return micro_batches(rows, costs, tokens)

    def run(rows: Ints) -> list[int]:
        runs.append(costs[rows].tolist())
        if costs[rows].max() * len(rows) > 5:
            raise MemoryError
        return (costs[rows] * 10).tolist()

    done = []
    with pytest.raises(ConfigError, match="ran out at row 3 alone"):
        done.extend(TokenBudget(16).each(np.arange(4), plan, run, lambda row: f"row {row}"))
    assert runs == [[1, 2, 4], [1, 2], [4], [8]]
    steps = TokenBudget(16).each(np.arange(3), plan, run, lambda row: f"row {row}")
    assert dict(steps) == {0: 10, 1: 20, 2: 40}


def test_other_errors_stay_what_they_are(llama: tuple[Any, Any]) -> None:
    model, words = llama
    another = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with room_for(model, 2, another), pytest.raises(RuntimeError, match="mat1 and mat2"):
        score_texts(model, words, questions(12))
