"""Many queries to one server: concurrent, retried, and none paid for twice."""

import asyncio
import contextlib
import functools
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from steelyard.errors import ConfigError, SteelyardError
from steelyard.prompts import PromptedQuestion
from steelyard.supervision.api.client import Chat, ServerReply
from steelyard.supervision.api.event_loop import run_coroutine, signals_to
from steelyard.supervision.api.http_errors import RequestError
from steelyard.supervision.api.request import (
    CHARACTERS_PER_TOKEN,
    Limits,
    Query,
    ReplyCache,
    RequestProgress,
    ServerSettings,
)
from steelyard.supervision.api.retries import RetryWaits

FIRST_FAILURES = 3  # queries that may fail before the first reply; then the settings are wrong
FAILURES_IN_A_ROW = 25  # queries without a reply, one after the other; then the server is down
GRACE = 10.0  # seconds that pending requests may take after a stop, because they are paid for
NOT_ASKED = "not asked"
CLAIM_PERIOD = 0.5  # seconds between checks of queries that another process is asking


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A query without a reply. It is not stored: the next run asks again."""

    reason: str  # such as "timeout"; NOT_ASKED where a limit was reached
    retryable: bool = True  # asking again may help; not for a text that is too long


Outcomes: TypeAlias = dict[str, ServerReply | Unanswered]
"""Replies by the key of their query."""
Queue: TypeAlias = deque[Query]
Ask: TypeAlias = Callable[[Query], Coroutine[Any, Any, None]]


class RequestBatch:
    """Asks a server, and stores every reply before it is used.

    Until the first reply one query is sent at a time, so that wrong settings cost one request
    and not eight. Failed requests are sent again after a wait (see `RetryWaits`). The batch ends at
    once if the key is refused, the address or model is wrong, the server calls a request bad before
    it has answered any, or no longer answers. For the watch, `abstains_because` gives the reason
    why a reply abstains, or "".
    """

    def __init__(
        self,
        server: ServerSettings,
        max_tokens: int,
        cache: ReplyCache,
        limits: Limits | None = None,
        watch: RequestProgress | None = None,
        abstains_because: Callable[[PromptedQuestion, ServerReply], str] = lambda asked, reply: "",
    ) -> None:
        self.server, self.key, self.cache = server, server.key(), cache
        self._max_tokens = max_tokens  # in a reply
        self.limits, self.watch = limits or Limits(), watch or RequestProgress()
        self._abstains_because = abstains_because
        self.stopped_by = ""  # the limit that was reached
        self.models: Counter[str] = Counter()  # names of the model in the server's replies
        self._to_store: dict[str, Mapping[str, Any]] = {}
        self._counted: set[str] = set()
        self._replies = 0  # stored ones included
        self._failed = 0  # queries without a reply since the last reply
        self._waits = RetryWaits(server.first_wait, server.longest_wait)

    def ask(self, queries: Sequence[Query]) -> Outcomes:
        """Replies by key. Equal keys are asked once.

        Raises:
            ConfigError: the server refuses the key, the address, the model or the settings.
            SteelyardError: the server no longer answers.
        """
        distinct = {query.key: query for query in queries}
        self.watch.begin(len(distinct))
        outcomes: Outcomes = {}
        for key, record in self.cache.get(list(distinct)).items():
            outcomes[key] = self._use(distinct[key], record, stored=True)
        queue = deque(query for key, query in distinct.items() if key not in outcomes)
        if queue:
            run_coroutine(lambda: self._all(queue, outcomes))
        return {key: outcomes.get(key, Unanswered(NOT_ASKED)) for key in distinct}

    async def _all(self, queue: Queue, outcomes: Outcomes) -> None:
        server = self.server
        self._stop, self._storing = asyncio.Event(), asyncio.Lock()
        claimed: Queue = deque()  # another process is asking these
        with signals_to(self._stop) as received:
            address = server.base_url, self.key
            async with Chat(*address, server.concurrency, server.timeout) as chat:
                ask = functools.partial(self._ask, chat, outcomes, claimed)
                await self._finish([self._work(ask, queue, until_first=True)])
                workers = min(server.concurrency, len(queue))
                await self._finish([self._work(ask, queue) for _ in range(workers)])
                await self._finish([self._wait_for_others(ask, claimed)])
        received.raise_again()

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
        while queue and not self._halted and not (until_first and self._replies):
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
                outcomes[key] = self._use(query, record, stored=True)
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
        for number in range(self.server.tries):
            if error is not None:
                await self._pause(self._waits.before_try(number, error), error.reason)
            await self._pause(self._waits.until_allowed())
            if self._halted:
                return None
            estimate = self.server.price(query.tokens, self._max_tokens)
            self.stopped_by = self.limits.reached(estimate)
            if self.stopped_by:
                return None
            self.limits.requests += 1
            self.limits.promised += estimate
            try:
                reply = await chat.complete(query.body)
                return await self._store(query, reply)
            except RequestError as failure:
                error = failure
            finally:
                self.limits.promised -= estimate
            if error.action == "stop":
                raise self._refusal(error)
            if error.action != "retry":
                break
            self._waits.hold_all(error)
        assert error is not None
        return self._give_up(query, error)

    async def _store(self, query: Query, reply: ServerReply) -> ServerReply:
        prompt = reply.prompt_tokens if reply.prompt_tokens is not None else query.tokens
        completion = reply.completion_tokens
        if completion is None:
            completion = len(reply.text) // CHARACTERS_PER_TOKEN + 1
        record = {
            **reply.record(),
            "engine": self.server.base_url,
            "model": query.body["model"],
            "request": query.body,
            "price": self.server.price(prompt, completion),
        }
        self._to_store[query.key] = record
        async with self._storing:  # replies that arrive meanwhile are stored together
            if self._to_store:
                batch, self._to_store = self._to_store, {}
                await asyncio.to_thread(self.cache.put, batch)
        return self._use(query, record, stored=False)

    def _use(self, query: Query, record: Mapping[str, Any], stored: bool) -> ServerReply:
        reply, key = ServerReply.from_record(record), query.key
        self.models[reply.served_model] += 1
        if key not in self._counted:  # equal queries of several rounds are paid for once
            self._counted.add(key)
            self.limits.cost += record["price"] or 0.0
        self._replies += 1
        self._failed = 0
        reason = self._abstains_because(query.asked, reply)
        self.watch.answered(reason, record["price"] or 0.0, stored)
        return reply

    def _give_up(self, query: Query, error: RequestError) -> Unanswered:
        """The outcome of a query without a reply.

        Raises:
            SteelyardError: too many queries have none.
        """
        self._failed += 1
        hopeless = self._failed >= FIRST_FAILURES or error.reason == "no connection"
        if not self._replies and error.action != "skip" and hopeless:
            raise self._refusal(error)
        if self._failed >= FAILURES_IN_A_ROW and error.action == "retry":
            raise SteelyardError(
                f"{FAILURES_IN_A_ROW} queries in a row got no answer from {self.server.base_url}, "
                f"the last one: {error}. Replies so far are stored; run the same command again."
            )
        self.watch.answered(error.reason, 0.0, stored=False)
        return Unanswered(error.reason, retryable=error.action == "retry")

    def _refusal(self, error: RequestError) -> SteelyardError:
        server = self.server.base_url
        if error.reason == "key refused":
            return ConfigError(
                f"{server} refuses the key in {self.server.api_key_env} ({error.detail}); "
                "set the right key."
                if self.key
                else f"{server} needs a key ({error.detail}); set {self.server.api_key_env}."
            )
        if error.action == "ambiguous":
            return ConfigError(
                f"{server} refuses the request ({error.detail}); correct the supervisor's "
                "settings. A server without log-probabilities needs `top_logprobs: 0`."
            )
        if error.action == "stop":
            return ConfigError(
                f"{server} does not answer ({error.detail or error.reason}); check `base_url`, "
                "`model` and the account."
            )
        return SteelyardError(
            f"{server} does not answer ({error}); is it running, and is `base_url` right?"
        )

    async def _pause(self, seconds: float, reason: str = "") -> None:
        """Wait, but end at a stop."""
        if seconds <= 0:
            return
        if reason:
            self.watch.waits(seconds, reason)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
