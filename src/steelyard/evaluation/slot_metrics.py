"""Slots compared with the true ones: exact spans, and similar fillers that count in part.

A corpus is counted once; `metrics.slu_f1` and `span_f1` are computed from sums of the counts on
many resamples of the utterances, so that intervals and comparisons work as for other metrics.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.prompts.parse_slots import Slot
from steelyard.types import Floats


@dataclass(frozen=True, eq=False)
class SlotCounts:
    """What is right and wrong in N utterances; columns are true positives, false positives, misses.

    In `word` and `char` the distance of a filler from the true one, the share of wrong words or of
    wrong characters, counts as a fraction of a false positive and of a miss.
    """

    exact: Floats  # (N, 3)
    word: Floats  # (N, 3)
    char: Floats  # (N, 3)
    whole: npt.NDArray[np.bool_]  # (N,), whether all slots are right and none is missing

    def table(self, metric: str) -> Floats:
        """The counts that a metric sums, (N, 3): `exact` of span_f1, `word` + `char` of slu_f1."""
        return {"span_f1": self.exact, "slu_f1": self.word + self.char}[metric]


def count_slots(
    truth: Sequence[Sequence[Slot]], predicted: Sequence[Sequence[Slot] | None]
) -> SlotCounts:
    """Compare the slots of N utterances with the true ones.

    Exact: a predicted slot is right if a true slot that is not matched yet has the same type and
    filler. Word and char: predicted slots are matched in order, each with the unmatched true slot
    of its type whose filler is nearest (the first of equals); a match counts 1 as true positive,
    and its distance d as false positive and as miss. A prediction without an unmatched true slot of
    its type counts 1 as false positive, a true slot that stays unmatched 1 as miss.

        d_word = edits of words / words of the true filler      (above 1 for fillers far too long)
        d_char = edits of characters / length of the longer filler

    The true filler of d_word counts as one word at least.

    Args:
        truth: N lists of type and filler.
        predicted: N lists; None, an answer that cannot be read, has no slots and is never `whole`.

    Raises:
        InputError: `truth` and `predicted` have different lengths.

    Source: Bastianelli et al. 2020, arXiv:2011.13205, section 5 (and the authors' toolkit,
        pswietojanski/slurp, scripts/evaluation; an empty true filler is an error there).
    """
    if len(truth) != len(predicted):
        raise InputError(
            f"Slots must be given for each of {len(truth)} utterances, got {len(predicted)}."
        )
    pairs = [(list(true), list(slots or ())) for true, slots in zip(truth, predicted, strict=True)]
    exact, word, char = (
        np.array(rows, dtype=np.float64).reshape(-1, 3)
        for rows in (
            [_exact(*pair) for pair in pairs],
            [_matched(*pair, word_distance) for pair in pairs],
            [_matched(*pair, character_distance) for pair in pairs],
        )
    )
    readable = np.array([slots is not None for slots in predicted], dtype=bool)
    return SlotCounts(exact, word, char, readable & (exact[:, 1:] == 0).all(axis=1))


def _exact(truth: list[Slot], predicted: list[Slot]) -> tuple[float, float, float]:
    hits = sum((Counter(truth) & Counter(predicted)).values())
    return hits, len(predicted) - hits, len(truth) - hits


def _matched(
    truth: list[Slot], predicted: list[Slot], distance: Callable[[str, str], float]
) -> tuple[float, float, float]:
    unmatched = list(truth)
    hits = false = missed = 0.0
    for kind, filler in predicted:
        distances = {
            i: distance(true, filler) for i, (other, true) in enumerate(unmatched) if other == kind
        }
        if not distances:
            false += 1
            continue
        nearest = min(distances, key=distances.__getitem__)
        hits, false = hits + 1, false + distances[nearest]
        missed += distances[nearest]
        del unmatched[nearest]
    return hits, false, missed + len(unmatched)


def word_distance(truth: str, predicted: str) -> float:
    """Word error rate: edits of words over words of the truth (at least 1); may exceed 1.

    >>> word_distance("next friday", "friday")
    0.5
    """
    words = truth.split()
    return edits(words, predicted.split()) / max(len(words), 1)


def character_distance(truth: str, predicted: str) -> float:
    """Edits of characters over the length of the longer text, in [0, 1]; 0 for two empty ones.

    >>> round(character_distance("next friday", "friday"), 4)
    0.4545
    """
    return edits(truth, predicted) / max(len(truth), len(predicted), 1)


def edits(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that turn `a` into `b` (Levenshtein 1966)."""
    if a == b:
        return 0
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        above, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (left != right))
    return row[-1]
