"""Train a causal language model on which of two answers is better, by preference optimization.

A preference is a question with two choices. Its target is a distribution over the two: (1 - eps,
eps) is conservative DPO with a flip probability eps for each pair. The loss is in
`objectives/dpo.py`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.errors import InputError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import PretrainedFormat
from steelyard.models.lm.finetune_lm import (
    LmTraining,
    answer_batcher,
    load_for_training,
    train_rows,
)
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.pair_batches import Pairs, encode_pairs, pair_log_probs, two_answers
from steelyard.models.lm.prompt_tokens import context_size
from steelyard.models.lm.save_lm import save_lm
from steelyard.models.load import Pretrained
from steelyard.models.processes import by_all_processes
from steelyard.models.train import TrainingLog
from steelyard.objectives.dpo import DirectPreference, PairLoss
from steelyard.types import Floats, Ints


class PreferenceTuning(LmTraining):
    """How a language model is trained on preferences."""

    epochs: int = Field(1, ge=1)
    """Passes over the kept pairs; sets the number of optimizer steps."""
    learning_rate: float = Field(1e-5, gt=0)
    """Peak of a linear warm-up and decay to zero; 1e-6 is usual where no adapters are trained."""
    max_tokens: int = Field(512, ge=8)
    """Most tokens of prompt, answer and end together; a longer prompt loses its beginning, and is
    counted."""
    beta: float = Field(0.1, gt=0)
    """How strongly the model is held to what it was before."""
    loss: PairLoss = "sigmoid"
    """`sigmoid` (DPO, conservative where a target is soft), `robust`, `ipo` or `hinge`."""


@dataclass(frozen=True, eq=False)
class Preferrer(PretrainedFormat):
    """A causal language model after preference training."""

    pretrained: Pretrained
    tuning: PreferenceTuning
    model: Any
    tokenizer: Any
    truncated: int  # training pairs whose prompt was truncated
    dropped: dict[str, int]  # reason -> training pairs
    log: TrainingLog = field(default_factory=TrainingLog)

    def save(self, folder: Path) -> None:
        """Write the model to a folder, its weights as they are in memory; see `save_lm`."""
        save_lm(self.model, self.tokenizer, folder)

    def rewards(self, questions: Pairs) -> Floats:
        """Implicit rewards beta * ln(pi / ref) of each question's two answers, (N, 2).

        NaN for a question that exceeds the context. For `ipo` they are per token, as trained.
        """
        limit = min(self.tuning.max_tokens, context_size(self.model, self.tokenizer))
        rows = encode_pairs(self.tokenizer, questions, limit)
        precision = self.tuning.precision
        options: Any = {"precision": precision, "mean": self.tuning.loss == "ipo"}
        after = pair_log_probs(self.model, answer_batcher(self.model, rows, precision), **options)
        reference = load_causal(self.pretrained, precision=precision)
        before = pair_log_probs(reference, answer_batcher(reference, rows, precision), **options)
        rewards = np.full((len(questions), 2), np.nan)
        rewards[rows.fit] = self.tuning.beta * (after - before)
        return rewards

    def probabilities(self, questions: Pairs) -> Floats:
        """P(answer is the better one) by Bradley and Terry's model of the rewards, (N, 2).

        If a question exceeds the context there is a third column for it, (N, 3): it is wrong,
        whatever the truth.
        """
        rewards = self.rewards(questions)
        unfit = np.isnan(rewards[:, 0])
        probs = np.zeros((len(rewards), 3))
        probs[~unfit, :2] = bradley_terry(rewards[~unfit])
        probs[unfit, 2] = 1.0
        return probs if unfit.any() else probs[:, :2]


def bradley_terry(rewards: Floats) -> Floats:
    """P(answer is the better one) of two rewards each, (N, 2): s(r1 - r2) and s(r2 - r1).

    ln P1 - ln P2 is r1 - r2 again, also where one of them rounds to 1.

    >>> bradley_terry(np.array([[0.0, np.log(3)]])).round(3).tolist()
    [[0.25, 0.75]]
    """
    from scipy.special import expit

    lead = rewards[:, 0] - rewards[:, 1]
    return np.stack([expit(lead), expit(-lead)], axis=1)


@by_all_processes
def train_dpo(
    pretrained: Pretrained,
    tuning: PreferenceTuning,
    questions: Pairs,
    targets: Floats,
    weights: Floats,
    *,
    seed: int,
    steps: int | None = None,
    checkpoints: Checkpoints | None = None,
) -> Preferrer:
    """Train a causal language model on pairs; the loss of a step is `objectives.dpo.dpo`.

    Dropped before anything else: pairs of weight 0 and, counted, pairs of two equal answers,
    with an empty answer, or with an answer that does not fit into the context.

    Args:
        pretrained: which weights; unchanged, they are also the reference.
        tuning: how they are trained.
        questions: N, with two choices each.
        targets: (N, 2), P(choice is the better one); rows sum to 1.
        weights: (N,), >= 0.
        seed: random seed for adapters, the order of pairs and dropout.
        steps: optimizer steps; None takes `tuning.epochs` over the pairs with a weight.
        checkpoints: from which a killed run resumes.

    Raises:
        InputError: a question has not two choices, no pair can be learned, or the robust loss has
            a pair with even targets, for which it is not defined.
        ConfigError: the tokenizer has no end token.
        TrainingError: as `models.train.train`.
    """
    usable, reasons = usable_pairs(questions)
    kept = np.flatnonzero((weights > 0) & usable)
    dropped = {name: int((weights[pairs] > 0).sum()) for name, pairs in reasons.items()}
    model, tokenizer, limit = load_for_training(pretrained, tuning)
    rows = encode_pairs(tokenizer, [questions[int(i)] for i in kept], limit)
    dropped["too long"] = len(kept) - len(rows.fit)
    if not len(rows.fit):
        raise InputError(
            f"None of {len(questions):,} pairs can be learned: two different answers that fit into "
            f"{limit} tokens are needed; dropped are {_listed(dropped)}."
        )
    fit = kept[rows.fit]
    if tuning.loss == "robust":
        _refuse_even([questions[int(i)] for i in fit], targets[fit])
    mean = tuning.loss == "ipo"
    precision = tuning.precision
    reference = pair_log_probs(model, answer_batcher(model, rows, precision), precision, mean=mean)
    model, log = train_rows(
        model,
        answer_batcher(model, rows, precision, reference=reference),
        targets[fit],
        weights[fit],
        tuning,
        DirectPreference(beta=tuning.beta, variant=tuning.loss),
        steps=steps or tuning.steps(int((weights > 0).sum())),
        seed=seed,
        checkpoints=checkpoints,
    )
    truncated = rows.encoded.truncated
    return Preferrer(pretrained, tuning, model, tokenizer, truncated, dropped, log)


def _refuse_even(questions: Pairs, targets: Floats) -> None:
    """Refuse pairs with even targets, for which the robust loss is not defined."""
    even = np.flatnonzero(np.abs(targets[:, 0] - 0.5) < 1e-6)
    if len(even):
        raise InputError(
            f"`loss: robust` needs labels that are right more often than not; that of "
            f"{questions[int(even[0])].id!r} is even. Drop such pairs, or use `sigmoid`."
        )


def usable_pairs(
    questions: Pairs,
) -> tuple[npt.NDArray[np.bool_], dict[str, Ints]]:
    """Which pairs have two different answers, (N,), and the rows of the others, by reason.

    Raises:
        InputError: a question has another number of choices than two.
    """
    for question in questions:
        count = len(two_answers(question))
        if count != 2:
            raise InputError(f"A preference must have two choices; {question.id!r} has {count}.")
    plain = [tuple(choice.strip() for choice in two_answers(question)) for question in questions]
    empty = np.array([not (first and second) for first, second in plain], dtype=bool)
    same = np.array([first == second for first, second in plain], dtype=bool) & ~empty
    reasons = {"empty answer": np.flatnonzero(empty), "equal answers": np.flatnonzero(same)}
    return ~(empty | same), reasons


def _listed(dropped: dict[str, int]) -> str:
    return ", ".join(f"{count} ({name})" for name, count in dropped.items() if count) or "none"
