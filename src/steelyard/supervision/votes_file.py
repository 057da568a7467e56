"""Votes that exist already: people, labelling functions, language models asked elsewhere."""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from steelyard.errors import ConfigError, InputError
from steelyard.io.atomic import file_sum
from steelyard.prompts import parse_answer
from steelyard.prompts.parse_answer import AnswerFormat
from steelyard.supervision.protocol import BaseSupervisor, VoteRequest
from steelyard.types import ABSTAIN, PAIR, Question, Votes, chosen_place
from steelyard.types.build_votes import candidates_of, open_votes, vote_order
from steelyard.types.task_kinds import KINDS
from steelyard.votes_io.classes import FileClasses, canonical_value, refuse
from steelyard.votes_io.raw_votes import RawVotes, read_raw_votes
from steelyard.votes_io.tabulate import given_probabilities, refuse_repeats

NUMBER = re.compile("[0-9]{1,9}")
CHOSEN, REJECTED = -3, -4
"""The better and the worse answer of a preference row, until it is known where they stand."""


class VotesFile(BaseSupervisor):
    """Votes read from a file (JSON lines, CSV or Parquet).

    Long rows are `id, voter, answer` and optionally `query` and `probabilities` (one for each
    class; passed over where questions differ in their number of options); nested rows are
    `{"id", "votes": [{"annotator", "label"}]}`; wide rows are `id` and a column for each voter. An
    answer is a class name or number; null, an empty cell and -1 abstain. Of a preference it is
    `chosen` or `rejected`, as the data has the two, or `first` or `second`, where they stand.
    """

    version: ClassVar[int] = 2  # probabilities are read

    kind: Literal["votes"] = "votes"
    path: str
    """Of the file, from the study file's folder."""
    reader: AnswerFormat | None = None
    """How open answers are read: `number`, `json`, `slots` or `text`; None is text."""

    def check_task(self, kind: str) -> None:
        """Votes answer any task; a reader is of open answers.

        Raises:
            ConfigError: a reader, and closed answers.
        """
        if self.reader is not None and not KINDS[kind].is_open:
            raise ConfigError(
                f"`reader: {self.reader}` is of open answers, and the task is {kind}; leave it out."
            )

    def check_ids(self, known: Collection[str]) -> None:
        """Refuse votes about questions that the data does not have.

        Raises:
            InputError: naming the first such vote.
        """
        cast = read_raw_votes(Path(self.path))
        strange = np.array([name not in known for name in cast.ids])[cast.example]
        if strange.any():
            vote = int(np.argmax(strange))
            raise InputError(
                f"{cast.place(vote)}: id {cast.ids[cast.example[vote]]!r} is not among the "
                f"{len(known)} ids of the data. Votes and data must come from the same set."
            )

    def vote(self, request: VoteRequest) -> list[Votes]:
        """The file's votes about each list of questions; a list may have none."""
        cast, asked, classes = read_raw_votes(Path(self.path)), request.questions, request.classes
        kind = KINDS[request.kind]
        if kind.is_open:
            return [_open_table(questions, cast, self.reader or "text") for questions in asked]
        said = _numbers(cast, classes)[cast.answer.codes]
        if kind.is_pair:
            place = np.array([chosen_place(name) for name in cast.ids], np.int64)[cast.example]
            said = np.where(said == CHOSEN, place, np.where(said == REJECTED, 1 - place, said))
        return [_table(questions, cast, said, classes) for questions in asked]

    def inputs(self) -> dict[str, str]:
        """The file's content."""
        return {"votes": file_sum(Path(self.path))}

    def versions(self) -> int:
        """Its own, and that of the parsers of answers."""
        return self.version + parse_answer.VERSION

    def with_paths(self, change: Callable[[str], str]) -> "VotesFile":
        """The same with its file's path changed."""
        return self.model_copy(update={"path": change(self.path)})


def _numbers(cast: RawVotes, classes: tuple[str, ...]) -> np.ndarray:
    """The number of each distinct answer: of its name, else the number itself, else -2."""
    names = {name: i for i, name in enumerate(classes)}
    if classes == PAIR:
        names |= {"chosen": CHOSEN, "rejected": REJECTED}
    numbers = np.full(len(cast.answer.values), -2, dtype=np.int64)
    for code, given in enumerate(cast.answer.values):
        number = int(given) if isinstance(given, str) and NUMBER.fullmatch(given) else given
        if given is None or given in ("", ABSTAIN, str(ABSTAIN)):
            numbers[code] = ABSTAIN
        elif isinstance(given, str) and given in names:
            numbers[code] = names[given]
        elif type(number) is int and 0 <= number < len(classes):
            numbers[code] = number
    return numbers


def _open_table(questions: Sequence[Question], cast: RawVotes, reader: AnswerFormat) -> Votes:
    """Votes on open questions: the distinct answers of each are its candidates."""
    example, mine = _mine(questions, cast)
    values, codes = cast.answer.values, cast.answer.codes[mine]
    spelled = [canonical_value(value, reader) for value in values]
    raw = ["" if value is None else str(value) for value in values]
    order, repeats = vote_order(example[mine], cast.voter[mine], cast.query[mine])
    if repeats.any():
        refuse_repeats(cast, mine[order], repeats, "Keep one, or tell them apart by `query`.")
    return open_votes(
        tuple(question.id for question in questions),
        cast.voters,
        cast.queries,
        example[mine],
        cast.voter[mine].astype(np.int64),
        cast.query[mine].astype(np.int64),
        [spelled[code] for code in codes],
        texts=tuple(raw[code] for code in codes),
    )


def _mine(questions: Sequence[Question], cast: RawVotes) -> tuple[np.ndarray, np.ndarray]:
    """The question of each vote, -1 where it is about none of them, and which votes are."""
    row = {question.id: i for i, question in enumerate(questions)}
    example = np.array([row.get(name, -1) for name in cast.ids], dtype=np.int64)[cast.example]
    return example, np.flatnonzero(example >= 0)


def _table(
    questions: Sequence[Question], cast: RawVotes, said: np.ndarray, classes: tuple[str, ...]
) -> Votes:
    example, mine = _mine(questions, cast)
    candidates = candidates_of(questions, len(classes))
    answer = said[mine]
    bad = (answer < ABSTAIN) | (answer >= candidates[example[mine]])
    if bad.any():
        vote = int(mine[np.argmax(bad)])
        limit = candidates[example[vote]]
        refuse(
            cast,
            vote,
            f"is neither a class ({', '.join(classes)}) nor a number in [0, {limit}). "
            "Leave it empty to abstain.",
        )
    voter, query = cast.voter[mine], cast.query[mine]
    order, repeats = vote_order(example[mine], voter, query)
    if repeats.any():
        refuse_repeats(cast, mine[order], repeats, "Keep one, or tell them apart by `query`.")
    probs = None
    if (candidates == len(classes)).all():  # else a row has no fixed length
        probs = given_probabilities(cast, said, FileClasses(classes), sure=True)
    return Votes(
        ids=tuple(question.id for question in questions),
        voters=cast.voters,
        queries=cast.queries,
        example=example[mine][order],
        voter=voter[order].astype(np.int64),
        query=query[order].astype(np.int64),
        answer=answer[order],
        candidates=candidates,
        classes=classes,
        probs=None if probs is None else probs[mine][order],
    )
