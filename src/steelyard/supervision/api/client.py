"""One try at an OpenAI-compatible server: a reply, or a fault that says what to do about it."""

import asyncio
import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import httpx

LARGEST = 4 * 2**20  # bytes of a reply
SAID = 300  # characters of a server's message that are repeated
SECRET = 8  # a key this long or longer is taken out of replies; a shorter one may be a word
TOO_LONG = re.compile(
    r"context.?length|context window|too long|too many tokens|maximum.{0,20}token"
)
Act: TypeAlias = Literal["retry", "item", "doubt", "stop"]
Logprobs: TypeAlias = tuple[tuple[str, float | None], ...]


@dataclass(frozen=True, slots=True)
class ServerReply:
    """What a server answered, as it is kept."""

    text: str
    finish_reason: str  # "stop", "length", "content_filter", ...; empty if it gave none
    refusal: str  # the server's own word for it, or empty
    logprobs: Logprobs  # the most probable first tokens, or every token; None for NaN
    served_model: str
    fingerprint: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float

    def record(self) -> dict[str, Any]:
        """Plain values, which `of` reads back."""
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "ServerReply":
        words = {name: record[name] for name in cls.__slots__}
        pairs = tuple((token, value) for token, value in words["logprobs"] or ())
        return cls(**{**words, "logprobs": pairs})


class Fault(Exception):
    """A try without an answer.

    Args:
        reason: a few words for tables, such as "timeout" or "rate limit".
        act: "retry"; "item", this question cannot be answered; "doubt", either the question or
            the settings are to blame; "stop", nothing can be answered.
        detail: what the server or the network said.
        wait: seconds that the server asks to wait.
    """

    def __init__(self, reason: str, act: Act, detail: str = "", wait: float | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.act, self.detail, self.wait = reason, act, detail, wait


class Chat:
    """Connections to `<base_url>/chat/completions`, kept alive.

    The key goes into the Authorization header and nowhere else.
    """

    def __init__(self, base_url: str, key: str, concurrency: int, timeout: float) -> None:
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self._key, self._timeout = key, timeout
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=timeout,
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        )

    async def __aenter__(self) -> "Chat":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def complete(self, body: Mapping[str, Any]) -> ServerReply:
        """Ask once.

        Raises:
            Fault: there is no answer.
        """
        start = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):  # httpx's own is for each read
                status, headers, raw = await self._post(body)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Fault("timeout", "retry", f"none in {self._timeout:g} s") from error
        except httpx.ConnectError as error:
            raise Fault("no connection", "retry", self._clean(str(error))) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Fault("connection lost", "retry", self._clean(str(error))) from error
        if status != 200:
            raise self._judged(status, headers, raw)
        each = bool(body.get("logprobs")) and not body.get("top_logprobs")
        return self._parsed(raw, time.monotonic() - start, each)

    async def _post(self, body: Mapping[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        content = json.dumps(body).encode()
        async with self._client.stream("POST", self.url, content=content) as response:
            raw = b""
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > LARGEST:
                    raise Fault("wrong reply", "retry", f"it has more than {LARGEST} bytes")
            return response.status_code, response.headers, raw

    def _judged(self, status: int, headers: httpx.Headers, raw: bytes) -> Fault:
        message, code = self._message(raw)
        said = f"{status} {message}".strip()
        if status == 429 and code == "insufficient_quota":
            return Fault("no quota", "stop", said)
        if status == 429:
            return Fault("rate limit", "retry", said, retry_after(headers.get("Retry-After")))
        if status in (408, 409, 425) or (status >= 500 and status not in (501, 505)):
            wait = retry_after(headers.get("Retry-After"))
            return Fault(f"server error {status}", "retry", message, wait)
        if status in (401, 403):
            return Fault("key refused", "stop", said)
        if status < 400 or status in (402, 404, 405, 407, 410, 501, 505):
            return Fault("not served", "stop", said)
        if status == 413 or "context_length" in code or TOO_LONG.search(message.casefold()):
            return Fault("too long", "item", said)
        if code in ("content_filter", "content_policy_violation"):
            return Fault("refused", "item", said)
        return Fault("bad request", "doubt", said)

    def _message(self, raw: bytes) -> tuple[str, str]:
        """A refusal's message and code, from the usual shapes of its JSON, else its first words."""
        text = raw[:20_000].decode("utf-8", "replace")
        code = ""
        try:
            words = json.loads(text)
        except (ValueError, RecursionError):
            words = None
        if isinstance(words, dict):
            error = words.get("error", words.get("detail", words.get("message", "")))
            if isinstance(error, dict):
                code = str(error.get("code") or error.get("type") or "")
                error = error.get("message", error)
            text = error if isinstance(error, str) else json.dumps(error)
        else:
            text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.S | re.I)
        line = self._clean(" ".join(text.split()))
        return line[:SAID], code

    def _parsed(self, raw: bytes, seconds: float, each: bool) -> ServerReply:
        if not raw.strip():
            raise Fault("empty reply", "retry")
        try:
            words = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Fault("not JSON", "retry", self._message(raw)[0][:80]) from error
        if isinstance(words, dict) and words.get("error"):
            raise Fault("server error", "retry", self._message(raw)[0])
        try:
            choices = words["choices"]
            if choices == []:
                raise Fault("no choices", "retry")
            choice, usage = choices[0], words.get("usage") or {}
            message = choice["message"]
            return ServerReply(
                text=self._text(_content(message.get("content"))),
                finish_reason=self._text(choice.get("finish_reason")),
                refusal=self._text(message.get("refusal")),
                logprobs=(self._tokens if each else self._logprobs)(choice.get("logprobs")),
                served_model=self._text(words.get("model")),
                fingerprint=self._text(words.get("system_fingerprint")),
                prompt_tokens=_count(usage.get("prompt_tokens")),
                completion_tokens=_count(usage.get("completion_tokens")),
                seconds=round(seconds, 3),
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise Fault("wrong reply", "retry", "its JSON is no chat completion") from error

    def _logprobs(self, words: Any) -> Logprobs:
        """The most probable first tokens; none where the server gives none or something else."""
        try:
            top = words["content"][0]["top_logprobs"]
            pairs = [(self._text(entry["token"]), entry["logprob"]) for entry in top]
        except (KeyError, IndexError, TypeError):
            return ()
        if not all(isinstance(value, int | float) or value is None for _, value in pairs):
            return ()
        return tuple((token, _logprob(value)) for token, value in pairs)

    def _tokens(self, words: Any) -> Logprobs:
        """Every token of the reply; those that share a character are one."""
        found: list[tuple[str, float | None]] = []
        begun, total = b"", 0.0
        try:
            for entry in words["content"]:
                value = _logprob(entry["logprob"])
                given = entry.get("bytes")
                begun += self._text(entry["token"]).encode() if given is None else bytes(given)
                total += math.nan if value is None else value
                try:
                    text = begun.decode()
                except UnicodeDecodeError:
                    continue
                found.append((self._text(text), None if math.isnan(total) else total))
                begun, total = b"", 0.0
        except (KeyError, TypeError, ValueError, AttributeError):
            return ()
        return tuple(found)

    def _text(self, value: Any) -> str:
        """A text of the server without lone surrogates, which no file takes, and the key."""
        if value is None:
            return ""
        if not isinstance(value, str):
            raise TypeError(value)
        text = value.encode("utf-8", "replace").decode()
        return self._clean(text) if len(self._key) >= SECRET else text

    def _clean(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, given as seconds or as a date; None if neither.

    >>> retry_after("2.5"), retry_after("soon")
    (2.5, None)
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _content(content: Any) -> Any:
    """Some servers give a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**53 else None


def _logprob(value: float | None) -> float | None:
    """-inf as the -9999 that vLLM writes, for JSON has no infinity; None for NaN and inf."""
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return max(number, -9999.0) if number < math.inf else None
