"""The state of an objective during one training run."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from steelyard.objectives.hardening import RecentPredictions


@dataclass(eq=False)
class ObjectiveState:
    """The progress of a run, recent predictions, and weights that are learned.

    The training loop owns it: it calls `begin_step`, adds to `recent`, and saves `tensors`.
    """

    progress: float = 0.0  # steps done over steps planned, in [0, 1)
    constants: dict[str, Tensor] = field(default_factory=dict)  # of the training set
    learned: dict[str, Tensor] = field(default_factory=dict)  # trained together with the student
    learning_rate: float = 0.05  # of `learned`: few numbers, which a student's rate hardly moves
    recent: RecentPredictions | None = None  # None: the objective does not need them
    offsets: Tensor | None = None  # (K,), of `recent`, fixed before a step begins

    def begin_step(self, progress: float) -> None:
        """Note the progress, and fix the offsets for all parts of the step."""
        self.progress = progress
        self.offsets = None if self.recent is None else self.recent.offsets()

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, for `restore`."""
        steps = [] if self.recent is None else self.recent.steps
        return {
            **{name: tensor.detach().clone() for name, tensor in self.learned.items()},
            **{f"logits.{number}": logits for number, (logits, _) in enumerate(steps)},
            **{f"targets.{number}": labels for number, (_, labels) in enumerate(steps)},
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Resume from the result of `tensors`."""
        with torch.no_grad():
            for name, tensor in self.learned.items():
                tensor.copy_(tensors[name])
        if self.recent is not None:
            self.recent.steps.clear()
            for number in range(len([name for name in tensors if name.startswith("logits.")])):
                pair = tensors[f"logits.{number}"], tensors[f"targets.{number}"]
                self.recent.steps.append(pair)
