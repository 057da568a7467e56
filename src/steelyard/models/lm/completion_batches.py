"""Rows of prompt, answer and end token, and how likely a model finds their answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from steelyard.errors import ConfigError
from steelyard.models.batches import Batcher, sequences_of
from steelyard.models.encode import Encoded, flat
from steelyard.models.lm.prompt_tokens import answer_tokens, fit_prompt, prompt_tokens
from steelyard.objectives.losses import answer_likelihoods
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints

Reduction = Literal["row_mean", "padded_mean"]


@dataclass(frozen=True, eq=False)
class AnswerRows:
    """The answers of N examples that are taught, and where they start.

    Row s teaches answer `candidate[s]` of its example from token `prompt[s]` on; the row's last
    token is the end token.
    """

    encoded: Encoded  # of the examples that fit
    prompt: Ints  # (S,), tokens before the answer
    candidate: Ints  # (S,), number of the answer
    fit: Ints  # which of the N examples fit, ascending


def encode_answers(
    tokenizer: Any, asked: Sequence[PromptedQuestion], targets: Floats, limit: int
) -> AnswerRows:
    """A row for each answer with a target above 0.

    A prompt that is too long for its longest answer is cut in its item. An example whose answer
    and instruction alone are too long is left out.

    Args:
        tokenizer: of the model that is taught.
        asked: N prompts with the texts of their answers.
        targets: (N, K).
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
    known: dict[tuple[str, tuple[str, ...]], list[list[int]]] = {}
    answers, numbers = [], [np.flatnonzero(row) for row in targets]
    for one, taught in zip(asked, numbers, strict=True):
        texts = tuple(one.answers[k] for k in taught)
        key = (one.prompt[-64:], texts)  # closed questions have the same few answers
        if key not in known:
            known[key] = [[*ids, end] for ids in answer_tokens(tokenizer, one.prompt, texts)]
        answers.append(known[key])
    prompts = prompt_tokens(tokenizer, [one.prompt for one in asked])
    return lay_out(tokenizer, asked, prompts, answers, numbers, limit)


def lay_out(
    tokenizer: Any,
    asked: Sequence[PromptedQuestion],
    prompts: Sequence[list[int]],
    answers: Sequence[list[list[int]]],
    numbers: Sequence[Ints],
    limit: int,
) -> AnswerRows:
    """Rows of prompts and answers; where these are none, or do not fit, an example is left out.

    Args:
        tokenizer: of the model that is taught.
        asked: N prompts.
        prompts: their tokens.
        answers: tokens of each example's answers, the end token with them.
        numbers: of the same answers, for `AnswerRows.candidate`.
        limit: most tokens of a row.
    """
    rows: list[list[int]] = []
    prompt, candidate, counts, fit, cut = [], [], [], [], 0
    for i, (one, ids, own) in enumerate(zip(asked, prompts, answers, strict=True)):
        if not own:
            continue
        room = limit - max(map(len, own))
        if len(ids) > room:
            shorter = fit_prompt(tokenizer, one, room)
            if shorter is None:
                continue
            ids, cut = prompt_tokens(tokenizer, [shorter.prompt])[0], cut + 1
        rows += [ids + answer for answer in own]
        prompt += [len(ids)] * len(own)
        candidate += numbers[i].tolist()
        counts.append(len(own))
        fit.append(i)
    encoded = Encoded(
        tokens=flat(rows),
        types=None,
        starts=np.cumsum([0, *map(len, rows)]),
        rows=np.cumsum([0, *counts]),
        pad=int(tokenizer.pad_token_id),
        cut=cut,
    )
    return AnswerRows(encoded, *(np.array(c, dtype=np.int64) for c in (prompt, candidate, fit)))


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswerReader(Batcher):
    """Gives the training loop the likelihoods of answers as a classifier's gives logits."""

    taught: AnswerRows
    reduction: Reduction = "row_mean"
    trims: bool = False  # whether the model takes `logits_to_keep`

    def inputs(self, rows: Ints) -> dict[str, Tensor]:
        """Padded inputs of the rows of the given examples.

        A real token may be the padding token: the attention mask says which places are read.
        """
        inputs = super().inputs(rows)
        if self.trims:
            width = inputs["input_ids"].shape[1]
            inputs["logits_to_keep"] = torch.arange(self._start(rows), width, device=self.device)
        return inputs

    def answers(self, logits: Tensor, rows: Ints, width: int) -> Tensor:
        """Mean ln P of each answer's tokens, (B, width); 0 for answers that are not taught."""
        sequences, start = sequences_of(self.encoded, rows), self._start(rows)
        tokens = Batcher.inputs(self, rows)["input_ids"][:, start + 1 :]
        if not self.trims:
            logits = logits[:, start:]
        lengths, prompt = self.encoded.lengths[sequences], self.taught.prompt[sequences]
        place = np.arange(start + 1, start + 1 + tokens.shape[1])
        is_answer = (place >= prompt[:, None]) & (place < lengths[:, None])
        divisor = lengths - prompt
        if self.reduction == "padded_mean":  # the longest row of all, whatever the batch
            divisor = np.full(len(sequences), self.encoded.lengths.max() - 1)
        likelihoods = self.likelihoods(
            logits[:, :-1], tokens, self._tensor(is_answer), self._tensor(divisor), sequences
        )
        example = np.repeat(np.arange(len(rows)), np.diff(self.encoded.rows)[rows])
        cell = self._tensor(example * width + self.taught.candidate[sequences])
        table = torch.zeros(len(rows) * width, device=self.device)
        return table.index_add(0, cell, likelihoods).reshape(len(rows), width)

    def likelihoods(
        self, logits: Tensor, tokens: Tensor, is_answer: Tensor, divisor: Tensor, rows: Ints
    ) -> Tensor:
        """`losses.answer_likelihoods` of the given rows of `taught`, (S,)."""
        return answer_likelihoods(logits, tokens, is_answer, divisor)

    def _start(self, rows: Ints) -> int:
        """The first place whose next token is an answer's."""
        return int(self.taught.prompt[sequences_of(self.encoded, rows)].min()) - 1

    def _tensor(self, values: Any) -> Tensor:
        return torch.from_numpy(values).to(self.device)
