"""An OpenAI-compatible server: its address, key and headers, how it is asked, and its prices."""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, Field, field_validator, model_validator

from steelyard.errors import ConfigError

log = logging.getLogger(__name__)
KEY_ENV = "STEELYARD_API_KEY"
BATCH_PRICE = 0.5  # of a batch's request, as a share of an ordinary one's
PER_THOUSAND = ("price_prompt", "price_completion")  # old names of prices, of 1,000 tokens
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
SECRET_NAME = re.compile(r"auth|key|token|secret|password|cookie|signature|^code$|^sig$", re.I)
SECRET_VALUE = re.compile(r"(?i:bearer\s)|^sk-|(?=[^\s]*\d)[\w+/=-]{24,}")
HEADER = re.compile(r"[A-Za-z0-9!#%&'*+.^_`|~-]+")
OWN_HEADERS = ("content-type", "content-length", "host", "accept", "transfer-encoding")
NO_ANSWER = ("api-version",)  # fields of a query that change no reply


class ServerSettings(BaseModel):
    """An OpenAI-compatible server: its address and key, how requests are sent, what they cost."""

    base_url: str | tuple[str, ...]
    """The server's address, such as `http://localhost:8000/v1`; `/chat/completions` is appended. A
    list of addresses of one and the same model shares the requests among them; replies are stored
    under the first one, so that others can be added and removed. The key, `headers` and `query` are
    sent to all."""
    api_key_env: str = Field(KEY_ENV, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key; a server without keys needs none."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Additional headers of each request, such as `{api-key: $AZURE_KEY}`; `$NAME` is replaced by
    that environment variable. They are not part of the ledger's keys."""
    query: dict[str, str] = Field(default_factory=dict)
    """What follows `?` in the address, such as `{api-version: "2024-10-21"}`, with `$NAME` as in
    `headers`. Values other than `api-version` and `$NAME` are part of the ledger's keys."""
    concurrency: int = Field(8, ge=1, le=1024)
    """Number of requests at the same time, at all addresses together."""
    timeout: float = Field(120.0, gt=0)
    """Largest number of seconds for one request."""
    tries: int = Field(6, ge=1, le=100)
    """Number of requests for one answer, for each address, before it is given up in this run."""
    first_wait: float = Field(1.0, ge=0)
    """Seconds before the second try; each later wait is twice as long."""
    longest_wait: float = Field(60.0, ge=0)
    """Longest wait in seconds; it also limits the wait that the server asks for, and one of several
    addresses that does not answer is tried again after it."""
    first_abstentions: int | None = Field(20, ge=1)
    """Stop when the first replies, this many, all abstain for one reason, or three times as many
    for several reasons; null never stops."""
    price_prompt_per_million: float = Field(0.0, ge=0)
    """Price of 1,000,000 prompt tokens. The old name `price_prompt` is of 1,000 tokens."""
    price_completion_per_million: float = Field(0.0, ge=0)
    """Price of 1,000,000 completion tokens. The old name `price_completion` is of 1,000 tokens."""
    batch: bool = False
    """Send requests as batches (`/files`, `/batches`), at half the price and within a day."""
    batch_poll: float = Field(30.0, gt=0)
    """Seconds between two looks at a batch."""
    batch_endpoint: str = Field("/v1/chat/completions", pattern="^/")
    """The server's name for chat completions in a batch; Azure's is `/chat/completions`."""

    @model_validator(mode="before")
    @classmethod
    def _old_prices(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        changed = dict(values)
        for old in PER_THOUSAND:
            new = f"{old}_per_million"
            if old not in changed:
                continue
            if new in changed:
                raise ValueError(f"`{old}` is the old name of `{new}`; give `{new}` only")
            price = changed.pop(old)
            number = isinstance(price, int | float) and not isinstance(price, bool)
            changed[new] = price * 1000 if number else price
            log.warning(
                "The setting `%s`, of 1,000 tokens, is now `%s: %s`; please rename it.",
                *(old, new, f"{changed[new]:g}" if number else price),
            )
        return changed

    @field_validator("base_url")
    @classmethod
    def _check_addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        addresses = tuple(map(_address, (value,) if isinstance(value, str) else value))
        if len(set(addresses)) < len(addresses) or not addresses:
            raise ValueError("must be one address, or several different ones")
        return addresses if len(addresses) > 1 else addresses[0]

    @model_validator(mode="after")
    def _check_batch(self) -> "ServerSettings":
        if self.batch and len(self.addresses) > 1:
            raise ValueError("`batch: true` sends to one server; give one `base_url`")
        return self

    @field_validator("headers", "query")
    @classmethod
    def _check_secrets(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            secret = SECRET_NAME.search(name) or SECRET_VALUE.search(text)
            if secret and not VARIABLE.search(text):
                raise ValueError(
                    f"must not hold a secret, and {name!r} looks like one; put it into an "
                    f"environment variable and give its name, such as `{name}: $MY_KEY`"
                )
        return value

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not HEADER.fullmatch(name) or name.lower() in OWN_HEADERS:
                raise ValueError(f"must not have {name!r}, which cannot be set")
            if not all(" " <= c <= "~" for c in text):
                raise ValueError(f"must be of plain characters, and {name!r} is not")
        return value

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses."""
        return (self.base_url,) if isinstance(self.base_url, str) else self.base_url

    @property
    def address(self) -> str:
        """The first address, which names the server."""
        return self.addresses[0]

    @property
    def named(self) -> str:
        """The addresses in a message."""
        return " and ".join(self.addresses)

    @property
    def engine(self) -> str:
        """The address with what decides replies: its name in the ledger's keys."""
        values = {
            name: text
            for name, text in sorted(self.query.items())
            if name.lower() not in NO_ANSWER and not VARIABLE.search(text)
        }
        return f"{self.address}?{urlencode(values)}" if values else self.address

    def price(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Price of one request, halved in a batch."""
        paid = (
            prompt_tokens * self.price_prompt_per_million
            + completion_tokens * self.price_completion_per_million
        ) / 1_000_000
        return paid * BATCH_PRICE if self.batch else paid

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
                f"{self.address}."
            )
        if not all("!" <= c <= "~" for c in key):
            raise ConfigError(
                f"The environment variable {self.api_key_env} has a character that no key has; set "
                "it to the key only."
            )
        return key

    def filled(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Headers or query with the values of environment variables.

        Raises:
            ConfigError: a variable is not set, or has a character that cannot be sent.
        """
        return {name: VARIABLE.sub(self._variable, text) for name, text in texts.items()}

    def secrets(self) -> list[str]:
        """Texts that must not be repeated: the key and the environment variables used."""
        texts = [*self.headers.values(), *self.query.values()]
        used = [self._variable(match) for text in texts for match in VARIABLE.finditer(text)]
        return [text for text in (self.key(), *used) if text]

    def _variable(self, match: re.Match[str]) -> str:
        name = match[1] or match[2]
        text = os.environ.get(name, "").strip()
        if not text:
            raise ConfigError(
                f"The environment variable {name} is not set; `headers` or `query` of "
                f"{self.address} need it."
            )
        if not all(" " <= c <= "~" for c in text):
            raise ConfigError(
                f"The environment variable {name} has a character that cannot be sent; correct it."
            )
        return text


def _address(value: str) -> str:
    """An address without a slash at its end.

    Raises:
        ValueError: it is none, or has what belongs elsewhere.
    """
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
            "(`api_key_env`), and `?name=value` is `query: {name: value}`"
        )
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError("must end before `/chat/completions`, which is appended")
    return value.rstrip("/")
