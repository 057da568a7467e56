"""A page in Chromium without a window, driven over a pipe of its DevTools protocol."""

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")

PATIENCE = 60  # seconds of silence


class Browser:
    """One page. `run` evaluates an expression in it."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._buffer = b""
        self._number = 0
        self._session = ""
        self.problems: list[str] = []

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of a DevTools command."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while (reply := self._next()).get("id") != self._number:
            self._note(reply)
        assert "error" not in reply, reply
        return reply["result"]

    def open(self, page: Path) -> None:
        """Load a page and wait until its script has run."""
        self.call("Page.navigate", url=page.absolute().as_uri())
        self.wait()

    def wait(self) -> None:
        """Wait until a page is loaded."""
        while (event := self._next()).get("method") != "Page.loadEventFired":
            self._note(event)

    def start(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def run(self, expression: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        result = self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def _next(self) -> Any:
        while b"\0" not in self._buffer:
            assert select.select([self._replies], [], [], PATIENCE)[0], "the browser is silent"
            part = os.read(self._replies, 1 << 20)
            assert part, "the browser ended"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def _note(self, event: Any) -> None:
        """Keep what the page complains of, and every dialog that it opens."""
        if event.get("method") in (
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Page.javascriptDialogOpening",
        ):
            self.problems.append(json.dumps(event["params"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with its profile in `folder`."""
    assert CHROMIUM is not None
    requests, replies = os.pipe(), os.pipe()

    def connect() -> None:  # the browser reads commands from 3 and writes to 4
        inward, outward = os.dup(requests[0]), os.dup(replies[1])
        os.dup2(inward, 3)
        os.dup2(outward, 4)

    process = subprocess.Popen(
        [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={folder}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=connect,
    )
    os.close(requests[0])
    os.close(replies[1])
    try:
        page = Browser(requests[1], replies[0])
        page.start()
        yield page
    finally:
        os.close(requests[1])
        os.close(replies[0])
        process.terminate()
        process.wait(20)
