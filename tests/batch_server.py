"""A batch API on loopback: files, batches, and the ways in which a batch can end."""

import json
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from faulty_server import Body, completion, error
from local_server import LocalServer

Outcome = Callable[[Body], str | tuple[int, Body]]


class BatchServer(LocalServer):
    """Use as `with BatchServer(answer) as server:`; it listens at `server.url`.

    Args:
        answer: from a request's body to the text that is replied, to "expired" or "lost" for no
            reply, or to an HTTP status and a body.
        looks: how often a batch is looked at before it has ended.
        end: status of a batch that has ended.
        message: of a batch that failed.
    """

    def __init__(
        self, answer: Outcome, looks: int = 1, end: str = "completed", message: str = ""
    ) -> None:
        self.answer, self.looks, self.end, self.message = answer, looks, end, message
        self.files: dict[str, str] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()  # requests in started batches, by their key
        self.did: Counter[str] = Counter()  # method and kind of address
        self.lose_start = False  # start the batch, but close the connection without a word
        self.broken = 0  # answers of status 503 that come next

    def start(self, file: str) -> dict[str, Any]:
        batch = {"id": f"batch-{len(self.batches)}", "input_file_id": file, "looks": 0}
        lines = [json.loads(line) for line in self.files[file].splitlines()]
        for line in lines:
            assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
            self.asked[line["custom_id"]] += 1
        self.batches[batch["id"]] = batch | {"lines": lines, "status": "in_progress"}
        return self.seen(batch["id"])

    def seen(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        if batch["looks"] > self.looks and batch["status"] == "in_progress":
            batch["status"] = self.end
            if self.end == "failed":
                batch["errors"] = {"data": [{"code": "invalid", "message": self.message}]}
            else:
                self.finish(name, batch)
        batch["looks"] += 1
        return {key: value for key, value in batch.items() if key not in ("lines", "looks")}

    def finish(self, name: str, batch: dict[str, Any]) -> None:
        lines: dict[str, list[Any]] = {"output": [], "error": []}
        for line in reversed(batch["lines"]):  # not in their order
            given = self.answer(line["body"])
            entry = {"custom_id": line["custom_id"], "response": None, "error": None}
            if given == "expired":
                entry["error"] = {"code": "batch_expired", "message": "not done in time"}
                lines["error"].append(entry)
            elif isinstance(given, tuple):
                lines["error"].append(entry | {"response": response(*given)})
            elif given != "lost":
                whole = completion(str(given), line["body"])
                lines["output"].append(entry | {"response": response(200, whole)})
        for kind, entries in lines.items():
            if entries:
                self.files[f"{kind}-{name}"] = "".join(json.dumps(e) + "\n" for e in entries)
                batch[f"{kind}_file_id"] = f"{kind}-{name}"


def response(status: int, body: Body) -> dict[str, Any]:
    return {"status_code": status, "request_id": "r", "body": body}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: Any) -> None: ...

    def do_POST(self) -> None:
        play = self.server.play
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        kind = urlsplit(self.path).path.split("/")[2]
        play.did[f"POST {kind}"] += 1
        if play.broken:
            play.broken -= 1
            self.reply(503, error("later"))
        elif kind == "files":
            boundary = self.headers["Content-Type"].split("boundary=")[1].encode()
            (part,) = [p for p in raw.split(b"--" + boundary) if b"filename=" in p]
            name = f"file-{len(play.files)}"
            play.files[name] = part.split(b"\r\n\r\n", 1)[1].decode().rstrip("\r\n")
            self.reply(200, {"id": name, "purpose": "batch"})
        elif kind == "batches":
            body = json.loads(raw)
            assert body["completion_window"] == "24h"
            batch = play.start(body["input_file_id"])
            if play.lose_start:
                play.lose_start = False
                self.close_connection = True
            else:
                self.reply(200, batch)
        else:
            self.reply(404, error("only batches here"))

    def do_GET(self) -> None:
        play = self.server.play
        address = urlsplit(self.path)
        kind, *rest = address.path.split("/")[2:]
        play.did[f"GET {kind}"] += 1
        if play.broken:
            play.broken -= 1
            self.reply(503, error("later"))
        elif kind == "files":
            self.reply(200, play.files[rest[0]].encode())
        elif rest:
            known = rest[0] in play.batches
            self.reply(*((200, play.seen(rest[0])) if known else (404, error("no such batch"))))
        else:  # two to a page, the latest first
            names = list(play.batches)[::-1]
            after = parse_qs(address.query).get("after")
            start = names.index(after[0]) + 1 if after else 0
            page = [play.batches[name] for name in names[start : start + 2]]
            data = [{"id": b["id"], "input_file_id": b["input_file_id"]} for b in page]
            self.reply(200, {"data": data, "has_more": start + 2 < len(names)})

    def reply(self, status: int, content: Any) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


BatchServer.handler = _Handler
