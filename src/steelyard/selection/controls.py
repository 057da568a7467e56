"""Controls, which keep the size and drop the information: random, shuffled weights or votes."""

from dataclasses import replace

import numpy as np

from steelyard.selection.label_and_ties import select
from steelyard.types import Selection, Votes

VERSION = 3  # the arm's own targets, and as many of each class
"""Raised when controls change without a change of settings."""


def random_keep(
    selection: Selection, everything: Selection, seed: int, *, per_class: bool = False
) -> Selection:
    """As many examples as a filter keeps, drawn at random from all, with the same labels.

    Args:
        selection: the filter's.
        everything: the same targets, soft or hard, with nothing filtered out.
        seed: random seed.
        per_class: keep as many of each class as the filter does.
    """
    labels = everything.targets.argmax(axis=1) if per_class else np.zeros(len(everything.ids))
    kept = selection.weights > 0
    order = np.random.default_rng(seed).permutation(len(labels))  # whatever the classes are called
    order = order[everything.weights[order] > 0]
    drawn = np.concatenate(
        [
            order[labels[order] == label][: int((kept & (labels == label)).sum())]
            for label in np.unique(labels[kept])
        ]
    )
    not_drawn = np.ones(len(selection.ids), dtype=bool)
    not_drawn[drawn] = False
    dropped = {"dropped before": everything.weights == 0, "not drawn": not_drawn}
    return select(selection.ids, everything.targets, dropped)


def shuffled_weights(selection: Selection, seed: int) -> Selection:
    """The same targets with the weights permuted among the kept examples."""
    kept = np.flatnonzero(selection.weights > 0)
    weights = selection.weights.copy()
    weights[kept] = np.random.default_rng(seed).permutation(weights[kept])
    dropped = {"dropped before": selection.weights == 0}
    return select(selection.ids, selection.targets, dropped, weights)


def shuffled_votes(votes: Votes, seed: int) -> Votes:
    """The same votes, all those on one example given to another with as many answers.

    What the votes on an example say is then independent of the example; shares of answers, skill
    and agreement of the voters are as before.

    Args:
        votes: on closed questions.
        seed: random seed.
    """
    rng = np.random.default_rng(seed)
    moved = np.arange(len(votes.ids))  # example -> the one that gets its votes
    for size in np.unique(votes.candidates):
        rows = np.flatnonzero(votes.candidates == size)
        moved[rows] = rng.permutation(rows)
    example = moved[votes.example]
    order = np.argsort(example, kind="stable")
    return replace(
        votes,
        example=example[order],
        **{name: getattr(votes, name)[order] for name in ("voter", "query", "answer")},
        probs=None if votes.probs is None else votes.probs[order],
        texts=tuple(votes.texts[int(i)] for i in order) if votes.texts else (),
        reasons=tuple(votes.reasons[int(i)] for i in order) if votes.reasons else (),
        entropy=None if votes.entropy is None else votes.entropy[order],
        raw=None if votes.raw is None else votes.raw.take(order),
    )
