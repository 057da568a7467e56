"""Teach a causal language model which of two answers is better, by preference optimization.

A preference is a question with two choices. Its target, a distribution over the two, is how sure
the label is: (1 - eps, eps) is conservative DPO with an eps for each pair.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydantic import Field
from torch import Tensor

from steelyard.errors import InputError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.lm.finetune_lm import Adapters, _prepare
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.pair_batches import PairReader, encode_pairs, log_ratios
from steelyard.models.lm.prompt_tokens import context_size
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.train import Training, TrainingLog, device, train
from steelyard.objectives.losses.preference import PairLoss, dpo
from steelyard.objectives.state import Objective
from steelyard.types import Floats, Question


class PreferenceTuning(Training):
    """How a language model is taught preferences."""

    epochs: int = Field(1, ge=1)
    """Passes over the kept pairs; sets the number of optimizer steps."""
    learning_rate: float = Field(1e-5, gt=0)
    """Peak of a linear warm-up and decay to zero; 1e-6 is usual where no adapters are trained."""
    max_tokens: int = Field(512, ge=8)
    """Of prompt, answer and end together; a longer prompt loses its beginning, and is counted."""
    lora: Adapters | None = Adapters()
    """Train adapters; `null` trains the weights themselves."""
    beta: float = Field(0.1, gt=0)
    """How far the model is held to what it was before."""
    loss: PairLoss = "sigmoid"
    """`sigmoid` (DPO, conservative where a target is soft), `robust`, `ipo` or `hinge`."""


@dataclass(frozen=True, eq=False)
class Preferrer:
    """A causal language model after preference training."""

    pretrained: Pretrained
    tuning: PreferenceTuning
    model: Any
    tokenizer: Any
    cut: int  # training pairs whose prompt was cut
    left_out: dict[str, int]  # reason -> training pairs
    log: TrainingLog = field(default_factory=TrainingLog)

    def rewards(self, questions: Sequence[Question]) -> Floats:
        """Implicit rewards beta * ln(pi / ref) of each question's two answers, (N, 2).

        Of a question that does not fit they are NaN. For `ipo` they are per token, as trained.
        """
        limit = _limit(self.model, self.tokenizer, self.tuning)
        rows = encode_pairs(self.tokenizer, questions, limit)
        reader = _reader(self.model, rows, self.tuning)
        after = log_ratios(self.model, reader, self.tuning.precision)
        before = load_causal(self.pretrained).to(reader.device)
        rewards = np.full((len(questions), 2), np.nan)
        change = after - log_ratios(before, reader, self.tuning.precision)
        rewards[rows.fit] = self.tuning.beta * change
        return rewards

    def probabilities(self, questions: Sequence[Question]) -> Floats:
        """P(answer is the better one) by Bradley and Terry's model of the rewards, (N, 2).

        Where some question does not fit there is a third column for it, (N, 3): it is wrong,
        whatever the truth.
        """
        rewards = self.rewards(questions)
        lost = np.isnan(rewards[:, 0])
        probs = np.zeros((len(rewards), 3))
        probs[~lost, :2] = bradley_terry(rewards[~lost])
        probs[lost, 2] = 1.0
        return probs if lost.any() else probs[:, :2]

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), config and tokenizer in Hugging Face's format."""
        model = self.model
        if hasattr(model, "merge_and_unload"):
            model = model.merge_and_unload()
        model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def bradley_terry(rewards: Floats) -> Floats:
    """P(answer is the better one) of two rewards each, (N, 2): s(r1 - r2) and s(r2 - r1).

    ln P1 - ln P2 is r1 - r2 again, also where one of them rounds to 1.

    >>> bradley_terry(np.array([[0.0, np.log(3)]])).round(3).tolist()
    [[0.25, 0.75]]
    """
    from scipy.special import expit

    lead = rewards[:, 0] - rewards[:, 1]
    return np.stack([expit(lead), expit(-lead)], axis=1)


def train_dpo(
    pretrained: Pretrained,
    tuning: PreferenceTuning,
    questions: Sequence[Question],
    targets: Floats,
    weights: Floats,
    *,
    seed: int,
    steps: int | None = None,
    checkpoints: Checkpoints | None = None,
) -> Preferrer:
    """Train a causal language model on pairs; the loss of a step is `losses.preference.dpo`.

    Left out before anything else: pairs of weight 0 and, counted, pairs of two equal answers,
    with an empty answer, or with an answer that does not fit into the context.

    Args:
        pretrained: which weights; as they are, they are also the reference.
        tuning: how they are trained.
        questions: N of them, with two choices each.
        targets: (N, 2), P(choice is the better one); rows sum to 1.
        weights: (N,), >= 0.
        seed: of adapters, the order of pairs and dropout.
        steps: optimizer steps; None takes `tuning.epochs` over the pairs with a weight.
        checkpoints: where a killed run goes on.

    Raises:
        InputError: a question has not two choices, no pair is left, or an undecided pair meets
            the robust loss, which is not defined for it.
        ConfigError: the tokenizer has no end token.
        TrainingError: as `models.train.train`.
    """
    usable, left_out = usable_pairs(questions)
    kept = np.flatnonzero((weights > 0) & usable)
    left_out = {name: int((weights[rows] > 0).sum()) for name, rows in left_out.items()}
    tokenizer = load_tokenizer(pretrained)
    model = load_causal(pretrained, tuning.dropout).to(device())
    limit = _limit(model, tokenizer, tuning)
    rows = encode_pairs(tokenizer, [questions[int(i)] for i in kept], limit)
    left_out["too long"] = len(kept) - len(rows.fit)
    if not len(rows.fit):
        raise InputError(
            f"None of {len(questions):,} pairs can be taught: two different answers that fit into "
            f"{limit} tokens are needed; left out are {_listed(left_out)}."
        )
    fit = kept[rows.fit]
    even = fit[np.abs(targets[fit, 0] - 0.5) < 1e-6]
    if tuning.loss == "robust" and len(even):
        raise InputError(
            f"`loss: robust` needs labels that are right more often than not; that of "
            f"{questions[int(even[0])].id!r} is even. Leave such pairs out, or use `sigmoid`."
        )
    reader = _reader(model, rows, tuning)
    reader = replace(reader, reference=log_ratios(model, reader, tuning.precision))
    model.config.use_cache = False
    model = _prepare(model, cast(Any, tuning), seed)

    def loss(ratios: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
        nothing = ratios.new_zeros(len(ratios))  # the reference is in the ratios already
        return dpo(
            *(ratios[:, 0], ratios[:, 1], nothing, nothing),
            beta=tuning.beta,
            weights=weight,
            label_smoothing=wanted[:, 1],
            loss=tuning.loss,
        )

    log = train(
        model,
        reader,
        targets[fit],
        weights[fit],
        tuning,
        steps=steps or tuning.steps(int((weights > 0).sum())),
        seed=seed,
        checkpoints=checkpoints,
        objective=Objective(loss),
    )
    model.config.use_cache = True
    return Preferrer(pretrained, tuning, model, tokenizer, rows.encoded.cut, left_out, log)


def usable_pairs(questions: Sequence[Question]) -> tuple[Any, dict[str, Any]]:
    """Which pairs say something, (N,), and the rows of those that do not, by reason.

    Raises:
        InputError: a question has another number of choices than two.
    """
    for one in questions:
        if len(one.choices) != 2:
            raise InputError(
                f"A preference must have two choices; {one.id!r} has {len(one.choices)}."
            )
    plain = [tuple(choice.strip() for choice in one.choices) for one in questions]
    empty = np.array([not (first and second) for first, second in plain], dtype=bool)
    same = np.array([first == second for first, second in plain], dtype=bool) & ~empty
    reasons = {"empty answer": np.flatnonzero(empty), "equal answers": np.flatnonzero(same)}
    return ~(empty | same), reasons


def _limit(model: Any, tokenizer: Any, tuning: PreferenceTuning) -> int:
    return min(tuning.max_tokens, context_size(model, tokenizer))


def _reader(model: Any, rows: Any, tuning: PreferenceTuning) -> PairReader:
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return PairReader(
        rows.encoded,
        device=device(),
        taught=rows,
        trims="logits_to_keep" in inspect.signature(inner.forward).parameters,
        mean=tuning.loss == "ipo",
    )


def _listed(left_out: dict[str, int]) -> str:
    return ", ".join(f"{count} ({name})" for name, count in left_out.items() if count) or "none"
