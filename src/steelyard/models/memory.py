"""When memory runs out: smaller passes, and at the smallest an error that says what to do."""

import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from steelyard.errors import TrainingError
from steelyard.types import Ints

log = logging.getLogger(__name__)
T = TypeVar("T")


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of a GPU or of the machine."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
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
                if not ran_out_of_memory(error):
                    raise
                message = str(error).strip().splitlines()[0]
            # outside of the handler, whose traceback holds the tensors
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if all(len(part) == 1 for part in parts):
                raise TrainingError(
                    f"Memory ran out with a single row in each pass ({message[:120]}); "
                    f"`token_budget` (now {self.tokens}) cannot help. Lower `max_tokens`, set "
                    "`gradient_checkpointing: true`, or take a smaller model."
                )
            self._halve(plan, parts)

    def _halve(self, plan: Callable[[int], Sequence[Ints]], parts: Sequence[Ints]) -> None:
        """The next half that makes another plan."""
        before = [len(part) for part in parts]
        while [len(part) for part in plan(self.tokens)] == before:
            self.tokens //= 2
        log.warning(
            "Memory ran out; passes now have at most %d padded tokens. `token_budget: %d` would "
            "have begun so.",
            *(self.tokens, self.tokens),
        )
