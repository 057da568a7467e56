"""Progress of requests on stderr, one line every few seconds."""

import sys
import time
from collections import Counter

from steelyard.supervision.api.request import RequestProgress
from steelyard.supervision.parsed_replies import counted_reasons

PERIOD = 2.0  # seconds between lines of progress


class StderrRequestProgress(RequestProgress):
    """Lines on stderr: queries done, rate, cost, time left, abstentions by reason."""

    def __init__(self) -> None:
        self.start = self._last = time.monotonic()
        self._printed = 0
        self.queries, self.done, self.stored, self.cost = 0, 0, 0, 0.0
        self.reasons: Counter[str] = Counter()

    def __enter__(self) -> "StderrRequestProgress":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self.done > self._printed:
            self._print()

    def begin(self, queries: int) -> None:
        """Add queries to those that are to be answered; print a line at once."""
        self.queries += queries
        self._print()

    def answered(self, reason: str, price: float, stored: bool) -> None:
        """Count a query that has its answer, or abstains for a reason."""
        self.done += 1
        self.stored += stored
        self.cost += price
        if reason:
            self.reasons[reason] += 1
        self._print_if_due()

    def waits(self, seconds: float, reason: str) -> None:
        """Report a wait before a request is sent again."""
        self._print_if_due(f"; {reason}, waiting {seconds:.1f} s")

    def _print_if_due(self, suffix: str = "") -> None:
        if time.monotonic() - self._last >= PERIOD:
            self._last = time.monotonic()
            self._print(suffix)

    def _print(self, suffix: str = "") -> None:
        self._printed = self.done
        seconds = max(time.monotonic() - self.start, 1e-9)
        rate = (self.done - self.stored) / seconds
        left = (self.queries - self.done) / rate if rate else 0.0
        parts = [f"{seconds:7.1f} s  {self.done:,}/{self.queries:,}", f"{rate:.1f}/s"]
        if self.cost:
            parts.append(f"cost {self.cost:.4f}")
        if left:
            parts.append(f"{left:.0f} s left")
        if self.reasons:
            parts.append(f"abstained {self.reasons.total():,} ({counted_reasons(self.reasons)})")
        print("  ".join(parts) + suffix, file=sys.stderr, flush=True)
