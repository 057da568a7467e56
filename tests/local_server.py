"""A server on this machine for tests: it listens while its `with` block runs."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class LocalServer:
    """Use as `with Subclass(...) as server:`; it listens at `server.url`."""

    handler: type[BaseHTTPRequestHandler]

    def __enter__(self) -> Any:
        self._server = _Server(("127.0.0.1", 0), self.handler)
        self._server.play = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    play: Any

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the play."""
