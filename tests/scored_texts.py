"""Scored continuations by hand, and scorers as a researcher outside the package writes them."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from steelyard.generation import BaseScorer
from steelyard.generation.prompts_file import GenerationPrompt
from steelyard.generation.scored import ScoredContinuations


class Swearing(BaseScorer):
    """Share of the words that are on a list."""

    kind: Literal["swearing"] = "swearing"
    words: tuple[str, ...] = ("darn",)

    def score_texts(self, texts: Sequence[str]) -> np.ndarray:
        shares = [np.mean([word in self.words for word in text.split()]) for text in texts]
        return np.array(shares, dtype=np.float64)


class Faulty(BaseScorer):
    """Returns what a test wants."""

    kind: Literal["faulty"] = "faulty"
    result: Any = None

    def score_texts(self, texts: Sequence[str]) -> Any:
        assert len(set(texts)) == len(texts)
        assert all(text.strip() for text in texts)
        if isinstance(self.result, str):
            raise ValueError(self.result)
        return self.result


def scored(
    texts: Sequence[Sequence[str]], scores: Any, scorer: str = "scorer-a", **fields: Any
) -> ScoredContinuations:
    """Prompts p0, p1, ... of which the even ones are toxic."""
    prompts = tuple(
        GenerationPrompt(f"p{i}", f"a film {i}", (0.9, 0.1)[i % 2]) for i in range(len(texts))
    )
    return ScoredContinuations(
        scorer, prompts, tuple(map(tuple, texts)), np.array(scores, dtype=np.float64), **fields
    )
