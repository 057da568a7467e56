"""Many queries as batches of a server: submitted, looked at, collected; half the price."""

import itertools
import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from steelyard.errors import ConfigError, SteelyardError
from steelyard.io.counted import counted
from steelyard.supervision.api.batch_client import BatchClient
from steelyard.supervision.api.batch_files import (
    batch_files,
    batch_progress,
    failure_of,
    parse_line,
    reply_of,
)
from steelyard.supervision.api.batch_records import SubmittedBatch
from steelyard.supervision.api.http_errors import RequestError
from steelyard.supervision.api.read_reply import ServerReply
from steelyard.supervision.api.refused_settings import setting_to_change
from steelyard.supervision.api.request import Query
from steelyard.supervision.api.stored_replies import (
    NOT_ASKED,
    Outcomes,
    StoredReplies,
    Unanswered,
)

log = logging.getLogger(__name__)
ENDS = ("completed", "failed", "expired", "cancelled")
ONE_TRANSACTION = 500  # replies


class BatchJobs(StoredReplies):
    """Asks a server in batches, and stores every reply under the key of an ordinary request.

    Before anything is sent the batch is noted in the ledger, then the server's name of its file,
    then that of the batch. Whatever is interrupted, the next run finds the batch and collects it;
    nothing is sent twice.
    """

    def ask(self, queries: Sequence[Query]) -> Outcomes:
        """Replies by key. Waits until all batches are finished, which may take a day.

        Raises:
            ConfigError: the server refuses the key, the address, the model, the settings or the
                whole batch, or the first replies all abstain.
            SteelyardError: the server no longer answers.
        """
        self._close_collected()
        outcomes, missing = self.find(queries)
        by_key = {query.key: query for query in missing}
        if by_key:
            try:
                with BatchClient(self.server, self.reader) as client:
                    self._collect(client, by_key, outcomes)
                    todo = [q for key, q in by_key.items() if not _settled(outcomes.get(key))]
                    if todo and self._submit(client, todo):
                        self._collect(client, by_key, outcomes)
            except RequestError as error:
                raise self.refusal(error) from error
        return {query.key: outcomes.get(query.key, Unanswered(NOT_ASKED)) for query in queries}

    def _close_collected(self) -> None:
        """Close batches of which every reply is stored: a run ended right after it stored them."""
        for batch in self.cache.batches.waiting(self.server.engine):
            if len(self.cache.get(batch.keys)) == len(batch.keys):
                self.cache.batches.close(batch.name)

    def _submit(self, client: BatchClient, queries: Sequence[Query]) -> bool:
        """Send what the limits allow; whether anything was sent."""
        self.first.check()
        affordable = list(self._affordable(queries))
        for part in batch_files(affordable, self.server.batch_endpoint):
            book = self.cache.batches
            batch = book.reserve(self.server.engine, list(part))
            if not batch.keys:  # another process sends them
                continue
            lines = b"".join(part[key] for key in batch.keys)
            file = client.upload(lines)
            book.note(batch.name, file=file)
            book.note(batch.name, batch=self._started(client, file))
        return bool(affordable)

    def _affordable(self, queries: Sequence[Query]) -> Iterator[Query]:
        for query in queries:
            estimate = self.estimate(query)
            self.stopped_by = self.limits.reached(estimate)
            if self.stopped_by:
                return
            self.limits.requests += 1
            self.limits.promised += estimate
            yield query

    def _started(self, client: BatchClient, file: str) -> str:
        """The server's name of the batch of an uploaded file, which may have been started."""
        for number in itertools.count(1):
            try:
                return client.start(file)
            except RequestError as error:
                if error.action != "retry" or number >= self.server.tries:
                    raise
                time.sleep(min(self.server.first_wait * 2.0**number, self.server.longest_wait))
                batch = _batch_of(client, file)
                if batch:
                    return batch
        raise AssertionError

    def _collect(
        self, client: BatchClient, by_key: Mapping[str, Query], outcomes: Outcomes
    ) -> None:
        """Wait for all open batches of the server and store their replies."""
        book, engine = self.cache.batches, self.server.engine
        while waiting := book.waiting(engine):
            finished = False
            for batch in waiting:
                if not batch.batch and batch.file and batch.owned:
                    name = _batch_of(client, batch.file) or self._started(client, batch.file)
                    book.note(batch.name, batch=name)
                    finished = True  # look at once
                elif batch.batch:
                    finished |= self._collect_one(client, batch, by_key, outcomes)
            if not finished:
                time.sleep(self.server.batch_poll)
        for key, record in self.cache.get([k for k in by_key if k not in outcomes]).items():
            outcomes[key] = self.use(by_key[key], record, stored=True)  # of another process

    def _collect_one(
        self,
        client: BatchClient,
        batch: SubmittedBatch,
        by_key: Mapping[str, Query],
        outcomes: Outcomes,
    ) -> bool:
        """Collect a batch if it has ended; whether it has."""
        try:
            state = client.look(batch.batch)
        except RequestError as error:
            if not error.detail.startswith("404") or _is_listed(client, batch.batch):
                raise
            log.warning("The server no longer has batch %s; its requests are free.", batch.batch)
            state = {"status": "cancelled"}
        status = str(state.get("status"))
        if status not in ENDS:
            self.watch.waits(self.server.batch_poll, f"batch {batch.batch} {batch_progress(state)}")
            return False
        errors: dict[str, RequestError] = {}
        for name in ("output_file_id", "error_file_id"):
            if state.get(name):
                lines = client.download(str(state[name]))
                self._store_lines(lines, set(batch.keys), by_key, outcomes, errors)
        self.cache.batches.close(batch.name)
        for key in batch.keys:
            if key in by_key:
                self.limits.promised = max(0.0, self.limits.promised - self.estimate(by_key[key]))
        if status == "failed":
            raise self._failed(batch, state, by_key)
        reason = "no reply in the batch" if status == "completed" else f"batch {status}"
        self._lose(batch.keys, RequestError(reason, "retry"), by_key, outcomes, errors)
        return True

    def _store_lines(
        self,
        lines: Sequence[str],
        keys: Collection[str],
        by_key: Mapping[str, Query],
        outcomes: Outcomes,
        errors: dict[str, RequestError],
    ) -> None:
        """Store the replies of a file, in transactions of some hundred; keep its errors."""
        for start in range(0, len(lines), ONE_TRANSACTION):
            records = {}
            for line in lines[start : start + ONE_TRANSACTION]:
                key, reply = self._reply_of(line, by_key)
                if key not in keys:
                    continue
                if isinstance(reply, RequestError):
                    errors[key] = reply
                else:
                    records[key] = reply
            self.cache.put(records)
            for key, record in records.items():
                if key in by_key:
                    outcomes[key] = self.use(by_key[key], record, stored=True)

    def _reply_of(
        self, line: str, by_key: Mapping[str, Query]
    ) -> tuple[str, dict[str, Any] | RequestError]:
        """The key and the stored form of a reply, or its error; the key is "" for no reply."""
        key, entry = parse_line(line)
        query = by_key.get(key)
        try:
            reply = reply_of(entry, self.reader, {} if query is None else query.body)
        except RequestError as error:
            return key, error
        if query is not None:
            return key, self.record(query, reply)
        tokens = reply.prompt_tokens or 0, reply.completion_tokens or 0
        record = {**reply.record(), "engine": self.server.engine}
        return key, {**record, "price": self.server.price(*tokens)}

    def _lose(
        self,
        keys: Sequence[str],
        missing: RequestError,
        by_key: Mapping[str, Query],
        outcomes: Outcomes,
        errors: Mapping[str, RequestError],
    ) -> None:
        """Note the queries of a batch that have no reply.

        Raises:
            SteelyardError: no query of any batch has a reply, and the settings are the reason.
        """
        refused = [e for e in errors.values() if e.action not in ("skip", "retry")]
        if refused and not self.replies:
            raise self.refusal(refused[0])
        for key in keys:
            if key in by_key and not isinstance(outcomes.get(key), ServerReply):
                outcomes[key] = self.lose(errors.get(key, missing))
        self.first.check()

    def _failed(
        self, batch: SubmittedBatch, state: Mapping[str, Any], by_key: Mapping[str, Query]
    ) -> SteelyardError:
        """The error about a batch that the server did not accept."""
        code, message, field = failure_of(state)
        message = self.reader.clean(message)[:300]
        request = next((by_key[key].body for key in batch.keys if key in by_key), {})
        change = setting_to_change(message, field, request)
        if not change and "limit" in f"{code} {message}".lower():
            change = "send fewer requests at once (`max_requests`)"
        return ConfigError(
            f"{self.server.address} failed batch {batch.batch} of "
            f"{counted(len(batch.keys), 'request')} ({message}); nothing of it was answered. To "
            f"send it again, {change or 'correct the settings'} and run the same command."
        )


def _settled(outcome: ServerReply | Unanswered | None) -> bool:
    """Whether asking in this run is of no use."""
    return outcome is not None and not (isinstance(outcome, Unanswered) and outcome.retryable)


def _batch_of(client: BatchClient, file: str) -> str:
    """The batch that was started with a file, or ""."""
    try:
        for record in client.listed():
            if record.get("input_file_id") == file:
                return str(record["id"])
    except RequestError as error:
        if error.action != "stop":
            raise
        log.warning("The server lists no batches (%s); one may be sent twice.", error)
    return ""


def _is_listed(client: BatchClient, batch: str) -> bool:
    return any(record.get("id") == batch for record in client.listed())
