"""Cohen's kappa of pairs of voters, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from steelyard.diagnostics.voter_pairs import voter_pairs
from steelyard.types import ABSTAIN
from vote_tables import votes


@pytest.mark.parametrize(("scale", "weights"), [("nominal", None), ("ordinal", "quadratic")])
def test_kappa_is_that_of_scikit_learn(scale: str, weights: str | None) -> None:
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 4, (60, 3))
    rows[:40, 1] = rows[:40, 0]
    found = voter_pairs(votes(rows), scale)  # type: ignore[arg-type]
    assert found is not None
    kappas = []
    for pair, (i, j) in zip(found.pairs, [(0, 1), (0, 2), (1, 2)], strict=True):
        expected = cohen_kappa_score(rows[:, i], rows[:, j], labels=range(4), weights=weights)
        assert (pair.left, pair.right, pair.items) == (f"v{i}", f"v{j}", 60)
        assert pair.kappa is not None
        assert pair.kappa.value == pytest.approx(expected, abs=1e-12)
        assert pair.kappa.low < pair.kappa.value < pair.kappa.high
        kappas.append(expected)
    assert found.cohen is not None
    assert found.cohen.value == pytest.approx(np.mean(kappas))


def test_kappa_by_hand_with_missing_answers() -> None:
    # Cohen's table of 50: both a 20, a/b 5, b/a 10, both b 15. Observed .7, chance .5 x .6 +
    # .5 x .4 = .5: kappa .4. Items that only one of the two answered do not count.
    rows = [[0, 0]] * 20 + [[0, 1]] * 5 + [[1, 0]] * 10 + [[1, 1]] * 15
    rows += [[0, ABSTAIN]] * 30 + [[ABSTAIN, 1]] * 7
    found = voter_pairs(votes(rows, answers=2))
    assert found is not None
    (pair,) = found.pairs
    assert pair.counts == ((20, 5), (10, 15))
    assert pair.agree is not None
    assert pair.kappa is not None
    assert pair.agree.value == pytest.approx(0.7)
    assert pair.kappa.value == pytest.approx(0.4)


def test_ordinal_weights_by_hand() -> None:
    # Three classes, (0, 2) once, (0, 0), (2, 2), (1, 1) once each: sum of weights seen 4 / 4 = 1.
    # By chance: rows (2, 1, 1) / 4, columns (1, 1, 2) / 4: (2x1x1 + 2x2x4 + 1x1x1 + 1x2x1 + 1x1x4
    # + 1x1x1) / 16 = 26 / 16. kappa = 1 - 16 / 26.
    found = voter_pairs(votes([[0, 2], [0, 0], [2, 2], [1, 1]], answers=3), "ordinal")
    assert found is not None
    assert found.pairs[0].kappa is not None
    assert found.pairs[0].kappa.value == pytest.approx(1 - 16 / 26)


def test_pairs_are_those_of_the_busiest_voters() -> None:
    rows = np.random.default_rng(0).integers(0, 2, (50, 15))
    rows[:40, 3] = ABSTAIN
    found = voter_pairs(votes(rows, answers=2), most=14)
    assert found is not None
    assert "v3" not in found.voters
    assert len(found.pairs) == 14 * 13 / 2


def test_open_answers_and_many_classes_have_no_pairs() -> None:
    assert voter_pairs(votes([[0, 0]], answers=21)) is None
    assert voter_pairs(votes([[0]], answers=2)) is None
