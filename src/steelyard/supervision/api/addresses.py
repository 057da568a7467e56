"""Several addresses of one model: which is asked next, which rests, and whether they agree."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from steelyard.errors import ConfigError
from steelyard.supervision.api.http_errors import RequestError
from steelyard.supervision.api.retry_waits import RetryWaits
from steelyard.supervision.api.server_settings import ServerSettings

log = logging.getLogger(__name__)
FAILURES_TO_REST = 3  # in a row; a refused connection rests at once


@dataclass(eq=False)
class Address:
    """One address, and how it fares."""

    url: str
    waits: RetryWaits
    pending: int = 0  # requests under way
    last: int = -1  # number of the last request that it was given
    failures: int = 0  # in a row
    rests_until: float = 0.0  # on the monotonic clock
    warned: bool = False
    served: str = ""  # the model that its first reply names

    @property
    def rests(self) -> bool:
        return time.monotonic() < self.rests_until

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Inside, a request is under way."""
        self.pending += 1
        try:
            yield
        finally:
            self.pending -= 1


@dataclass(eq=False)
class Addresses:
    """The addresses of one model, which share its requests.

    A request goes to the address with the fewest requests under way, and where several have as few,
    to the one that waited longest. One that fails three times in a row, or refuses connections,
    rests for the longest wait between tries, and then is tried again. While all rest, all are
    tried.
    """

    server: ServerSettings
    all: list[Address] = field(init=False)
    _given: int = 0

    def __post_init__(self) -> None:
        waits = (self.server.first_wait, self.server.longest_wait)
        self.all = [Address(url, RetryWaits(*waits)) for url in self.server.addresses]

    def choose(self, failed: Address | None = None) -> Address:
        """The address of the next request, if possible not the one that has just failed it."""

        def rank(address: Address) -> tuple[float, ...]:
            held = max(address.waits.until_allowed(), 0.0)
            return (address.rests, address is failed, held, address.pending, address.last)

        chosen = min(self.all, key=rank)
        self._given += 1
        chosen.last = self._given
        return chosen

    @property
    def compared(self) -> bool:
        """Whether every address that does not rest has named its model."""
        return len(self.all) == 1 or all(a.served or a.rests for a in self.all)

    def note_failure(self, address: Address, error: RequestError) -> None:
        """Count a request without a reply; an address that fails again and again rests."""
        address.waits.hold_all(error)
        if len(self.all) == 1 or error.reason == "rate limit":
            return
        address.failures += 1
        if address.failures < FAILURES_TO_REST and error.reason != "no connection":
            return
        pause = self.server.longest_wait
        address.rests_until = time.monotonic() + pause
        if not address.warned:
            address.warned = True
            log.warning(
                "%s does not answer (%s); its requests go to the other addresses, and it is tried "
                "again every %g s.",
                *(address.url, error, pause),
            )

    def note_reply(self, address: Address, served: str) -> None:
        """Count a reply.

        Raises:
            ConfigError: its model is not that of the other addresses.
        """
        address.failures, address.rests_until = 0, 0.0
        if len(self.all) == 1 or address.served:
            return
        address.served = served or "no name"
        for other in self.all:
            if served and other.served not in ("", "no name", served):
                raise different_models(other.url, other.served, address.url, served)


def check_listed(lists: Sequence[tuple[str, Sequence[tuple[str, str]]]], model: str) -> None:
    """Refuse addresses whose lists of models show that they do not serve the same.

    Those that list the model must agree on what it is; those that do not list it, on their lists.

    Args:
        lists: the address, and the name and the `root` of each model that it lists.
        model: the name that is asked for.

    Raises:
        ConfigError: two differ.
    """
    described: list[tuple[str, str]] = []
    for url, listed in lists:
        roots = [root.rstrip("/").split("/")[-1] for name, root in listed if name == model]
        what = f"{model} ({roots[0]})" if roots and roots[0] else model
        if not roots:
            what = ", ".join(sorted(name for name, _ in listed)[:3])
        described.append((url, what))
    for url, what in described[1:]:
        if what != described[0][1]:
            raise different_models(*described[0], url, what)


def different_models(first: str, model: str, second: str, other: str) -> ConfigError:
    """The error about addresses that are no copies of one another."""
    return ConfigError(
        f"The addresses of `base_url` serve different models ({first}: {model}; {second}: "
        f"{other}); give addresses of one model, and a supervisor of its own for each other model."
    )
