"""Votes that exist already: people, labelling functions, language models asked elsewhere."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from steelyard.errors import InputError
from steelyard.rows import read_rows
from steelyard.sealed import file_sum
from steelyard.supervision.table import candidates_of
from steelyard.types import ABSTAIN, Question, Split, Votes

NUMBER = re.compile("[0-9]{1,9}")


class VotesFile(BaseModel):
    """Votes read from a file (JSON lines, CSV or Parquet).

    Long rows are `id, voter, answer` and optionally `query`; nested rows are
    `{"id", "votes": [{"annotator", "label"}]}`. An answer is a class name or number; null, an
    empty cell and -1 abstain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ()

    kind: Literal["votes"] = "votes"
    path: str
    """Of the file, from the study file's folder."""

    def check_task(self, kind: str) -> None:
        """Votes answer any closed task."""

    def check_ids(self, known: Collection[str]) -> None:
        """Refuse votes about questions that the data does not have.

        Raises:
            InputError: naming the first such vote.
        """
        for vote in self._read():
            if vote.id not in known:
                raise InputError(
                    f"{vote.place}: id {vote.id!r} is not among the {len(known)} ids of the data. "
                    "Votes and data must come from the same set."
                )

    def vote(
        self,
        labelled: Split,
        asked: Sequence[Sequence[Question]],
        classes: tuple[str, ...],
        *,
        seed: int,
    ) -> list[Votes]:
        """The file's votes about each list of questions; a list may have none."""
        cast = list(self._read())
        voters = tuple(dict.fromkeys(vote.voter for vote in cast))
        queries = tuple(dict.fromkeys(vote.query for vote in cast))
        return [_table(questions, cast, voters, queries, classes) for questions in asked]

    def inputs(self) -> dict[str, str]:
        """The file's content."""
        return {"votes": file_sum(Path(self.path))}

    def _read(self) -> Iterator["_Cast"]:
        for place, row in read_rows(Path(self.path)):
            if "votes" in row:
                for entry in _entries(place, row["votes"]):
                    yield _cast(place, row, entry, "annotator", "label")
            else:
                yield _cast(place, row, row, "voter", "answer")


@dataclass(frozen=True, slots=True)
class _Cast:
    """One vote as it stands in the file."""

    place: str
    id: str
    voter: str
    query: str
    answer: Any


def _entries(place: str, votes: Any) -> list[dict[str, Any]]:
    if not isinstance(votes, list) or not all(isinstance(entry, dict) for entry in votes):
        raise InputError(
            f"{place}: `votes` must be a list of `{{annotator, label}}`, got {_shown(votes)}."
        )
    return votes


def _cast(place: str, row: dict[str, Any], entry: dict[str, Any], voter: str, answer: str) -> _Cast:
    for name, found in (("id", row), (voter, entry), (answer, entry)):
        if name not in found:
            raise InputError(
                f"{place}: column `{name}` is missing, found {', '.join(found)}. "
                "Votes have `id, voter, answer`."
            )
    query = str(entry.get("query", "as it stands"))
    return _Cast(place, str(row["id"]), str(entry[voter]), query, entry[answer])


def _table(
    questions: Sequence[Question],
    cast: Sequence[_Cast],
    voters: tuple[str, ...],
    queries: tuple[str, ...],
    classes: tuple[str, ...],
) -> Votes:
    row = {question.id: i for i, question in enumerate(questions)}
    voter_row = {name: i for i, name in enumerate(voters)}
    query_row = {name: i for i, name in enumerate(queries)}
    candidates = candidates_of(questions, len(classes))
    numbers = {name: i for i, name in enumerate(classes)}
    seen: dict[tuple[int, int, int], str] = {}
    table = []
    for vote in cast:
        if vote.id not in row:
            continue
        key = (row[vote.id], voter_row[vote.voter], query_row[vote.query])
        if key in seen:
            raise InputError(
                f"{vote.place}: {vote.voter!r} votes on {vote.id!r} a second time, first at "
                f"{seen[key]}. Keep one, or tell them apart by `query`."
            )
        seen[key] = vote.place
        table.append((*key, _answer(vote, numbers, int(candidates[key[0]]))))
    columns = np.array(sorted(table), dtype=np.int64).reshape(-1, 4).T
    return Votes(
        ids=tuple(row),
        voters=voters,
        queries=queries,
        example=columns[0],
        voter=columns[1],
        query=columns[2],
        answer=columns[3],
        candidates=candidates,
        classes=classes,
    )


def _answer(vote: _Cast, numbers: dict[str, int], answers: int) -> int:
    """An answer's number: of its name, else the number itself, else a mistake."""
    given = vote.answer
    if given is None or given == "" or given == ABSTAIN or given == str(ABSTAIN):
        return ABSTAIN
    if isinstance(given, str) and given in numbers:
        return numbers[given]
    number = int(given) if isinstance(given, str) and NUMBER.fullmatch(given) else given
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < answers:
        return number
    raise InputError(
        f"{vote.place}: answer {_shown(given)} of {vote.voter!r} on {vote.id!r} is neither a class "
        f"({', '.join(numbers)}) nor a number in [0, {answers}). Leave it empty to abstain."
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
