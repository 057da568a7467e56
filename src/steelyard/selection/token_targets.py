"""Token targets: how probable the supervisors find each word of each selected answer."""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.types import (
    ABSTAIN,
    Floats,
    Ints,
    Selection,
    Spans,
    TokenTargets,
    Votes,
    WordProbabilities,
)
from steelyard.types.arrays import tally

Words: TypeAlias = list[tuple[int, int, float]]
"""Begin, end and ln P of each word of a text."""
VERSION = 1
"""Raised when token targets change without a change of settings."""


def select_token_targets(
    votes: Votes, selection: Selection, pooled: npt.NDArray[np.bool_] | None = None
) -> TokenTargets | None:
    """The answers of a selection with their words; None if the votes have no words.

    An answer's word has the mean log-probability that the supervisors give it: the logarithmic pool
    whose sum over the words is that of the whole answer. With targets per supervisor nothing is
    pooled: each supervisor's label is a separate text, with the supervisor's share.

    A word boundary counts where all pooled supervisors have one. An answer that no supervisor could
    score is dropped, and the example's other answers share its weight. Its entropy is the mean over
    the lists of the supervisors that answered: all that are pooled, or the single supervisor.

    Args:
        votes: about N open questions.
        selection: of the same.
        pooled: (number of votes,), which votes are pooled; None: all.

    Source: Cui et al. 2024, arXiv:2406.03199 (their joint decoding keeps the words of the first
        supervisor that gave the answer; the pool is ours).
    """
    if votes.word_probs is None:
        return None
    counts = votes.candidates[votes.example]
    starts = np.cumsum(counts) - counts  # of each vote's candidates
    entropies = np.full(len(votes.example), np.nan) if votes.entropy is None else votes.entropy
    texts: list[tuple[int, int, float, float, Words]] = []
    edges = np.searchsorted(votes.example, np.arange(len(votes.ids) + 1))
    for i, (begin, end) in enumerate(pairwise(edges)):
        if selection.weights[i] > 0:
            rows = np.arange(begin, end)
            kept = rows if pooled is None else rows[pooled[rows]]
            for k, share, voting in _answers(votes, selection, i, kept):
                words = _pool(votes.word_probs, starts[voting] + k)
                if words:
                    texts.append((i, k, share, float(entropies[voting].mean()), words))
    numbers, candidate, shares, entropy, parts = zip(*texts, strict=True) if texts else [()] * 5
    example = np.array(numbers, dtype=np.int64)
    return TokenTargets(
        example=example,
        candidate=np.array(candidate, dtype=np.int64),
        share=np.array(shares) / tally(example, len(votes.ids), shares)[example],
        words=_flat(parts),
        entropy=None if votes.entropy is None else np.array(entropy, dtype=np.float64),
    )


def _flat(texts: Sequence[Words]) -> WordProbabilities:
    """Words of several texts as one table."""
    table = np.array([word for words in texts for word in words], dtype=np.float64).reshape(-1, 3)
    rows = np.cumsum([0, *map(len, texts)])
    begin, end = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    return WordProbabilities(Spans(rows, begin, end), table[:, 2])


def _answers(
    votes: Votes, selection: Selection, i: int, rows: Ints
) -> list[tuple[int, float, Ints]]:
    """Answers of example i in the selection, their shares, and the votes whose words count."""
    rows = rows[votes.answer[rows] != ABSTAIN]
    if selection.per_supervisor is None:
        targets: Floats = selection.targets[i]
        return [(int(k), float(targets[k]), rows) for k in np.flatnonzero(targets)]
    table, weights = selection.per_supervisor.targets[i], selection.per_supervisor.weights
    return [
        (int(k), float(weights[m] * table[m, k]), rows[votes.voter[rows] == m])
        for m in range(len(weights))
        for k in np.flatnonzero(table[m])
    ]


def _pool(words: WordProbabilities, texts: Ints) -> Words:
    """Begin, end and mean ln P of the words of one answer, over the supervisors that scored it."""
    spans = words.spans
    parts = [slice(spans.rows[t], spans.rows[t + 1]) for t in texts]
    parts = [part for part in parts if np.isfinite(words.log_probs[part]).all()]
    if not parts:
        return []
    ends = [spans.end[part] for part in parts]
    common = reduce(np.intersect1d, ends)  # the text's end is always among them
    logs = np.zeros(len(common))
    for part, end in zip(parts, ends, strict=True):
        sums = words.log_probs[part].cumsum()[np.searchsorted(end, common)]
        logs += np.diff(sums, prepend=0.0) / len(parts)
    first = np.concatenate([[0], np.searchsorted(ends[0], common[:-1]) + 1])
    begins = spans.begin[parts[0]][first]
    return [(int(b), int(e), float(x)) for b, e, x in zip(begins, common, logs, strict=True)]
