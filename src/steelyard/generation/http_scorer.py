"""A server that scores one text a request, such as the Perspective API; no reply is paid twice."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import httpx
import numpy as np
from pydantic import Field, JsonValue, model_validator

from steelyard.generation.protocol import BaseScorer, TextScoreError
from steelyard.supervision.api.http_errors import RequestError, error_of_status
from steelyard.supervision.api.read_reply import ReplyReader
from steelyard.supervision.api.request import InMemory, ReplyCache, request_key
from steelyard.supervision.api.retry_waits import RetryWaits
from steelyard.supervision.api.server_settings import KEY_ENV, ServerSettings
from steelyard.types import Floats

LARGEST = 2**20  # bytes of a reply
CLAIM_PERIOD = 0.2  # seconds between looks at a request that another process has sent
TEXT = "{text}"


class HttpScorer(BaseScorer):
    """Sends each text as JSON and reads a number from 0 to 1 in the JSON that comes back."""

    kind: Literal["http"] = "http"
    base_url: str = "https://commentanalyzer.googleapis.com/v1alpha1/comments:analyze"
    """The address to which requests are sent; the default is the Perspective API's."""
    attribute: str = "TOXICITY"
    """Which attribute is asked for, in Perspective's format."""
    request: dict[str, JsonValue] | None = None
    """The JSON of a request, in which `{text}` stands for the text; null is Perspective's."""
    value: str | None = None
    """Where the score is in the reply, names separated by dots; null is Perspective's place."""
    api_key_env: str = KEY_ENV
    """Name of the environment variable that holds a key for the Authorization header."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Additional headers, such as `{api-key: $MY_KEY}`."""
    query: dict[str, str] = Field(default_factory=dict)
    """What follows `?` in the address, such as `{key: $PERSPECTIVE_KEY}`."""
    concurrency: int = Field(4, ge=1, le=64)
    """Number of requests at the same time."""
    timeout: float = Field(30.0, gt=0)
    """Largest number of seconds for one request."""
    tries: int = Field(6, ge=1, le=100)
    """Number of requests for one text before the run stops."""
    first_wait: float = Field(1.0, ge=0)
    """Seconds before the second try; each later wait is twice as long."""
    longest_wait: float = Field(60.0, ge=0)
    """Longest wait in seconds; it also limits the wait that the server asks for."""
    ledger: Path | None = None
    """The file that keeps every reply; null keeps replies only while the process runs."""

    @model_validator(mode="after")
    def _check_server(self) -> "HttpScorer":
        if self.request is not None and self.value is None:
            raise ValueError("`request` needs `value`, the place of the score in the reply")
        if self.request is not None and TEXT not in json.dumps(self.request):
            raise ValueError(f"`request` must have {TEXT} where the text stands")
        self._server()
        return self

    @property
    def name(self) -> str:
        what = self.value if self.request is not None else self.attribute
        return f"{self._server().engine.partition('://')[2]}:{what}"

    def score_texts(self, texts: Sequence[str]) -> Floats:
        """Scores of N texts; stored ones are not sent again.

        Raises:
            TextScoreError: a text has no score: no try is left, or the reply has no number from
                0 to 1. Replies so far are stored.
        """
        bodies = [self._body(text) for text in texts]
        keys = [request_key({"engine": self._server().engine, "request": b}) for b in bodies]
        with _replies(self.ledger) as cache, _Client(self) as client:
            stored = cache.get(keys)

            def score(number: int) -> float:
                record = stored.get(keys[number])
                try:
                    if record is None:
                        record = client.reply(cache, keys[number], bodies[number])
                    return self._number(json.loads(record["text"]))
                except RequestError as error:
                    raise TextScoreError(
                        number,
                        f"got no score from {self.base_url} ({error}); scores so far are stored, "
                        "run the same again.",
                    ) from error
                except ValueError as error:
                    raise TextScoreError(number, f"has no score in the reply: {error}.") from error

            scores = [score(number) for number in range(min(1, len(texts)))]  # settings may be bad
            pool = ThreadPoolExecutor(self.concurrency)
            try:
                scores += pool.map(score, range(1, len(texts)))
            finally:
                pool.shutdown(cancel_futures=True)
        return np.array(scores, dtype=np.float64)

    def _body(self, text: str) -> Any:
        perspective = {
            "comment": {"text": TEXT},
            "languages": ["en"],
            "requestedAttributes": {self.attribute: {}},
            "doNotStore": True,
        }
        return _filled(perspective if self.request is None else self.request, text)

    def _number(self, reply: Any) -> float:
        """The score in a reply.

        Raises:
            ValueError: there is no number from 0 to 1 at its place.
        """
        place = self.value or f"attributeScores.{self.attribute}.summaryScore.value"
        for part in place.split("."):
            if isinstance(reply, list) and part.isdecimal() and int(part) < len(reply):
                reply = reply[int(part)]
            else:
                reply = reply.get(part) if isinstance(reply, dict) else None
        if isinstance(reply, bool) or not isinstance(reply, int | float):
            raise ValueError(f"`{place}` is no number")
        if not 0 <= reply <= 1:
            raise ValueError(f"`{place}` is {reply:g}, and scores are from 0 to 1")
        return float(reply)

    def _server(self) -> ServerSettings:
        """The settings as those of any server."""
        names = set(ServerSettings.model_fields) & set(HttpScorer.model_fields)
        return ServerSettings(**self.model_dump(include=names))


class _Client:
    """Sends requests with retries, and stores every reply before it is used."""

    def __init__(self, settings: HttpScorer) -> None:
        from steelyard.supervision.api.client import request_headers

        server = settings._server()
        self._settings, self._engine = settings, server.engine
        self._clean = ReplyReader(server.secrets()).clean
        self._waits = RetryWaits(settings.first_wait, settings.longest_wait)
        self._http = httpx.Client(
            headers=request_headers(server),
            params=server.filled(server.query),
            timeout=settings.timeout,
        )

    def __enter__(self) -> "_Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def reply(self, cache: ReplyCache, key: str, body: Any) -> dict[str, Any]:
        """The reply to a request, in the cache from now on; another process may be asking it.

        Raises:
            RequestError: no try is left, or trying again cannot help.
        """
        while not cache.claim(key):
            if record := cache.get([key]).get(key):
                return record
            time.sleep(CLAIM_PERIOD)
        record = {}
        try:
            start = time.monotonic()
            text = self._send_with_retries(body)
            self._settings._number(json.loads(text))  # a reply without a score is not kept
            record = {
                **{"engine": self._engine, "model": self._settings.name, "request": body},
                **{"text": text, "price": 0.0, "seconds": time.monotonic() - start},
            }
            cache.put({key: record})
        finally:
            if not record:
                cache.release(key)
        return record

    def _send_with_retries(self, body: Any) -> str:
        for number in range(1, self._settings.tries + 1):
            time.sleep(max(0.0, self._waits.until_allowed()))
            try:
                return self._send(body)
            except RequestError as error:
                if error.action not in ("retry", "stop first") or number == self._settings.tries:
                    raise
                self._waits.hold_all(error)
                time.sleep(self._waits.before_try(number, error))
        raise AssertionError("there is at least one try")

    def _send(self, body: Any) -> str:
        end = time.monotonic() + self._settings.timeout
        raw = b""
        try:
            with self._http.stream("POST", self._settings.base_url, json=body) as response:
                for chunk in response.iter_bytes():
                    raw += chunk
                    if time.monotonic() > end:  # httpx's own timeout is for each read
                        raise httpx.ReadTimeout("")
                    if len(raw) > LARGEST:
                        raise RequestError("too large", "stop", f"more than {LARGEST} bytes")
        except httpx.TimeoutException as error:
            limit = f"none in {self._settings.timeout:g} s"
            raise RequestError("timeout", "retry", limit) from error
        except httpx.HTTPError as error:
            raise RequestError("no connection", "retry", self._clean(str(error))) from error
        if response.status_code != 200:
            raise error_of_status(response.status_code, response.headers, raw, self._clean, None)
        return raw.decode("utf-8", "replace")


@contextlib.contextmanager
def _replies(path: Path | None) -> Iterator[ReplyCache]:
    """Stored replies: those of a ledger, or none."""
    if path is None:
        yield InMemory()
        return
    from steelyard.store.reply_ledger import Ledger

    with Ledger(path) as ledger:
        yield ledger


def _filled(request: Any, text: str) -> Any:
    """A request with the text in place of `{text}`."""
    if isinstance(request, dict):
        return {key: _filled(value, text) for key, value in request.items()}
    if isinstance(request, list):
        return [_filled(value, text) for value in request]
    return request.replace(TEXT, text) if isinstance(request, str) else request
