"""Errors of requests, and how to react: HTTP statuses such as 429, timeouts, headers.

How long to wait before a request is sent again is in `retries.py`.
"""

import email.utils
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

SHOWN = 300  # characters of a server's message that are shown
TOO_LONG = re.compile(
    r"context.?length|context window|too long|too many tokens|maximum.{0,20}token"
)
Action: TypeAlias = Literal["retry", "skip", "ambiguous", "stop"]


class RequestError(Exception):
    """A request without a reply.

    Args:
        reason: a few words for tables, such as "timeout" or "rate limit".
        action: "retry"; "skip" where this question cannot be answered; "ambiguous" where either
            the question or the settings are wrong; "stop" where nothing can be answered.
        detail: the message of the server or the network.
        wait: seconds that the server asks to wait.
    """

    def __init__(
        self, reason: str, action: Action, detail: str = "", wait: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.action, self.detail, self.wait = reason, action, detail, wait


def error_of_status(
    status: int, headers: Mapping[str, str], raw: bytes, clean: Callable[[str], str]
) -> RequestError:
    """The error of an HTTP status other than 200.

    429 is retried after the time in `Retry-After`, unless the account has no quota left; so are
    408, 409, 425 and the server's own errors. A refused key, an unknown address or model and
    redirects stop everything. All other errors are due to the question (too long, refused) or to
    the settings. `raw` is the response's body; `clean` removes the key from a text.
    """
    message, code = error_message(raw, clean)
    detail = f"{status} {message}".strip()
    wait = retry_after(headers.get("Retry-After"))
    if status == 429 and code == "insufficient_quota":
        return RequestError("no quota", "stop", detail)
    if status == 429:
        return RequestError("rate limit", "retry", detail, wait)
    if status in (408, 409, 425) or (status >= 500 and status not in (501, 505)):
        return RequestError(f"server error {status}", "retry", message, wait)
    if status in (401, 403):
        return RequestError("key refused", "stop", detail)
    if status < 400 or status in (402, 404, 405, 407, 410, 501, 505):
        return RequestError("not served", "stop", detail)
    if status == 413 or "context_length" in code or TOO_LONG.search(message.casefold()):
        return RequestError("too long", "skip", detail)
    if code in ("content_filter", "content_policy_violation"):
        return RequestError("refused", "skip", detail)
    return RequestError("bad request", "ambiguous", detail)


def error_message(raw: bytes, clean: Callable[[str], str]) -> tuple[str, str]:
    """An error's message and code, from the usual shapes of its JSON, else its first characters."""
    text, code = raw[:20_000].decode("utf-8", "replace"), ""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    if isinstance(record, dict):
        error: Any = record.get("error", record.get("detail", record.get("message", "")))
        if isinstance(error, dict):
            code = str(error.get("code") or error.get("type") or "")
            error = error.get("message", error)
        text = error if isinstance(error, str) else json.dumps(error)
    else:
        text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.S | re.I)
    return clean(" ".join(text.split()))[:SHOWN], code


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
