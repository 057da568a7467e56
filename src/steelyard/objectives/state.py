"""What one training run minimises, and what it remembers from step to step."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from steelyard.objectives.losses import (
    RecentPredictions,
    completion_loss,
    dirichlet_mean,
    expected_entropy,
    vacuity,
)
from steelyard.objectives.losses.dirichlet import Evidence
from steelyard.objectives.losses.precision import softmax

Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of logits (B, K), targets (B, K) and weights (B,), as `losses.cross_entropy`."""


class Objective:
    """A loss that needs nothing but the examples at hand; others build on it.

    A training run has one of its own: it may remember what earlier steps saw.
    """

    learning_rate = 0.05  # of `parameters`: few numbers, which a student's rate would hardly move

    def __init__(self, loss: Loss) -> None:
        self._loss = loss

    def begin_step(self, progress: float) -> None:
        """Before a step. `progress` is steps done over steps planned, in [0, 1)."""

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Loss of B of the step's examples, divided by B.

        Args:
            logits: (B, K).
            targets: (B, K), or (B, M, K) for M supervisors.
            weights: (B,).
        """
        return self._loss(logits, targets, weights)

    def end_step(self, logits: Tensor, targets: Tensor) -> None:
        """After a step, with all its examples in the order in which they were drawn."""

    def parameters(self) -> list[Tensor]:
        """What is learnt beside the student."""
        return []

    def probabilities(self, logits: Tensor) -> Tensor:
        """What a student that was taught so means by its logits, (B, K)."""
        return softmax(logits)

    def doubts(self, logits: Tensor) -> dict[str, Tensor]:
        """How unsure such a student is by measures that its probabilities do not tell, (B,) each.

        None, but for a student that answers with a distribution over probabilities.
        """
        return {}

    def memory(self) -> dict[str, Tensor]:
        """All that a resumed run must know; `recall` takes it back."""
        return {}

    def recall(self, memory: dict[str, Tensor]) -> None:
        """Go on from what `memory` gave."""


class Scheduled(Objective):
    """A loss that changes with the progress of training."""

    def __init__(self, loss: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> None:
        self._scheduled = loss
        self.progress = 0.0

    def begin_step(self, progress: float) -> None:
        self.progress = progress

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return self._scheduled(logits, targets, weights, self.progress)


TokenLoss: TypeAlias = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""Of logits (T, V), labels (T,), strengths (T,) and progress: (T,).

Those `by_entropy` take `losses.above_entropy` in place of strengths.
"""


class OfTokens(Objective):
    """A loss of single tokens. `written.WrittenReader` takes it, and its means over texts are here.

    Args:
        each: losses of T tokens.
        temperature: of `words.token_strengths`; None shares a word's probability evenly.
        by_entropy: whether `each` takes `losses.above_entropy` in place of strengths.
    """

    def __init__(
        self, each: TokenLoss, temperature: float | None, by_entropy: bool = False
    ) -> None:
        super().__init__(completion_loss)
        self._each = each
        self.temperature = temperature
        self.by_entropy = by_entropy
        self.progress = 0.0

    def begin_step(self, progress: float) -> None:
        self.progress = progress

    def each(self, logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Losses of T tokens at this step, (T,); `known` is strengths or `above_entropy`."""
        return self._each(logits, labels, known, self.progress)


class WithRecent(Objective):
    """A loss that hardens the student's answers by what the last steps saw.

    The offsets are fixed before a step begins: they are the same for every part of it, and for
    texts of every length (see `losses.hardening`).
    """

    def __init__(
        self,
        loss: Callable[[Tensor, Tensor, Tensor, float, Tensor | None], Tensor],
        recent: RecentPredictions,
    ) -> None:
        self._with_recent = loss
        self.recent = recent
        self.progress = 0.0
        self.offsets: Tensor | None = None

    def begin_step(self, progress: float) -> None:
        self.progress = progress
        self.offsets = self.recent.offsets()

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return self._with_recent(logits, targets, weights, self.progress, self.offsets)

    def end_step(self, logits: Tensor, targets: Tensor) -> None:
        self.recent.add(logits, targets)

    def memory(self) -> dict[str, Tensor]:
        return {
            f"{name}.{number}": tensor
            for number, step in enumerate(self.recent.steps)
            for name, tensor in zip(("logits", "targets"), step, strict=True)
        }

    def recall(self, memory: dict[str, Tensor]) -> None:
        self.recent.steps.clear()
        for number in range(len(memory) // 2):
            self.recent.steps.append((memory[f"logits.{number}"], memory[f"targets.{number}"]))


class Evidential(WithRecent):
    """A loss of several labels whose student answers with a Dirichlet distribution."""

    def __init__(
        self,
        loss: Callable[[Tensor, Tensor, Tensor, float, Tensor | None], Tensor],
        recent: RecentPredictions,
        pool: Callable[[Tensor], Tensor],
        evidence: Evidence,
    ) -> None:
        """`pool` makes one label of an example's several: (B, M, K) to (B, K)."""
        super().__init__(loss, recent)
        self._pool = pool
        self.evidence: Evidence = evidence

    def end_step(self, logits: Tensor, targets: Tensor) -> None:
        super().end_step(logits, self._pool(targets))

    def probabilities(self, logits: Tensor) -> Tensor:
        return dirichlet_mean(logits.double(), self.evidence)

    def doubts(self, logits: Tensor) -> dict[str, Tensor]:
        wide = logits.double()
        return {
            "vacuity": vacuity(wide, self.evidence),
            "expected_entropy": expected_entropy(wide, self.evidence),
        }


class Learnt(Objective):
    """A loss with supervisor weights that are learnt together with the student."""

    def __init__(
        self, loss: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor], supervisors: int
    ) -> None:
        self._learnt = loss
        self.raw = torch.zeros(supervisors, requires_grad=True)

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return self._learnt(logits, targets, weights, self.raw)

    def parameters(self) -> list[Tensor]:
        return [self.raw]

    def memory(self) -> dict[str, Tensor]:
        return {"raw": self.raw.detach().clone()}

    def recall(self, memory: dict[str, Tensor]) -> None:
        with torch.no_grad():
            self.raw.copy_(memory["raw"])


def in_order(parts: list[tuple[Any, Tensor]], rows: Any) -> Tensor:
    """Logits of a step's parts, [(rows, (B, K))], in the order of `rows`."""
    place = {int(row): i for i, row in enumerate(rows)}
    logits = torch.cat([part for _, part in parts])
    order = torch.tensor([place[int(row)] for some, _ in parts for row in some])
    out = torch.empty_like(logits)
    out[order] = logits
    return out
