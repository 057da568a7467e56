"""Prompts with two answers each as token rows, and the log-probabilities of the answers."""

from collections.abc import Sequence
from typing import Any

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
from steelyard.models.lm.prompt_tokens import prompt_tokens
from steelyard.models.score import INFERENCE_TOKENS, forward
from steelyard.objectives.chunks import in_chunks
from steelyard.objectives.dpo import answer_log_probs
from steelyard.objectives.tokens import xent
from steelyard.prompts.settings import set_off
from steelyard.types import Floats, Question


def encode_pairs(tokenizer: Any, questions: Sequence[Question], limit: int) -> AnswerRows:
    """Two rows for each question: the prompt unchanged, one of its two choices, an end token.

    A row has at most `limit` tokens. An answer is separated from its prompt by a space if neither
    has one there. A prompt that leaves no space for the longer answer loses its beginning. A
    question with an answer that is too long even so is not in `fit`.

    Raises:
        ConfigError: the tokenizer has no end token.
    """
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
