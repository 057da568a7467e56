"""One request to an OpenAI-compatible server: a reply, or an error that says what to do."""

import asyncio
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from steelyard.supervision.api.http_errors import RequestError, error_message, error_of_status
from steelyard.supervision.parsed_replies import Logprobs

LARGEST = 4 * 2**20  # bytes of a reply
SECRET = 8  # a key this long or longer is removed from replies; a shorter one may be a word


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A server's reply, as it is stored."""

    text: str
    finish_reason: str  # "stop", "length", "content_filter", ...; empty if it gave none
    refusal: str  # the server's explanation, or empty
    logprobs: Logprobs  # the most probable first tokens, or every token
    served_model: str
    fingerprint: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float

    def record(self) -> dict[str, Any]:
        """Plain values, which `from_record` reads."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "ServerReply":
        fields = {name: record[name] for name in cls.__slots__}
        pairs = tuple((token, value) for token, value in fields["logprobs"] or ())
        return cls(**{**fields, "logprobs": pairs})


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
        """Send one request.

        Raises:
            RequestError: there is no reply.
        """
        start = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):  # httpx's own is for each read
                status, headers, raw = await self._post(body)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise RequestError("timeout", "retry", f"none in {self._timeout:g} s") from error
        except httpx.ConnectError as error:
            raise RequestError("no connection", "retry", self._clean(str(error))) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise RequestError("connection lost", "retry", self._clean(str(error))) from error
        if status != 200:
            raise error_of_status(status, headers, raw, self._clean)
        each = bool(body.get("logprobs")) and not body.get("top_logprobs")
        return self._parsed(raw, time.monotonic() - start, each)

    async def _post(self, body: Mapping[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        content = json.dumps(body).encode()
        async with self._client.stream("POST", self.url, content=content) as response:
            raw = b""
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > LARGEST:
                    raise RequestError("wrong reply", "retry", f"it has more than {LARGEST} bytes")
            return response.status_code, response.headers, raw

    def _parsed(self, raw: bytes, seconds: float, each: bool) -> ServerReply:
        if not raw.strip():
            raise RequestError("empty reply", "retry")
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise RequestError(
                "not JSON", "retry", error_message(raw, self._clean)[0][:80]
            ) from error
        if isinstance(record, dict) and record.get("error"):
            raise RequestError("server error", "retry", error_message(raw, self._clean)[0])
        try:
            choices = record["choices"]
            if choices == []:
                raise RequestError("no choices", "retry")
            choice, usage = choices[0], record.get("usage") or {}
            message = choice["message"]
            content, called = _content(message.get("content")), _arguments(message)
            is_call = bool(called) and not content
            return ServerReply(
                text=self._text(called if is_call else content),
                finish_reason="tool_calls" if is_call else self._text(choice.get("finish_reason")),
                refusal=self._text(message.get("refusal")),
                logprobs=(self._tokens if each else self._logprobs)(choice.get("logprobs")),
                served_model=self._text(record.get("model")),
                fingerprint=self._text(record.get("system_fingerprint")),
                prompt_tokens=_count(usage.get("prompt_tokens")),
                completion_tokens=_count(usage.get("completion_tokens")),
                seconds=round(seconds, 3),
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise RequestError("wrong reply", "retry", "its JSON is no chat completion") from error

    def _logprobs(self, logprobs: Any) -> Logprobs:
        """The most probable first tokens; empty where the server gives none or something else."""
        try:
            top = logprobs["content"][0]["top_logprobs"]
            pairs = [(self._text(entry["token"]), entry["logprob"]) for entry in top]
        except (KeyError, IndexError, TypeError):
            return ()
        if not all(isinstance(value, int | float) or value is None for _, value in pairs):
            return ()
        return tuple((token, _logprob(value)) for token, value in pairs)

    def _tokens(self, logprobs: Any) -> Logprobs:
        """Every token of the reply; tokens that share a character are joined."""
        tokens: list[tuple[str, float | None]] = []
        started, total = b"", 0.0
        try:
            for entry in logprobs["content"]:
                value = _logprob(entry["logprob"])
                given = entry.get("bytes")
                started += self._text(entry["token"]).encode() if given is None else bytes(given)
                total += math.nan if value is None else value
                try:
                    text = started.decode()
                except UnicodeDecodeError:
                    continue
                tokens.append((self._text(text), None if math.isnan(total) else total))
                started, total = b"", 0.0
        except (KeyError, TypeError, ValueError, AttributeError):
            return ()
        return tuple(tokens)

    def _text(self, value: Any) -> str:
        """A text of the server without the key and without lone surrogates, which break files."""
        if value is None:
            return ""
        if not isinstance(value, str):
            raise TypeError(value)
        text = value.encode("utf-8", "replace").decode()
        return self._clean(text) if len(self._key) >= SECRET else text

    def _clean(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _content(content: Any) -> Any:
    """The text of a message, which some servers give as a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content


def _arguments(message: Mapping[str, Any]) -> str:
    """The arguments of the functions that a message calls, one a line; empty if it calls none."""
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls or () if isinstance(call, dict)]
    functions.append(message.get("function_call"))
    given = [call.get("arguments") for call in functions if isinstance(call, dict)]
    return "\n".join(part if isinstance(part, str) else json.dumps(part) for part in given)


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
