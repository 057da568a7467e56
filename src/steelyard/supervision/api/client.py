"""One request to an OpenAI-compatible server: a reply, or an error that says what to do."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from steelyard.supervision.api.http_errors import RequestError, error_of_status
from steelyard.supervision.api.read_reply import ReplyReader, ServerReply
from steelyard.supervision.api.server_settings import ServerSettings

LARGEST = 4 * 2**20  # bytes of a reply


def request_headers(server: ServerSettings) -> dict[str, str]:
    """Headers of each request; the key goes into the Authorization header and nowhere else."""
    key, headers = server.key(), server.filled(server.headers)
    if key and not any(name.lower() == "authorization" for name in headers):
        headers["Authorization"] = f"Bearer {key}"
    return {"Accept": "application/json", **headers}


class Chat:
    """Connections to `chat/completions` of every address, kept alive."""

    def __init__(self, server: ServerSettings, reader: ReplyReader) -> None:
        self._reader, self._timeout = reader, server.timeout
        most = server.concurrency
        self._client = httpx.AsyncClient(
            headers={"Content-Type": "application/json", **request_headers(server)},
            params=server.filled(server.query),
            timeout=server.timeout,
            limits=httpx.Limits(max_connections=most, max_keepalive_connections=most),
        )

    async def __aenter__(self) -> "Chat":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def complete(self, body: Mapping[str, Any], address: str) -> ServerReply:
        """Send one request to an address.

        Raises:
            RequestError: there is no reply.
        """
        start, clean = time.monotonic(), self._reader.clean
        try:
            async with asyncio.timeout(self._timeout):  # httpx's own is for each read
                status, headers, raw = await self._post(f"{address}/chat/completions", body)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise RequestError("timeout", "retry", f"none in {self._timeout:g} s") from error
        except httpx.ConnectError as error:
            raise RequestError("no connection", "retry", clean(str(error))) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise RequestError("connection lost", "retry", clean(str(error))) from error
        if status != 200:
            raise error_of_status(status, headers, raw, clean, body)
        return self._reader.read(raw, time.monotonic() - start, body)

    async def models(self, address: str) -> list[tuple[str, str]]:
        """Name and `root` of the models that an address lists; none where it gives no such list."""
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client.get(f"{address}/models")
            rows = response.json()["data"] if response.is_success else []
            return [(str(row["id"]), str(row.get("root") or "")) for row in rows]
        except (TimeoutError, httpx.HTTPError, ValueError, RecursionError):
            return []
        except (KeyError, TypeError, AttributeError):  # another list
            return []

    async def _post(self, url: str, body: Mapping[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        content = json.dumps(body).encode()
        async with self._client.stream("POST", url, content=content) as response:
            raw = b""
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > LARGEST:
                    raise RequestError("too large", "retry", f"it has more than {LARGEST} bytes")
            return response.status_code, response.headers, raw
