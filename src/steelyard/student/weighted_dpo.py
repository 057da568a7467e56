"""TRL's DPOTrainer with a weight and a doubt for each pair: for those who train with TRL.

A study trains preferences with `student.preference`, whose loop stops on NaN and resumes exactly;
here are the same loss and gradients inside TRL's trainer, for what it brings (FSDP, DeepSpeed,
callbacks). Needs the extra `steelyard[trl]`. TRL reports to Hugging Face that a trainer was made;
HF_HUB_DISABLE_TELEMETRY=1 in the environment stops it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from trl import DPOTrainer

from steelyard.errors import ConfigError, InputError, TrainingError
from steelyard.objectives.losses.preference import dpo

COLUMNS = ("weight", "label_smoothing")
LOSSES = ("sigmoid", "robust", "ipo", "hinge")


class WeightedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """DPOTrainer on rows `prompt, chosen, rejected, weight, label_smoothing`.

    TRL drops columns that it does not know, and its `label_smoothing` does nothing to its default
    loss. Here both act, for each pair, as `losses.preference.dpo` says; TRL's own metrics (rewards,
    margins, accuracies) are logged as ever, and are of the pairs without their weights. Rows longer
    than `max_length` lose their end, as in TRL; rows of weight 0 are run and teach nothing.

    Args:
        args: a DPOConfig with `precompute_ref_log_probs=True`, one `loss_type` of `sigmoid`,
            `robust`, `ipo` and `hinge`, and `label_smoothing` left at 0.
        train_dataset: rows as above; so is `eval_dataset`, if there is one.

    Raises:
        ConfigError: `args` has another loss, or computes the reference on the fly.
        InputError: a column is missing, or a weight or doubt is out of range.
        TrainingError: the loss is not finite.
    """

    def __init__(self, model: Any, args: Any, train_dataset: Any, **rest: Any) -> None:
        losses = args.loss_type
        if len(losses) != 1 or losses[0] not in LOSSES or args.use_weighting:
            raise ConfigError(
                f"`loss_type` must be one of {', '.join(LOSSES)}, without `use_weighting`; "
                f"got {losses}."
            )
        if not args.precompute_ref_log_probs or args.label_smoothing or args.ld_alpha is not None:
            raise ConfigError(
                "A weighted DPO run needs `precompute_ref_log_probs=True`, no `ld_alpha`, and "
                "`label_smoothing` in a column of the rows; set the DPOConfig so."
            )
        for name, rows in (("train", train_dataset), ("eval", rest.get("eval_dataset"))):
            if rows is not None:
                _check(rows, name)
        super().__init__(model=model, args=args, train_dataset=train_dataset, **rest)
        self.data_collator: Any = _carrying(self.data_collator)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        known: list[str] = self._signature_columns
        known += [name for name in COLUMNS if name not in known]

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        inputs = dict(inputs)
        weight, doubt = (inputs.pop(name) for name in COLUMNS)
        seen: list[Tensor] = []

        def watched(**given: Any) -> Any:
            outputs = model(**given)
            seen.append(outputs.log_probs)
            return outputs

        found = super()._compute_loss(watched, inputs, return_outputs)  # logs TRL's metrics
        mask = inputs["completion_mask"][:, 1:]
        log_probs = seen[0][:, -mask.shape[1] :].sum(dim=1)
        reference = torch.cat([inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]])
        if self.loss_types[0] == "ipo":  # per token, as TRL has it
            tokens = mask.sum(dim=1).clamp(min=1)
            log_probs, reference = log_probs / tokens, reference / tokens
        loss = dpo(
            *log_probs.chunk(2),
            *reference.chunk(2),
            beta=self.beta,
            weights=weight,
            label_smoothing=doubt,
            loss=self.loss_types[0],
        )
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss is {loss.item()} at step {self.state.global_step + 1}; training "
                "stopped. Lower `learning_rate`, or train in float32."
            )
        return (loss, found[1]) if return_outputs else loss


def _carrying(collator: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """The collator, with weights and doubts beside the tokens."""

    def collate(examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = collator(examples)
        return batch | {name: torch.tensor([one[name] for one in examples]) for name in COLUMNS}

    return collate


def _check(rows: Any, name: str) -> None:
    for column, limit in zip(COLUMNS, (float("inf"), 1.0), strict=True):
        if column not in (rows.column_names or ()):
            raise InputError(
                f"The {name} rows must have a column `{column}`; they have {rows.column_names}. "
                "Write 1.0 (weight) or 0.0 (label_smoothing) where nothing is known."
            )
        for number, value in enumerate(rows[column]):
            if not 0 <= value <= limit or value == float("inf"):
                raise InputError(
                    f"`{column}` of {name} row {number} must be a number from 0"
                    f"{' to 1' if limit == 1 else ''}; got {value}."
                )
