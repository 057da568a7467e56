"""Which HTTP status is retried, skipped, ambiguous, or stops everything; and how long is waited."""

import json

import httpx
import pytest

from steelyard.supervision.api.http_errors import RequestError, error_of_status
from steelyard.supervision.api.retry_waits import RetryWaits

QUOTA = {"error": {"code": "insufficient_quota", "message": "pay first"}}
LONG = {"error": {"message": "maximum context length is 8192 tokens"}}
FILTER = {"error": {"code": "content_filter", "message": "no"}}


@pytest.mark.parametrize(
    ("status", "body", "reason", "action"),
    [
        (429, {}, "rate limit", "retry"),
        (429, QUOTA, "no quota", "stop"),
        (408, {}, "server error 408", "retry"),
        (500, {}, "server error 500", "retry"),
        (503, {}, "server error 503", "retry"),
        (501, {}, "not served", "stop"),
        (401, {}, "key refused", "stop"),
        (403, {}, "key refused", "stop"),
        (404, {}, "not served", "stop"),
        (301, {}, "not served", "stop"),
        (413, {}, "too long", "skip"),
        (400, LONG, "too long", "skip"),
        (400, FILTER, "refused", "skip"),
        (400, {}, "bad request", "ambiguous"),
    ],
)
def test_a_status_says_what_to_do(status: int, body: object, reason: str, action: str) -> None:
    error = error_of_status(status, httpx.Headers(), json.dumps(body).encode(), str)
    assert (error.reason, error.action) == (reason, action)


def test_the_wait_of_a_429_is_that_of_its_header() -> None:
    headers = httpx.Headers({"retry-after": "7"})
    assert error_of_status(429, headers, b"", str).wait == 7
    assert error_of_status(503, headers, b"", str).wait == 7
    assert error_of_status(429, httpx.Headers(), b"", str).wait is None


def test_waits_double_up_to_the_longest_and_keep_at_least_half() -> None:
    waits = RetryWaits(first_wait=1.0, longest_wait=5.0)
    error = RequestError("timeout", "retry")
    for number, whole in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (9, 5.0)):
        drawn = [waits.before_try(number, error) for _ in range(200)]
        assert whole / 2 <= min(drawn) <= max(drawn) <= whole
        assert max(drawn) - min(drawn) > whole / 4  # the waits differ


def test_a_wait_that_the_server_asks_for_holds_every_request() -> None:
    waits = RetryWaits(first_wait=1.0, longest_wait=5.0)
    assert waits.until_allowed() <= 0
    asked = RequestError("rate limit", "retry", wait=3.0)
    waits.hold_all(asked)
    waits.hold_all(RequestError("rate limit", "retry", wait=1.0))  # a shorter one ends nothing
    assert 2.5 < waits.until_allowed() <= 3.0
    assert waits.before_try(1, asked) == 0  # the common wait is enough
    waits.hold_all(RequestError("rate limit", "retry", wait=3600.0))
    assert waits.until_allowed() <= 5.0
