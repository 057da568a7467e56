"""The files of a batch: requests as JSON lines, and replies and errors as they come back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from steelyard.supervision.api.http_errors import RequestError, error_of_status
from steelyard.supervision.api.read_reply import ReplyReader, ServerReply
from steelyard.supervision.api.request import Query

MOST_REQUESTS = 50_000  # in one batch, OpenAI's limit
MOST_BYTES = 100 * 2**20  # of one file
REASONS = {"batch_expired": "batch expired", "batch_cancelled": "batch cancelled"}
"""Why a request of a batch was never answered, by the server's code."""


def batch_files(queries: Sequence[Query], endpoint: str) -> Iterator[dict[str, bytes]]:
    """The JSON line of each query by its key, in files of at most so many requests and bytes."""
    part: dict[str, bytes] = {}
    size = 0
    for query in queries:
        entry = {"custom_id": query.key, "method": "POST", "url": endpoint, "body": query.body}
        line = json.dumps(entry).encode() + b"\n"
        if part and (len(part) >= MOST_REQUESTS or size + len(line) > MOST_BYTES):
            yield part
            part, size = {}, 0
        part[query.key] = line
        size += len(line)
    if part:
        yield part


def parse_line(line: str) -> tuple[str, Mapping[str, Any]]:
    """The key of the request that a line answers, and the line; the key is "" for another line."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return "", {}
    key = entry.get("custom_id") if isinstance(entry, dict) else None
    return (key, entry) if isinstance(key, str) else ("", {})


def reply_of(
    entry: Mapping[str, Any], reader: ReplyReader, request: Mapping[str, Any]
) -> ServerReply:
    """The reply in a line of a batch's output or of its errors.

    Raises:
        RequestError: there is none.
    """
    response, error = entry.get("response"), entry.get("error")
    if not isinstance(response, dict):
        error = error if isinstance(error, dict) else {}
        code, message = str(error.get("code") or ""), str(error.get("message") or "")
        detail = reader.clean(f"{code} {message}".strip())[:300]
        raise RequestError(REASONS.get(code, "server error"), "retry", detail)
    raw, status = json.dumps(response.get("body")).encode(), response.get("status_code", 200)
    if status == 200:
        return reader.read(raw, 0.0, request)
    whole = status if isinstance(status, int) else 500
    raise error_of_status(whole, {}, raw, reader.clean, request)


def failure_of(state: Mapping[str, Any]) -> tuple[str, str, str]:
    """Code, message and field of the first error of a batch that the server did not accept."""
    errors = state.get("errors")
    data = errors.get("data") if isinstance(errors, dict) else None
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    message = str(first.get("message") or "without a reason")
    return str(first.get("code") or ""), message, str(first.get("param") or "")


def batch_progress(state: Mapping[str, Any]) -> str:
    """How far a batch is, such as "in_progress, 10 of 100 done"."""
    counts = state.get("request_counts")
    if not isinstance(counts, dict):
        return str(state.get("status"))
    return f"{state.get('status')}, {counts.get('completed', 0)} of {counts.get('total', 0)} done"
