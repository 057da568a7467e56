"""Teach a causal language model the answers that follow a prompt, and nothing of the prompt.

The loss is that of the answer's tokens and of the end token behind them: the model learns to stop.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import ConfigError, InputError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import Lora, with_adapters
from steelyard.models.frozen import Trunk
from steelyard.models.lm.completion_batches import (
    AnswerReader,
    AnswerRows,
    Reduction,
    encode_answers,
)
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.prompt_tokens import context_size
from steelyard.models.lm.token_targets import WrittenReader, encode_written, of_examples
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.train import Training, TrainingLog, device, train
from steelyard.objectives.losses import completion_loss
from steelyard.objectives.state import Objective, OfTokens
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints, TokenTargets


class Adapters(Lora):
    """Low-rank adapters of a language model, by default of the sizes of Guo and Yang 2024."""

    dropout: float = Field(0.05, ge=0, lt=1)
    """Of an adapter's input."""
    targets: Literal["all_linear", "query_value"] = "all_linear"
    """Every linear layer but the output's, or the attention's queries and values (the paper's)."""


class Tuning(Training):
    """How a language model is taught."""

    max_tokens: int = Field(512, ge=8)
    """Of prompt, answer and end together; a longer prompt is cut in its item, and counted."""
    lora: Adapters | None = Adapters()
    """Train adapters; `null` trains the weights themselves."""
    reduction: Reduction = "row_mean"
    """A row's loss: the mean over its answer's tokens, or their sum over the length of the longest
    row (`padded_mean`, as the paper's code has it: a long prompt takes weight off its answer)."""


@dataclass(frozen=True, eq=False)
class Completer:
    """A causal language model after training."""

    model: Any
    tokenizer: Any
    cut: int  # training examples whose item was cut
    left_out: int  # training examples whose answer did not fit; of a loss of tokens, answers
    log: TrainingLog = field(default_factory=TrainingLog)

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), config and tokenizer in Hugging Face's format."""
        model = self.model
        if hasattr(model, "merge_and_unload"):
            model = model.merge_and_unload()
        model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def finetune_lm(
    pretrained: Pretrained,
    tuning: Tuning,
    asked: Sequence[PromptedQuestion],
    targets: Floats,
    weights: Floats,
    *,
    seed: int,
    steps: int | None = None,
    checkpoints: Checkpoints | None = None,
    objective: OfTokens | None = None,
    written: TokenTargets | None = None,
) -> Completer:
    """Train a causal language model on prompts and their answers.

    The loss of example i is sum_k targets_ik * (mean cross-entropy of the tokens of answer k and
    of the end behind it); that of a step is the mean of weights_i times it. Examples of weight 0
    are left out before anything else; those whose answer does not fit into the context as well,
    and are counted.

    With an objective of tokens the loss of example i is sum_s share_s * (mean loss of the tokens of
    text s), over the texts of `written`; `targets` have no part in it. See `encode_written` for
    what is left out.

    Args:
        pretrained: which weights.
        tuning: how they are trained.
        asked: N prompts, each with the texts of its answers.
        targets: (N, K), rows sum to 1 over the answers that the prompt has.
        weights: (N,), >= 0.
        seed: of adapters, the order of examples and dropout.
        steps: optimizer steps; None takes `tuning.epochs` over the kept examples.
        checkpoints: where a killed run goes on.
        objective: of tokens; None is the cross-entropy.
        written: the texts of the N examples with their words, characters of which are those of the
            answers of `asked`; for an objective of tokens.

    Raises:
        InputError: no example's answer fits, or an objective of tokens lacks words or entropies.
        ConfigError: the tokenizer has no end token.
        TrainingError: as `models.train.train`.
    """
    kept = np.flatnonzero(weights > 0)
    tokenizer = load_tokenizer(pretrained)
    model = load_causal(pretrained, tuning.dropout).to(device())
    limit = min(tuning.max_tokens, context_size(model, tokenizer))
    some = [asked[int(i)] for i in kept]
    if objective is None:
        taught = encode_answers(tokenizer, some, targets[kept], limit)
        shares, left_out = targets[kept][taught.fit], len(kept) - len(taught.fit)
    else:
        taught = texts = encode_written(tokenizer, some, _words(objective, written, kept), limit)
        shares, left_out = texts.shares, texts.left_out
    if not len(taught.fit):
        raise InputError(
            f"None of {len(kept)} answers fits into {limit} tokens together with its "
            "instruction; raise `max_tokens`, or use a model with a longer context."
        )
    reader = _reader(model, taught, tuning, objective)
    _stop_at(model, tokenizer.eos_token_id)
    model.config.use_cache = False
    model = _prepare(model, tuning, seed)
    log = train(
        model,
        reader,
        shares,
        weights[kept[taught.fit]],
        tuning,
        steps=steps or tuning.steps(len(kept)),
        seed=seed,
        checkpoints=checkpoints,
        objective=objective or Objective(completion_loss),
    )
    model.config.use_cache = True
    return Completer(model, tokenizer, taught.encoded.cut, left_out, log)


def _words(objective: OfTokens, written: TokenTargets | None, kept: Ints) -> TokenTargets:
    if written is None:
        raise InputError(
            "An objective of single tokens needs the words' probabilities; use `language_model` "
            "supervisors with `beams`, or `api` supervisors with `words`."
        )
    found = of_examples(written, kept)
    if objective.by_entropy and (found.entropy is None or not np.isfinite(found.entropy).all()):
        raise InputError(
            "This objective compares the student with the entropy of the supervisors' lists, and "
            "some answers come without; use `language_model` supervisors with `beams`."
        )
    return found


def _reader(
    model: Any, taught: AnswerRows, tuning: Tuning, objective: OfTokens | None
) -> AnswerReader:
    options: dict[str, Any] = {
        "device": device(),
        "taught": taught,
        "reduction": tuning.reduction,
        "trims": "logits_to_keep" in inspect.signature(model.forward).parameters,
    }
    if objective is None:
        return AnswerReader(taught.encoded, **options)
    return WrittenReader(taught.encoded, objective=objective, **options)


def _stop_at(model: Any, end: int) -> None:
    """Generation stops at the token that is taught as the end, now and after saving."""
    known = model.generation_config.eos_token_id
    if known != end and not (isinstance(known, list) and end in known):
        model.config.eos_token_id = model.generation_config.eos_token_id = end


def _prepare(model: Any, tuning: Tuning, seed: int) -> Any:
    """Adapters or frozen layers, as the settings say."""
    if tuning.lora is None:
        if tuning.train_layers is not None:
            Trunk.freeze(model, tuning.train_layers)
        return model
    if tuning.train_layers is not None:
        raise ConfigError("`lora` and `train_layers` exclude each other; set `lora: null`.")
    targets = "all-linear" if tuning.lora.targets == "all_linear" else None
    return with_adapters(model, tuning.lora, "CAUSAL_LM", seed, targets)
