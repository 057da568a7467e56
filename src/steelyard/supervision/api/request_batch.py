"""Many queries to one server: concurrent, retried, and none paid for twice."""

import asyncio
import contextlib
import functools
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

from steelyard.errors import ConfigError, SteelyardError
from steelyard.io.counted import counted
from steelyard.supervision.api.addresses import Address, Addresses, check_listed
from steelyard.supervision.api.client import Chat
from steelyard.supervision.api.event_loop import run_coroutine, signals_to
from steelyard.supervision.api.http_errors import RequestError
from steelyard.supervision.api.read_reply import ServerReply
from steelyard.supervision.api.request import Query
from steelyard.supervision.api.stored_replies import (
    NOT_ASKED,
    Outcomes,
    StoredReplies,
    Unanswered,
)

FIRST_FAILURES = 3  # queries that may fail before the first reply; then the settings are wrong
FAILURES_IN_A_ROW = 25  # queries without a reply, one after the other; then the server is down
GRACE = 10.0  # seconds that pending requests may take after a stop, because they are paid for
CLAIM_PERIOD = 0.5  # seconds between checks of queries that another process is asking


Queue: TypeAlias = deque[Query]
Ask: TypeAlias = Callable[[Query], Coroutine[Any, Any, None]]


class RequestBatch(StoredReplies):
    """Asks a server query by query, and stores every reply before it is used.

    Until the first reply (of each address) one query is sent at a time, so that wrong settings cost
    one request and not eight. Failed requests are sent again after a wait (see `RetryWaits`), if
    there are several addresses to another one (see `Addresses`). The batch ends at
    once if the key is refused, the address or model is wrong, something else than a chat completion
    comes first, the server calls a request bad before it has answered any, or no longer answers,
    and if the first replies all abstain (see `FirstAbstentions`).
    """

    def __init__(self, *settings: Any, **options: Any) -> None:
        super().__init__(*settings, **options)
        self._to_store: dict[str, Mapping[str, Any]] = {}
        self._failed = 0  # queries without a reply since the last reply
        self._addresses = Addresses(self.server)
        self._listed = len(self._addresses.all) == 1  # whether lists of models were compared

    def ask(self, queries: Sequence[Query]) -> Outcomes:
        """Replies by key. Equal keys are asked once.

        Raises:
            ConfigError: the server refuses the key, the address, the model or the settings, queries
                are in a batch under way, or the first replies all abstain.
            SteelyardError: the server no longer answers.
        """
        outcomes, missing = self.find(queries)
        if missing:
            self._check_batches({query.key for query in missing})
            queue = deque(missing)
            run_coroutine(lambda: self._all(queue, outcomes))
        return {query.key: outcomes.get(query.key, Unanswered(NOT_ASKED)) for query in queries}

    def _check_batches(self, keys: set[str]) -> None:
        for batch in self.cache.batches.waiting(self.server.engine):
            pending = keys & set(batch.keys)
            if pending:
                raise ConfigError(
                    f"{counted(len(pending), 'query')} of these are paid for in batch "
                    f"{batch.batch or batch.name} already; set `batch: true` to collect the "
                    "replies."
                )

    async def _all(self, queue: Queue, outcomes: Outcomes) -> None:
        server = self.server
        self._stop, self._storing = asyncio.Event(), asyncio.Lock()
        claimed: Queue = deque()  # another process is asking these
        with signals_to(self._stop) as received:
            async with Chat(server, self.reader) as chat:
                await self._compare_lists(chat, queue)
                ask = functools.partial(self._ask, chat, outcomes, claimed)
                await self._finish([self._work(ask, queue, until_first=True)])
                workers = min(server.concurrency, len(queue))
                await self._finish([self._work(ask, queue) for _ in range(workers)])
                await self._finish([self._wait_for_others(ask, claimed)])
        received.raise_again()

    async def _compare_lists(self, chat: Chat, queue: Queue) -> None:
        """Refuse addresses that list different models, before anything is paid."""
        if self._listed or not queue:
            return
        self._listed = True
        urls = self.server.addresses
        lists = await asyncio.gather(*(chat.models(url) for url in urls))
        pairs = [(url, listed) for url, listed in zip(urls, lists, strict=True) if listed]
        check_listed(pairs, str(queue[0].body["model"]))

    @property
    def _halted(self) -> bool:
        return self._stop.is_set() or bool(self.stopped_by)

    async def _finish(self, work: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Wait for all; after a stop or an error only for requests that are pending."""
        workers = [asyncio.ensure_future(coroutine) for coroutine in work]
        if not workers:
            return
        stop: asyncio.Future[Any] = asyncio.ensure_future(self._stop.wait())
        try:
            pending: set[Any] = set(workers)
            while pending:
                done, _ = await asyncio.wait({*pending, stop}, return_when=asyncio.FIRST_COMPLETED)
                pending -= done
                if stop in done or any(worker.exception() for worker in done if worker is not stop):
                    self._stop.set()
                    if pending:
                        await asyncio.wait(pending, timeout=GRACE)
                    break
        finally:
            stop.cancel()
            for worker in workers:
                worker.cancel()
            ended = await asyncio.gather(*workers, stop, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
                raise error

    async def _work(self, ask: Ask, queue: Queue, until_first: bool = False) -> None:
        def enough() -> bool:
            return until_first and self.replies > 0 and self._addresses.compared

        while queue and not self._halted and not enough():
            await ask(queue.popleft())

    async def _wait_for_others(self, ask: Ask, claimed: Queue) -> None:
        while claimed and not self._halted:
            query = claimed.popleft()
            await ask(query)
            if claimed and claimed[-1] is query:
                await self._pause(CLAIM_PERIOD)

    async def _ask(self, chat: Chat, outcomes: Outcomes, claimed: Queue, query: Query) -> None:
        """Ask one query; it is postponed if another process is asking it."""
        key = query.key
        if not self.cache.claim(key):
            record = self.cache.get([key]).get(key)
            if record is None:
                claimed.append(query)
            else:
                outcomes[key] = self.use(query, record, stored=True)
            return
        outcome = None
        try:
            outcome = await self._send_with_retries(chat, query)
        finally:
            if not isinstance(outcome, ServerReply):
                self.cache.release(key)
        if outcome is not None:
            outcomes[key] = outcome

    async def _send_with_retries(self, chat: Chat, query: Query) -> ServerReply | Unanswered | None:
        """Send until there is a reply or no try is left; None at a stop or a limit."""
        error: RequestError | None = None
        address, size = None, len(self._addresses.all)
        for number in range(self.server.tries * size):
            if address is not None and error is not None:
                # the first tries of all addresses wait alike, then the second ones, ...
                tried = (number + size - 1) // size
                await self._pause(address.waits.before_try(tried, error), error.reason)
            address = self._addresses.choose(failed=address)
            await self._pause(address.waits.until_allowed())
            if self._halted:
                return None
            self.first.check()
            estimate = self.estimate(query)
            self.stopped_by = self.limits.reached(estimate)
            if self.stopped_by:
                return None
            self.limits.requests += 1
            self.limits.promised += estimate
            try:
                return await self._send(chat, query, address)
            except RequestError as failure:
                error = failure
            finally:
                self.limits.promised -= estimate
            if error.action == "stop" or (error.action == "stop first" and not self.replies):
                raise self.refusal(error)
            if error.action in ("skip", "ambiguous"):
                break
            self._addresses.note_failure(address, error)
        assert error is not None
        return self._give_up(error)

    async def _send(self, chat: Chat, query: Query, address: Address) -> ServerReply:
        """Send to an address and store the reply.

        Raises:
            RequestError: there is none.
            ConfigError: its model is not that of the other addresses.
        """
        try:
            with address.busy():
                reply = await chat.complete(query.body, address.url)
        except RequestError as error:
            error.address = address.url
            raise
        self._addresses.note_reply(address, reply.served_model)
        return await self._store(query, reply)

    async def _store(self, query: Query, reply: ServerReply) -> ServerReply:
        record = self.record(query, reply)
        self._to_store[query.key] = record
        async with self._storing:  # replies that arrive meanwhile are stored together
            if self._to_store:
                batch, self._to_store = self._to_store, {}
                await asyncio.to_thread(self.cache.put, batch)
        self._failed = 0
        return self.use(query, record, stored=False)

    def _give_up(self, error: RequestError) -> Unanswered:
        """The outcome of a query without a reply.

        Raises:
            SteelyardError: too many queries have none.
        """
        self._failed += 1
        hopeless = self._failed >= FIRST_FAILURES or error.reason == "no connection"
        if not self.replies and error.action != "skip" and hopeless:
            raise self.refusal(error)
        if self._failed >= FAILURES_IN_A_ROW and error.action in ("retry", "stop first"):
            raise SteelyardError(
                f"{FAILURES_IN_A_ROW} queries in a row got no answer from {self.server.named}, "
                f"the last one: {error}. Replies so far are stored; run the same command again."
            )
        return self.lose(error)

    async def _pause(self, seconds: float, reason: str = "") -> None:
        """Wait, but end at a stop."""
        if seconds <= 0:
            return
        if reason:
            self.watch.waits(seconds, reason)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
