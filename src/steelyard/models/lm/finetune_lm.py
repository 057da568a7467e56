"""Fine-tune a causal language model on the answers that follow a prompt, and not on the prompt.

The loss is that of the answer's tokens and of the end token behind them: the model learns to stop.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import ConfigError, InputError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import Lora, PretrainedFormat, with_adapters
from steelyard.models.frozen import Trunk
from steelyard.models.lm.completion_batches import (
    AnswerBatcher,
    AnswerRows,
    Reduction,
    encode_answers,
)
from steelyard.models.lm.lm_memory import (
    gradient_checkpointing,
    output_layer,
    wants_checkpointing,
)
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.prompt_tokens import context_size
from steelyard.models.lm.save_lm import save_lm
from steelyard.models.lm.token_targets import encode_token_targets, of_examples
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.precision import Precision
from steelyard.models.processes import by_all_processes
from steelyard.models.score import without_adapters
from steelyard.models.train import Training, TrainingLog, device, train
from steelyard.objectives.base import BaseObjective
from steelyard.objectives.tokens import TokenCrossEntropy, TokenObjective
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints, TokenTargets


class Adapters(Lora):
    """Low-rank adapters of a language model, by default of the sizes of Guo and Yang 2024."""

    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout of an adapter's input, .05 in the paper; on a CPU it doubles the time of a step."""
    targets: Literal["all_linear", "query_value"] = "all_linear"
    """Every linear layer but the output's, or the attention's queries and values (the paper's)."""


class LmTraining(Training):
    """How a language model is trained, on answers or on preferences."""

    max_tokens: int = Field(512, ge=8)
    """Most tokens of prompt, answer and end together; longer prompts are truncated, and counted."""
    lora: Adapters | None = Adapters()
    """Train adapters; `null` trains the weights themselves."""
    gradient_checkpointing: bool | Literal["auto"] = "auto"
    """Keep the states between blocks only, and compute the rest again for the gradients: a third
    more time for a fraction of the memory. `auto` does it where a pass may need more than half of
    the memory that is free."""

    @property
    def trains_adapters(self) -> bool:
        return self.lora is not None

    @property
    def keeps_few_states(self) -> bool:
        return self.gradient_checkpointing is True


class Tuning(LmTraining):
    """How a language model is trained on answers."""

    max_tokens: int = Field(512, ge=8)
    """Most tokens of prompt, answer and end together; a longer prompt is truncated in its item, and
    counted."""
    reduction: Reduction = "row_mean"
    """A row's loss: the mean over its answer's tokens, or their sum over the length of the longest
    row (`padded_mean`, as in the paper's code: a long prompt reduces the weight of its answer)."""


@dataclass(frozen=True, eq=False)
class Completer(PretrainedFormat):
    """A causal language model after training."""

    model: Any
    tokenizer: Any
    truncated: int  # training examples whose item was truncated
    dropped: int  # training examples whose answer did not fit; of a token-level loss, answers
    log: TrainingLog = field(default_factory=TrainingLog)

    def save(self, folder: Path) -> None:
        """Write the model to a folder, its weights as they are in memory; see `save_lm`."""
        save_lm(self.model, self.tokenizer, folder)


@by_all_processes
def finetune_lm(
    pretrained: Pretrained,
    tuning: Tuning,
    prompted: Sequence[PromptedQuestion],
    targets: Floats,
    weights: Floats,
    *,
    seed: int,
    steps: int | None = None,
    checkpoints: Checkpoints | None = None,
    objective: TokenObjective | None = None,
    token_targets: TokenTargets | None = None,
    levels: Ints | None = None,
) -> Completer:
    """Train a causal language model on prompts and their answers.

    The loss of example i is sum_k targets_ik * (mean cross-entropy of the tokens of answer k and
    of the end behind it); that of a step is the mean of weights_i times it. Examples of weight 0
    are dropped first, then, counted, those whose answer exceeds the context.

    With a token-level objective the loss of example i is sum_s share_s * (mean loss of the tokens
    of text s), over the texts of `token_targets`, and `targets` are ignored. See
    `encode_token_targets` for what is dropped.

    Args:
        pretrained: which weights.
        tuning: how they are trained.
        prompted: N prompts, each with the texts of its answers.
        targets: (N, K), rows sum to 1 over the answers that the prompt has.
        weights: (N,), >= 0.
        seed: random seed for adapters, the order of examples and dropout.
        steps: optimizer steps; None takes `tuning.epochs` over the kept examples.
        checkpoints: from which a killed run resumes.
        objective: a token-level one; None is the cross-entropy.
        token_targets: the texts of the N examples with their words, characters of which are those
            of the answers of `prompted`; for token-level objectives.
        levels: (N,), in whose order an epoch shows the examples; None: at random.

    Raises:
        InputError: no example's answer fits, or the objective lacks words or entropies.
        ConfigError: the tokenizer has no end token.
        TrainingError: as `models.train.train`.
    """
    kept = np.flatnonzero(weights > 0)
    model, tokenizer, limit = load_for_training(pretrained, tuning)
    prompted = [prompted[int(i)] for i in kept]
    if objective is None:
        rows, shares, dropped = _answer_rows(tokenizer, prompted, targets[kept], limit)
    else:
        texts = _kept_texts(objective, token_targets, kept)
        token_rows = encode_token_targets(tokenizer, prompted, texts, limit)
        rows, shares, dropped = token_rows, token_rows.shares, token_rows.dropped
    _stop_at(model, tokenizer.eos_token_id)
    model, log = train_rows(
        model,
        answer_batcher(model, rows, tuning.precision, reduction=tuning.reduction),
        shares,
        weights[kept[rows.fit]],
        tuning,
        objective or TokenCrossEntropy(),
        steps=steps or tuning.steps(len(kept)),
        seed=seed,
        checkpoints=checkpoints,
        levels=None if levels is None else levels[kept[rows.fit]],
    )
    return Completer(model, tokenizer, rows.encoded.truncated, dropped, log)


def _answer_rows(
    tokenizer: Any, prompted: Sequence[PromptedQuestion], targets: Floats, limit: int
) -> tuple[AnswerRows, Floats, int]:
    """Rows of whole answers, the targets of the examples that fit, and how many do not.

    Raises:
        InputError: none fits.
    """
    rows = encode_answers(tokenizer, prompted, targets, limit)
    if not len(rows.fit):
        raise InputError(
            f"None of {len(prompted)} answers fits into {limit} tokens together with its "
            "instruction; raise `max_tokens`, or use a model with a longer context."
        )
    return rows, targets[rows.fit], len(prompted) - len(rows.fit)


def load_for_training(pretrained: Pretrained, tuning: LmTraining) -> tuple[Any, Any, int]:
    """The model on the device, its tokenizer, and the most tokens of a row."""
    tokenizer = load_tokenizer(pretrained)
    model = load_causal(
        pretrained,
        tuning.dropout,
        trained="all" if tuning.lora is None else "adapters",
        precision=tuning.precision,
    )
    return model, tokenizer, min(tuning.max_tokens, context_size(model, tokenizer))


def answer_batcher(
    model: Any, rows: AnswerRows, precision: Precision, **options: Any
) -> AnswerBatcher:
    """Batches of the rows for the model; `options` are fields of `AnswerBatcher`."""
    trims = "logits_to_keep" in inspect.signature(without_adapters(model).forward).parameters
    parts = {"answers": rows, "trims": trims, "head": output_layer(model, precision)}
    return AnswerBatcher(rows.encoded, device=device(), **{**parts, **options})


def train_rows(
    model: Any,
    batcher: AnswerBatcher,
    targets: Floats,
    weights: Floats,
    tuning: LmTraining,
    objective: BaseObjective,
    *,
    steps: int,
    seed: int,
    checkpoints: Checkpoints | None,
    levels: Ints | None = None,
) -> tuple[Any, TrainingLog]:
    """Train a loaded model on rows of answers; returns it with its adapters, and the log.

    Raises:
        ConfigError: both `lora` and `train_layers` are set.
        TrainingError: as `models.train.train`.
    """
    model.config.use_cache = False
    if not objective.lazy_logits:
        batcher = replace(batcher, head=None)
    checkpointing = wants_checkpointing(tuning, without_adapters(model), batcher)
    model = _prepare(model, tuning, seed)
    with gradient_checkpointing(model, checkpointing):
        log = train(
            *(model, batcher, targets, weights, tuning),
            steps=steps,
            seed=seed,
            checkpoints=checkpoints,
            objective=objective,
            levels=levels,
        )
    model.config.use_cache = True
    return model, log


def _kept_texts(objective: TokenObjective, texts: TokenTargets | None, kept: Ints) -> TokenTargets:
    """The texts of the kept examples, which must have what the objective needs."""
    if texts is None:
        raise InputError(
            "A token-level objective needs the words' probabilities; use `language_model` "
            "supervisors with `beams`, or `api` supervisors with `words`."
        )
    texts = of_examples(texts, kept)
    if objective.uses_entropy and (texts.entropy is None or not np.isfinite(texts.entropy).all()):
        raise InputError(
            "This objective compares the student with the entropy of the supervisors' lists, and "
            "some answers have none; use `language_model` supervisors with `beams`."
        )
    return texts


def _stop_at(model: Any, end: int) -> None:
    """Generation stops at the end token of the training rows, now and after saving."""
    stops = model.generation_config.eos_token_id
    if stops != end and not (isinstance(stops, list) and end in stops):
        model.config.eos_token_id = model.generation_config.eos_token_id = end


def _prepare(model: Any, tuning: LmTraining, seed: int) -> Any:
    """Adapters or frozen layers, as the settings say."""
    if tuning.lora is None:
        if tuning.train_layers is not None:
            Trunk.freeze(model, tuning.train_layers)
        return model
    if tuning.train_layers is not None:
        raise ConfigError("`lora` and `train_layers` exclude each other; set `lora: null`.")
    targets = "all-linear" if tuning.lora.targets == "all_linear" else None
    return with_adapters(model, tuning.lora, "CAUSAL_LM", seed, targets)
