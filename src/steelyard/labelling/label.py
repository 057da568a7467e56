"""Collect votes from supervisors and write them; the same call resumes after a stop."""

import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from steelyard.io import atomic
from steelyard.io.rows import stem
from steelyard.labelling.checks import check_output, check_supervisors, ledger_path
from steelyard.labelling.items import Items
from steelyard.labelling.rounds import Asker, ask_in_rounds
from steelyard.labelling.rows import (
    CHUNK,
    Row,
    chunked_rows,
    distinct_name,
    settled_supervisor,
    vote_rows,
    write_rows,
)
from steelyard.store.reply_ledger import Ledger
from steelyard.supervision.api.request import InMemory, Limits, ReplyCache, RequestProgress
from steelyard.supervision.api.stored_replies import NOT_ASKED
from steelyard.supervision.parsed_replies import ParsedReply, votes_of
from steelyard.supervision.protocol import NO_LABELS, BaseSupervisor, VoteRequest
from steelyard.supervision.vote_patterns import VotePatterns
from steelyard.types import ABSTAIN
from steelyard.types.task_kinds import KINDS, TaskKind

log = logging.getLogger(__name__)


@dataclass
class LabellingResult:
    """What was asked, and the votes that were written."""

    out: Path
    ledger: Path
    items: int
    classes: Path | None = None  # file of the class names, for `weigh`
    voters: tuple[str, ...] = ()
    votes: int = 0  # rows in the file
    abstained: Counter[str] = field(default_factory=Counter)  # reasons of rows without an answer
    unanswered: Counter[str] = field(default_factory=Counter)  # those that asking again may answer
    requests: int = 0  # sent by this run
    cost: float = 0.0  # cost of all answers, earlier runs' included
    models: Counter[str] = field(default_factory=Counter)  # model names in the servers' replies
    stopped_by: str = ""  # the limit that was reached
    unused_budget: int = 0  # queries of the budget beyond all that can be asked
    queries: tuple[str, ...] = ()  # names of the prompt variants in the file
    asked_again: Counter[str] = field(default_factory=Counter)  # reasons of replies asked again
    notes: tuple[str, ...] = ()  # how models were asked where it was left open, and why
    warnings: tuple[str, ...] = ()  # what the votes give away, such as that they follow a position

    def counting(self, rows: Iterable[Row], items: Items) -> Iterator[Row]:
        """The same rows, counted one by one; patterns of the first ones are logged immediately."""
        has_classes = KINDS[items.kind].has_classes
        patterns = VotePatterns(items.classes if has_classes else ())
        names = {name: number for number, name in enumerate(items.classes)}
        first: set[str] = set()
        voters: dict[str, None] = {}
        queries: dict[str, None] = {}
        for row in rows:
            voters.setdefault(row["voter"])
            queries.setdefault(row["query"])
            self.votes += 1
            if row["answer"] is None:
                self.abstained[row.get("reason") or "no answer"] += 1
            number = _number(row["answer"], names, KINDS[items.kind])
            order, reason = row.get("order", ()), row.get("reason") or ""
            patterns.add(row["voter"], row["query"], number, order, reason)
            if len(first) < CHUNK:
                first.add(row["id"])
                if len(first) == CHUNK:
                    for sentence in patterns.sentences():
                        log.warning("After %d questions: %s", CHUNK, sentence)
            yield row
        self.warnings = tuple(patterns.sentences())
        self.voters, self.queries = tuple(voters), tuple(queries)


def _number(answer: Any, names: Mapping[str, int], kind: TaskKind) -> int:
    """The number of a row's answer; 0 of an open one."""
    if answer is None:
        return ABSTAIN
    if kind.is_open:
        return 0
    return int(answer) if kind.has_options else names[answer]


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
    again: Collection[str] = (),
) -> LabellingResult:
    """Ask each supervisor about each question and write their votes.

    Rows have `id, voter, query, answer` (class name, option number or open answer; null abstains),
    `probabilities`, `text` and `reason` where there are any, and `seed, order, prompt`, which
    reproduce the query. The file is written in one step at the end, from the ledger: equal answers
    make an equal file. Names of closed answers are written to a second file, for the option
    `classes` of `weigh`.

    Args:
        items: the questions and what they ask.
        supervisors: settings of at least one.
        out: a .jsonl, .csv or .parquet file, replaced. In CSV `probabilities` and `order` are JSON.
        seed: random seed for option orders, samples and trained supervisors.
        ledger: file of paid answers; None puts it beside `out`.
        limits: limits of requests and cost, for all servers together.
        budget: ask adaptively, this number of queries in total; None asks every query.
        watch: receives progress.
        again: reasons of abstention, such as "empty"; queries whose stored reply abstains for one
            are asked again.

    Raises:
        ConfigError: a supervisor does not fit the task, has no labelled rows to be trained on, or
            cannot keep a limit; or the first replies of a model all abstain.
        InputError: `out` cannot be written.
        StoreError: the ledger cannot be used.
    """
    check_output(out)
    check_supervisors(items, supervisors, limits, budget, again)
    limits = limits or Limits()
    path = ledger_path(out, ledger)
    result = LabellingResult(out, path, len(items.questions))
    uses_prompts = any(supervisor.prompts is not None for supervisor in supervisors)
    with Ledger(path) if uses_prompts else nullcontext(InMemory()) as cache:
        job = _Job(items, supervisors, seed, cache, watch or RequestProgress(), [])
        askers = job.askers(limits, again)
        replies = job.replies(askers, budget)
        write_rows(out, result.counting(job.rows(replies), items))
    result.notes = tuple(job.notes)
    result.unused_budget = 0 if budget is None else budget - result.votes
    result.requests, result.cost = limits.requests, limits.cost
    result.unanswered.update(r.reason for part in replies.values() for r in part if r.retryable)
    for _, batch in askers.values():
        result.stopped_by = result.stopped_by or batch.stopped_by
        result.models.update(batch.models)
        result.asked_again.update(batch.asked_again)
    if items.classes:
        result.classes = out.with_name(f"{stem(out)}.classes.json")
        atomic.write_text(result.classes, json.dumps(list(items.classes)) + "\n")
    return result


class _Job(NamedTuple):
    """What is asked of whom, and where replies are stored."""

    items: Items
    supervisors: Sequence[BaseSupervisor]
    seed: int
    cache: ReplyCache
    watch: RequestProgress
    notes: list[str]  # filled while rows are made

    def askers(self, limits: Limits, again: Collection[str]) -> dict[int, Asker]:
        """Servers and their batches of requests, by the supervisor's number."""
        servers = enumerate(supervisor.server for supervisor in self.supervisors)
        return {
            n: (server, server.asker(self.cache, limits, self.watch, again))
            for n, server in servers
            if server is not None
        }

    def replies(
        self, askers: Mapping[int, Asker], budget: int | None
    ) -> dict[int, list[ParsedReply]]:
        """Replies of servers to the queries that were sent, by the supervisor's number."""
        items = self.items
        if budget is None:
            replies = {}
            for n, (server, batch) in askers.items():
                asked = server.ask_all(items.questions, items.kind, items.classes, self.seed)
                replies[n] = server.replies(asked, batch)
        else:
            parts = ask_in_rounds(items, list(askers.values()), budget, self.seed)
            replies = dict(zip(askers, parts, strict=True))
        return {n: [r for r in part if r.reason != NOT_ASKED] for n, part in replies.items()}

    def rows(self, replies: Mapping[int, Sequence[ParsedReply]]) -> Iterator[Row]:
        """Rows of all votes; equal names of different supervisors' voters get a number."""
        taken: set[str] = set()
        for n, supervisor in enumerate(self.supervisors):
            names: dict[str, str] = {}
            for row in self._rows_of(supervisor, replies.get(n)):
                if row["voter"] not in names:
                    names[row["voter"]] = distinct_name(row["voter"], taken)
                yield {**row, "voter": names[row["voter"]]}

    def _rows_of(
        self, supervisor: BaseSupervisor, replies: Sequence[ParsedReply] | None
    ) -> Iterator[Row]:
        items, server = self.items, supervisor.server
        if server is not None and replies is not None:
            names = (server.voter,), server.query_names(items.kind)
            votes = votes_of(items.kind, items.questions, items.classes, *names, replies)
        elif supervisor.asks_in_parts:
            supervisor = settled_supervisor(supervisor, items, self.seed, self.cache)
            self.notes.extend(supervisor.asked_notes)
            yield from chunked_rows(supervisor, items, self.seed, self.cache, self.watch)
            return
        else:
            self.watch.begin(1)
            asked = (items.questions,), items.labelled or NO_LABELS, self.seed
            request = VoteRequest(items.kind, items.classes, *asked, salts=(items.salt,))
            votes = supervisor.vote(request)[0]
            self.notes.extend(votes.notes)
            self.watch.answered("", 0.0, stored=False)
        yield from vote_rows(votes, supervisor, items, self.seed)
