"""The requests of a batch API: upload a file, start a batch, look at it, download its replies."""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx

from steelyard.supervision.api.client import request_headers
from steelyard.supervision.api.http_errors import RequestError, error_of_status
from steelyard.supervision.api.read_reply import ReplyReader
from steelyard.supervision.api.retry_waits import RetryWaits
from steelyard.supervision.api.server_settings import ServerSettings

WINDOW = "24h"  # within which a server must have finished a batch
PAGE = 100  # batches in one list
T = TypeVar("T")


class BatchClient:
    """Connections to `<base_url>/files` and `<base_url>/batches`.

    Every method raises RequestError if the server does not do what is asked.
    """

    def __init__(self, server: ServerSettings, reader: ReplyReader) -> None:
        self._server, self._reader = server, reader
        self._waits = RetryWaits(server.first_wait, server.longest_wait)
        self._client = httpx.Client(
            base_url=server.address,
            headers=request_headers(server),
            params=server.filled(server.query),
            timeout=server.timeout,
        )

    def __enter__(self) -> "BatchClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def upload(self, lines: bytes) -> str:
        """Upload requests as JSON lines; the server's name of the file. It costs nothing."""
        files = {"file": ("requests.jsonl", lines, "application/jsonl")}
        return self._tried(
            lambda: _name(self._json("POST", "/files", data={"purpose": "batch"}, files=files))
        )

    def start(self, file: str) -> str:
        """Start a batch; the server's name of it. It is sent once, for it is paid for."""
        body = {
            "input_file_id": file,
            "endpoint": self._server.batch_endpoint,
            "completion_window": WINDOW,
        }
        return _name(self._json("POST", "/batches", json=body))

    def listed(self) -> Iterator[dict[str, Any]]:
        """All batches of the account, the latest first."""
        after: dict[str, str] = {}
        while True:
            options = {"params": {"limit": str(PAGE), **after}}
            page = self._tried(functools.partial(self._json, "GET", "/batches", **options))
            batches = page.get("data") or []
            yield from batches
            if not page.get("has_more") or not batches:
                return
            after = {"after": _name(batches[-1])}

    def look(self, batch: str) -> dict[str, Any]:
        """The state of a batch: `status`, `output_file_id`, `error_file_id`, `errors`, ..."""
        return self._tried(lambda: self._json("GET", f"/batches/{batch}"))

    def download(self, file: str) -> list[str]:
        """The lines of a file."""

        def whole() -> list[str]:
            response = self._response("GET", f"/files/{file}/content")
            return response.content.decode("utf-8", "replace").split("\n")

        return self._tried(whole)

    def _json(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        response = self._response(method, path, **content)
        try:
            record = response.json()
        except (ValueError, RecursionError) as error:
            text = self._reader.clean(response.text)[:80]
            raise RequestError("not JSON", "retry", text) from error
        if not isinstance(record, dict):
            raise RequestError("wrong reply", "stop", f"its JSON is a {type(record).__name__}")
        return record

    def _response(self, method: str, path: str, **content: Any) -> httpx.Response:
        clean = self._reader.clean
        try:
            response = self._client.request(method, path, **content)
        except httpx.TimeoutException as error:
            raise RequestError("timeout", "retry", f"none in {self._server.timeout:g} s") from error
        except httpx.ConnectError as error:
            raise RequestError("no connection", "retry", clean(str(error))) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise RequestError("connection lost", "retry", clean(str(error))) from error
        if not response.is_success:
            raise error_of_status(response.status_code, response.headers, response.content, clean)
        return response

    def _tried(self, step: Callable[[], T]) -> T:
        """Repeat a step that costs nothing while its errors are passing ones."""
        number = 0
        while True:
            try:
                return step()
            except RequestError as error:
                number += 1
                if error.action != "retry" or number >= self._server.tries:
                    raise
                self._waits.hold_all(error)
                wait = max(self._waits.before_try(number, error), self._waits.until_allowed())
                time.sleep(max(wait, 0.0))


def _name(record: dict[str, Any]) -> str:
    """The `id` of a server's record."""
    name = record.get("id")
    if not isinstance(name, str) or not name:
        raise RequestError("wrong reply", "stop", "its JSON has no `id`")
    return name
