"""The Hugging Face Hub, as a fake on this machine: it keeps what is uploaded."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


class FakeHub(BaseHTTPRequestHandler):
    files: ClassVar[dict[str, bytes]] = {}
    refuse = False

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.reply({"id": "me/student", "siblings": [], "sha": "0" * 40})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self.chunks()
        if self.refuse:
            self.reply({"error": "You may not."}, 403)
        elif self.path.endswith("/preupload/main"):
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]
            self.reply({"files": modes})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            self.reply(
                {
                    "commitUrl": f"http://{self.headers['Host']}/me/student/commit/{1:040}",
                    "commitOid": "1" * 40,
                }
            )
        else:
            self.reply(
                {
                    "url": f"http://{self.headers['Host']}/me/student",
                    "id": "me/student",
                    "warnings": [],
                }
            )

    def chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(parts)

    def reply(self, content: Any, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def fake_hub(refuse: bool = False) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Its address, and what was uploaded by path."""
    FakeHub.files, FakeHub.refuse = {}, refuse
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", FakeHub.files
    server.shutdown()
    server.server_close()
