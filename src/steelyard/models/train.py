"""The training loop: weighted soft targets, a fixed number of steps, exact resumption.

A loop on Accelerate and not a Trainer subclass; docs/decisions/0002-training-loop.md says why.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from steelyard.errors import TrainingError
from steelyard.models.batches import Batcher, plan, tensors
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.score import autocast, logits_of
from steelyard.models.sparse_embeddings import only_rows_in_use
from steelyard.objectives.losses import cross_entropy
from steelyard.objectives.state import Objective, in_order
from steelyard.progress import report_step
from steelyard.types import Floats, Ints


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
    """Of AdamW, on matrices only: biases and norms do not decay."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Longer gradients are scaled down to this length."""
    max_tokens: int = Field(128, ge=8)
    """Longer inputs are cut, and counted."""
    token_budget: int = Field(8192, ge=64)
    """Padded tokens of one forward pass; bounds memory, changes no result beyond rounding. On a
    processor 1536 are the most, because larger passes are slower there."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Burns et al. train without dropout; on a CPU it also costs time."""
    train_layers: int | None = Field(None, ge=1)
    """Train the top n blocks only; what lies below is frozen and run once per text."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Of matrix products. Master weights are float32 always."""
    checkpoint_steps: int = Field(200, ge=1)
    """A killed run goes on from its newest verified checkpoint."""
    report_to: Literal["none", "trackio", "tensorboard", "wandb"] = "none"
    """Tracker for the loss; Steelyard keeps its own record in any case."""

    def steps(self, rows: int) -> int:
        """Optimizer steps for so many kept examples."""
        return self.epochs * math.ceil(rows / self.batch_size)


@dataclass
class TrainingLog:
    """What training saw, step by step."""

    loss: list[float] = field(default_factory=list)  # nats, one entry a step
    learning_rate: list[float] = field(default_factory=list)


def train(
    model: Any,
    reader: Batcher,
    targets: Floats,
    weights: Floats,
    settings: Training,
    *,
    steps: int,
    seed: int,
    checkpoints: Checkpoints | None = None,
    objective: Objective | None = None,
) -> TrainingLog:
    """Train the parameters that require gradients, in place.

    Each step minimises `objective` over `batch_size` examples. A step of more than `token_budget`
    padded tokens is done in parts whose gradients add up to that of the whole.

    Args:
        model: a classifier or chooser as `models.load` makes it.
        reader: inputs of the N examples.
        targets: (N, K), rows sum to 1; (N, M, K) for objectives that hear M supervisors.
        weights: (N,), positive: leave weight 0 out before.
        settings: see `Training`.
        steps: optimizer steps.
        seed: of the order of examples and of dropout.
        checkpoints: where to save and resume; None trains in one go.
        objective: what is minimised; None is the cross-entropy.

    Raises:
        TrainingError: the loss or a gradient is not finite, or no parameter changed.
    """
    torch.manual_seed(seed)
    log, done = TrainingLog(), 0
    objective = objective or Objective(cross_entropy)
    with only_rows_in_use(model, reader.encoded, log.learning_rate, settings.weight_decay):
        accelerator = _accelerator(settings)
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = _optimizer(parameters, objective, settings)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _ramp(steps, settings.warmup))
        if checkpoints is not None:
            done = checkpoints.resume(model, optimizer, schedule, log, objective)
        before = [float(p.detach().double().sum()) for p in parameters] if done == 0 else None
        model.train()
        for step, rows in enumerate(plan(reader.encoded.costs, settings.batch_size, steps, seed)):
            if step < done:
                continue
            objective.begin_step(step / steps)
            value = _add_gradients(model, reader, targets, weights, rows, settings, objective)
            norm = float(torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm))
            _refuse_nan(value, norm, step, settings)
            log.loss.append(value)
            log.learning_rate.append(float(schedule.get_last_lr()[0]))
            accelerator.log({"loss": value, "learning_rate": log.learning_rate[-1]}, step=step)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            report_step(step + 1, steps)
            if checkpoints is not None and (step + 1) % settings.checkpoint_steps == 0:
                checkpoints.save(step + 1, model, optimizer, schedule, log, objective)
        accelerator.end_training()
        _refuse_no_change(before, parameters, steps)
        model.eval()
    return log


def _add_gradients(
    model: Any,
    reader: Batcher,
    targets: Floats,
    weights: Floats,
    rows: Ints,
    settings: Training,
    objective: Objective,
) -> float:
    """The loss of one step's examples, in parts that keep to the token budget."""
    value, said = 0.0, []
    for part in reader.parts(rows, settings.token_budget):
        with autocast(reader.device.split(":")[0], settings.precision):
            logits = reader.answers(logits_of(model, reader.inputs(part)), part, targets.shape[-1])
        share = objective.loss(logits, *tensors(targets, weights, part, reader.device))
        share = share * (len(part) / len(rows))
        share.backward()  # type: ignore[no-untyped-call]
        value += float(share.detach())
        said.append((part, logits.detach()))
    objective.end_step(in_order(said, rows), tensors(targets, weights, rows, reader.device)[0])
    return value


def device() -> str:
    """The device that Accelerate chooses: `cuda`, `mps`, ... or `cpu`."""
    return str(_accelerator(None).device)


def _accelerator(settings: Training | None) -> Any:
    from accelerate import Accelerator

    tracker = None if settings is None or settings.report_to == "none" else settings.report_to
    accelerator = Accelerator(log_with=tracker, project_dir=None if tracker is None else "runs")
    if tracker is not None and settings is not None:
        accelerator.init_trackers("steelyard", config=settings.model_dump())
    return accelerator


def _optimizer(
    parameters: list[Any], objective: Objective, settings: Training
) -> torch.optim.Optimizer:
    """AdamW; biases and norms do not decay."""
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if learnt := objective.parameters():
        groups.append({"params": learnt, "weight_decay": 0.0, "lr": objective.learning_rate})
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def _ramp(steps: int, warmup: float) -> Callable[[int], float]:
    """Linear rise over the first `warmup` of the steps, then linear decay to zero."""
    rise = max(1, round(warmup * steps))

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return max(0.0, (steps - step) / max(1, steps - rise))

    return factor


def _refuse_nan(value: float, norm: float, step: int, settings: Training) -> None:
    for name, number in (("loss", value), ("gradient norm", norm)):
        if not math.isfinite(number):
            raise TrainingError(
                f"The {name} is {number} at step {step + 1}; training stopped and kept nothing of "
                f"this step. Lower `learning_rate` (now {settings.learning_rate:g}), or use "
                "`precision: fp32`."
            )


def _refuse_no_change(before: list[float] | None, parameters: list[Any], steps: int) -> None:
    if before is None:
        return
    after = [float(p.detach().double().sum()) for p in parameters]
    if np.array_equal(before, after):
        raise TrainingError(
            f"No parameter changed in {steps} steps; the model learnt nothing. Check that the "
            "targets differ from what it already says and that `learning_rate` is not tiny."
        )
