"""What an inquiry is given: queries, the server's terms, limits, where replies go, who watches."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from steelyard.prompts import PromptedQuestion

CHARACTERS_PER_TOKEN = 4  # of English text; for estimates only


def key_of(words: Mapping[str, Any]) -> str:
    """The name of an answer: a hash of what decides it, 32 hexadecimal digits."""
    text = json.dumps(words, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class ReplyCache(Protocol):
    """Where replies are kept: a ledger, or nothing but memory."""

    def get(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]: ...

    def put(self, answers: Mapping[str, Mapping[str, Any]]) -> int: ...

    def claim(self, key: str) -> bool: ...

    def release(self, key: str) -> None: ...


class InMemory:
    """Answers that end with the process."""

    def __init__(self) -> None:
        self._answers: dict[str, Mapping[str, Any]] = {}

    def get(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {key: dict(self._answers[key]) for key in keys if key in self._answers}

    def put(self, answers: Mapping[str, Mapping[str, Any]]) -> int:
        before = len(self._answers)
        self._answers = {**answers, **self._answers}
        return len(self._answers) - before

    def claim(self, key: str) -> bool:
        return key not in self._answers

    def release(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Query:
    """One request, and the name of its answer."""

    key: str
    body: Mapping[str, Any]  # as it is sent
    asked: PromptedQuestion  # what it asks

    @property
    def tokens(self) -> int:
        """An estimate of the prompt's tokens: a quarter of its characters."""
        texts = (message["content"] for message in self.body["messages"])
        return sum(len(text) // CHARACTERS_PER_TOKEN + 1 for text in texts)


@dataclass(frozen=True)
class ServerConfig:
    """How a server is asked."""

    base_url: str
    key: str = field(repr=False)
    key_env: str
    concurrency: int
    timeout: float  # seconds
    tries: int
    first_wait: float  # seconds
    longest_wait: float  # seconds
    price_prompt: float  # of 1,000 tokens
    price_completion: float
    max_tokens: int

    def price(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (
            prompt_tokens * self.price_prompt + completion_tokens * self.price_completion
        ) / 1000


@dataclass
class Limits:
    """What may be spent, and what was. One may be shared by several inquiries."""

    max_requests: int | None = None  # sent from now on, repeated ones included
    max_cost: float | None = None  # of all answers that are used, earlier ones included
    requests: int = 0
    cost: float = 0.0
    promised: float = 0.0  # estimate for requests under way

    def reached(self, price: float) -> str:
        """Why no further request of an estimated price may be sent; empty if it may."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            return f"`--max-requests {self.max_requests}`"
        if self.max_cost is not None and self.cost + self.promised + price > self.max_cost:
            return f"`--max-cost {self.max_cost:g}`"
        return ""


class RequestProgress(Protocol):
    """Is told how asking gets on."""

    def begin(self, queries: int) -> None:
        """So many more queries are to be answered."""

    def answered(self, reason: str, price: float, stored: bool) -> None:
        """One has its answer, or abstains for a reason."""

    def waits(self, seconds: float, reason: str) -> None:
        """A fault is waited out."""


class NoRequestProgress:
    """Watches and says nothing."""

    def begin(self, queries: int) -> None: ...

    def answered(self, reason: str, price: float, stored: bool) -> None: ...

    def waits(self, seconds: float, reason: str) -> None: ...
