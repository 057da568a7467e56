"""Votes from a file: of people, labelling functions, or language models."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from steelyard.errors import ConfigError, InputError
from steelyard.io.atomic import file_sum
from steelyard.io.renamed_settings import renamed
from steelyard.prompts import parse_answer
from steelyard.prompts.parse_answer import AnswerFormat
from steelyard.supervision.protocol import BaseSupervisor, VoteRequest
from steelyard.types import PAIR, Ints, Question, Votes, chosen_position
from steelyard.types.build_votes import candidates_of
from steelyard.types.task_kinds import KINDS
from steelyard.votes_io.classes import NO_CLASS, FileClasses, refuse
from steelyard.votes_io.read_options import ReadOptions
from steelyard.votes_io.read_votes import not_a_class, open_answers
from steelyard.votes_io.several_files import read_files
from steelyard.votes_io.tabulate import given_probabilities, tabulate
from steelyard.votes_io.vote_columns import RawVotes


class VotesFile(BaseSupervisor):
    """Votes read from a file (JSON lines, JSON, CSV, Parquet or Excel).

    Long rows are `id, voter, answer` and optionally `query` and `probabilities` (one for each
    class; ignored where questions differ in their number of options); nested rows are
    `{"id", "votes": [{"annotator", "label"}]}`; wide rows are `id` and a column for each voter. An
    answer is a class name or number; 1, "1" and 1.0 are one answer; null, NaN, an empty cell and -1
    abstain. In a preference task it is `chosen` or `rejected`, as in the data, or the answer's
    position, `first` or `second`.
    """

    version: ClassVar[int] = 5  # files and answers are read as `weigh` reads them

    kind: Literal["votes"] = "votes"
    path: str
    """Path of the file, relative to the study file's folder."""
    answer_format: AnswerFormat | None = None
    """Format of open answers: `number`, `json`, `slots` or `text`; null is `text`."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Names of the columns `id`, `voter`, `answer`, `query`, `probabilities` and `reason`, where
    they are others."""
    voters: tuple[str, ...] = ()
    """The only voters that count; empty for all."""
    without: tuple[str, ...] = ()
    """Voters that do not count."""
    abstain: tuple[str, ...] = ()
    """Answers that abstain, besides empty ones."""
    separator: str | None = Field(None, min_length=1, max_length=1)
    """The character between the cells of a CSV file; null finds it in the header."""

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        return renamed(values, {"reader": "answer_format"})

    def check_task(self, kind: str) -> None:
        """Refuse a format of open answers for a task with closed ones.

        Raises:
            ConfigError: the task has closed answers.
        """
        if self.answer_format is not None and not KINDS[kind].is_open:
            raise ConfigError(
                f"`answer_format: {self.answer_format}` is for open answers, and the task is "
                f"{kind}; remove it."
            )

    @model_validator(mode="after")
    def _check_reading(self) -> "VotesFile":
        self._options()
        return self

    def _options(self) -> ReadOptions:
        return ReadOptions(self.columns, self.voters, self.without, self.abstain)

    def _read(self) -> RawVotes:
        return read_files([Path(self.path)], self.separator, options=self._options())

    def check_ids(self, ids: Collection[str]) -> None:
        """Refuse votes about questions that the data does not have.

        Raises:
            InputError: naming the first such vote.
        """
        raw = self._read()
        unknown = np.array([name not in ids for name in raw.ids])[raw.example]
        if unknown.any():
            vote = int(np.argmax(unknown))
            raise InputError(
                f"{raw.location(vote)}: id {raw.ids[raw.example[vote]]!r} is not among the "
                f"{len(ids)} ids of the data. Votes and data must come from the same set."
            )

    def vote(self, request: VoteRequest) -> list[Votes]:
        """The file's votes about each list of questions; a list may have none."""
        raw = self._read()
        tables = []
        salts = request.salts or ("",) * len(request.questions)
        for questions, salt in zip(request.questions, salts, strict=True):
            part = raw.about([question.id for question in questions])
            if KINDS[request.kind].is_open:
                label_set, number = open_answers(
                    part, self.answer_format or "text", self._options()
                )
                tables.append(tabulate(part, number, label_set, None)[0])
            else:
                tables.append(_closed_votes(part, questions, request, self._options(), salt))
        return tables

    def inputs(self) -> dict[str, str]:
        """Fingerprint of the file."""
        return {"votes": file_sum(Path(self.path))}

    def versions(self) -> int:
        """Sum of its version and that of the parsers of answers."""
        return self.version + parse_answer.VERSION

    def with_paths(self, change: Callable[[str], str]) -> "VotesFile":
        """The same settings with a changed path."""
        return self.model_copy(update={"path": change(self.path)})


def _closed_votes(
    raw: RawVotes,
    questions: Sequence[Question],
    request: VoteRequest,
    options: ReadOptions,
    salt: str,
) -> Votes:
    """Votes that name classes, options of a question, or the better of two answers."""
    classes = request.classes
    label_set = FileClasses(classes, options)
    number = label_set.numbers(raw.answer.values)[raw.answer.codes]
    if classes == PAIR:
        number = _positions(raw, number, salt)
    candidates = candidates_of(questions, len(classes))
    bad = (number == NO_CLASS) | (number >= candidates[raw.example])
    if bad.any():
        vote = int(np.argmax(bad))
        names = classes[: candidates[raw.example[vote]]]
        refuse(raw, vote, not_a_class(raw.value(vote), names))
    probs = None
    if (candidates == len(classes)).all():  # else a row has no fixed length
        probs = given_probabilities(raw, number, label_set, classes_given=True)
    votes, _ = tabulate(raw, number, label_set, probs)
    return replace(votes, candidates=candidates)


def _positions(raw: RawVotes, number: Ints, salt: str) -> Ints:
    """`chosen` and `rejected` as the position of that answer in its pair, (M,)."""
    chosen, rejected = (
        np.array([value == name for value in raw.answer.values], dtype=bool)[raw.answer.codes]
        for name in ("chosen", "rejected")
    )
    positions = np.array([chosen_position(name, salt) for name in raw.ids], dtype=np.int64)
    position = positions[raw.example]
    return np.where(chosen, position, np.where(rejected, 1 - position, number))
