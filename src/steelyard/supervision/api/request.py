"""What a batch of requests is given: queries, limits, a cache, progress."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from steelyard.prompts import PromptedQuestion
from steelyard.supervision.api.batch_records import BatchBook, BatchesInMemory

CHARACTERS_PER_TOKEN = 4  # in English text; for estimates only
LIMIT_NAMES = ("max_tokens", "max_completion_tokens")
"""Fields of a request that limit the length of its reply."""
ENDED = ("stop", "tool_calls", "function_call", "content_filter")
"""Finish reasons of replies that a larger limit does not change."""


def request_key(content: Mapping[str, Any]) -> str:
    """The name of a reply: a hash of everything that decides it, 32 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def family_key(engine: str, request: Mapping[str, Any]) -> str:
    """A hash of everything that decides a reply but the limit of its length."""
    rest = {name: value for name, value in request.items() if name not in LIMIT_NAMES}
    return request_key({"engine": engine, "request": rest})


def output_limit(request: Mapping[str, Any]) -> int | None:
    """The largest number of tokens in the reply; None where the request does not limit it."""
    limits = [request[name] for name in LIMIT_NAMES if isinstance(request.get(name), int)]
    return min(limits) if limits else None


class ReplyCache(Protocol):
    """Where replies are stored: a ledger, or memory."""

    @property
    def batches(self) -> BatchBook: ...

    def get(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]: ...

    def put(self, replies: Mapping[str, Mapping[str, Any]]) -> int: ...

    def get_shorter(self, limits: Mapping[str, int]) -> dict[str, tuple[str, dict[str, Any]]]: ...

    def retire(self, keys: Sequence[str]) -> None: ...

    def claim(self, key: str) -> bool: ...

    def release(self, key: str) -> None: ...


class InMemory:
    """Replies that are lost when the process ends."""

    def __init__(self) -> None:
        self._replies: dict[str, Mapping[str, Any]] = {}
        self.batches: BatchBook = BatchesInMemory()

    def get(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {key: dict(self._replies[key]) for key in keys if key in self._replies}

    def put(self, replies: Mapping[str, Mapping[str, Any]]) -> int:
        before = len(self._replies)
        for key, reply in replies.items():
            self._replies.setdefault(key, reply)
        return len(self._replies) - before

    def get_shorter(self, limits: Mapping[str, int]) -> dict[str, tuple[str, dict[str, Any]]]:
        return {}

    def retire(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._replies.pop(key, None)

    def claim(self, key: str) -> bool:
        return key not in self._replies

    def release(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Query:
    """A request, and the name of its reply."""

    key: str
    body: Mapping[str, Any]  # the request's JSON
    asked: PromptedQuestion

    @property
    def tokens(self) -> int:
        """Estimated number of tokens of the prompt: a quarter of its characters."""
        texts = (message["content"] for message in self.body["messages"])
        return sum(len(text) // CHARACTERS_PER_TOKEN + 1 for text in texts)


@dataclass
class Limits:
    """What may be spent, and what was spent. Several batches may share it."""

    max_requests: int | None = None  # limit of requests sent from now on, retries included
    max_cost: float | None = None  # limit of the cost of all answers, earlier runs' included
    requests: int = 0
    cost: float = 0.0
    promised: float = 0.0  # estimated cost of requests under way

    def reached(self, price: float) -> str:
        """The limit that a request of an estimated price would exceed; empty if it may be sent."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            return f"`max_requests={self.max_requests}`"
        if self.max_cost is not None and self.cost + self.promised + price > self.max_cost:
            return f"`max_cost={self.max_cost:g}`"
        return ""


class RequestProgress:
    """Receives what happens to the queries; a subclass may show it."""

    def begin(self, queries: int) -> None:
        """Queries are added to those that are to be answered."""

    def answered(self, reason: str, price: float, stored: bool) -> None:
        """A query has its reply, or abstains for a reason."""

    def waits(self, seconds: float, reason: str) -> None:
        """A request waits before it is sent again."""
