"""A random control has the targets and class shares of the arm that it controls."""

import numpy as np

from steelyard.reliability import VoteEntropy
from steelyard.selection import KeepMostReliable
from steelyard.studies.arms import Arm
from steelyard.studies.presets import complete
from steelyard.types import Votes


def votes(items: int = 60) -> Votes:
    """Three voters on two classes; class 0 is surer, so that a filter keeps more of it."""
    rng = np.random.default_rng(0)
    answer = np.where(
        rng.random((items, 3)) < np.where(np.arange(items) % 2, 0.6, 0.05)[:, None], 1, 0
    )
    example, voter = np.divmod(np.arange(3 * items), 3)
    ids = tuple(f"q{i}" for i in range(items))
    zero = np.zeros(3 * items, dtype=np.int64)
    sizes = np.full(items, 2)
    return Votes(ids, ("a", "b", "c"), ("plain",), example, voter, zero, answer.ravel(), sizes)


def test_soft_targets_and_class_shares_are_kept() -> None:
    selection = KeepMostReliable(labels="votes", ties="random")
    arm = Arm(name="paper", reliability=VoteEntropy(), selection=selection)
    control = next(part for part in complete((arm,)) if part.control_of == "paper")
    table = votes()
    reliability = VoteEntropy().estimate(table)
    truth = np.zeros(60, dtype=np.int64)
    filtered, drawn = (part.select(table, reliability, truth, 0) for part in (arm, control))
    assert ((drawn.targets > 0) & (drawn.targets < 1)).any()  # shares of votes, not majorities
    np.testing.assert_array_equal(drawn.targets, table.shares())
    labels = table.shares().argmax(axis=1)
    for kept in (filtered.weights > 0, drawn.weights > 0):
        assert (
            np.bincount(labels[kept]).tolist() == np.bincount(labels[filtered.weights > 0]).tolist()
        )
    assert ((drawn.weights > 0) != (filtered.weights > 0)).any()
