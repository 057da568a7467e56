"""For every test: no network, no hub, and few drawn examples."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from shared_data import DATA

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is first imported
os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # tiny models are faster so, and tests run side by side

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a shell's background jobs
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile(
    "quick",
    deadline=None,
    max_examples=25,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=500)
hypothesis.settings.load_profile("quick")  # others with `pytest --hypothesis-profile thorough`


class NetworkUsed(Exception):
    """A test reached for the network. No OSError: nothing that expects one may swallow it."""


def guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    """A `connect` that reaches this machine only."""

    def connect_here(self: socket.socket, address: Any) -> Any:
        local = self.family not in (socket.AF_INET, socket.AF_INET6) or (
            address[0] in ("localhost", "::1") or str(address[0]).startswith("127.")
        )
        if not local:
            raise NetworkUsed(f"A test connects to {address}; tests run offline.")
        return connect(self, address)

    return connect_here


@pytest.fixture(scope="session", autouse=True)
def _closed_sockets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets that lies beside the checkout; the test skips without it."""
    folder = DATA
    if not folder.is_dir():
        pytest.skip(f"real data sets are not there: {folder}")
    return folder


pytest_plugins = ["tiny_models"]
