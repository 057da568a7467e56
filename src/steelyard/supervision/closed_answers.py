"""Scores of the answers to closed questions: normalised, calibrated, averaged over orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from steelyard.models.lm.engines import LmEngine
from steelyard.models.lm.option_scores import (
    Normalise,
    OptionScores,
    answer_probabilities,
    normalised,
)
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints, OptionLogProbs

Calibrate: TypeAlias = Literal["none", "unconditional", "content_free", "batch"]
CONTENT_FREE = ("N/A", "[MASK]", "")
"""Items without content, of Zhao et al. 2021, section 5."""
NULL_ITEMS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "batch": (),
    "unconditional": ("",),
    "content_free": CONTENT_FREE,
}
Priors: TypeAlias = tuple[tuple[float, ...], ...]
"""Mean score of each class, or of each position shown, for each query."""


@dataclass(frozen=True, eq=False)
class ClosedScores:
    """What a model gives to the up to K answers of M prompts, before it is calibrated."""

    raw: OptionScores  # (M, K), forms of an answer pooled
    slots: Ints  # (M, K), what a prior may favour: class number, or the position of an option
    query: Ints  # (M,), number of each prompt's query
    null: Mapping[str, Floats]  # by item, (M, K): ln P of the answers where the item is another one

    def scores(
        self, normalise: Normalise, calibrate: Calibrate, priors: Priors | None = None
    ) -> Floats:
        """The score of each answer, (M, K); -inf where there is none.

        - `unconditional`: ln P(answer | prompt) - ln P(answer | prompt without its item).
        - `content_free`: less the logarithm of the answer's mean probability behind items without
          content.
        - `batch`: less the mean score of the answer's class or position over the batch, or that of
          `priors`.

        Source: Holtzman et al. 2021, arXiv:2104.08315 (unconditional: domain conditional PMI); Zhao
            et al. 2021, arXiv:2102.09690 (content-free); Fei et al. 2023, arXiv:2305.19148, and
            Zhou et al. 2024, arXiv:2309.17249 (mean over the batch).
        """
        raw = self.raw
        there = np.isfinite(raw.log_probs)
        logs = np.where(there, raw.log_probs, 0.0)
        sizes = (raw.tokens, raw.bytes, normalise)
        scores = normalised(logs, *sizes)
        if calibrate == "unconditional":
            scores = normalised(logs - np.where(there, self.null[""], 0.0), *sizes)
        elif calibrate == "content_free":
            tables = [
                answer_probabilities(normalised(self.null[item], *sizes)) for item in CONTENT_FREE
            ]
            scores = scores - np.log(np.maximum(np.mean(tables, axis=0), 1e-300))
        elif calibrate == "batch":
            table = np.array(priors or self.priors(normalise))
            scores = scores - table[self.query[:, None], self.slots]
        return np.where(there, scores, -np.inf)

    def priors(self, normalise: Normalise) -> Priors:
        """Mean score of each slot by query, after the mean of each prompt's scores is taken out."""
        scores = self.scores(normalise, "none")
        there = np.isfinite(scores)
        finite = np.where(there, scores, 0.0)
        centred = finite - (finite.sum(axis=1) / np.maximum(there.sum(axis=1), 1))[:, None]
        width = scores.shape[1]
        cell = (self.query[:, None] * width + self.slots)[there]
        size = (int(self.query.max(initial=0)) + 1) * width
        counts = np.bincount(cell, minlength=size)
        sums = np.bincount(cell, weights=centred[there], minlength=size)
        means = (sums / np.maximum(counts, 1)).reshape(-1, width)
        return tuple(tuple(float(mean) for mean in row) for row in means)

    def take(self, rows: Ints) -> "ClosedScores":
        """Some of the prompts."""
        return ClosedScores(
            _take(self.raw, rows),
            self.slots[rows],
            self.query[rows],
            {item: table[rows] for item, table in self.null.items()},
        )


def score_closed(
    engine: LmEngine,
    asked: Sequence[PromptedQuestion],
    query: Ints,
    *,
    by_class: bool,
    null_items: Sequence[str],
    pool_forms: bool,
) -> ClosedScores:
    """Score the answers of M prompts, and behind other items, each distinct prompt once.

    Args:
        engine: a language model.
        asked: the prompts, with all that stands around them.
        query: (M,), number of each one's query.
        by_class: whether answers are classes; otherwise options are told apart by their position.
        null_items: items for calibration.
        pool_forms: add up the probabilities of an answer as it is, capitalised and in lower case.
    """

    def score(prompts: Sequence[PromptedQuestion]) -> OptionScores:
        if not pool_forms:
            return engine.score(prompts)
        forms = [[_forms(answer) for answer in prompt.answers] for prompt in prompts]
        flat = [
            replace(prompt, answers=tuple(text for texts in of_prompt for text in texts))
            for prompt, of_prompt in zip(prompts, forms, strict=True)
        ]
        counts = [[len(texts) for texts in of_prompt] for of_prompt in forms]
        return _pooled(engine.score(flat), counts)

    blank = [_with_item(prompt, item) for item in null_items for prompt in asked]
    distinct = {(prompt.whole, prompt.answers): prompt for prompt in blank}
    row_of = {text: len(asked) + row for row, text in enumerate(distinct)}
    scores = score([*asked, *distinct.values()])  # neighbours of one question share a tree
    raw = _take(scores, np.arange(len(asked)))
    rows = np.array([row_of[prompt.whole, prompt.answers] for prompt in blank], dtype=np.int64)
    null = dict(
        zip(null_items, scores.log_probs[rows.reshape(len(null_items), len(asked))], strict=True)
    )
    slots = np.tile(np.arange(raw.log_probs.shape[1]), (len(asked), 1))
    if not by_class:
        for row, prompt in enumerate(asked):
            slots[row, list(prompt.order)] = np.arange(len(prompt.order))
    return ClosedScores(raw, slots, query, null)


def mean_over_orders(
    scores: ClosedScores, final: Floats, turns: int
) -> tuple[OptionScores, Floats]:
    """Raw and final scores of prompts asked in `turns` orders each, the mean of each prompt's.

    Of the final ones it is the mean of their log-softmax.
    """
    if turns == 1:
        return scores.raw, final
    logs = np.log(np.maximum(answer_probabilities(final), 1e-300)).reshape(
        -1, turns, final.shape[1]
    )
    means = np.where(np.isfinite(final[::turns]), logs.mean(axis=1), -np.inf)
    raw = scores.raw
    fits = np.asarray(raw.fits.reshape(-1, turns).all(axis=1))
    logs = raw.log_probs.reshape(-1, turns, final.shape[1]).mean(axis=1)
    return replace(_take(raw, np.arange(0, len(raw), turns)), log_probs=logs, fits=fits), means


def raw_of(scores: Sequence[OptionScores], queries: int, answers: int) -> OptionLogProbs:
    """Log-probabilities in the order of the votes: by question, then by voter, then by query."""
    parts = []
    for score in scores:
        raw = OptionLogProbs.unknown(len(score), answers)
        width = score.log_probs.shape[1]
        there = score.fits[:, None] & np.isfinite(score.log_probs)
        raw.log_probs[:, :width] = np.where(there, score.log_probs, np.nan)
        raw.tokens[:, :width] = np.where(there, score.tokens, 0)
        raw.bytes[:, :width] = np.where(there, score.bytes, 0)
        parts.append(raw)
    size = len(scores[0]) // queries
    row = np.arange(len(scores[0])).reshape(size, 1, queries)
    order = row + len(scores[0]) * np.arange(len(scores))[:, None]
    return OptionLogProbs.stack(parts).take(order.reshape(-1))


def _take(raw: OptionScores, rows: Ints) -> OptionScores:
    return OptionScores(
        log_probs=raw.log_probs[rows],
        tokens=raw.tokens[rows],
        bytes=raw.bytes[rows],
        probs=raw.probs[rows],
        fits=raw.fits[rows],
        truncated=raw.truncated,
    )


def _forms(answer: str) -> tuple[str, ...]:
    """An answer as it is, capitalised, and in lower case, each once."""
    text = answer.lstrip()
    lead = answer[: len(answer) - len(text)]
    forms = (text, text[:1].upper() + text[1:], text.lower())
    return tuple(dict.fromkeys(lead + form for form in forms))


def _pooled(raw: OptionScores, counts: Sequence[Sequence[int]]) -> OptionScores:
    """The sum of the probabilities of each answer's forms; tokens and bytes of the first form."""
    width = max(map(len, counts), default=0)
    logs = np.full((len(counts), width), -np.inf)
    tokens, sizes = np.zeros((2, len(counts), width), dtype=np.int64)
    for row, sizes_of in enumerate(counts):
        starts = np.cumsum([0, *sizes_of[:-1]])
        used = raw.log_probs[row, : sum(sizes_of)]
        logs[row, : len(sizes_of)] = np.logaddexp.reduceat(used, starts)
        tokens[row, : len(sizes_of)] = raw.tokens[row, starts]
        sizes[row, : len(sizes_of)] = raw.bytes[row, starts]
    return OptionScores(logs, tokens, sizes, answer_probabilities(logs), raw.fits, raw.truncated)


def _with_item(prompt: PromptedQuestion, item: str) -> PromptedQuestion:
    start, end = prompt.item
    text = prompt.prompt[:start] + item + prompt.prompt[end:]
    return replace(prompt, prompt=text, item=(start, start + len(item)))
