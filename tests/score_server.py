"""A server of scores for tests, on this machine."""

import json
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from local_server import LocalServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        play: Any = self.server.play  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["comment"]["text"]
        play.asked[text] += 1
        play.bodies.append((self.path, body))
        status, content = play.answer(text, play.asked[text])
        raw = content.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None: ...


class ScoreServer(LocalServer):
    handler = _Handler

    def __init__(self, answer: Callable[[str, int], tuple[int, str]]) -> None:
        self.answer = answer
        self.asked: Counter[str] = Counter()
        self.bodies: list[tuple[str, Any]] = []


def perspective(value: str, attribute: str = "TOXICITY") -> str:
    return f'{{"attributeScores": {{"{attribute}": {{"summaryScore": {{"value": {value}}}}}}}}}'
