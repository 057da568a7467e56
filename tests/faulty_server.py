"""A chat server on loopback that misbehaves as it is told, and counts what it was asked."""

import email.utils
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from local_server import LocalServer

Body = dict[str, Any]
Script = Callable[[str, int], str]
"""From a prompt and the number of times it was asked before to a behaviour's name."""


def completion(text: str | None, body: Body, **changes: Any) -> Body:
    """A chat completion; `changes` are of its choice, or `model`, or `usage`."""
    words = {
        "id": "c",
        "object": "chat.completion",
        "model": changes.pop("model", body["model"]),
        "system_fingerprint": "f1",
        "usage": changes.pop("usage", {"prompt_tokens": 10, "completion_tokens": 2}),
    }
    message: Body = {"role": "assistant", "content": text, "refusal": changes.pop("refusal", None)}
    if calls := changes.pop("calls", None):
        functions = [{"name": "label", "arguments": call} for call in calls]
        message["tool_calls"] = [{"type": "function", "function": f} for f in functions]
    return {
        **words,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"} | changes],
    }


def top(*pairs: tuple[str, float]) -> Body:
    """`logprobs` of a choice: the most probable first tokens."""
    entries = [{"token": token, "logprob": value} for token, value in pairs]
    return {"logprobs": {"content": [{"token": pairs[0][0], "top_logprobs": entries}]}}


class FaultyServer(LocalServer):
    """Use as `with FaultyServer(answer, script) as server:`; it listens at `server.url`.

    Args:
        answer: from a request's body to the text that is replied, or to a whole reply.
        script: what is done with a request; None always answers.
        key: the API key that is wanted; None wants none.
        slow: seconds that "timeout" waits.
        models: what `/models` answers; None refuses the request.
    """

    def __init__(
        self,
        answer: Callable[[Body], str | Body | None],
        script: Script | None = None,
        key: str | None = None,
        slow: float = 5.0,
        models: Body | None = None,
    ) -> None:
        self.answer, self.script, self.key, self.slow = answer, script, key, slow
        self.models = models
        self.asked: Counter[str] = Counter()  # requests for each prompt
        self.answered: Counter[str] = Counter()  # whole completions of each prompt
        self.did: Counter[str] = Counter()  # behaviours
        self.bodies: list[Body] = []
        self.calls: list[tuple[str, dict[str, str]]] = []  # path with query, headers in lower case
        self.connections = 0
        self.at_once = 0  # the most requests at one time
        self._now = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.held = threading.Event()  # behaviour "held" answers when it is set
        self.reached = threading.Condition(self.lock)

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self.held.set()
        super().__exit__(*error)

    @property
    def requests(self) -> int:
        return self.asked.total()

    def wait_for(self, answered: int, seconds: float = 60) -> None:
        """Until so many completions were sent."""
        with self.reached:
            assert self.reached.wait_for(lambda: self.answered.total() >= answered, seconds)

    def note(self, body: Body) -> tuple[str, str]:
        """Count a request; its prompt and what is to be done with it."""
        prompt = body["messages"][-1]["content"]
        with self.lock:
            name = self.script(prompt, self.asked[prompt]) if self.script else "answer"
            self.asked[prompt] += 1
            self.did[name] += 1
            self.bodies.append(body)
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        return prompt, name

    def sent(self, prompt: str, whole: bool) -> None:
        with self.reached:
            self._now -= 1
            self.answered[prompt] += whole
            self.reached.notify_all()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Any

    def setup(self) -> None:
        super().setup()
        with self.server.play.lock:
            self.server.play.connections += 1

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        models = self.server.play.models
        self.reply(404 if models is None else 200, models or {})

    def do_POST(self) -> None:
        play = self.server.play
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if play.key is not None and self.headers.get("Authorization") != f"Bearer {play.key}":
            said = f"Incorrect API key provided: {self.headers.get('Authorization')}"
            self.reply(401, {"error": {"message": said, "code": "invalid_api_key"}})
            return
        sent = {name.lower(): value for name, value in self.headers.items()}
        play.calls.append((self.path, sent))
        prompt, name = play.note(body)
        whole = False
        try:
            BEHAVIOURS[name](self, body)
            whole = name in WHOLE
        finally:
            play.sent(prompt, whole)

    def reply(self, status: int, words: Any, headers: dict[str, str] | None = None) -> None:
        raw = words if isinstance(words, bytes) else json.dumps(words).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    def say(self, body: Body, **changes: Any) -> None:
        said = self.server.play.answer(body)
        self.reply(200, said if isinstance(said, dict) else completion(said, body, **changes))

    def call(self, body: Body, kind: str) -> None:
        """Answer by a call whose arguments hold the answer."""
        arguments = json.dumps({"label": self.server.play.answer(body)})
        whole = completion(None, body, calls=[arguments], finish_reason="tool_calls")
        message = whole["choices"][0]["message"]
        if kind == "function_call":
            message["function_call"] = message.pop("tool_calls")[0]["function"]
            whole["choices"][0]["finish_reason"] = "stop"
        self.reply(200, whole)

    def cut(self, body: Body, share: float) -> None:
        """Promise a whole reply, send a part of it, and reset the connection."""
        raw = json.dumps(completion("A", body)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw[: int(len(raw) * share)])
        self.wfile.flush()
        self.reset()

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)  # close with RST
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()

    def sleep(self) -> None:
        self.server.play.closing.wait(self.server.play.slow)
        self.close_connection = True

    def hold(self, body: Body) -> None:
        self.server.play.held.wait(60)
        self.say(body)


def error(message: str, code: str | None = None) -> Body:
    return {"error": {"message": message, "type": "error", "code": code}}


def http_date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


WHOLE = ("answer", "held", "renamed", "cut off", "withheld", "refusal", "null", "NaN", "parts")
BEHAVIOURS: dict[str, Callable[[_Handler, Body], None]] = {
    "answer": lambda h, b: h.say(b),
    "held": lambda h, b: h.hold(b),
    "renamed": lambda h, b: h.say(b, model="another-model"),
    "cut off": lambda h, b: h.reply(
        200, completion("Let me think about", b, finish_reason="length")
    ),
    "withheld": lambda h, b: h.reply(200, completion("", b, finish_reason="content_filter")),
    "refusal": lambda h, b: h.reply(200, completion(None, b, refusal="I will not.")),
    "null": lambda h, b: h.reply(200, completion(None, b)),
    "NaN": lambda h, b: h.say(b, **top(("A", float("nan")), ("B", -1.0))),
    "parts": lambda h, b: h.reply(
        200,
        completion([{"type": "text", "text": str(h.server.play.answer(b))}], b),  # type: ignore[arg-type]
    ),
    "timeout": lambda h, _: h.sleep(),
    "429": lambda h, _: h.reply(429, error("slow down")),
    "429 seconds": lambda h, _: h.reply(429, error("slow down"), {"Retry-After": "0.05"}),
    "429 long": lambda h, _: h.reply(429, error("slow down"), {"Retry-After": "1000"}),
    "429 date": lambda h, _: h.reply(429, error("slow down"), {"Retry-After": http_date(1)}),
    "429 nonsense": lambda h, _: h.reply(429, error("slow down"), {"Retry-After": "soon"}),
    "500": lambda h, _: h.reply(500, error("oops")),
    "502": lambda h, _: h.reply(502, b"<html><h1>502 Bad Gateway</h1></html>"),
    "503": lambda h, _: h.reply(503, b"", {"Retry-After": "0.01"}),
    "529": lambda h, _: h.reply(529, error("overloaded")),
    "reset": lambda h, _: h.reset(),
    "reset in the body": lambda h, b: h.cut(b, 0.5),
    "empty": lambda h, _: h.reply(200, b""),
    "HTML": lambda h, _: h.reply(200, b"<html><script>x()</script><p>Sign in</p></html>"),
    "half JSON": lambda h, b: h.reply(200, json.dumps(completion("A", b)).encode()[:-20]),
    "deep JSON": lambda h, _: h.reply(200, b"[" * 100_000),
    "not UTF-8": lambda h, _: h.reply(200, b'{"choices": "\xff"}'),
    "a list": lambda h, _: h.reply(200, []),
    "no schema": lambda h, _: h.reply(200, {"object": "chat.completion"}),
    "wrong types": lambda h, _: h.reply(200, {"choices": [{"message": {"content": 7}}]}),
    "no choices": lambda h, _: h.reply(200, {"choices": []}),
    "no message": lambda h, _: h.reply(200, {"choices": [{"index": 0}]}),
    "error in 200": lambda h, _: h.reply(200, error("upstream is down")),
    "huge": lambda h, _: h.reply(200, b" " * (5 * 2**20)),
    "400": lambda h, _: h.reply(400, error("top_logprobs is not supported")),
    "too long": lambda h, _: h.reply(
        400, error("This model's maximum context length is 10 tokens", "context_length_exceeded")
    ),
    "policy": lambda h, _: h.reply(400, error("flagged", "content_policy_violation")),
    "no logprobs": lambda h, _: h.reply(
        403, error("You are not allowed to request logprobs from this model")
    ),
    "another API": lambda h, b: h.reply(
        200, {"id": "msg_1", "type": "message", "content": [{"type": "text", "text": "A"}]}
    ),
    "tool call": lambda h, b: h.call(b, "tool_calls"),
    "function call": lambda h, b: h.call(b, "function_call"),
    "useless tool call": lambda h, b: h.reply(
        200, completion(None, b, calls=["{}"], finish_reason="tool_calls")
    ),
    "403": lambda h, _: h.reply(403, error("not for you")),
    "404": lambda h, _: h.reply(404, error("The model `m` does not exist")),
    "moved": lambda h, _: h.reply(308, b"", {"Location": "http://example.org/"}),
    "quota": lambda h, _: h.reply(429, error("You exceeded your quota", "insufficient_quota")),
}


FaultyServer.handler = _Handler
