"""Selections that use the truth: the ceiling, and the oracle that bounds any filter."""

from steelyard.selection.label_and_ties import select
from steelyard.types import Ints, Selection, one_hot
from steelyard.types.arrays import expected_hits

VERSION = 2
"""Raised when selections that see the truth change without a change of settings."""


def select_truth(ids: tuple[str, ...], truth: Ints, num_classes: int) -> Selection:
    """The ceiling's selection: every example with its true answer."""
    return select(ids, one_hot(truth, num_classes), {})


def keep_right(selection: Selection, truth: Ints) -> Selection:
    """A selection without its wrong labels: what a perfect filter could reach.

    A soft label is wrong if the truth is not the most probable answer, nor one of several.
    """
    wrong = expected_hits(truth, selection.targets) == 0
    dropped = {"dropped before": selection.weights == 0, "the label is wrong": wrong}
    return select(selection.ids, selection.targets, dropped, selection.weights)
