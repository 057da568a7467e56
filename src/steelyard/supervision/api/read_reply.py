"""From the JSON of a chat completion to a reply that can be stored, without secrets in it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from steelyard.supervision.api.http_errors import RequestError, error_message, error_of_status
from steelyard.supervision.parsed_replies import Logprobs

SECRET = 8  # a key this long or longer is removed from replies; a shorter one may be a word
TOOL_CALL = "tool_calls"  # finish reason of a reply that calls a function instead of answering
KEYS_SHOWN = 6  # names of a wrong reply's fields that are shown


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A server's reply, as it is stored."""

    text: str  # of a tool call its arguments
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


class ReplyReader:
    """Reads chat completions.

    Args:
        secrets: the key and other texts that a server might repeat; they are replaced by `[key]`.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return text

    def read(self, raw: bytes, seconds: float, request: Mapping[str, Any]) -> ServerReply:
        """The reply in the body of a response of status 200.

        Raises:
            RequestError: there is none. Its action is "stop first" where the body is whole, but no
                chat completion: another address or program answers.
        """
        if not raw.strip():
            raise RequestError("empty reply", "retry")
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError) as error:
            page = raw.lstrip()[:1] == b"<"
            raise RequestError(
                *("a web page" if page else "not JSON", "stop first" if page else "retry"),
                error_message(raw, self.clean)[0][:80],
            ) from error
        if isinstance(record, dict) and record.get("error"):
            raise self._error_in_reply(record["error"], raw, request)
        return self.read_record(record, seconds, request)

    def read_record(self, record: Any, seconds: float, request: Mapping[str, Any]) -> ServerReply:
        """The reply in a chat completion.

        Raises:
            RequestError: as `read`.
        """
        each = bool(request.get("logprobs")) and not request.get("top_logprobs")
        try:
            choices = record["choices"]
            if choices == []:
                raise RequestError("no choices", "retry")
            choice, usage = choices[0], record.get("usage") or {}
            message = choice["message"]
            text, called = self._text(_content(message.get("content"))), _tool_calls(message)
            answers = bool(text) or called is None
            return ServerReply(
                text=text if answers else self._text(called),
                finish_reason=self._text(choice.get("finish_reason") if answers else TOOL_CALL),
                refusal=self._text(message.get("refusal")),
                logprobs=(self._tokens if each else self._logprobs)(choice.get("logprobs")),
                served_model=self._text(record.get("model")),
                fingerprint=self._text(record.get("system_fingerprint")),
                prompt_tokens=_count(usage.get("prompt_tokens")),
                completion_tokens=_count(usage.get("completion_tokens")),
                seconds=round(seconds, 3),
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise RequestError("wrong reply", "stop first", self._shape(record)) from error

    def _error_in_reply(self, error: Any, raw: bytes, request: Mapping[str, Any]) -> RequestError:
        """The error in a response of status 200, whose code may be an HTTP status."""
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code <= 599:
            return error_of_status(code, {}, raw, self.clean, request)
        return RequestError("server error", "retry", error_message(raw, self.clean)[0])

    def _shape(self, record: Any) -> str:
        names = ", ".join(list(map(str, record))[:KEYS_SHOWN]) if isinstance(record, dict) else ""
        shape = f"its fields are {names}" if names else f"it is a JSON {type(record).__name__}"
        return self.clean(f"its JSON is no chat completion: {shape}")[:200]

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
        for secret in self._secrets:
            text = text.replace(secret, "[key]") if len(secret) >= SECRET else text
        return text


def _content(content: Any) -> Any:
    """The text of a message, which some servers give as a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content


def _tool_calls(message: Any) -> str | None:
    """The arguments of a message's tool calls, one a line; None where it calls no tool."""
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    if message.get("function_call"):
        calls.append(message["function_call"])
    texts = [call.get("arguments") or "" for call in calls]
    if not calls:
        return None
    return "\n".join(text if isinstance(text, str) else json.dumps(text) for text in texts)


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
