"""The votes of a study's weak supervisors in one seed, kept in the store."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from steelyard.data import take
from steelyard.errors import InputError
from steelyard.evaluation import candidate_numbers
from steelyard.store.reply_ledger import Ledger
from steelyard.store.store import Recipe, fingerprint, library_versions
from steelyard.studies.parts import foreign_path
from steelyard.studies.run import Run
from steelyard.supervision import VoteRequest
from steelyard.supervision.nbest import TrainedFolder, vote_by_beam
from steelyard.supervision.protocol import BaseSupervisor, ListWriter
from steelyard.supervision.vote_patterns import vote_patterns
from steelyard.types import Ints, Split, Votes, join_votes
from steelyard.types.task_kinds import KINDS

log = logging.getLogger(__name__)
LEDGER = "ledger.sqlite"  # file of the store that holds the replies of servers
MODELS = "models"  # kind of stored results: trained supervisors, deleted when a study ends


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


def true_answers(run: Run, seed: int, votes: Votes | None = None) -> Ints:
    """Answer number of each strong_train example, NO_CANDIDATE for an open one nobody got right.

    Args:
        run: the study.
        seed: of the splits.
        votes: whose candidates open answers are; None: those of all supervisors.
    """
    split = run.task(seed).strong_train
    if not split.reference_texts:
        return split.truth
    table = collect_votes(run, seed).strong_train if votes is None else votes
    return run.once(
        ("true_answers", seed, table),
        lambda: candidate_numbers(table, run.reference_texts(split), run.answer_format),
    )


def votes_by_supervisor(run: Run, seed: int) -> dict[int, SeedVotes]:
    """Votes by the number of their supervisor; those that score one another's answers are one."""

    def make() -> dict[int, SeedVotes]:
        writers = [n for n, _ in _list_writers(run)]
        alone = [n for n in range(len(run.study.supervisors)) if n not in writers]
        parts = {n: _votes_alone(run, n, seed) for n in alone}
        if writers:
            parts[writers[0]] = _votes_together(run, seed)
        return {n: SeedVotes(*parts[n]) for n in sorted(parts)}

    return run.once(("votes by supervisor", seed), make)


def votes_of_supervisor(run: Run, number: int, seed: int) -> SeedVotes:
    """Votes of the voters of one supervisor."""
    parts = votes_by_supervisor(run, seed)
    writers = _list_writers(run)
    if len(writers) < 2 or number not in dict(writers):
        return parts[number]
    together = parts[writers[0][0]]
    first = sum(writer.voters for n, writer in writers if n < number)
    voters = first + np.arange(dict(writers)[number].voters)
    return SeedVotes(*(part.of_voters(voters) for part in together))


def _collect(run: Run, seed: int) -> SeedVotes:
    sides = zip(*votes_by_supervisor(run, seed).values(), strict=True)
    joined = SeedVotes(*(join_votes(side) for side in sides))
    if not joined.strong_train.counts.any():
        raise InputError(
            f"None of {len(joined.strong_train.ids)} strong_train questions has a readable "
            f"answer of any of {len(joined.strong_train.voters)} voters in seed {seed}; a student "
            "needs some. Check the votes and their ids."
        )
    return joined


def list_writers(run: Run, seed: int) -> tuple[list[ListWriter], list[int]]:
    """The supervisors that score one another's answers, and their seeds."""
    writers = _list_writers(run)
    return [writer for _, writer in writers], [seed_of(seed, n) for n, _ in writers]


def trained_writers(run: Run, seed: int) -> TrainedFolder | None:
    """Folder of each list writer's trained voter, (writer, voter) -> folder.

    Preference stages use the voters that voted: they are trained once and kept until the study
    ends. None if no arm has such a stage, because the voters are then used only once.
    """
    if all(arm.preference is None for arm in run.study.all_arms):
        return None
    writers = _list_writers(run)

    def folder(number: int, voter: int) -> Path:
        n, writer = writers[number]
        recipe = _recipe(run, seed, (n,), {**_settings(run, seed, n), "voter": voter})
        task = run.task(seed)

        def write(draft: Path, work: Path) -> None:
            request = VoteRequest(
                run.study.task, (), (), task.weak_train, seed_of(seed, n), work=work
            )
            writer.load_voter(request, voter).save(draft)

        return run.store.keep_files(replace(recipe, kind=MODELS), write)

    return folder


def writer_fingerprints(run: Run, seed: int) -> list[str]:
    """Fingerprint of each list writer with its seed and labelled rows."""
    recipes = [_recipe(run, seed, (n,), _settings(run, seed, n)) for n, _ in _list_writers(run)]
    parts = [(dict(r.settings), r.version, dict(r.inputs), dict(r.libraries)) for r in recipes]
    return [fingerprint(part) for part in parts]


def _list_writers(run: Run) -> list[tuple[int, ListWriter]]:
    writers = enumerate(supervisor.list_writer for supervisor in run.study.supervisors)
    return [(n, writer) for n, writer in writers if writer is not None]


def votes_without_bootstrap(run: Run, number: int, seed: int) -> SeedVotes | None:
    """Votes of a supervisor that is trained on all labelled rows; None if its own voters are."""
    alone = run.study.supervisors[number].without_bootstrap()
    if alone is None:
        return None
    role = f"seed-{seed}/votes-{number}-without-bootstrap"
    return SeedVotes(*_votes_alone(run, number, seed, alone, role))


def held_out_votes(
    run: Run, number: int, seed: int, *, third: int = 0, bootstrap: bool = False
) -> tuple[Votes, Split] | None:
    """Votes on rows of weak_train that a supervisor was not trained on, with their truth.

    A supervisor that is trained on labelled rows, or chooses by them how to ask, does so once more,
    on a random two thirds of weak_train, and is asked about the rest; another is asked about all of
    weak_train. None where that is not possible
    (fewer than six rows, or one class in the two thirds), where each question is paid for, and of
    list writers, which vote together.

    Args:
        run: the study.
        number: of the supervisor.
        seed: of the splits.
        third: which third of weak_train is asked about, 0, 1 or 2; 0 where it is not divided.
        bootstrap: train voters on bootstrap samples if the supervisor does, not one on all rows.
    """
    supervisor, labelled = run.study.supervisors[number], run.task(seed).weak_train
    alone = supervisor if bootstrap else supervisor.without_bootstrap() or supervisor
    if supervisor.uses_ledger or supervisor.list_writer is not None or len(labelled.truth) < 6:
        return None
    rows = np.random.default_rng([seed, 3]).permutation(len(labelled.truth))
    rest, asked = take(labelled, []), labelled
    if supervisor.uses_labels:
        cut = 2 * len(rows) // 3
        part = (rows[cut:], rows[: cut // 2], rows[cut // 2 : cut])[third]
        rest = take(labelled, np.setdiff1d(rows, part))
        asked = take(labelled, np.sort(part))
        if not rest.reference_texts and (rest.truth == rest.truth[0]).all():
            return None
    recipe = _recipe(run, seed, (number,), _settings(run, seed, number, alone))
    inputs = {**recipe.inputs, "labelled": _labelled(rest), "test": fingerprint(asked.questions)}
    inputs["strong_train"] = ""

    def make(work: Path) -> dict[str, Any]:
        kind, classes = run.study.task, run.task(seed).classes
        request = VoteRequest(
            *(kind, classes, (asked.questions,), rest, seed_of(seed, number)),
            salts=(asked.salt,),
            work=work,
        )
        return {"held_out": alone.vote(request)[0]}

    names = (f"votes-{number}-held-out", *([f"{third}"] if third else []))
    role = f"seed-{seed}/{'-'.join((*names, *(['bootstrap'] if bootstrap else [])))}"
    return run.store.keep(role, replace(recipe, inputs=inputs), make)["held_out"], asked


def _recipe(run: Run, seed: int, numbers: Sequence[int], settings: dict[str, Any]) -> Recipe:
    """Recipe of the votes of one supervisor, or of several that score one another's answers."""
    task = run.task(seed)
    supervisors = [run.study.supervisors[n] for n in numbers]
    together = len(numbers) > 1
    inputs = {
        f"{name} {n}" if together else name: value
        for n in numbers
        for name, value in run.once(("inputs", n), run.study.supervisors[n].inputs).items()
    }
    return Recipe(
        kind="votes",
        version=max(supervisor.versions() for supervisor in supervisors),
        settings=settings,
        inputs={
            "labelled": run.once(("labelled", seed), lambda: _labelled(task.weak_train)),
            "strong_train": run.questions(seed, "strong_train"),
            "test": run.questions(seed, "test"),
            "classes": fingerprint(task.classes),
            **inputs,
        },
        libraries=library_versions(*supervisors[0].libraries),
    )


def _labelled(split: Split) -> str:
    """Fingerprint of labelled rows, with the field names that version 0.1 used."""
    fields = {"questions": split.questions, "truth": split.truth, "answers": split.reference_texts}
    return fingerprint(fields)


def _settings(
    run: Run, seed: int, number: int, alone: BaseSupervisor | None = None
) -> dict[str, Any]:
    supervisor = alone or run.study.supervisors[number]
    return {
        **supervisor.deciding_settings(),
        **foreign_path(supervisor),
        "seed": seed_of(seed, number),
    }


def _votes_alone(
    run: Run, number: int, seed: int, alone: BaseSupervisor | None = None, role: str = ""
) -> tuple[Votes, Votes]:
    """Votes of one supervisor, or of the same with other settings, `alone`."""
    supervisor = alone or run.study.supervisors[number]
    recipe = _recipe(run, seed, (number,), _settings(run, seed, number, alone))

    def make(work: Path) -> dict[str, Any]:
        task = run.task(seed)
        questions = (task.strong_train.questions, task.test.questions)
        request = VoteRequest(
            run.study.task,
            task.classes,
            questions,
            task.weak_train,
            seed_of(seed, number),
            salts=(task.strong_train.salt, task.test.salt),
            work=work,
        )
        if not supervisor.uses_ledger:
            votes = supervisor.vote(request)
        else:
            with Ledger(run.store.root / LEDGER) as ledger:
                votes = supervisor.vote(replace(request, replies=ledger))
            votes = [_with_warnings(votes[0], supervisor, run, request), *votes[1:]]
        for sentence in (*votes[0].notes, *votes[0].warnings):
            log.warning("%s", sentence)
        return _stored(votes)

    return _read(run.store.keep(role or f"seed-{seed}/votes-{number}", recipe, make))


def _with_warnings(
    votes: Votes, supervisor: BaseSupervisor, run: Run, request: VoteRequest
) -> Votes:
    """Votes of a server with what they give away at once."""
    prompts, kind = supervisor.prompts, KINDS[run.study.task]
    if prompts is None:
        return votes
    asked = [
        prompts.ask(request.questions[0][i], kind.name, request.classes, q, request.seed)
        for i, q in zip(votes.example.tolist(), votes.query.tolist(), strict=True)
    ]
    names = request.classes if kind.has_classes else ()
    return replace(votes, warnings=tuple(vote_patterns(votes, asked, names)))


def _votes_together(run: Run, seed: int) -> tuple[Votes, Votes]:
    """Votes of all supervisors that score one another's answers."""
    numbers = [n for n, _ in _list_writers(run)]
    settings = [_settings(run, seed, n) for n in numbers]
    whole = {"supervisors": settings} if len(numbers) > 1 else settings[0]
    recipe = _recipe(run, seed, numbers, whole)

    def make(work: Path) -> dict[str, Any]:
        task, (writers, seeds) = run.task(seed), list_writers(run, seed)
        asked = [task.strong_train.questions, task.test.questions]
        options: dict[str, Any] = {"models": trained_writers(run, seed), "work": work}
        return _stored(vote_by_beam(writers, task.weak_train, asked, seeds=seeds, **options))

    name = "+".join(map(str, numbers))
    return _read(run.store.keep(f"seed-{seed}/votes-{name}", recipe, make))


def _stored(votes: Sequence[Votes]) -> dict[str, Any]:
    return {"strong_train": votes[0], "test": votes[1]}


def _read(kept: Mapping[str, Any]) -> tuple[Votes, Votes]:
    return kept["strong_train"], kept["test"]


def seed_of(seed: int, number: int) -> int:
    """The seed of supervisor `number`, so that two with equal settings differ."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
