"""Prompts with two answers each as token rows, and how much likelier training made the answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steelyard.errors import ConfigError
from steelyard.models.batches import micro_batches
from steelyard.models.encode import Encoded, flat
from steelyard.models.lm.completion_batches import AnswerReader, AnswerRows
from steelyard.models.lm.prompt_tokens import answer_tokens, prompt_tokens
from steelyard.models.score import INFERENCE_TOKENS, autocast, logits_of
from steelyard.prompts.settings import set_off
from steelyard.types import Floats, Question


def encode_pairs(tokenizer: Any, questions: Sequence[Question], limit: int) -> AnswerRows:
    """Two rows for each question: the prompt as it stands, one of its two choices, an end token.

    An answer is set off from its prompt by a space if neither brings one. A prompt that leaves no
    room for the longer answer loses its beginning: what is answered stands at its end. Where an
    answer alone is too long, the question is left out of `fit`.

    Args:
        tokenizer: of the model that is taught or asked.
        questions: N of them, with two choices each.
        limit: most tokens of a row.

    Raises:
        ConfigError: the tokenizer has no end token.
    """
    end = tokenizer.eos_token_id
    if end is None:
        raise ConfigError(
            "The model's tokenizer has no end token (`eos_token`), so an answer could not end; "
            "use another `model`, or set the token in its tokenizer_config.json."
        )
    prompts = [f"{one.context}\n{one.text}" if one.context else one.text for one in questions]
    front, *tokens = prompt_tokens(tokenizer, ["", *prompts])
    rows: list[list[int]] = []
    sizes, fit, cut = [], [], 0
    for i, (prompt, ids, one) in enumerate(zip(prompts, tokens, questions, strict=True)):
        texts = [set_off(prompt, choice) for choice in one.choices]
        answers = [[*answer, end] for answer in answer_tokens(tokenizer, prompt, texts)]
        room = limit - max(map(len, answers))
        if room <= len(front):
            continue
        if len(ids) > room:
            ids, cut = front + ids[len(front) - room :], cut + 1
        rows += [ids + answer for answer in answers]
        sizes += [len(ids)] * 2
        fit.append(i)
    encoded = Encoded(
        tokens=flat(rows),
        types=None,
        starts=np.cumsum([0, *map(len, rows)]),
        rows=2 * np.arange(len(fit) + 1),
        pad=int(tokenizer.pad_token_id),
        cut=cut,
    )
    candidate = np.tile(np.arange(2), len(fit))
    return AnswerRows(
        encoded, np.array(sizes, dtype=np.int64), candidate, np.array(fit, dtype=np.int64)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class PairReader(AnswerReader):
    """Gives the training loop ln pi(answer | prompt) - ln ref(answer | prompt) as its logits."""

    reference: Floats | None = None  # (N, 2), ln ref; None is 0
    mean: bool = False  # log-probabilities per token instead of their sum

    def answers(self, logits: Tensor, rows: Any, width: int = 2) -> Tensor:
        """Log-ratios of both answers, (B, 2), in nats."""
        table = super().answers(logits, rows, width)  # a mean over each answer's tokens
        if not self.mean:
            lengths = (self.encoded.lengths - self.taught.prompt).reshape(-1, 2)
            table = table * self._tensor(lengths[rows])
        if self.reference is not None:
            table = table - self._tensor(self.reference[rows].astype(np.float32))
        return table


def log_ratios(model: Any, reader: PairReader, precision: str) -> Floats:
    """What the reader gives for all its pairs, (N, 2), without gradients."""
    encoded = reader.encoded
    table = np.zeros((len(encoded), 2))
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for rows in micro_batches(np.arange(len(encoded)), encoded.costs, INFERENCE_TOKENS):
            with autocast(reader.device.split(":")[0], precision):
                logits = logits_of(model, reader.inputs(rows))
            table[rows] = reader.answers(logits, rows).double().cpu().numpy()
    model.train(was_training)
    return table
