"""What a batch of requests is given: queries, the server's settings, limits, a cache, progress."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from steelyard.prompts import PromptedQuestion

CHARACTERS_PER_TOKEN = 4  # in English text; for estimates only


def request_key(content: Mapping[str, Any]) -> str:
    """The name of a reply: a hash of all that decides it, 32 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class ReplyCache(Protocol):
    """Where replies are stored: a ledger, or memory."""

    def get(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]: ...

    def put(self, replies: Mapping[str, Mapping[str, Any]]) -> int: ...

    def claim(self, key: str) -> bool: ...

    def release(self, key: str) -> None: ...


class InMemory:
    """Replies that are lost when the process ends."""

    def __init__(self) -> None:
        self._replies: dict[str, Mapping[str, Any]] = {}

    def get(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {key: dict(self._replies[key]) for key in keys if key in self._replies}

    def put(self, replies: Mapping[str, Mapping[str, Any]]) -> int:
        before = len(self._replies)
        self._replies = {**replies, **self._replies}
        return len(self._replies) - before

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


@dataclass(frozen=True)
class ServerConfig:
    """How requests are sent to a server, and what they cost."""

    base_url: str
    key: str = field(repr=False)
    key_env: str
    concurrency: int
    timeout: float  # seconds
    tries: int
    first_wait: float  # seconds
    longest_wait: float  # seconds
    price_prompt: float  # per 1,000 tokens
    price_completion: float
    max_tokens: int

    def price(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (
            prompt_tokens * self.price_prompt + completion_tokens * self.price_completion
        ) / 1000


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
