"""Headers and query strings of Azure-like servers: sent, and secret."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from faulty_server import Body, FaultyServer, completion
from steelyard.errors import ConfigError
from steelyard.labelling import label
from steelyard.supervision import Api
from texts_to_label import ITEMS, api, rows_in

KEY = "azure-secret-0123456789"
AZURE = {"headers": {"api-key": "$AZURE_KEY"}, "query": {"api-version": "2024-10-21"}}


def test_the_recipe_for_azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", f"{KEY}\n")
    monkeypatch.delenv("STEELYARD_API_KEY", raising=False)
    out = tmp_path / "votes.jsonl"

    def parrot(body: Body) -> Body:
        return completion(f"spam\n\n{KEY}", body, model=f"m-{KEY}")

    with FaultyServer(parrot) as server:
        settings = api(server, **AZURE)
        label(ITEMS, [settings], out)
        path, headers = server.calls[0]
        assert path == "/v1/chat/completions?api-version=2024-10-21"
        assert headers["api-key"] == KEY
        assert "authorization" not in headers
        sent = server.requests
        # neither another key nor another version of the API asks again; another route does
        monkeypatch.setenv("AZURE_KEY", "another-secret-123456")
        later = {**AZURE, "query": {"api-version": "2025-01-01"}, "headers": {"X-Team": "blue"}}
        assert label(ITEMS, [api(server, **later)], out).requests == 0
        route = {**AZURE, "query": {"api-version": "2024-10-21", "route": "b"}}
        assert label(ITEMS, [api(server, **route)], out).requests == sent
    assert rows_in(out)[0]["text"] == f"spam\n\n{KEY}"  # a secret of another run is unknown
    first = api(server, **AZURE)
    assert KEY not in first.model_dump_json() + repr(first)
    assert "$AZURE_KEY" in first.model_dump_json()


def test_secrets_are_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", KEY)
    monkeypatch.setenv("SIGNATURE", "signed/with+0123456789")
    query = {"sig": "${SIGNATURE}", "api-version": "1"}
    with FaultyServer(lambda body: completion(f"spam\n\n{KEY}", body)) as server:
        settings = api(server, headers={"Authorization": "Token $AZURE_KEY"}, query=query)
        label(ITEMS, [settings], tmp_path / "votes.jsonl")
        path, headers = server.calls[0]
    assert headers["authorization"] == f"Token {KEY}"
    assert "sig=signed%2Fwith%2B0123456789" in path
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert KEY.encode() not in written
    assert b"0123456789" not in written
    assert rows_in(tmp_path / "votes.jsonl")[0]["text"] == "spam\n\n[key]"


def test_a_variable_that_is_not_set(tmp_path: Path) -> None:
    settings = Api(base_url="http://127.0.0.1:9/v1", model="m", headers={"api-key": "$NO_SUCH"})
    with pytest.raises(ConfigError, match="The environment variable NO_SUCH is not set; `headers`"):
        label(ITEMS, [settings], tmp_path / "votes.jsonl")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"headers": {"api-key": "abc"}}, "'api-key' looks like one; put it into an environment"),
        ({"headers": {"X": "Bearer abc"}}, "'X' looks like one"),
        ({"headers": {"X": "sk-abc"}}, "'X' looks like one"),
        ({"headers": {"X": "0123456789abcdef0123456789"}}, "'X' looks like one"),
        ({"query": {"code": "abc"}}, "'code' looks like one"),
        ({"headers": {"Content-Type": "text/plain"}}, "'Content-Type', which cannot be set"),
        ({"headers": {"a b": "x"}}, "'a b', which cannot be set"),
        ({"headers": {"X-Name": "a\r\nb: c"}}, "'X-Name' is not"),
    ],
)
def test_headers_that_cannot_be_kept_or_sent(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Api(base_url="http://x/v1", model="m", **changes)
