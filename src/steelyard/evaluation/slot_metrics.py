"""Slots compared with the true ones: exact spans, and near fillers that count in part.

A corpus is counted once; `metrics.slu_f1` and `span_f1` are of the sums of the counts on many
resamples of the utterances, so that intervals and paired comparisons hold as for other metrics.
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

    `word` and `char` count the distance of a filler from the true one as so much of a false
    positive and of a miss: the share of wrong words and of wrong characters.
    """

    exact: Floats  # (N, 3)
    word: Floats  # (N, 3)
    char: Floats  # (N, 3)
    whole: npt.NDArray[np.bool_]  # (N,), whether all slots are right and none is missed

    def table(self, metric: str) -> Floats:
        """What a metric of slots sums, (N, 3): `exact` for span_f1, `word` + `char` for slu_f1."""
        return {"span_f1": self.exact, "slu_f1": self.word + self.char}[metric]


def count_slots(
    truth: Sequence[Sequence[Slot]], said: Sequence[Sequence[Slot] | None]
) -> SlotCounts:
    """Compare the slots of N utterances with the true ones.

    Exact: a predicted slot is right if a true one that is not used up has its type and filler. Word
    and char: each predicted slot in turn takes the true slot of its type that is not used up and
    whose filler is nearest (the first of equals); it counts 1 as true positive, and its distance d
    as false positive and as miss. A prediction whose type has no true slot left counts 1 as false
    positive, a true slot that nobody took 1 as miss.

        d_word = edits of words / words of the true filler      (above 1 for fillers far too long)
        d_char = edits of characters / length of the longer filler

    The true filler of d_word counts as one word at least.

    Args:
        truth: N lists of type and filler.
        said: N lists; None, an answer that cannot be read, has no slots and is never `whole`.

    Raises:
        InputError: not one list for each utterance.

    Source: Bastianelli et al. 2020, arXiv:2011.13205, section 5 (and the authors' toolkit,
        pswietojanski/slurp, scripts/evaluation; an empty true filler is an error there).
    """
    if len(truth) != len(said):
        raise InputError(
            f"Slots must be given for each of {len(truth)} utterances, got {len(said)}."
        )
    pairs = [(list(right), list(got or ())) for right, got in zip(truth, said, strict=True)]
    exact, word, char = (
        np.array([count(right, got) for right, got in pairs], dtype=np.float64).reshape(-1, 3)
        for count in (_exact, _word, _char)
    )
    readable = np.array([got is not None for got in said], dtype=bool)
    return SlotCounts(exact, word, char, readable & (exact[:, 1:] == 0).all(axis=1))


def _exact(truth: list[Slot], said: list[Slot]) -> tuple[float, float, float]:
    hits = sum((Counter(truth) & Counter(said)).values())
    return hits, len(said) - hits, len(truth) - hits


def _word(truth: list[Slot], said: list[Slot]) -> tuple[float, float, float]:
    return _softened(truth, said, word_distance)


def _char(truth: list[Slot], said: list[Slot]) -> tuple[float, float, float]:
    return _softened(truth, said, character_distance)


def _softened(
    truth: list[Slot], said: list[Slot], distance: Callable[[str, str], float]
) -> tuple[float, float, float]:
    left = list(truth)
    hits = false = missed = 0.0
    for kind, filler in said:
        places = [i for i, (other, _) in enumerate(left) if other == kind]
        if not places:
            false += 1
            continue
        apart = [distance(left[i][1], filler) for i in places]
        nearest = min(range(len(places)), key=apart.__getitem__)
        hits, false, missed = hits + 1, false + apart[nearest], missed + apart[nearest]
        del left[places[nearest]]
    return hits, false, missed + len(left)


def word_distance(truth: str, said: str) -> float:
    """Word error rate: edits of words over words of the truth (at least 1); may exceed 1.

    >>> word_distance("next friday", "friday")
    0.5
    """
    words = truth.split()
    return edits(words, said.split()) / max(len(words), 1)


def character_distance(truth: str, said: str) -> float:
    """Edits of characters over the length of the longer text, in [0, 1]; 0 for two empty ones.

    >>> round(character_distance("next friday", "friday"), 4)
    0.4545
    """
    return edits(truth, said) / max(len(truth), len(said), 1)


def edits(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that make `b` of `a` (Levenshtein 1966)."""
    if a == b:
        return 0
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, start=1):
        above, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (one != other))
    return row[-1]
