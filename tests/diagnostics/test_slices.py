"""Counts of classes, and agreement and accuracy by slice."""

import numpy as np
import pytest

from steelyard.diagnostics.slices import class_counts, slices
from steelyard.types import ABSTAIN
from vote_tables import votes


def test_votes_and_labels_of_each_class_by_hand() -> None:
    table = votes([[0, 0, 1], [1, ABSTAIN, 1]], 2, classes=("no", "yes"))
    no, yes = class_counts(table, np.array([0, ABSTAIN]))
    assert (no.name, no.votes, no.share_of_votes) == ("no", 2, 0.4)
    assert (no.labels, no.share_of_labels, yes.labels) == (1, 1.0, 0)


def test_slices_by_hand() -> None:
    table = votes([[0, 0], [0, 1], [1, 1], [0, 0]], 2)
    names = ["de", "de", "en", ""]
    label, score = np.array([0, 0, 1, 0]), np.array([1.0, 0.5, 1.0, 1.0])
    truth = np.array([0, 1, ABSTAIN, 0])
    german, english = slices(table, names, label, score, truth)
    assert (german.name, german.items, german.votes, german.true_items) == ("de", 2, 4, 2)
    assert german.score == 0.75
    assert german.accuracy is not None
    assert german.accuracy.value == 0.5
    assert german.shares == (1.0, 0.0)
    # alpha: answers 0 0 and 0 1: D_o = 2, D_e = (16 - 9 - 1) / 3 = 2: alpha 0
    assert german.krippendorff is not None
    assert german.krippendorff.value == pytest.approx(0)
    assert (english.name, english.true_items, english.accuracy) == ("en", 0, None)
