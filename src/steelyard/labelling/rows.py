"""Votes as the long rows of a votes file, with what reproduces each query."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.io import atomic
from steelyard.labelling.items import Items
from steelyard.store.store import fingerprint, library_versions
from steelyard.supervision.api.request import ReplyCache, RequestProgress, request_key
from steelyard.supervision.protocol import NO_LABELS, BaseSupervisor, VoteRequest
from steelyard.types import ABSTAIN, OptionLogProbs, Votes
from steelyard.types.task_kinds import KINDS, TaskKind
from steelyard.weighing.files import inert

Row = dict[str, Any]
COLUMNS = (
    *("id", "voter", "query", "answer", "probabilities", "log_probs", "tokens", "bytes", "text"),
    *("reason", "seed", "order", "prompt"),
)
FREE_TEXT = ("text", "reason", "prompt")
DIGITS = 6  # decimals of probabilities in the file
CHUNK = 500  # questions whose votes are stored together


def vote_rows(votes: Votes, supervisor: BaseSupervisor, items: Items, seed: int) -> Iterator[Row]:
    """One row for each vote: `id, voter, query, answer`, and all else that is available."""
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
        if votes.raw is not None and np.isfinite(votes.raw.log_probs[m]).any():
            row |= _raw(votes.raw, m)
        if votes.texts:
            row["text"] = votes.texts[m]
        if votes.reasons:
            row["reason"] = votes.reasons[m]
        row["seed"] = seed
        if supervisor.prompts is not None:
            asked = supervisor.prompts.ask(question, items.kind, items.classes, number[query], seed)
            row["seed"] = supervisor.sample_seed(asked.seed, int(votes.voter[m]))
            row |= {"order": list(asked.order), "prompt": asked.prompt}
        yield row


def _raw(raw: OptionLogProbs, m: int) -> Row:
    """The log-probabilities behind a vote, with what it takes to normalise them."""
    there = np.isfinite(raw.log_probs[m])
    return {
        "log_probs": [round(float(log), DIGITS) for log in raw.log_probs[m][there]],
        "tokens": raw.tokens[m][there].tolist(),
        "bytes": raw.bytes[m][there].tolist(),
    }


def _answer(votes: Votes, m: int, kind: TaskKind) -> str | int | None:
    answer = int(votes.answer[m])
    if answer == ABSTAIN:
        return None
    if kind.is_open:
        return votes.candidate_texts[int(votes.example[m])][answer]
    return answer if kind.has_options else votes.classes[answer]


def settled_supervisor(
    supervisor: BaseSupervisor, items: Items, seed: int, cache: ReplyCache
) -> BaseSupervisor:
    """The supervisor with all that is left open chosen, once for all chunks, and stored."""
    asked = (items.questions[:CHUNK],), items.labelled or NO_LABELS, seed
    common = _recipe(supervisor, items, seed)
    choice = {"choice": fingerprint(items.questions[:CHUNK]), "labelled": _labelled(items)}
    key = request_key({**common, **choice})
    stored = cache.get([key]).get(key)
    if stored is None:
        chosen = supervisor.settle(VoteRequest(items.kind, items.classes, *asked))
        if chosen is supervisor:
            return supervisor
        record = {"engine": supervisor.kind, "model": _model(supervisor), "request": common}
        cache.put({key: {**record, "text": chosen.model_dump_json()}})
        return chosen
    return type(supervisor).model_validate_json(stored["text"])


def _recipe(supervisor: BaseSupervisor, items: Items, seed: int) -> dict[str, Any]:
    """Everything but the questions that decides a local model's votes."""
    return {
        "engine": supervisor.kind,
        "version": supervisor.versions(),
        "settings": supervisor.deciding_settings(),
        "inputs": dict(supervisor.inputs()),
        "libraries": library_versions(*supervisor.libraries),
        "classes": list(items.classes),
        "seed": seed,
        **({"labelled": _labelled(items)} if supervisor.needs_labels else {}),
    }


def _labelled(items: Items) -> str:
    rows = items.labelled or NO_LABELS
    fields = (rows.questions, rows.truth.tolist(), list(rows.reference_texts))
    return fingerprint(fields)


def _model(supervisor: BaseSupervisor) -> str:
    return "" if supervisor.pretrained is None else supervisor.pretrained.model


def chunked_rows(
    supervisor: BaseSupervisor,
    items: Items,
    seed: int,
    cache: ReplyCache,
    watch: RequestProgress,
) -> Iterator[Row]:
    """Rows of a local language model, asked chunk by chunk, so that a stop loses one chunk only.

    The rows of a chunk are stored as one reply, under a key of everything that decides them.
    """
    common, model = _recipe(supervisor, items, seed), _model(supervisor)
    starts = range(0, len(items.questions), CHUNK)
    watch.begin(len(starts))
    for start in starts:
        questions = items.questions[start : start + CHUNK]
        key = request_key({**common, "questions": fingerprint(questions)})
        stored = cache.get([key]).get(key)
        if stored is None:
            labelled = items.labelled or NO_LABELS
            request = VoteRequest(items.kind, items.classes, (questions,), labelled, seed)
            rows = list(vote_rows(supervisor.vote(request)[0], supervisor, items, seed))
            record = {"engine": supervisor.kind, "model": model, "request": common}
            cache.put({key: {**record, "text": json.dumps(rows)}})
        else:
            rows = json.loads(stored["text"])
        watch.answered("", 0.0, stored=stored is not None)
        yield from rows


def distinct_name(name: str, taken: set[str]) -> str:
    """The name, with `#2`, `#3`, ... appended if it is taken; it is added to the taken names."""
    new, count = name, 1
    while new in taken:
        count += 1
        new = f"{name}#{count}"
    taken.add(new)
    return new


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Replace a file in one step: readers see the old or the new content.

    Args:
        path: its ending says the format: JSON lines, CSV or Parquet.
        rows: the votes; the columns of a table are in the order of `COLUMNS`.
    """
    name = path.name.lower()
    if name.endswith(".csv"):
        atomic.write_parts(path, _csv_lines(rows))
    elif name.endswith(".parquet"):
        atomic.write_bytes(path, _parquet(rows))
    else:
        atomic.write_parts(path, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Lines of CSV. Texts that a spreadsheet may run as a formula get an apostrophe in front.

    Not ids, voters and answers, which `weigh` reads back.
    """
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for cells in chain([COLUMNS], map(_cells, rows)):
        writer.writerow(cells)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _cells(row: Row) -> list[Any]:
    cells = []
    for name in COLUMNS:
        value = row.get(name)
        if isinstance(value, list):
            value = json.dumps(value)
        elif name in FREE_TEXT and isinstance(value, str):
            value = inert(value)
        cells.append("" if value is None else value)
    return cells


def _parquet(rows: Iterable[Row]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    kept = list(rows)
    names = [name for name in COLUMNS if any(name in row for row in kept)]
    table = pyarrow.table({name: [row.get(name) for row in kept] for name in names})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()
