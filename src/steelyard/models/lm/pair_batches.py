"""Prompts with two answers each as token rows, and the log-probabilities of the answers."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from steelyard.models.batches import micro_batches
from steelyard.models.lm.completion_batches import (
    AnswerBatcher,
    AnswerRows,
    ended_answers,
    lay_out,
    prompt_sizes,
)
from steelyard.models.lm.prompt_tokens import fitted_prompts, prompt_tokens
from steelyard.models.score import INFERENCE_TOKENS, forward
from steelyard.objectives.chunks import in_chunks
from steelyard.objectives.dpo import answer_log_probs
from steelyard.objectives.tokens import xent
from steelyard.prompts import PromptedQuestion
from steelyard.prompts.shown_answers import set_off
from steelyard.types import Floats, Question

Pairs: TypeAlias = Sequence[Question | PromptedQuestion]
"""Prompts with two answers each; those of a `PromptedQuestion` are read as they stand."""


def two_answers(pair: Question | PromptedQuestion) -> tuple[str, ...]:
    """The texts of a pair's answers."""
    return pair.choices if isinstance(pair, Question) else pair.answers


def encode_pairs(tokenizer: Any, questions: Pairs, limit: int) -> AnswerRows:
    """Two rows for each question: the prompt unchanged, one of its two choices, an end token.

    A row has at most `limit` tokens. An answer is separated from its prompt by a space if neither
    has one there. A prompt that leaves no space for the longer answer loses its beginning. A
    question with an answer that is too long even so is not in `fit`.

    Raises:
        ConfigError: the tokenizer has no end token.
    """
    prompted = [question for question in questions if isinstance(question, PromptedQuestion)]
    if prompted:
        wholes = [question.whole for question in prompted]
        answers = ended_answers(tokenizer, wholes, [question.answers for question in prompted])
        fitted = fitted_prompts(tokenizer, prompted, prompt_sizes(answers, limit))
        return lay_out(tokenizer, *fitted, answers, [np.arange(2)] * len(prompted))
    return _encode_plain(tokenizer, [q for q in questions if isinstance(q, Question)], limit)


def _encode_plain(tokenizer: Any, questions: Sequence[Question], limit: int) -> AnswerRows:
    prompts = [
        f"{question.context}\n{question.text}" if question.context else question.text
        for question in questions
    ]
    texts = [
        tuple(set_off(prompt, choice) for choice in question.choices)
        for prompt, question in zip(prompts, questions, strict=True)
    ]
    answers = ended_answers(tokenizer, prompts, texts)
    front, *tokens = prompt_tokens(tokenizer, ["", *prompts])
    fitted: list[list[int] | None] = []
    for ids, size in zip(tokens, prompt_sizes(answers, limit), strict=True):
        shorter = front + ids[len(front) - size :] if size > len(front) else None
        fitted.append(ids if len(ids) <= size else shorter)
    truncated = np.array(
        [short is not ids for ids, short in zip(tokens, fitted, strict=True)], bool
    )
    return lay_out(tokenizer, fitted, truncated, answers, [np.arange(2)] * len(questions))


def pair_log_probs(model: Any, batcher: AnswerBatcher, precision: str, *, mean: bool) -> Floats:
    """ln P(answer | prompt) of the two answers of all pairs, or `mean` over tokens, (N, 2)."""
    encoded = batcher.encoded
    table = np.zeros((len(encoded), 2))
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for rows in micro_batches(np.arange(len(encoded)), encoded.costs, INFERENCE_TOKENS):
            targets = batcher.targets(np.zeros((len(encoded), 2)), rows)
            losses = in_chunks(xent, forward(model, batcher, rows, 2, precision), targets.tokens)
            table[rows] = answer_log_probs(losses, targets, mean=mean).double().cpu().numpy()
    model.train(was_training)
    return table
