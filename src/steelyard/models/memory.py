"""When memory runs out: smaller passes, and at the smallest an error that says what to do."""

import gc
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from steelyard.errors import ConfigError, TrainingError
from steelyard.types import Ints

log = logging.getLogger(__name__)
T = TypeVar("T")


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of a GPU or of the machine."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error).lower() for words in ("can't allocate memory", "out of memory"))
    )


@dataclass(eq=False)
class TokenBudget:
    """Padded tokens of one pass, halved whenever a step's memory does not suffice."""

    tokens: int

    def fit(self, plan: Callable[[int], Sequence[Ints]], run: Callable[[Sequence[Ints]], T]) -> T:
        """run(plan(tokens)), repeated with half the tokens while memory runs out.

        Args:
            plan: rows of each pass, at most so many tokens or one row each.
            run: starts from nothing each time that it is called.

        Raises:
            TrainingError: memory runs out although each pass has a single row.
        """
        while True:
            parts = plan(self.tokens)
            try:
                return run(parts)
            except (RuntimeError, MemoryError) as error:
                message = _first_line(error)
            _release()  # outside of the handler, whose traceback holds the tensors
            if all(len(part) == 1 for part in parts):
                raise TrainingError(
                    f"Memory ran out with a single row in each pass ({message}); "
                    f"`token_budget` (now {self.tokens}) cannot help. Lower `max_tokens`, set "
                    "`gradient_checkpointing: true`, or take a smaller model."
                )
            self._halve(plan, parts)
            log.warning(
                "Memory ran out; passes now have at most %d padded tokens. `token_budget: %d` "
                "would have begun so.",
                *(self.tokens, self.tokens),
            )

    def each(
        self,
        rows: Ints,
        plan: Callable[[Ints, int], Sequence[Ints]],
        run: Callable[[Ints], Sequence[T]],
        name: Callable[[int], str],
    ) -> Iterator[tuple[int, T]]:
        """Every row with its result; from where memory runs out, passes become smaller.

        For passes that leave nothing behind, as when a model is asked: what is done stays done.

        Args:
            rows: of all passes.
            plan: the given rows in parts of at most so many tokens or one row each.
            run: one pass over the given rows, and a result for each.
            name: what a single row is, such as "item 'a', 900 tokens", for the error.

        Raises:
            ConfigError: memory runs out in a pass of one row.
        """
        waiting = deque(plan(rows, self.tokens))
        while waiting:
            part = waiting.popleft()
            try:
                results = run(part)
            except (RuntimeError, MemoryError) as error:
                message = _first_line(error)
            else:
                yield from zip(part.tolist(), results, strict=True)
                continue
            _release()
            if len(part) == 1:
                raise ConfigError(
                    f"Memory ran out at {name(int(part[0]))} alone ({message}). Shorten it, set "
                    "`dtype: bfloat16`, `quantization: 4bit` or `device_map: auto`, or take a "
                    "smaller `model`."
                )
            self._halve(lambda tokens, part=part: plan(part, tokens), [part])  # type: ignore[misc]
            waiting = deque(plan(np.concatenate([part, *waiting]), self.tokens))
            log.warning("Memory ran out; passes now have at most %d padded tokens.", self.tokens)

    def _halve(self, plan: Callable[[int], Sequence[Ints]], parts: Sequence[Ints]) -> None:
        """The next half that makes another plan."""
        before = [len(part) for part in parts]
        while [len(part) for part in plan(self.tokens)] == before:
            self.tokens //= 2


def _first_line(error: BaseException) -> str:
    """The first line of an error that says that memory ran out; others are raised again."""
    if not ran_out_of_memory(error):
        raise error
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _release() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
