"""Pairs of similar texts, found without comparing all with all.

Texts are sets of hashed runs of 5 characters. MinHash signatures agree at a position with
probability equal to the Jaccard similarity J of two sets (Broder 1997, "On the resemblance and
containment of documents", section 3). Divided into b bands of r positions, two texts share a band
with probability 1 - (1 - J^r)^b; only such pairs are compared exactly.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from steelyard.types import Floats, Ints

SHINGLE = 5  # characters
POSITIONS = 256  # length of a signature
RECALL = 0.99  # probability that a pair exactly at the threshold is compared
MOST = 32  # pairs of one text within one band: bounds the work if all texts look alike

Hashes = npt.NDArray[np.uint32]


def similar_pairs(
    left: Sequence[str], right: Sequence[str], threshold: float
) -> tuple[Ints, Ints, Floats]:
    """Pairs (row of left, row of right, Jaccard similarity >= threshold), sorted by row."""
    if not left or not right:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    texts = [*left, *right]
    signatures = _signatures(texts)
    pairs = _candidates(signatures[: len(left)], signatures[len(left) :], threshold)
    rows = np.unique(np.concatenate([pairs[0], pairs[1] + len(left)]))
    table = _table([texts[i] for i in rows])
    similarity = np.empty(len(pairs[0]))
    for start in range(0, len(similarity), 4096):
        part = slice(start, start + 4096)
        a = table[np.searchsorted(rows, pairs[0][part])]
        b = table[np.searchsorted(rows, pairs[1][part] + len(left))]
        shared = np.asarray(a.multiply(b).sum(axis=1)).ravel()
        similarity[part] = shared / (np.diff(a.indptr) + np.diff(b.indptr) - shared)
    keep = similarity >= threshold
    return pairs[0][keep], pairs[1][keep], similarity[keep]


def shingles(texts: Sequence[str]) -> tuple[Hashes, Ints]:
    """Hashes of all runs of 5 characters, text after text, and where each text starts.

    A text of fewer characters is one run, padded with spaces.
    """
    padded = [text.ljust(SHINGLE) for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    size = len(codes) - SHINGLE + 1
    mixed = np.zeros(size, dtype=np.uint32)
    for offset in range(SHINGLE):
        mixed = _mix(mixed * np.uint32(0x01000193) + codes[offset : offset + size])
    lengths = np.array([len(text) for text in padded], dtype=np.int64)
    ends = np.cumsum(lengths)
    inside = np.ones(len(codes), dtype=bool)
    for offset in range(1, SHINGLE):
        inside[ends - offset] = False
    starts = np.concatenate([[0], np.cumsum(lengths - SHINGLE + 1)])
    return mixed[inside[:size]], starts.astype(np.int64)


def _mix(x: Hashes) -> Hashes:
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def _signatures(texts: Sequence[str], chunk: int = 1 << 21) -> Hashes:
    """Least hash of each text under `POSITIONS` hash functions, (N, POSITIONS)."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 2**32, POSITIONS, dtype=np.uint32) | np.uint32(1)
    offsets = rng.integers(0, 2**32, POSITIONS, dtype=np.uint32)
    rows = np.empty((len(texts), POSITIONS), dtype=np.uint32)
    ends = np.cumsum([len(text) for text in texts])
    start = 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + chunk)))
        hashes, starts = shingles(texts[start:stop])
        for position in range(POSITIONS):
            values = hashes * factors[position] + offsets[position]
            rows[start:stop, position] = np.minimum.reduceat(values, starts[:-1])
        start = stop
    return rows


def _candidates(left: Hashes, right: Hashes, threshold: float) -> tuple[Ints, Ints]:
    """Pairs of rows that agree at all positions of at least one band.

    Bands are the longest that still find a pair at the threshold with probability `RECALL`.
    """
    widths = (n for n in range(1, 33) if 1 - (1 - threshold**n) ** (POSITIONS // n) >= RECALL)
    width = max(widths, default=1)
    pairs = [np.empty(0, dtype=np.int64)]
    for start in range(0, POSITIONS - width + 1, width):
        a = _band_keys(left[:, start : start + width])
        b = _band_keys(right[:, start : start + width])
        order = np.argsort(b, kind="stable")
        low = np.searchsorted(b[order], a, side="left")
        high = np.searchsorted(b[order], a, side="right")
        number = np.minimum(high - low, MOST)
        rows = np.repeat(np.arange(len(a)), number)
        step = np.arange(len(rows)) - np.repeat(np.cumsum(number) - number, number)
        pairs.append(rows * len(right) + order[low[rows] + step])
    codes = np.unique(np.concatenate(pairs))
    return codes // len(right), codes % len(right)


def _band_keys(band: Hashes) -> npt.NDArray[np.uint64]:
    keys = np.zeros(len(band), dtype=np.uint64)
    for column in band.T:
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + column
        keys ^= keys >> np.uint64(29)
    return keys


def _table(texts: Sequence[str]) -> Any:
    """Which text has which run, (N, runs), of ones."""
    from scipy.sparse import csr_matrix

    if not texts:
        return csr_matrix((0, 1))
    hashes, starts = shingles(texts)
    row = np.repeat(np.arange(len(texts)), np.diff(starts))
    column = np.unique(hashes, return_inverse=True)[1]
    width = int(column.max()) + 1
    codes = np.unique(row * width + column)
    return csr_matrix((np.ones(len(codes)), np.divmod(codes, width)))
