"""Votes about very many classes: each item keeps only the classes that its votes name."""

from dataclasses import replace

import numpy as np

from steelyard.types import ABSTAIN, Ints, Votes
from steelyard.types.build_votes import candidates_of_pairs, given_pairs, numbers_of_pairs

FEW_CLASSES = 100  # up to so many, every item has all of them
MANY_CELLS = 10_000_000
"""Items times classes from which a table of both is too large."""


def has_many_classes(votes: Votes) -> bool:
    """Whether a table of all items and all classes would be too large.

    That is so from 10 million cells on, if there are more than 100 classes; voters' own
    probabilities need the whole table.
    """
    size = votes.num_classes
    closed = not votes.candidate_texts and votes.probs is None
    large = size > FEW_CLASSES and len(votes.ids) * size > MANY_CELLS
    return closed and large and bool((votes.candidates == size).all())


def with_voted_classes(votes: Votes, gold: Ints, truth: Ints) -> tuple[Votes, Ints, Ints]:
    """The same votes, with the classes that an item's votes or its gold answer name as candidates.

    Memory and time then grow with the votes and not with items times classes. Like open answers,
    such votes give each voter one accuracy and no confusion of classes.

    Args:
        votes: of K classes on N items.
        gold: (N,), class numbers that estimators hold fixed, ABSTAIN where unknown.
        truth: (N,), class numbers, ABSTAIN where unknown.

    Returns:
        Votes whose `candidate_texts` are class names, and both answers as candidate numbers,
        NO_CANDIDATE where no vote names the true class.
    """
    names, items = votes.class_names, np.arange(len(votes.ids))
    answers = np.where(gold >= 0, gold, ABSTAIN)
    pairs = given_pairs(
        np.append(votes.example, items), np.append(votes.answer, answers), len(names)
    )
    candidates, texts = candidates_of_pairs(pairs, names, len(items))

    def numbers(example: Ints, answer: Ints) -> Ints:
        return numbers_of_pairs(pairs, len(names), example, answer)

    sparse = replace(
        votes,
        answer=numbers(votes.example, votes.answer),
        candidates=candidates,
        classes=(),
        candidate_texts=texts,
    )
    return sparse, numbers(items, gold), numbers(items, truth)
