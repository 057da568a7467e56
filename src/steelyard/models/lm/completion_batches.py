"""Rows of prompt, answer and end token, and batches of them with their targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steelyard.models.batches import Batcher, ranges, sequences_of
from steelyard.models.encode import Encoded, flat
from steelyard.models.lm.prompt_tokens import end_token, fitted_prompts, tokens_of_answers
from steelyard.objectives.answers import AnswerTargets
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints

Reduction = Literal["row_mean", "padded_mean"]


@dataclass(frozen=True, eq=False)
class RowWords:
    """The words of the answers of S rows, and the supervisors' probabilities of them."""

    first: Ints  # (S,), where a row's answer begins in `word`
    word: Ints  # (T,), number of the word of each token, those of an answer together
    log_probs: Floats  # (W,), ln P of the words
    entropy: Floats | None = None  # (S,), of the supervisors' lists


@dataclass(frozen=True, eq=False)
class AnswerRows:
    """The answers that are learned of N examples, and where they start.

    Row s holds answer `candidate[s]` of its example from token `prompt[s]` on; the row's last token
    is the end token.
    """

    encoded: Encoded  # of the examples that fit
    prompt: Ints  # (S,), tokens before the answer
    candidate: Ints  # (S,), number of the answer
    fit: Ints  # which of the N examples fit, ascending
    words: RowWords | None = None  # where the supervisors' words are learned

    @property
    def answer_lengths(self) -> Ints:
        """Tokens of each row's answer, the end token with them, (S,)."""
        return self.encoded.lengths - self.prompt


def encode_answers(
    tokenizer: Any, prompted: Sequence[PromptedQuestion], targets: Floats, limit: int
) -> AnswerRows:
    """A row for each answer with a target above 0.

    A row has at most `limit` tokens. A prompt that is too long for its longest answer is truncated
    in its item. An example whose answer and instruction are too long together is dropped. Targets
    are (N, K).

    Raises:
        ConfigError: the tokenizer has no end token.
    """
    numbers = [np.flatnonzero(row) for row in targets]
    texts = [
        tuple(question.answers[k] for k in candidates)
        for question, candidates in zip(prompted, numbers, strict=True)
    ]
    answers = ended_answers(tokenizer, [question.whole for question in prompted], texts)
    sizes = prompt_sizes(answers, limit)
    return lay_out(tokenizer, *fitted_prompts(tokenizer, prompted, sizes), answers, numbers)


def ended_answers(
    tokenizer: Any, prompts: Sequence[str], answers: Sequence[tuple[str, ...]]
) -> list[list[list[int]]]:
    """Tokens of the answers to each prompt, the end token with them."""
    end = end_token(tokenizer)
    return [
        [[*ids, end] for ids in tokens] for tokens in tokens_of_answers(tokenizer, prompts, answers)
    ]


def prompt_sizes(answers: Sequence[list[list[int]]], limit: int) -> list[int]:
    """Tokens that each prompt may have in front of its longest answer."""
    return [limit - max(map(len, tokens), default=0) for tokens in answers]


def lay_out(
    tokenizer: Any,
    prompts: Sequence[list[int] | None],
    truncated: npt.NDArray[np.bool_],
    answers: Sequence[list[list[int]]],
    numbers: Sequence[Ints],
) -> AnswerRows:
    """Rows of prompts and answers; an example without answers, or too long, is dropped.

    Args:
        tokenizer: of the model that is trained.
        prompts: tokens of N prompts; None where a prompt is too long.
        truncated: (N,), which prompts are truncated.
        answers: tokens of each example's answers, the end token with them.
        numbers: of the same answers, for `AnswerRows.candidate`.
    """
    rows: list[list[int]] = []
    sizes, counts, fit = [], [], []
    for i, (prompt, texts) in enumerate(zip(prompts, answers, strict=True)):
        if prompt is None or not texts:
            continue
        rows += [prompt + answer for answer in texts]
        sizes += [len(prompt)] * len(texts)
        counts.append(len(texts))
        fit.append(i)
    encoded = Encoded(
        tokens=flat(rows),
        types=None,
        starts=np.cumsum([0, *map(len, rows)]),
        rows=np.cumsum([0, *counts]),
        pad=int(tokenizer.pad_token_id),
        truncated=int(truncated[fit].sum()),
    )
    candidate = [number for i in fit for number in numbers[i]]
    columns = [np.array(column, dtype=np.int64) for column in (sizes, candidate, fit)]
    return AnswerRows(encoded, columns[0], columns[1], columns[2])


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswerBatcher(Batcher):
    """Makes batches of rows; only the logits of the answers' tokens count."""

    answers: AnswerRows
    reduction: Reduction = "row_mean"
    trims: bool = False  # whether the model takes `logits_to_keep`
    reference: Floats | None = None  # (N, K), ln P of the answers before training

    def inputs(self, rows: Ints) -> dict[str, Tensor]:
        """Padded inputs of the rows of the given examples.

        A real token may be the padding token: the attention mask says which positions are read.
        """
        inputs = super().inputs(rows)
        if self._trimmed:
            width = inputs["input_ids"].shape[1]
            inputs["logits_to_keep"] = torch.arange(self._start(rows), width, device=self.device)
        return inputs

    def select(self, logits: Tensor, rows: Ints, width: int) -> Tensor:
        """The logits of all answer tokens of the given examples, (T, V), row by row.

        Of hidden states, where there is a `head`, those that make them, (T, d).
        """
        sequences = sequences_of(self.encoded, rows)
        sizes = self.answers.answer_lengths[sequences]
        start = (
            self._start(rows) if self._trimmed else 0
        )  # of the first logits that the model gives
        row = np.repeat(np.arange(len(sequences)), sizes)
        before = self.answers.prompt[sequences] - 1 - start  # logits that predict the first token
        return logits[self._tensor(row), self._tensor(ranges(before, sizes))]

    def targets(self, targets: Floats, rows: Ints) -> AnswerTargets:
        """Targets of those logits, from targets (N, K) of all examples by number of the answer."""
        sequences, width = sequences_of(self.encoded, rows), targets.shape[-1]
        sizes = self.answers.answer_lengths[sequences]
        starts = self.encoded.starts[sequences] + self.answers.prompt[sequences]
        divisor = sizes
        if self.reduction == "padded_mean":  # the longest row of all, whatever the batch
            divisor = np.full(len(sequences), self.encoded.lengths.max() - 1)
        example = np.repeat(np.arange(len(rows)), np.diff(self.encoded.rows)[rows])
        return AnswerTargets(
            tokens=self._tensor(self.encoded.tokens[ranges(starts, sizes)].astype(np.int64)),
            row=self._tensor(np.repeat(np.arange(len(sequences)), sizes)),
            divisor=self._tensor(divisor),
            cell=self._tensor(example * width + self.answers.candidate[sequences]),
            shares=self.tensor(targets[rows]),
            reference=None if self.reference is None else self.tensor(self.reference[rows]),
            **self._words(sequences, sizes),
        )

    def _words(self, sequences: Ints, sizes: Ints) -> dict[str, Any]:
        """The words of the answers' tokens, renumbered, with the supervisors' probabilities."""
        words = self.answers.words
        if words is None:
            return {}
        tokens = words.word[ranges(words.first[sequences], sizes)]
        numbers, word = np.unique(tokens, return_inverse=True)
        return {
            "word": self._tensor(word),
            "word_log_probs": self._tensor(words.log_probs[numbers]),
            "entropies": None if words.entropy is None else self._tensor(words.entropy[sequences]),
        }

    @property
    def _trimmed(self) -> bool:
        return self.trims and self.head is None

    def _start(self, rows: Ints) -> int:
        """The first position whose next token is an answer's."""
        return int(self.answers.prompt[sequences_of(self.encoded, rows)].min()) - 1

    def _tensor(self, values: Any) -> Tensor:
        return torch.from_numpy(values).to(self.device)
