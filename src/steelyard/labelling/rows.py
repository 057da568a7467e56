"""Votes as the long rows of a votes file, with what reproduces each query."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from steelyard.io import atomic as sealed
from steelyard.labelling.items import Items
from steelyard.prompts import PromptedQuestion
from steelyard.supervision.protocol import BaseSupervisor
from steelyard.types import ABSTAIN, Votes
from steelyard.types.task_kinds import KINDS, TaskKind

Row = dict[str, Any]
DIGITS = 6  # of probabilities in the file


def rows_of(votes: Votes, supervisor: BaseSupervisor, items: Items, seed: int) -> Iterator[Row]:
    """One row for each vote: `id, voter, query, answer`, and what is known of it."""
    by_id = {question.id: question for question in items.questions}
    number = {name: q for q, name in enumerate(votes.queries)}
    for m in range(len(votes.answer)):
        question = by_id[votes.ids[votes.example[m]]]
        query = votes.queries[votes.query[m]]
        row: Row = {
            "id": question.id,
            "voter": votes.voters[votes.voter[m]],
            "query": query,
            "answer": _answer(votes, m, KINDS[items.kind]),
        }
        if votes.probs is not None and votes.answer[m] != ABSTAIN:
            row["probabilities"] = [round(float(p), DIGITS) for p in votes.probs[m]]
        if votes.texts:
            row["text"] = votes.texts[m]
        if votes.reasons:
            row["reason"] = votes.reasons[m]
        if supervisor.prompts is not None:
            asked = supervisor.prompts.ask(question, items.kind, items.classes, number[query], seed)
            row |= _reproduced(asked, supervisor, int(votes.voter[m]))
        else:
            row["seed"] = seed
        yield row


def _answer(votes: Votes, m: int, kind: TaskKind) -> str | int | None:
    answer = int(votes.answer[m])
    if answer == ABSTAIN:
        return None
    if kind.is_open:
        texts = votes.candidate_texts[int(votes.example[m])]
        return texts[answer]
    return answer if kind.has_options else votes.classes[answer]


def _reproduced(asked: PromptedQuestion, supervisor: BaseSupervisor, voter: int) -> Row:
    seed = supervisor.sample_seed(asked.seed, voter)
    return {"seed": seed, "order": list(asked.order), "prompt": asked.prompt}


def told_apart(name: str, taken: set[str]) -> str:
    """The name with `#2`, `#3`, ... behind it if it is taken, which it is from now on."""
    new, count = name, 1
    while new in taken:
        count += 1
        new = f"{name}#{count}"
    taken.add(new)
    return new


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Replace a file of JSON lines at once: readers see the old or the new content, never half."""
    sealed.write_parts(path, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
