"""The training loop: weighted soft targets, a fixed number of steps, exact resumption.

A loop on Accelerate and not a Trainer subclass; see docs/decisions/0002-training-loop.md.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from steelyard.errors import TrainingCollapsed
from steelyard.extras import require
from steelyard.models.batches import Batcher, plan_steps
from steelyard.models.checkpoints import Checkpoints, TrainingState
from steelyard.models.memory import TokenBudget
from steelyard.models.optimizer import make_optimizer, rate_factor
from steelyard.models.precision import Precision
from steelyard.models.processes import launched, team, whole
from steelyard.models.score import forward
from steelyard.models.shared_steps import SharedGradients, StepGradients, shared_module
from steelyard.models.sparse_embeddings import only_rows_in_use
from steelyard.objectives import CROSS_ENTROPY, BaseObjective, ObjectiveState
from steelyard.progress import report_step
from steelyard.types import Floats, Ints

VERSION = 0
"""Raised when the training loop's results change without a change of settings."""


class Training(BaseModel):
    """How a model is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: int = Field(3, ge=1)
    """Passes over the kept examples; sets the number of optimizer steps."""
    learning_rate: float = Field(5e-5, gt=0)
    """Peak of a linear warm-up and decay to zero."""
    batch_size: int = Field(32, ge=1)
    """Examples of one optimizer step."""
    weight_decay: float = Field(0.01, ge=0)
    """Weight decay of AdamW, on matrices only: biases and norms do not decay."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Longer gradients are scaled down to this length."""
    max_tokens: int = Field(128, ge=8)
    """Longer inputs are truncated, and counted."""
    token_budget: int = Field(8192, ge=64)
    """Padded tokens of one forward pass; bounds memory, and changes results only by rounding. On a
    CPU at most 1536 are used, because larger passes are slower there."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout in training. Burns et al. train without; on a CPU it also costs time."""
    train_layers: int | None = Field(None, ge=1)
    """Train the top n blocks only; the blocks below are frozen and run once per text."""
    precision: Precision = "bf16"
    """Precision of matrix products; a CPU that only emulates `bf16` takes float32. Master weights
    are always float32."""
    checkpoint_steps: int = Field(200, ge=1)
    """Steps between checkpoints; a killed run resumes from the newest verified one."""
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    """AdamW, or that with its state in 8 bits (bitsandbytes): 2 bytes a trained weight, not 8.
    `paged_` also moves the state to the main memory while a GPU's memory is short."""
    report_to: Literal["none", "trackio", "tensorboard", "wandb"] = "none"
    """Tracker for the loss; Steelyard always keeps its own record."""

    @property
    def training(self) -> "Training":
        """Of a student or voter: how it is trained by optimizer steps."""
        return self

    @property
    def trains_adapters(self) -> bool:
        """Whether the model's own weights stay as they are, under adapters."""
        return False

    @property
    def keeps_few_states(self) -> bool:
        """Whether states within a block are always computed again for the gradients."""
        return False

    @property
    def adam(self) -> "Callable[..., torch.optim.Optimizer]":
        """Makes the optimizer of groups of parameters.

        Source: Dettmers et al. 2022, arXiv:2110.02861 (8 bits); 2023, arXiv:2305.14314 (paged).

        Raises:
            MissingExtra: it needs bitsandbytes, which is not installed.
        """
        if self.optimizer == "adamw":
            return partial(torch.optim.AdamW, fused=True)
        require(f"`optimizer: {self.optimizer}`", "bitsandbytes")
        from bitsandbytes import optim

        made: Callable[..., torch.optim.Optimizer] = (
            optim.AdamW8bit if self.optimizer == "adamw_8bit" else optim.PagedAdamW8bit
        )
        return made

    def steps(self, rows: int) -> int:
        """Optimizer steps for so many kept examples."""
        return self.epochs * math.ceil(rows / self.batch_size)


@dataclass
class TrainingLog:
    """Losses and learning rates, step by step."""

    loss: list[float] = field(default_factory=list)  # nats, one entry a step
    learning_rate: list[float] = field(default_factory=list)


def train(
    model: Any,
    batcher: Batcher,
    targets: Floats,
    weights: Floats,
    settings: Training,
    *,
    steps: int,
    seed: int,
    checkpoints: Checkpoints | None = None,
    objective: BaseObjective = CROSS_ENTROPY,
    supervisor_weights: Floats | None = None,
    levels: Ints | None = None,
) -> TrainingLog:
    """Train the parameters that require gradients, in place.

    Each step minimises `objective` over `batch_size` examples. A step of more than `token_budget`
    padded tokens is computed in parts, whose gradients add up. Where memory runs out, the step is
    repeated in smaller parts. Inside `processes.together` each process computes a share of a step.

    Args:
        model: a classifier or chooser as `models.load` makes it.
        batcher: inputs of the N examples.
        targets: (N, K), rows sum to 1; (N, M, K) for objectives of M supervisors.
        weights: (N,), positive: drop examples of weight 0 before.
        settings: see `Training`.
        steps: optimizer steps.
        seed: random seed for the order of examples and dropout.
        checkpoints: where to save and resume; None trains in one go.
        objective: what is minimised.
        supervisor_weights: (M,), for objectives of M supervisors.
        levels: (N,), in whose order an epoch shows the examples; None: at random.

    Raises:
        TrainingError: the loss or a gradient is not finite, memory runs out with single examples,
            or no parameter changed.
    """
    torch.manual_seed(seed + (team().rank << 32))  # the first process draws as it would alone
    log, state = TrainingLog(), objective.start(targets, supervisor_weights)
    budget = TokenBudget(settings.token_budget)
    alone = _Gradients(model, batcher, targets, weights, settings, objective, state, budget)
    with only_rows_in_use(model, batcher.encoded, log.learning_rate, settings.weight_decay):
        accelerator = _accelerator(settings)
        optimizer = make_optimizer(_trained(model), state, settings)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate_factor(steps, settings.warmup))
        with _gradients(alone, optimizer, accelerator) as gradients:
            run = TrainingState(model, optimizer, schedule, log, state)
            parameters = _trained(model)
            done = 0 if checkpoints is None else checkpoints.resume(run)
            before = _sums(parameters) if done == 0 else None
            model.train()
            for step, rows in enumerate(
                plan_steps(batcher.encoded.costs, settings.batch_size, steps, seed, levels)
            ):
                if step < done:
                    continue
                state.begin_step(step / steps)
                _update(run, gradients.add(rows), parameters, settings)
                last = {name: values[-1] for name, values in vars(log).items()}
                accelerator.log(last, step=step)
                report_step(step + 1, steps)
                if checkpoints is not None and _is_due(step + 1, steps, settings, checkpoints):
                    checkpoints.save(step + 1, run)
            if checkpoints is not None and checkpoints.keep_end and done < steps:
                checkpoints.save(steps, run, end=True)
            after = _sums(parameters)
        for tracker in accelerator.trackers:  # `end_training` would also part the processes
            tracker.finish()
        if before is not None and np.array_equal(before, after):
            raise TrainingCollapsed(
                f"No parameter changed in {steps} steps; the model learned nothing. Check that the "
                "targets differ from what it already predicts and that `learning_rate` is not tiny."
            )
        model.eval()
    return log


def _trained(model: Any) -> list[Any]:
    return [p for p in model.parameters() if p.requires_grad]


@contextmanager
def _gradients(
    alone: "_Gradients", optimizer: torch.optim.Optimizer, accelerator: Any
) -> Iterator[StepGradients]:
    """The gradients of this process, or of all that train together."""
    if team().count == 1:
        yield alone
        return
    if accelerator.is_fsdp2 and alone.batcher.head is not None:  # its weights are parts
        alone = replace(alone, batcher=replace(alone.batcher, head=None))
    fields = (alone.batcher, alone.targets, alone.settings.token_budget)
    with shared_module(alone.model, alone.loss, optimizer, accelerator) as module:
        yield SharedGradients(accelerator, module, *fields, alone.objective, alone.state)


def _is_due(step: int, steps: int, settings: Training, checkpoints: Checkpoints) -> bool:
    """Whether a checkpoint is written behind so many steps."""
    ends = step == steps and checkpoints.keep_end  # the end has its own
    return step % settings.checkpoint_steps == 0 and not ends


def _update(run: TrainingState, loss: float, parameters: list[Any], settings: Training) -> None:
    """One optimizer step with the gradients of a loss, which is logged.

    Raises:
        TrainingCollapsed: the loss or the gradient is not finite.
    """
    norm = float(whole(torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)))
    for name, number in (("loss", loss), ("gradient norm", norm)):
        if not math.isfinite(number):
            raise TrainingCollapsed(
                f"The {name} is {number} at step {len(run.log.loss) + 1}; training stopped and "
                "kept nothing of this step. Lower `learning_rate` (now "
                f"{settings.learning_rate:g}), or use `precision: fp32`."
            )
    run.log.loss.append(loss)
    run.log.learning_rate.append(float(run.schedule.get_last_lr()[0]))
    run.optimizer.step()
    run.schedule.step()
    run.optimizer.zero_grad(set_to_none=True)


def _sums(parameters: list[Any]) -> list[float]:
    return [float(whole(p.detach().double().sum())) for p in parameters]


@dataclass(frozen=True, eq=False)
class _Gradients:
    """The loss of a step's examples, and its gradients."""

    model: Any
    batcher: Batcher
    targets: Floats
    weights: Floats
    settings: Training
    objective: BaseObjective
    state: ObjectiveState
    budget: TokenBudget

    def add(self, rows: Ints) -> float:
        """Set the gradients of one step's examples; the loss."""
        plan = partial(self.batcher.parts, rows)
        return self.budget.fit(plan, partial(self._add, rows))

    def _add(self, rows: Ints, parts: Sequence[Ints]) -> float:
        """The same in the given parts of the examples."""
        self.model.zero_grad(set_to_none=True)  # what a pass without memory left behind
        value, predictions = 0.0, []
        for part in parts:
            loss, logits = self.loss(part)
            loss = loss * (len(part) / len(rows))
            loss.backward()  # type: ignore[no-untyped-call]
            value += float(loss.detach())
            if self.state.needs_predictions:
                predictions.append(logits.detach())
        if self.state.needs_predictions:
            labels = self.batcher.tensor(self.targets[rows])
            labels = self.objective.single_labels(labels, self.state)
            order = torch.from_numpy(np.concatenate(parts))
            self.state.end_step(order, torch.cat(predictions), labels)
        return value

    def loss(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """The objective's loss of the given examples, and their logits."""
        width, precision = self.targets.shape[-1], self.settings.precision
        logits = forward(self.model, self.batcher, rows, width, precision)
        targets = self.batcher.targets(self.targets, rows)
        weights = self.batcher.tensor(self.weights[rows])
        self.state.rows = torch.from_numpy(rows)
        return self.objective.loss(logits, targets, weights, self.state), logits


def device() -> str:
    """The device that Accelerate chooses: `cuda`, `mps`, ... or `cpu`."""
    return str(_accelerator(None).device)


def _accelerator(settings: Training | None) -> Any:
    from accelerate import Accelerator, DistributedDataParallelKwargs

    tracker = None if settings is None or settings.report_to == "none" else settings.report_to
    options = {} if launched().count == 1 else {"mixed_precision": "no"}  # ours is a setting
    accelerator = Accelerator(
        log_with=tracker,
        project_dir=None if tracker is None else "runs",
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        **options,
    )
    if tracker is not None and settings is not None:
        accelerator.init_trackers("steelyard", config=settings.model_dump())
    return accelerator
