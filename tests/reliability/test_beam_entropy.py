"""How sure a language model is of its list of answers."""

from math import exp, nan

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.reliability import BeamEntropy
from steelyard.types import ABSTAIN
from vote_tables import votes


def test_the_score_is_the_mean_certainty_of_the_lists_that_say_something() -> None:
    """q0: exp(-(0.2 + 0.4) / 2); q1: the other voter abstains; q2: nobody answers."""
    said = [[0, 1], [1, ABSTAIN], [ABSTAIN, ABSTAIN]]
    table = votes(said, answers=2, entropy=np.array([0.2, 0.4, 0.7, 3, nan, nan]))
    found = BeamEntropy().estimate(table)
    assert found.score == pytest.approx([exp(-0.3), exp(-0.7), 0])
    np.testing.assert_array_equal(found.posterior, [[0.5, 0.5], [0, 1], [0.5, 0.5]])


def test_votes_without_lists_are_refused() -> None:
    with pytest.raises(InputError, match="needs voters that answer with lists"):
        BeamEntropy().estimate(votes([[0, 1]], answers=2))
