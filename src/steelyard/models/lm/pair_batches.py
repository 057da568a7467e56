"""Prompts with two answers each as token rows, and how probable a model finds the answers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from steelyard.models.batches import micro_batches
from steelyard.models.lm.completion_batches import AnswerBatcher, AnswerRows, lay_out
from steelyard.models.lm.prompt_tokens import answer_tokens, end_token, prompt_tokens
from steelyard.models.score import INFERENCE_TOKENS, forward
from steelyard.objectives.chunks import in_chunks
from steelyard.objectives.dpo import answer_log_probs
from steelyard.objectives.tokens import xent
from steelyard.prompts.settings import set_off
from steelyard.types import Floats, Question


def encode_pairs(tokenizer: Any, questions: Sequence[Question], limit: int) -> AnswerRows:
    """Two rows for each question: the prompt unchanged, one of its two choices, an end token.

    An answer is separated from its prompt by a space if neither has one there. A prompt that leaves
    no space for the longer answer loses its beginning: what is answered stands at its end. Where an
    answer alone is too long, the question is not in `fit`.

    Args:
        tokenizer: of the model that is trained or asked.
        questions: N of them, with two choices each.
        limit: most tokens of a row.

    Raises:
        ConfigError: the tokenizer has no end token.
    """
    end = end_token(tokenizer)
    prompts = [
        f"{question.context}\n{question.text}" if question.context else question.text
        for question in questions
    ]
    front, *tokens = prompt_tokens(tokenizer, ["", *prompts])
    answers = [
        [
            [*ids, end]
            for ids in answer_tokens(
                tokenizer, prompt, [set_off(prompt, c) for c in question.choices]
            )
        ]
        for prompt, question in zip(prompts, questions, strict=True)
    ]

    def shorten(i: int, size: int) -> list[int] | None:
        return front + tokens[i][len(front) - size :] if size > len(front) else None

    both = [np.arange(2)] * len(questions)
    return lay_out(tokenizer, tokens, answers, both, limit, shorten)


def pair_log_probs(model: Any, batcher: AnswerBatcher, precision: str, *, mean: bool) -> Floats:
    """ln P(answer | prompt) of both answers of all pairs, (N, 2), without gradients.

    Args:
        model: a causal language model.
        batcher: of the pairs.
        precision: of matrix products.
        mean: take the mean over an answer's tokens, not their sum.
    """
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
