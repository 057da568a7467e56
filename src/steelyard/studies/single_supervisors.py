"""Single supervisors: the floor, and what the naive student learns from.

A supervisor that is trained on bootstrap samples has one more voter that is trained on all
labelled rows, and this one is its single supervisor. Of other supervisors (files, servers, a
single trained model) every voter is one, with its first readable vote on each question; where
voters answer different questions, the first readable vote on each stands in for a voter.
"""

from typing import NamedTuple

import numpy as np

from steelyard.evaluation import first_votes, single_voters
from steelyard.selection import shuffled_votes
from steelyard.studies.arms import Arm
from steelyard.studies.run import Run
from steelyard.studies.votes import (
    SeedVotes,
    collect_votes,
    held_out_votes,
    votes_of_supervisor,
    votes_without_bootstrap,
)
from steelyard.types import Votes, join_votes
from steelyard.types.arrays import expected_hits
from steelyard.types.votes import distinct

SEVERAL = "first votes"
"""Name of what stands in for a voter where voters answer different questions."""


class SingleSupervisor(NamedTuple):
    """One supervisor alone, with one vote on each question."""

    name: str
    number: int  # of the study's supervisor that it belongs to
    votes: SeedVotes


def single_supervisors(run: Run, seed: int) -> tuple[SingleSupervisor, ...]:
    """The single supervisors of a seed; only those that answer test questions, if any does."""

    def make() -> tuple[SingleSupervisor, ...]:
        numbers = range(len(run.study.supervisors))
        singles = [single for n in numbers for single in _of_supervisor(run, n, seed)]
        on_test = [single for single in singles if single.votes.test.answer.size] or singles
        names = distinct([single.name for single in on_test])
        return tuple(
            single._replace(name=name) for single, name in zip(on_test, names, strict=True)
        )

    return run.once(("single supervisors", seed), make)


def teacher_of(run: Run, seed: int) -> SingleSupervisor:
    """The supervisor that teaches the naive student of a seed: they take turns, seed by seed."""
    singles = single_supervisors(run, seed)
    return singles[seed % len(singles)]


def arm_votes(run: Run, seed: int, arm: Arm) -> SeedVotes:
    """The votes that an arm is made of: all, those without a bootstrap, or of one supervisor.

    A control on shuffled votes has those on other questions in strong_train.
    """
    votes = _chosen_votes(run, seed, arm)
    if arm.control != "shuffled_votes":
        return votes
    return run.once(
        ("shuffled votes", seed, arm.name),
        lambda: votes._replace(strong_train=shuffled_votes(votes.strong_train, seed)),
    )


def _chosen_votes(run: Run, seed: int, arm: Arm) -> SeedVotes:
    if arm.selection.takes_one_supervisor:
        return teacher_of(run, seed).votes
    if arm.votes == "without_bootstrap":
        return run.once(("votes without bootstrap", seed), lambda: _on_all_rows(run, seed))
    return collect_votes(run, seed)


def _on_all_rows(run: Run, seed: int) -> SeedVotes:
    """All votes, but of voters on bootstrap samples those of the one that has all rows."""
    parts = [
        votes_without_bootstrap(run, number, seed) or votes_of_supervisor(run, number, seed)
        for number in range(len(run.study.supervisors))
    ]
    return SeedVotes(*(join_votes(side) for side in zip(*parts, strict=True)))


def held_out_accuracy(run: Run, seed: int) -> list[float | None]:
    """Accuracy of each single supervisor on labelled rows that it was not trained on.

    Known where there are several to choose from. An abstention is not right. None where it cannot
    be known without the truth of strong_train or test (see `votes.held_out_votes`), and of open
    answers.
    """
    singles = single_supervisors(run, seed)
    if len(singles) < 2 or run.task(seed).weak_train.reference_texts:
        return [None] * len(singles)
    rates: dict[int, list[float]] = {}
    for number in {single.number for single in singles}:
        held_out = held_out_votes(run, number, seed)
        tables = _alone(held_out[0]) if held_out else []
        if held_out and len(tables) == sum(single.number == number for single in singles):
            rates[number] = [_accuracy(table, held_out[1].truth) for table in tables]
    return [rates[s.number].pop(0) if s.number in rates else None for s in singles]


def _of_supervisor(run: Run, number: int, seed: int) -> list[SingleSupervisor]:
    alone = votes_without_bootstrap(run, number, seed)
    train, test = alone or votes_of_supervisor(run, number, seed)
    trains, tests = _alone(train), _alone(test)
    if not test.answer.size:
        tests = [test] * len(trains)
    elif [table.voters for table in trains] != [table.voters for table in tests]:
        trains, tests = [first_votes(train)], [first_votes(test)]
    return [
        SingleSupervisor(_name(pair[0], alone is not None), number, SeedVotes(*pair))
        for pair in zip(trains, tests, strict=True)
    ]


def _alone(votes: Votes) -> list[Votes]:
    return single_voters(votes) if votes.answer.size else [votes]


def _name(votes: Votes, without_bootstrap: bool) -> str:
    if len(votes.voters) != 1:
        return SEVERAL
    return votes.voters[0].removesuffix("/0") if without_bootstrap else votes.voters[0]


def _accuracy(votes: Votes, truth: np.ndarray) -> float:
    read = np.where(votes.answered[:, None], votes.means(), 0.0)
    return float(expected_hits(truth, read).mean())
