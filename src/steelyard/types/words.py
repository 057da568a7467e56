"""The words of texts: their positions, and their probabilities by a supervisor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.types.arrays import Floats, Ints


def members(counts: Ints, groups: Ints) -> Ints:
    """Row numbers of some groups of consecutive rows; group g has `counts[g]` rows.

    >>> members(np.array([2, 1, 3]), np.array([2, 0]))
    array([3, 4, 5, 0, 1])
    """
    starts = np.cumsum(counts) - counts
    sizes = counts[groups]
    first = starts[groups] - (np.cumsum(sizes) - sizes)
    return np.asarray(np.arange(int(sizes.sum())) + np.repeat(first, sizes), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Spans:
    """Parts of S texts, in order: part p of text s is its characters `begin[p]:end[p]`."""

    rows: Ints  # (S + 1,), parts rows[s]:rows[s + 1] are of text s
    begin: Ints  # (P,)
    end: Ints  # (P,)

    @property
    def text(self) -> Ints:
        """Number of the text of each part, (P,)."""
        return np.repeat(np.arange(len(self.rows) - 1), np.diff(self.rows))


@dataclass(frozen=True, eq=False)
class WordProbabilities:
    """Words of S texts, and the probability that a supervisor gives to each of them."""

    spans: Spans  # of W words
    log_probs: Floats  # (W,), ln P; nan in a text that the supervisor cannot score

    @staticmethod
    def stack(parts: "Sequence[WordProbabilities]") -> "WordProbabilities":
        """The texts of all parts, one part after the other."""
        sizes = np.cumsum([0, *(part.spans.rows[-1] for part in parts)])
        rows = [part.spans.rows[1:] + size for part, size in zip(parts, sizes, strict=False)]
        spans = Spans(
            np.concatenate([[0], *rows]),
            np.concatenate([part.spans.begin for part in parts]),
            np.concatenate([part.spans.end for part in parts]),
        )
        return WordProbabilities(spans, np.concatenate([part.log_probs for part in parts]))

    def take(self, texts: Ints) -> "WordProbabilities":
        """The words of some of the texts, in the order of `texts`."""
        counts = np.diff(self.spans.rows)
        rows = np.concatenate([[0], np.cumsum(counts[texts])])
        position = members(counts, texts)
        spans = Spans(rows, self.spans.begin[position], self.spans.end[position])
        return WordProbabilities(spans, self.log_probs[position])
