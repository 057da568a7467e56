"""Majority, predictive entropy, self-consistency, confident learning; awkward votes for all."""

import sys
from math import log
from typing import Any

import numpy as np
import pytest
from cleanlab.rank import get_label_quality_scores

from steelyard.errors import ConfigError, InputError
from steelyard.reliability import (
    ESTIMATORS,
    ConfidentLearning,
    Majority,
    PredictiveEntropy,
    SelfConsistency,
    VoteEntropy,
)
from steelyard.types import ABSTAIN, Votes
from vote_tables import votes


def test_majority_by_hand() -> None:
    reliability = Majority().estimate(votes([[0, 0, 1, ABSTAIN], [2, 2, 2, 2]], answers=3))
    np.testing.assert_allclose(reliability.posterior, [[2 / 3, 1 / 3, 0], [0, 0, 1]])
    np.testing.assert_allclose(reliability.score, [2 / 3, 1])


def test_predictive_entropy_by_hand() -> None:
    table = votes([[0, 0]], answers=2, probs=np.array([[0.9, 0.1], [0.6, 0.4]]))
    # mean (.75, .25): H = .75 ln(4/3) + .25 ln 4 = .2158 + .3466 = .5623; 1 - .5623 / ln 2 = .1887
    score = PredictiveEntropy().estimate(table).score[0]
    assert score == pytest.approx(0.1887, abs=5e-5)
    assert VoteEntropy().estimate(table).score[0] == 1


def test_hard_votes_give_predictive_entropy_the_vote_entropy() -> None:
    table = votes([[0, 1, 1, ABSTAIN], [0, 1, 2, 3]], answers=4)
    np.testing.assert_allclose(
        PredictiveEntropy().estimate(table).score, VoteEntropy().estimate(table).score
    )


def asked_often(answers: list[list[list[int]]], k: int) -> Votes:
    """Votes of V voters asked several times each, as a table (N, V, queries)."""
    table = np.array(answers)
    n, v, q = table.shape
    return votes(
        table.reshape(n, v * q),
        answers=k,
        voters=tuple(f"v{j}" for j in range(v)),
        queries=tuple(f"sample-{s}" for s in range(q)),
        voter=np.tile(np.repeat(np.arange(v), q), n),
        query=np.tile(np.arange(q), n * v),
    )


def test_self_consistency_by_hand() -> None:
    table = asked_often(
        [
            [[0, 0, 1], [2, 2, 2]],  # 2/3 and 1: mean 5/6, though the two never agree
            [[0, 1, ABSTAIN], [ABSTAIN] * 3],  # 1/2 of two readable answers; nothing of the second
            [[ABSTAIN] * 3, [ABSTAIN] * 3],
        ],
        k=3,
    )
    reliability = SelfConsistency().estimate(table)
    np.testing.assert_allclose(reliability.score, [5 / 6, 1 / 2, 0])
    expected = [[1 / 3, 1 / 6, 1 / 2], [1 / 2, 1 / 2, 0], [1 / 3] * 3]
    np.testing.assert_allclose(reliability.posterior, expected)


def test_voters_asked_once_cannot_contradict_themselves(caplog: pytest.LogCaptureFixture) -> None:
    assert SelfConsistency().estimate(votes([[0, 1, 2]], answers=3)).score[0] == 1
    assert "no voter was asked twice about one example; every score is 1" in caplog.text
    caplog.clear()
    SelfConsistency().estimate(asked_often([[[0, 1]]], k=2))
    assert caplog.text == ""


def test_confident_learning_by_hand() -> None:
    # labels 0, 0, 1, 1 by q(0) = .9, .7, .4, .2; self-confidence of class 0 .8, of class 1 .7
    mean = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8]])
    table = votes([[0], [0], [1], [1]], answers=2, probs=mean)
    # q' = (q - t + .8) / sum: of the second (.7, .4) / 1.1, of the third (.4, .7) / 1.1
    score = ConfidentLearning(measure="self_confidence").estimate(table).score
    np.testing.assert_allclose(score, [0.9 / 1.1, 0.7 / 1.1, 0.7 / 1.1, 0.9 / 1.1])
    margin = ConfidentLearning().estimate(table).score
    np.testing.assert_allclose(margin[1], (0.7 / 1.1 - 0.4 / 1.1 + 1) / 2)


def test_confident_learning_is_cleanlabs() -> None:
    rng = np.random.default_rng(0)
    mean = rng.dirichlet([1, 1, 1], 50)
    labels = mean.argmax(axis=1)
    table = votes(labels[:, None], answers=3, probs=mean)
    theirs = get_label_quality_scores(
        labels, mean, method="normalized_margin", adjust_pred_probs=True
    )
    np.testing.assert_allclose(ConfidentLearning().estimate(table).score, theirs)


def test_classes_that_are_nobodys_label_do_not_move_the_scores() -> None:
    rows = [[0, 0, 1], [1, 1, 1], [0, 0, 0]]
    few, many = (ConfidentLearning().estimate(votes(rows, answers=k)).score for k in (2, 9))
    np.testing.assert_allclose(few, many)


def test_without_cleanlab_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.rank", None)
    with pytest.raises(ConfigError, match=r"pip install 'steelyard\[cleanlab\]'"):
        ConfidentLearning().estimate(votes([[0]], answers=2))


def test_confident_learning_refuses_open_answers() -> None:
    table = votes([[0, 1]], answers=2, candidate_texts=(("a", "b"),))
    with pytest.raises(InputError, match="use `majority` or `open_agreement`"):
        ConfidentLearning().estimate(table)


AWKWARD: dict[str, Votes] = {
    "nobody was asked": votes(np.zeros((2, 0), dtype=np.int64), answers=3),
    "one possible answer": votes([[0, 0], [0, ABSTAIN]], answers=1),
    "own numbers of answers": votes([[0, 0], [1, 1], [4, 2]], candidates=np.array([1, 2, 5])),
    "one voter": votes([[0], [1], [2]], answers=3),
    "everybody always the same": votes([[2, 2, 2]] * 4, answers=3),
    "distributions": votes(
        [[0, 1], [ABSTAIN, 1]],
        candidates=np.array([3, 2]),
        probs=np.array([[0.7, 0.2, 0.1], [0.4, 0.6, 0], [0.5, 0.5, 0], [0, 1, 0]]),
    ),
}


@pytest.mark.parametrize("kind", [kind for kind in ESTIMATORS if kind != "beam_entropy"])
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_votes_have_a_posterior_over_what_is_possible(kind: str, name: str) -> None:
    table = AWKWARD[name]
    reliability: Any = ESTIMATORS[kind]().estimate(table)
    assert reliability.posterior.shape == (len(table.ids), table.num_classes)
    assert (reliability.posterior[~table.possible] == 0).all()
    answered = table.counts.sum(axis=1) > 0
    assert (reliability.score[~answered] == 0).all()
    only = answered & (table.candidates == 1)
    np.testing.assert_allclose(reliability.score[only], 1)


def test_entropies_are_scaled_by_each_examples_own_number_of_answers() -> None:
    table = votes([[0, 1], [0, 1]], candidates=np.array([2, 4]))
    expected = [0, 1 - log(2) / log(4)]
    np.testing.assert_allclose(PredictiveEntropy().estimate(table).score, expected, atol=1e-12)
