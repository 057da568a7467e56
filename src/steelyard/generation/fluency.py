"""How probable continuations are under a reference model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from steelyard.generation.continuing import Continued
from steelyard.types import Floats


def reference_log_probs(
    model: Any, tokenizer: Any, rows: Sequence[Continued]
) -> tuple[Floats, Floats]:
    """ln P(continuation | prompt), and the continuation's tokens, (P, n) each.

    The tokens are those of the reference's vocabulary; an end token is not among them, because a
    continuation is cut. Both are 0 for an empty continuation and for one that the tokenizer cannot
    spell.
    """
    from steelyard.models.lm.sequence_scores import score_texts
    from steelyard.prompts import PromptedQuestion

    sizes = (len(rows), max((len(row.texts) for row in rows), default=0))
    log_probs, tokens = np.zeros(sizes), np.zeros(sizes)
    cells = [(p, j) for p, row in enumerate(rows) for j, t in enumerate(row.texts) if t.strip()]
    asked = []
    for p, row in enumerate(rows):
        texts = tuple(text for text in row.texts if text.strip())
        if texts:
            whole = (0, len(row.prompt))
            question = PromptedQuestion(row.id, str(p), row.prompt, texts, item=whole)
            asked.append(replace(question, keeps_end=True))
    if not asked:
        return log_probs, tokens
    scored = score_texts(model, tokenizer, asked)
    starts = scored.tokens.spans.rows
    for s, (p, j) in enumerate(cells):
        if not scored.reasons[s]:
            start, end = int(starts[s]), int(starts[s + 1]) - 1  # without the end token
            log_probs[p, j] = scored.token_log_probs[start:end].sum()
            tokens[p, j] = end - start
    return log_probs, tokens
