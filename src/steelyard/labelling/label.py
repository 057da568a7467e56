"""Ask, write the votes, and say what came of it. The same call goes on after a stop."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steelyard.errors import ConfigError, InputError
from steelyard.io import atomic as sealed
from steelyard.io.rows import stem
from steelyard.labelling.chunks import chunked_rows
from steelyard.labelling.items import Items
from steelyard.labelling.rounds import ask_in_rounds
from steelyard.labelling.rows import Row, rows_of, told_apart, write_rows
from steelyard.store.ledger import Ledger
from steelyard.supervision.api.request import (
    InMemory,
    Limits,
    ReplyCache,
    RequestProgress,
)
from steelyard.supervision.api.request_batch import NOT_ASKED, RequestBatch
from steelyard.supervision.parsed_replies import ParsedReply, votes_of
from steelyard.supervision.protocol import NO_LABELS, BaseSupervisor, VoteRequest
from steelyard.types.task_kinds import KINDS

ENDING = ".jsonl"


@dataclass
class LabellingResult:
    """What was asked, and what came of it."""

    out: Path
    ledger: Path
    items: int
    classes: Path | None  # file of the classes' names, for `weigh`
    voters: tuple[str, ...] = ()
    votes: int = 0  # rows in the file
    abstained: Counter[str] = field(default_factory=Counter)  # reasons of rows without an answer
    lost: Counter[str] = field(default_factory=Counter)  # those of them that asking again may mend
    requests: int = 0  # sent by this run
    cost: float = 0.0  # of all answers, earlier runs' included
    models: Counter[str] = field(default_factory=Counter)  # as the servers named themselves
    stopped_by: str = ""  # the limit that was reached
    spare: int = 0  # queries of the budget that there was nothing to ask with

    def counting(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted as they go by."""
        voters: dict[str, None] = {}
        for row in rows:
            voters.setdefault(row["voter"])
            self.votes += 1
            if row["answer"] is None:
                self.abstained[row.get("reason") or "no answer"] += 1
            yield row
        self.voters = tuple(voters)


@dataclass(frozen=True)
class Plan:
    """What a supervisor would be asked; numbers of tokens are estimates."""

    supervisor: str
    queries: int
    stored: int = 0  # distinct ones that are answered already
    to_ask: int = 0  # distinct ones that are not
    prompt_tokens: int = 0  # of those to be asked: a quarter of the characters
    completion_tokens: int = 0  # of those to be asked: at most
    price: float = 0.0  # at most
    served: bool = False  # by a server


def label(
    items: Items,
    supervisors: Sequence[BaseSupervisor],
    out: Path,
    *,
    seed: int = 0,
    ledger: Path | None = None,
    limits: Limits | None = None,
    budget: int | None = None,
    watch: RequestProgress | None = None,
) -> LabellingResult:
    """Ask each supervisor about each question and write their votes as JSON lines.

    Rows have `id, voter, query, answer` (class name, option number or open answer; null abstains),
    `probabilities`, `text` and `reason` where there are any, and `seed, order, prompt`, which
    reproduce the query. The file is written at once at the end, from the ledger: equal answers make
    an equal file. Names of closed answers go into a second file that `weigh` takes as `--classes`.

    Args:
        items: what is asked.
        supervisors: settings of at least one.
        out: a .jsonl file, replaced.
        seed: of option orders, samples and trained supervisors.
        ledger: file of paid answers; None puts it beside `out`.
        limits: of requests and cost, for all servers together.
        budget: ask adaptively, so many queries in all; None asks every query.
        watch: is told of progress.

    Raises:
        ConfigError: a supervisor that does not fit the task, has no labelled rows to learn from,
            or a limit that it cannot keep.
        InputError: `out` cannot be written.
        StoreError: the ledger cannot be used.
    """
    check_out(out)
    check(items, supervisors, limits, budget)
    limits, watch = limits or Limits(), watch or RequestProgress()
    place = ledger or out.with_name(f"{stem(out)}.ledger.sqlite")
    result = LabellingResult(out, place, len(items.questions), None)
    kept = any(supervisor.prompts is not None for supervisor in supervisors)
    book = Ledger(place) if kept else None
    try:
        answers: ReplyCache = InMemory() if book is None else book
        batches = {
            n: server.batch(answers, limits, watch)
            for n, server in enumerate(supervisor.server for supervisor in supervisors)
            if server is not None
        }
        said = _ask(items, supervisors, batches, budget, seed)
        rows = _rows(items, supervisors, said, seed, answers, watch)
        write_rows(out, result.counting(rows))
    finally:
        if book is not None:
            book.close()
    if budget is not None:
        result.spare = budget - result.votes
    result.requests, result.cost = limits.requests, limits.cost
    result.lost.update(one.reason for part in said.values() for one in part if one.retryable)
    for batch in batches.values():
        result.stopped_by = result.stopped_by or batch.stopped_by
        result.models.update(batch.models)
    if items.classes:
        result.classes = out.with_name(f"{stem(out)}.classes.json")
        sealed.write_text(result.classes, json.dumps(list(items.classes)) + "\n")
    return result


def plan(
    items: Items,
    supervisors: Sequence[BaseSupervisor],
    out: Path,
    seed: int = 0,
    ledger: Path | None = None,
) -> list[Plan]:
    """What `label` would ask; nothing is asked and nothing written."""
    check(items, supervisors, None, None)
    place = ledger or out.with_name(f"{stem(out)}.ledger.sqlite")
    plans = []
    for supervisor in supervisors:
        prompts, server = supervisor.prompts, supervisor.server
        if server is None:
            queries_each = 1 if prompts is None else len(prompts.query_names(items.kind))
            count = queries_each * len(items.questions) * supervisor.num_voters
            plans.append(Plan(supervisor.kind, count))
            continue
        asked = server.ask_all(items.questions, items.kind, items.classes, seed)
        queries = {query.key: query for query in map(server.query, asked)}
        stored: dict[str, Any] = {}
        if place.exists():
            with Ledger(place) as book:
                stored = book.get(list(queries))
        todo = [query for key, query in queries.items() if key not in stored]
        read = sum(query.tokens for query in todo)
        written = len(todo) * server.max_new_tokens
        price = (read * server.price_prompt + written * server.price_completion) / 1000
        counts = (len(asked), len(stored), len(todo))
        plans.append(Plan(server.voter, *counts, read, written, price, served=True))
    return plans


def check(
    items: Items, supervisors: Sequence[BaseSupervisor], limits: Limits | None, budget: int | None
) -> None:
    """Say early what cannot work.

    Raises:
        ConfigError: as `label`.
        InputError: votes about other ids.
    """
    ids = {question.id for question in items.questions}
    classes = items.classes if KINDS[items.kind].has_classes else ()
    for supervisor in supervisors:
        server = supervisor.server
        supervisor.check_task(items.kind)
        supervisor.check_ids(ids)
        if supervisor.prompts is not None:
            supervisor.prompts.check_asking(items.kind, classes)
        if supervisor.needs_labels and items.labelled is None:
            raise ConfigError(
                f"A {supervisor.kind} supervisor learns from labelled rows; give a file of them "
                "with --labelled."
            )
        if budget is not None and server is None:
            raise ConfigError(
                f"`--adaptive` decides query by query, and a {supervisor.kind} supervisor answers "
                "all at once; leave it out, or use `api` supervisors only."
            )
        if server is None or limits is None or limits.max_cost is None:
            continue
        if not server.price_prompt and not server.price_completion:
            raise ConfigError(
                "`--max-cost` needs prices; give `price_prompt` and `price_completion` (of 1,000 "
                f"tokens) of {server.voter}."
            )


def check_out(out: Path) -> None:
    """Refuse early an output that cannot be written.

    Raises:
        InputError: another ending than .jsonl, a folder, or no folder to write it in.
    """
    if not out.name.lower().endswith(ENDING):
        raise InputError(f"`--out` must end in {ENDING} (JSON lines); got {out.name}.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give a file with --out.")
    if not out.parent.is_dir():
        raise InputError(f"{out} cannot be written: there is no folder {out.parent}. Make it.")
    try:
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error.strerror}); give a file in another folder."
        ) from error


def _ask(
    items: Items,
    supervisors: Sequence[BaseSupervisor],
    batches: Mapping[int, RequestBatch],
    budget: int | None,
    seed: int,
) -> dict[int, list[ParsedReply]]:
    """What servers say, by the supervisor's number; without what was not asked."""
    servers = {n: server for n in batches if (server := supervisors[n].server) is not None}
    if budget is None:
        replies = {}
        for n, server in servers.items():
            queries = server.ask_all(items.questions, items.kind, items.classes, seed)
            replies[n] = server.replies(queries, batches[n])
    else:
        pairs = [(server, batches[n]) for n, server in servers.items()]
        replies = dict(zip(servers, ask_in_rounds(items, pairs, budget, seed), strict=True))
    return {
        n: [reply for reply in part if reply.reason != NOT_ASKED] for n, part in replies.items()
    }


def _rows(
    items: Items,
    supervisors: Sequence[BaseSupervisor],
    said: Mapping[int, Sequence[ParsedReply]],
    seed: int,
    answers: ReplyCache,
    watch: RequestProgress,
) -> Iterator[Row]:
    """Rows of each supervisor, their voters told apart."""
    taken: set[str] = set()
    for n, supervisor in enumerate(supervisors):
        names: dict[str, str] = {}
        for row in _rows_of(supervisor, items, said.get(n), seed, answers, watch):
            if row["voter"] not in names:
                names[row["voter"]] = told_apart(row["voter"], taken)
            yield {**row, "voter": names[row["voter"]]}


def _rows_of(
    supervisor: BaseSupervisor,
    items: Items,
    replies: Sequence[ParsedReply] | None,
    seed: int,
    answers: ReplyCache,
    watch: RequestProgress,
) -> Iterator[Row]:
    server = supervisor.server
    if server is not None and replies is not None:
        queries = server.query_names(items.kind)
        votes = votes_of(
            items.kind, items.questions, items.classes, (server.voter,), queries, replies
        )
    elif supervisor.asks_in_parts:
        yield from chunked_rows(supervisor, items, seed, answers, watch)
        return
    else:
        watch.begin(1)
        votes = supervisor.vote(
            VoteRequest(
                items.kind, items.classes, (items.questions,), items.labelled or NO_LABELS, seed
            )
        )[0]
        watch.answered("", 0.0, stored=False)
    yield from rows_of(votes, supervisor, items, seed)
