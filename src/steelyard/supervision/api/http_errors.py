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

from steelyard.supervision.api.refused_settings import setting_to_change

SHOWN = 300  # characters of a server's message that are shown
TOO_LONG = re.compile(
    r"context.?length|context window|too long|too many tokens|maximum.{0,20}token"
)
FILTERED = ("content_filter", "content_policy_violation")
NO_MONEY = re.compile(r"credit balance|insufficient (?:credit|fund|balance|quota)|billing")
Action: TypeAlias = Literal["retry", "skip", "ambiguous", "stop", "stop first"]


class RequestError(Exception):
    """A request without a reply.

    Args:
        reason: a few words for tables, such as "timeout" or "rate limit".
        action: "retry"; "skip" where this question cannot be answered; "ambiguous" where either
            the question or the settings are wrong; "stop" where nothing can be answered; "stop
            first" where nothing can be answered if there was no reply before, else "retry".
        detail: the message of the server or the network.
        wait: seconds that the server asks to wait.
        change: the setting to change, such as "`top_logprobs: 0`", if the message names it.

    `address` is that of the server, where it is one of several and known.
    """

    address = ""

    def __init__(
        self,
        reason: str,
        action: Action,
        detail: str = "",
        wait: float | None = None,
        change: str = "",
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.action, self.detail, self.wait = reason, action, detail, wait
        self.change = change


def error_of_status(
    status: int,
    headers: Mapping[str, str],
    raw: bytes,
    clean: Callable[[str], str],
    request: Mapping[str, Any] | None = None,
) -> RequestError:
    """The error of an HTTP status other than 200.

    429 is retried after the time in `Retry-After`, unless the account has no quota left; so are
    408, 409, 425 and the server's own errors. A refused key, an unknown address or model and
    redirects stop everything. All other errors are due to the question (too long, refused) or to
    the settings. `raw` is the response's body; `clean` removes the key from a text; the message may
    name a field of the `request`, and then the setting behind it is to be changed.
    """
    message, code = error_message(raw, clean)
    detail = f"{status} {message}".strip()
    wait = retry_after(headers.get("Retry-After"))
    change = setting_to_change(message, error_field(raw), request or {})
    if (status == 429 and code == "insufficient_quota") or (
        status in (400, 403) and NO_MONEY.search(message.casefold())
    ):
        return RequestError("no quota", "stop", detail)
    if status == 429:
        return RequestError("rate limit", "retry", detail, wait)
    if status in (408, 409, 425) or (status >= 500 and status not in (501, 505)):
        return RequestError(f"server error {status}", "retry", message, wait, change)
    if status != 401 and change and not _depends_on_question(status, code, message):
        return RequestError("bad request", "ambiguous", detail, change=change)
    if status in (401, 403):
        return RequestError("key refused", "stop", detail)
    if status < 400 or status in (402, 404, 405, 407, 410, 501, 505):
        return RequestError("not served", "stop", detail)
    if _depends_on_question(status, code, message):
        refused = code in FILTERED
        return RequestError("refused" if refused else "too long", "skip", detail)
    return RequestError("bad request", "ambiguous", detail)


def _depends_on_question(status: int, code: str, message: str) -> bool:
    """Whether a text that is too long, or refused, is the reason of an error."""
    long = status == 413 or "context_length" in code or TOO_LONG.search(message.casefold())
    return bool(long) or code in FILTERED


def error_field(raw: bytes) -> str:
    """The field of the request that an error's JSON names as its `param`, or ""."""
    try:
        record = json.loads(raw[:20_000])
    except (ValueError, RecursionError):
        return ""
    error = record.get("error", record) if isinstance(record, dict) else None
    field = error.get("param") if isinstance(error, dict) else None
    return field if isinstance(field, str) else ""


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
