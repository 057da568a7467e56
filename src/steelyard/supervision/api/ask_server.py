"""Many queries to one server: a few at a time, with patience, and none paid for twice."""

import asyncio
import contextlib
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from steelyard.errors import ConfigError, SteelyardError
from steelyard.prompts import PromptedQuestion
from steelyard.supervision.api.client import Chat, Fault, ServerReply
from steelyard.supervision.api.event_loop import run, signals_to
from steelyard.supervision.api.request import (
    CHARACTERS_PER_TOKEN,
    Limits,
    NoRequestProgress,
    Query,
    ReplyCache,
    RequestProgress,
    ServerConfig,
)

TRIALS = 3  # queries that may fail before the first answer; then the settings are to blame
GIVE_UP = 25  # queries in a row without an answer; then the server is to blame
GRACE = 10.0  # seconds that replies under way may take after a stop; they are paid for
NOT_ASKED = "not asked"
ELSEWHERE = 0.5  # seconds between looks at what another process is asking


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A query without a reply. It is not kept: the next run asks again."""

    reason: str  # such as "timeout"; NOT_ASKED where a limit was reached
    again: bool = True  # asking again may help; not for a text that is too long


Found: TypeAlias = dict[str, ServerReply | Unanswered]
Todo: TypeAlias = deque[Query]


class RequestBatch:
    """Asks a server, and keeps every reply before it counts.

    Until the first reply one query is asked at a time, so that wrong settings cost one request
    and not eight. A fault is tried again after `first_wait`, twice that, ... up to `longest_wait`
    seconds, of which a random half is left out; where the server asks for a wait, nobody asks
    before. What ends it all at once is a refused key, a wrong address or model, a request that the
    server calls bad before it has answered any, and a server that has gone.

    Args:
        terms: of the server.
        answers: where replies are kept.
        limits: of requests and cost.
        watch: is told of progress.
        judge: why a reply abstains, or "", for the watch.
    """

    def __init__(
        self,
        terms: ServerConfig,
        answers: ReplyCache,
        limits: Limits | None = None,
        watch: RequestProgress | None = None,
        judge: Callable[[PromptedQuestion, ServerReply], str] = lambda asked, reply: "",
    ) -> None:
        self.terms, self.answers = terms, answers
        self.limits, self.watch = limits or Limits(), watch or NoRequestProgress()
        self._judge = judge
        self.stopped_by = ""  # the limit that was reached
        self.models: Counter[str] = Counter()  # names that the server gave itself
        self._unkept: dict[str, Mapping[str, Any]] = {}  # replies that are about to be kept
        self._counted: set[str] = set()
        self._seen = 0  # replies, kept ones included
        self._failed = 0  # queries without a reply since the last one with
        self._not_before = 0.0  # on the monotonic clock: the server asked for a pause

    def ask(self, queries: Sequence[Query]) -> dict[str, ServerReply | Unanswered]:
        """Replies by key. Equal keys are asked once.

        Raises:
            ConfigError: the server refuses the key, the address, the model or the settings.
            SteelyardError: the server has gone.
        """
        distinct = {query.key: query for query in queries}
        self.watch.begin(len(distinct))
        found: Found = {}
        for key, record in self.answers.get(list(distinct)).items():
            found[key] = self._taken(distinct[key], record, stored=True)
        todo = deque(query for key, query in distinct.items() if key not in found)
        if todo:
            run(lambda: self._all(todo, found))
        return {key: found.get(key, Unanswered(NOT_ASKED)) for key in distinct}

    async def _all(self, todo: Todo, found: Found) -> None:
        terms = self.terms
        self._stop, self._keeping = asyncio.Event(), asyncio.Lock()
        elsewhere: Todo = deque()  # another process asks these
        with signals_to(self._stop) as received:
            async with Chat(terms.base_url, terms.key, terms.concurrency, terms.timeout) as chat:
                places = (chat, todo, found, elsewhere)
                await self._finish([self._until_first(*places)])
                some = min(terms.concurrency, len(todo))
                await self._finish([self._work(*places) for _ in range(some)])
                await self._finish([self._wait_for_others(*places)])
        received.hand_on()

    @property
    def _halted(self) -> bool:
        return self._stop.is_set() or bool(self.stopped_by)

    async def _finish(self, work: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Wait for all; at a stop or an error for the replies that are under way."""
        workers = [asyncio.ensure_future(one) for one in work]
        if not workers:
            return
        stop: asyncio.Future[Any] = asyncio.ensure_future(self._stop.wait())
        try:
            left: set[Any] = set(workers)
            while left:
                done, _ = await asyncio.wait({*left, stop}, return_when=asyncio.FIRST_COMPLETED)
                left -= done
                if stop in done or any(worker.exception() for worker in done if worker is not stop):
                    self._stop.set()
                    if left:
                        await asyncio.wait(left, timeout=GRACE)
                    break
        finally:
            stop.cancel()
            for worker in workers:
                worker.cancel()
            ended = await asyncio.gather(*workers, stop, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
                raise error

    async def _until_first(self, chat: Chat, todo: Todo, found: Found, elsewhere: Todo) -> None:
        while todo and not self._seen and not self._halted:
            await self._one(chat, todo.popleft(), found, elsewhere)

    async def _work(self, chat: Chat, todo: Todo, found: Found, elsewhere: Todo) -> None:
        while todo and not self._halted:
            await self._one(chat, todo.popleft(), found, elsewhere)

    async def _wait_for_others(self, chat: Chat, todo: Todo, found: Found, elsewhere: Todo) -> None:
        while elsewhere and not self._halted:
            query = elsewhere.popleft()
            await self._one(chat, query, found, elsewhere)
            if elsewhere and elsewhere[-1] is query:
                await self._pause(ELSEWHERE)

    async def _one(self, chat: Chat, query: Query, found: Found, elsewhere: Todo) -> None:
        """One query to its end: a reply, none, or put off because another process asks it."""
        key = query.key
        if not self.answers.claim(key):
            record = self.answers.get([key]).get(key)
            if record is None:
                elsewhere.append(query)
            else:
                found[key] = self._taken(query, record, stored=True)
            return
        outcome = None
        try:
            outcome = await self._persist(chat, query)
        finally:
            if not isinstance(outcome, ServerReply):
                self.answers.release(key)
        if outcome is not None:
            found[key] = outcome

    async def _persist(self, chat: Chat, query: Query) -> ServerReply | Unanswered | None:
        """Ask until there is a reply or no try is left; None at a stop or a limit."""
        fault: Fault | None = None
        for number in range(self.terms.tries):
            if fault is not None:
                await self._pause(self._wait(number, fault), fault.reason)
            await self._pause(self._not_before - time.monotonic())
            if self._halted:
                return None
            estimate = self.terms.price(query.tokens, self.terms.max_tokens)
            self.stopped_by = self.limits.reached(estimate)
            if self.stopped_by:
                return None
            self.limits.requests += 1
            self.limits.promised += estimate
            try:
                reply = await chat.complete(query.body)
                return await self._keep(query, reply)
            except Fault as error:
                fault = error
            finally:
                self.limits.promised -= estimate
            if fault.act == "stop":
                raise self._refusal(fault)
            if fault.act != "retry":
                break
            if fault.wait is not None:
                pause = min(fault.wait, self.terms.longest_wait)
                self._not_before = max(self._not_before, time.monotonic() + pause)
        assert fault is not None
        return self._without(query, fault)

    async def _keep(self, query: Query, reply: ServerReply) -> ServerReply:
        read = reply.prompt_tokens if reply.prompt_tokens is not None else query.tokens
        made = reply.completion_tokens
        if made is None:
            made = len(reply.text) // CHARACTERS_PER_TOKEN + 1
        record = {
            **reply.record(),
            "engine": self.terms.base_url,
            "model": query.body["model"],
            "request": query.body,
            "price": self.terms.price(read, made),
        }
        self._unkept[query.key] = record
        async with self._keeping:  # replies that come while others are flushed are kept together
            if self._unkept:
                batch, self._unkept = self._unkept, {}
                await asyncio.to_thread(self.answers.put, batch)
        return self._taken(query, record, stored=False)

    def _taken(self, query: Query, record: Mapping[str, Any], stored: bool) -> ServerReply:
        reply, key = ServerReply.of(record), query.key
        self.models[reply.served_model] += 1
        if key not in self._counted:  # equal queries of several rounds are paid for once
            self._counted.add(key)
            self.limits.cost += record["price"] or 0.0
        self._seen += 1
        self._failed = 0
        reason = self._judge(query.asked, reply)
        self.watch.answered(reason, record["price"] or 0.0, stored)
        return reply

    def _without(self, query: Query, fault: Fault) -> Unanswered:
        """A query that got no reply; too many of them stop everything."""
        self._failed += 1
        whole = self._failed >= TRIALS or fault.reason == "no connection"
        if not self._seen and fault.act != "item" and whole:
            raise self._refusal(fault)
        if self._failed >= GIVE_UP and fault.act == "retry":
            raise SteelyardError(
                f"{GIVE_UP} queries in a row got no answer from {self.terms.base_url}, the "
                f"last one: {fault}. What was answered is kept; run the same command again."
            )
        self.watch.answered(fault.reason, 0.0, stored=False)
        return Unanswered(fault.reason, again=fault.act == "retry")

    def _refusal(self, fault: Fault) -> SteelyardError:
        place = self.terms.base_url
        if fault.reason == "key refused":
            return ConfigError(
                f"{place} refuses the key in {self.terms.key_env} ({fault.detail}); "
                "set the right one."
                if self.terms.key
                else f"{place} wants a key ({fault.detail}); set {self.terms.key_env}."
            )
        if fault.act == "doubt":
            return ConfigError(
                f"{place} refuses the request ({fault.detail}); mend the supervisor's settings. "
                "A server that gives no log-probabilities needs `top_logprobs: 0`."
            )
        if fault.act == "stop":
            return ConfigError(
                f"{place} does not answer ({fault.detail or fault.reason}); check `base_url`, "
                "`model` and the account."
            )
        return SteelyardError(
            f"{place} does not answer ({fault}); is it running, and `base_url` right?"
        )

    def _wait(self, number: int, fault: Fault) -> float:
        if fault.wait is not None:
            return 0.0  # the common pause says when
        whole = min(self.terms.first_wait * 2.0 ** (number - 1), self.terms.longest_wait)
        return whole * random.uniform(0.5, 1.0)

    async def _pause(self, seconds: float, reason: str = "") -> None:
        """Wait, but not beyond a stop."""
        if seconds <= 0:
            return
        if reason:
            self.watch.waits(seconds, reason)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
