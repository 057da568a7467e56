"""Labels of several supervisors, each for itself."""

from dataclasses import replace

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.reliability import VoteShare
from steelyard.selection.per_supervisor import PerSupervisor
from steelyard.types import ABSTAIN, Selection, SupervisorTargets, VoterSkill, Votes
from vote_tables import votes

TABLE = [[0, 1, 1], [1, ABSTAIN, 1], [ABSTAIN, ABSTAIN, ABSTAIN], [0, 0, 0]]


def kept(table: Votes, **settings: object) -> Selection:
    return PerSupervisor(**settings).select(table, VoteShare().estimate(table))  # type: ignore[arg-type]


def test_each_voter_has_its_own_target_and_a_silent_one_has_none() -> None:
    selection = kept(votes(TABLE, answers=2))
    assert selection.per_supervisor is not None
    assert selection.per_supervisor.supervisors == ("v0", "v1", "v2")
    assert selection.per_supervisor.targets[0].tolist() == [[1, 0], [0, 1], [0, 1]]
    assert selection.per_supervisor.targets[1].tolist() == [[0, 1], [0, 0], [0, 1]]
    assert not selection.per_supervisor.targets[2].any()
    assert selection.weights[2] == 0
    assert "no readable vote" in selection.reasons[2]


def test_the_pooled_target_is_the_weighted_mean_of_those_who_answered() -> None:
    # weights 1/6, 2/6, 3/6: example 0 is 1/6 against 5/6; example 1 without the second all for 1
    selection = kept(votes(TABLE, answers=2), weights=(1.0, 2.0, 3.0))
    np.testing.assert_allclose(selection.targets[0], [1 / 6, 5 / 6])
    np.testing.assert_allclose(selection.targets[1], [0, 1])


def test_several_queries_of_a_voter_are_averaged() -> None:
    asked = votes([[0, 1, 1, 1]], answers=2)
    asked = Votes(
        ids=asked.ids,
        voters=("m", "n"),
        queries=("a", "b"),
        example=asked.example,
        voter=np.array([0, 0, 1, 1]),
        query=np.array([0, 1, 0, 1]),
        answer=asked.answer,
        candidates=asked.candidates,
    )
    selection = kept(asked)
    assert selection.per_supervisor is not None
    assert selection.per_supervisor.targets[0].tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_weights_by_accuracy_follow_what_the_estimator_learnt() -> None:
    table = votes(TABLE, answers=2)
    skill = VoterSkill(table.voters, np.array([0.95, 0.8, 0.4]))
    learnt = replace(VoteShare().estimate(table), skill=skill)
    selection = PerSupervisor(weights="accuracy").select(table, learnt)
    # over chance .45, .3 and nothing, of which 0.001 is left
    np.testing.assert_allclose(selection.per_supervisor.weights, np.array([450, 300, 1]) / 751)  # type: ignore[union-attr]


def test_what_does_not_fit_is_refused() -> None:
    table = votes(TABLE, answers=2)
    with pytest.raises(InputError, match="3 numbers > 0"):
        kept(table, weights=(1.0, 2.0))
    with pytest.raises(InputError, match="are too many for one target each"):
        kept(table, max_supervisors=2)
    with pytest.raises(InputError, match="learns how accurate"):
        PerSupervisor(weights="accuracy").select(table, VoteShare().estimate(table))
    with pytest.raises(InputError, match="sum to 1"):
        SupervisorTargets(("a",), np.ones((1, 1, 2)), np.ones(1))
