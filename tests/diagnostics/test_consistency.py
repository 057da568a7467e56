"""Agreement of a voter with itself over prompt variants: by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from steelyard.diagnostics.consistency import consistency
from steelyard.types import ABSTAIN, Votes


def asked(answers: list[list[int]], k: int = 2) -> Votes:
    """One voter, answers[item][way]."""
    rows = np.array(answers)
    item, way = np.indices(rows.shape)
    return Votes(
        ids=tuple(map(str, range(len(rows)))),
        voters=("v",),
        queries=tuple(f"q{w}" for w in range(rows.shape[1])),
        example=item.ravel(),
        voter=np.zeros(rows.size, dtype=np.int64),
        query=way.ravel(),
        answer=rows.ravel(),
        candidates=np.full(len(rows), k),
        classes=tuple("abcd"[:k]),
    )


def test_two_ways_by_hand() -> None:
    # Equal on two of three items that were answered twice; shares (2/4, 2/4) and (2/3, 1/3) by way.
    # Chance: .5 * 2/3 + .5 * 1/3 = .5; correlation (2/3 - .5) / .5 = 1/3.
    (entry,) = consistency(asked([[0, 0], [1, 1], [1, 0], [0, ABSTAIN]]))
    assert (entry.queries, entry.items) == (2, 3)
    assert entry.agreement == pytest.approx(2 / 3)
    assert entry.chance == pytest.approx(1 / 2)
    assert entry.correlation == pytest.approx(1 / 3)
    assert (entry.commonest, entry.share) == ("a", pytest.approx(4 / 7))


@pytest.mark.parametrize("seed", range(3))
def test_two_ways_have_cohens_kappa(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, 4, 80)
    right = np.where(rng.random(80) < 0.6, left, rng.integers(0, 4, 80))
    (entry,) = consistency(asked(np.column_stack([left, right]).tolist(), 4))
    assert entry.correlation == pytest.approx(cohen_kappa_score(left, right))


def test_answers_that_follow_the_question_and_one_answer() -> None:
    by_way = [[way % 2 for way in range(4)] for _ in range(40)]
    (entry,) = consistency(asked(by_way))
    # Ways 0, 2 always say a and 1, 3 always b: equal in 2 of 6 pairs, as chance has it.
    assert entry.agreement == pytest.approx(2 / 6)
    assert entry.correlation == pytest.approx(0)
    assert entry.follows_the_question
    assert not entry.constant
    (entry,) = consistency(asked([[0, 0, 0]] * 40))
    assert entry.correlation is None
    assert entry.constant


def test_one_way_has_no_consistency() -> None:
    assert consistency(asked([[0], [1]])) == ()
    assert consistency(asked([[0, ABSTAIN], [ABSTAIN, 1]])) == ()
