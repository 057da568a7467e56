"""What a batch of requests is given: queries, the server's settings, limits, a cache, progress."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from steelyard.errors import ConfigError
from steelyard.prompts import PromptedQuestion

KEY_ENV = "STEELYARD_API_KEY"
CHARACTERS_PER_TOKEN = 4  # in English text; for estimates only


def request_key(content: Mapping[str, Any]) -> str:
    """The name of a reply: a hash of everything that decides it, 32 hexadecimal digits."""
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


class ServerSettings(BaseModel):
    """An OpenAI-compatible server: its address and key, how requests are sent, what they cost."""

    base_url: str
    """The server's address, such as `http://localhost:8000/v1`; `/chat/completions` is appended."""
    api_key_env: str = Field(KEY_ENV, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key; a server without keys needs none."""
    concurrency: int = Field(8, ge=1, le=1024)
    """Number of requests at the same time."""
    timeout: float = Field(120.0, gt=0)
    """Largest number of seconds for one request."""
    tries: int = Field(6, ge=1, le=100)
    """Number of requests for one answer before it is given up in this run."""
    first_wait: float = Field(1.0, ge=0)
    """Seconds before the second try; each later wait is twice as long."""
    longest_wait: float = Field(60.0, ge=0)
    """Longest wait in seconds; it also limits the wait that the server asks for."""
    price_prompt: float = Field(0.0, ge=0)
    """Price of 1,000 prompt tokens."""
    price_completion: float = Field(0.0, ge=0)
    """Price of 1,000 completion tokens."""

    @field_validator("base_url")
    @classmethod
    def _check_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or any(c.isspace() or not c.isprintable() for c in value):
            raise ValueError("must be an address such as `http://localhost:8000/v1`")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "must have no user, password or `?...`: keys come from the environment "
                "(`api_key_env`)"
            )
        if parts.path.rstrip("/").endswith("/chat/completions"):
            raise ValueError("must end before `/chat/completions`, which is appended")
        return value.rstrip("/")

    def price(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (
            prompt_tokens * self.price_prompt + completion_tokens * self.price_completion
        ) / 1000

    def key(self) -> str:
        """The key in the environment, or "".

        Raises:
            ConfigError: an environment variable other than the default one is not set, or the key
                has a character that cannot be sent.
        """
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and self.api_key_env != KEY_ENV:
            raise ConfigError(
                f"The environment variable {self.api_key_env} is not set; set it to the key of "
                f"{self.base_url}."
            )
        if not all("!" <= c <= "~" for c in key):
            raise ConfigError(
                f"The environment variable {self.api_key_env} has a character that no key has; set "
                "it to the key only."
            )
        return key


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
