"""The votes of a study's weak supervisors in one seed, kept in the store."""

from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation import candidate_numbers
from steelyard.store.ledger import Ledger
from steelyard.store.store import Recipe, fingerprint, library_versions
from steelyard.studies.run import Run
from steelyard.supervision import Api
from steelyard.supervision.nbest import vote_by_beam
from steelyard.types import Ints, Votes, join_votes

LEDGER = "ledger.sqlite"  # in the store: answers that servers gave


class SeedVotes(NamedTuple):
    """Votes of the weak supervisors in one seed."""

    strong_train: Votes
    test: Votes


def collect_votes(run: Run, seed: int) -> SeedVotes:
    """Votes of all supervisors on strong_train and on test.

    Raises:
        InputError: no question has a readable answer.
    """
    return run.once(("votes", seed), lambda: _collect(run, seed))


def true_answers(run: Run, seed: int) -> Ints:
    """Answer number of each strong_train example, NOBODY for an open one nobody got right."""
    split = run.task(seed).strong_train
    if not split.reference_texts:
        return split.truth
    return run.once(
        ("true_answers", seed),
        lambda: candidate_numbers(
            collect_votes(run, seed).strong_train, run.reference_texts(split), run.answer_format
        ),
    )


def _collect(run: Run, seed: int) -> SeedVotes:
    task = run.task(seed)
    beams = _with_beams(run)
    alone = [(n,) for n in range(len(run.study.supervisors)) if n not in beams]
    parts = [_votes_of(run, n, seed) for n in sorted([*alone, *([beams] if beams else [])])]
    joined = SeedVotes(*(join_votes(side) for side in zip(*parts, strict=True)))
    if not joined.strong_train.counts.any():
        voters = len(joined.strong_train.voters)
        raise InputError(
            f"None of {len(task.strong_train.ids)} strong_train questions has a readable "
            f"answer of any of {voters} voters in seed {seed}; a student needs some. Check "
            "the votes and their ids."
        )
    return joined


def weighing(run: Run, seed: int) -> tuple[list[Any], list[int]]:
    """The supervisors that weigh each other's answers, and their seeds."""
    numbers = _with_beams(run)
    return [run.study.supervisors[n] for n in numbers], [seed_of(seed, n) for n in numbers]


def _with_beams(run: Run) -> tuple[int, ...]:
    """Numbers of the supervisors that write lists."""
    return tuple(n for n, w in enumerate(run.study.supervisors) if getattr(w, "beams", None))


def _votes_of(run: Run, numbers: tuple[int, ...], seed: int) -> tuple[Votes, Votes]:
    """Votes of one supervisor, or of all that weigh each other's answers."""
    task = run.task(seed)
    supervisors = [run.study.supervisors[n] for n in numbers]
    asked = [task.strong_train.questions, task.test.questions]
    drawn = [seed_of(seed, n) for n in numbers]
    settings = [
        {**weak.model_dump(mode="json", exclude={"path"}), "seed": own}
        for weak, own in zip(supervisors, drawn, strict=True)
    ]
    first, several = supervisors[0], len(supervisors) > 1
    recipe = Recipe(
        kind="votes",
        version=first.version,
        settings={"supervisors": settings} if several else settings[0],
        inputs={
            "labelled": fingerprint(task.weak_train),
            "strong_train": run.questions(seed, "strong_train"),
            "test": run.questions(seed, "test"),
            "classes": fingerprint(task.classes),
            **{
                f"{name} {n}" if several else name: what
                for n, weak in zip(numbers, supervisors, strict=True)
                for name, what in run.once(("inputs", n), weak.inputs).items()
            },
        },
        libraries=library_versions(*first.libraries),
    )

    def make(_: Path) -> dict[str, Any]:
        if several:
            votes = vote_by_beam(cast(Any, supervisors), task.weak_train, asked, seeds=drawn)
        elif isinstance(first, Api):
            with Ledger(run.store.root / LEDGER) as paid:
                votes = first.vote(
                    task.weak_train, asked, task.classes, seed=drawn[0], answers=paid
                )
        else:
            votes = first.vote(task.weak_train, asked, task.classes, seed=drawn[0])
        return {"strong_train": votes[0], "test": votes[1]}

    name = "+".join(map(str, numbers))
    kept = run.store.keep(f"seed-{seed}/votes-{name}", recipe, make)
    return kept["strong_train"], kept["test"]


def seed_of(seed: int, number: int) -> int:
    """The seed of supervisor `number`, so that two with equal settings differ."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
