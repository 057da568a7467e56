"""Waiting times before a request is sent again: exponential backoff, and Retry-After."""

import random
import time

from steelyard.supervision.api.http_errors import RequestError


class RetryWaits:
    """Waiting times of all requests to one server.

    Before its second try a request waits `first_wait` seconds, then twice as long each time, up
    to `longest_wait`; each wait is shortened at random by up to half, so that requests that failed
    together are not sent together again. Where the server asks for a wait (`Retry-After`, also
    limited to `longest_wait`), no request at all is sent before that time.
    """

    def __init__(self, first_wait: float, longest_wait: float) -> None:
        self.first_wait, self.longest_wait = first_wait, longest_wait
        self._not_before = 0.0  # on the monotonic clock

    def before_try(self, number: int, error: RequestError) -> float:
        """Seconds to wait before try `number` (from 1), after an error."""
        if error.wait is not None:
            return 0.0  # `until_allowed` has the common wait
        longest = min(self.first_wait * 2.0 ** (number - 1), self.longest_wait)
        return longest * random.uniform(0.5, 1.0)

    def hold_all(self, error: RequestError) -> None:
        """Note the wait that the server asks for, if it does."""
        if error.wait is not None:
            end = time.monotonic() + min(error.wait, self.longest_wait)
            self._not_before = max(self._not_before, end)

    def until_allowed(self) -> float:
        """Seconds until any request may be sent; not above 0 if it may be now."""
        return self._not_before - time.monotonic()
