"""The state of an objective during one training run."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from steelyard.objectives.hardening import RecentPredictions
from steelyard.objectives.reduction import widened


@dataclass(eq=False)
class PastPredictions:
    """The running mean of each training example's predictions.

    After prediction p the mean is momentum * mean + (1 - momentum) * p; it starts at 0. With a
    momentum of 0 it is the last prediction.
    """

    means: Tensor  # (N, K) float32, rows of zeros before the first prediction
    momentum: float  # in [0, 1)

    @classmethod
    def none(cls, shape: tuple[int, ...], momentum: float) -> "PastPredictions":
        """Of N examples and K classes, `shape`, before training."""
        return cls(torch.zeros(shape), momentum)

    def after(self, rows: Tensor, logits: Tensor) -> Tensor:
        """The means of some examples (B, K) when these predictions count; changes nothing."""
        probs = torch.softmax(widened(logits).detach(), dim=-1).float().cpu()
        return self.momentum * self.means[rows] + (1 - self.momentum) * probs

    def add(self, rows: Tensor, logits: Tensor) -> None:
        """Count the predictions of some examples, which occur once among `rows` (B,)."""
        self.means[rows] = self.after(rows, logits)


@dataclass(eq=False)
class ObjectiveState:
    """The progress of a run, recent predictions, and weights that are learned.

    The training loop owns it: it calls `begin_step`, sets `rows` before each call of `loss`, calls
    `end_step` if the state `needs_predictions`, and saves `tensors`.
    """

    progress: float = 0.0  # steps done over steps planned, in [0, 1)
    constants: dict[str, Tensor] = field(default_factory=dict)  # of the training set
    learned: dict[str, Tensor] = field(default_factory=dict)  # trained together with the student
    learning_rate: float = 0.05  # of `learned`: few numbers, which a student's rate hardly moves
    recent: RecentPredictions | None = None  # None: the objective does not need them
    offsets: Tensor | None = None  # (K,), of `recent`, fixed before a step begins
    past: PastPredictions | None = None  # None: the objective does not need them
    rows: Tensor | None = None  # (B,), which training examples the next loss is of

    def begin_step(self, progress: float) -> None:
        """Note the progress, and fix the offsets for all parts of the step."""
        self.progress = progress
        self.offsets = None if self.recent is None else self.recent.offsets()

    @property
    def needs_predictions(self) -> bool:
        """Whether `end_step` has something to remember."""
        return self.recent is not None or self.past is not None

    def end_step(self, rows: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Remember the predictions of a step.

        Args:
            rows: which training examples, (B,).
            logits: of these examples, (B, K).
            labels: `single_labels` of their targets, (B, K), in any order.
        """
        if self.recent is not None:
            self.recent.add(logits, labels)
        if self.past is not None:
            self.past.add(rows, logits)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, for `restore`."""
        steps = [] if self.recent is None else self.recent.steps
        return {
            **({} if self.past is None else {"past": self.past.means.clone()}),
            **{name: tensor.detach().clone() for name, tensor in self.learned.items()},
            **{f"logits.{number}": logits for number, (logits, _) in enumerate(steps)},
            **{f"targets.{number}": labels for number, (_, labels) in enumerate(steps)},
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Resume from the result of `tensors`."""
        with torch.no_grad():
            for name, tensor in self.learned.items():
                tensor.copy_(tensors[name])
        if self.past is not None:
            self.past.means = tensors["past"]
        if self.recent is not None:
            self.recent.steps.clear()
            for number in range(len([name for name in tensors if name.startswith("logits.")])):
                pair = tensors[f"logits.{number}"], tensors[f"targets.{number}"]
                self.recent.steps.append(pair)
