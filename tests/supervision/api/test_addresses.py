"""Several addresses of one model: they share requests, the dead are left out, strangers refused."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from faulty_server import Body, FaultyServer, Script
from requests_for_tests import vote
from steelyard.errors import ConfigError, SteelyardError
from steelyard.labelling import Items, label
from steelyard.store.reply_ledger import Ledger
from steelyard.supervision import Api
from steelyard.supervision.api.addresses import Addresses, check_listed
from steelyard.supervision.api.http_errors import RequestError
from steelyard.types import Question, Split, Votes

QUESTIONS = tuple(Question(f"q{i}", f"text {i}") for i in range(40))
CLASSES = ("ham", "spam")
EXPECTED = [int(i % 3 == 0) for i in range(40)]
NOTHING = Split((), np.zeros(0, dtype=np.int64))


def answer(body: Body) -> str:
    number = int(body["messages"][-1]["content"].split("text ")[1].split()[0])
    return "spam" if number % 3 == 0 else "ham"


def listed(*names: str, root: str | None = None) -> Body:
    return {"object": "list", "data": [{"id": name, "root": root} for name in names]}


def api(*urls: str, **changes: Any) -> Api:
    settings = {"queries": 1, "first_wait": 0.001, "longest_wait": 0.05, **changes}
    return Api(base_url=urls if len(urls) > 1 else urls[0], model="org/m", **settings)


def ask(*servers: FaultyServer, answers: Any = None, **changes: Any) -> Votes:
    supervisor = api(*(server.url for server in servers), **changes)
    return vote(supervisor, NOTHING, [QUESTIONS], CLASSES, seed=0, replies=answers)[0]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        yield ledger


def after(count: int, name: str) -> Script:
    """Answers so many requests, and then does something else."""
    seen: list[str] = []

    def script(prompt: str, before: int) -> str:
        seen.append(prompt)
        return "answer" if len(seen) <= count else name

    return script


def test_requests_are_shared_and_votes_are_those_of_one_address(ledger: Ledger) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(FaultyServer(answer)) for _ in range(3)]
        votes = ask(*servers, answers=ledger)
        counts = [server.requests for server in servers]
        assert ask(servers[0], answers=ledger).answer.tolist() == EXPECTED
        assert ask(*servers[:2], answers=ledger).answer.tolist() == EXPECTED
        assert [server.requests for server in servers] == counts  # asked nothing again
    assert votes.answer.tolist() == EXPECTED
    assert sum(counts) == ledger.count() == 40
    assert min(counts) >= 10  # about 13 each


def test_the_least_busy_is_next_and_else_it_goes_round() -> None:
    addresses = Addresses(api("http://a/v1", "http://b/v1", "http://c/v1"))
    a, b, c = addresses.all
    assert [addresses.choose() for _ in range(4)] == [a, b, c, a]
    with a.busy(), b.busy(), b.busy():
        assert [addresses.choose() for _ in range(2)] == [c, c]
        with c.busy(), c.busy():
            assert addresses.choose() is a
    assert addresses.choose(failed=b) is not b


def test_one_that_fails_rests_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    addresses = Addresses(api("http://a/v1", "http://b/v1", longest_wait=60))
    a, b = addresses.all
    for _ in range(2):
        addresses.note_failure(a, RequestError("server error 500", "retry"))
        assert not a.rests
    addresses.note_failure(a, RequestError("server error 500", "retry"))
    assert a.rests
    assert {addresses.choose() for _ in range(5)} == {b}
    addresses.note_failure(b, RequestError("no connection", "retry"))  # at once
    assert b.rests
    assert {addresses.choose() for _ in range(4)} == {a, b}  # all rest: all are tried
    now = 161.0
    assert not a.rests
    addresses.note_failure(a, RequestError("timeout", "retry"))  # the fourth in a row
    assert a.rests
    addresses.note_reply(a, "org/m")
    assert (a.rests, a.failures) == (False, 0)


def test_a_wish_to_wait_is_that_of_one_address() -> None:
    addresses = Addresses(api("http://a/v1", "http://b/v1", longest_wait=60))
    a, b = addresses.all
    for _ in range(9):
        addresses.note_failure(a, RequestError("rate limit", "retry", wait=30.0))
    assert not a.rests
    assert {addresses.choose() for _ in range(3)} == {b}


@pytest.mark.parametrize("name", ["500", "reset", "HTML"])
def test_the_requests_of_one_that_dies_go_to_the_others(
    name: str, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """Though a single try is allowed for each address."""
    with (
        FaultyServer(answer) as well,
        FaultyServer(answer, after(5, name)) as dying,
        caplog.at_level(logging.WARNING),
    ):
        votes = ask(well, dying, answers=ledger, tries=1, longest_wait=30)
        assert votes.answer.tolist() == EXPECTED
        assert (well.answered.total(), dying.answered.total()) == (35, 5)
        assert dying.requests <= 5 + 3 + 8  # three in a row, and those under way
        said = [record.message for record in caplog.records if "does not answer" in record.message]
        assert len(said) == 1
        assert said[0].startswith(f"{dying.url} does not answer (")
        assert said[0].endswith("it is tried again every 30 s.")
        assert "\n" not in said[0]
    assert ledger.count() == 40


def test_one_that_never_was_there_and_one_that_comes_back() -> None:
    with FaultyServer(answer) as gone:
        url = gone.url
    with FaultyServer(answer, after(2, "answer")) as well:
        supervisor = api(url, well.url, tries=1)
        (votes,) = vote(supervisor, NOTHING, [QUESTIONS], CLASSES, seed=0)
        assert votes.answer.tolist() == EXPECTED

    def tired(prompt: str, before: int) -> str:
        return "502" if 3 <= back.requests < 7 else "answer"

    with FaultyServer(answer, lambda p, b: "answer", slow=1) as well, FaultyServer(answer) as back:
        back.script = tired
        votes = ask(well, back, longest_wait=0.01, concurrency=1)
        assert votes.answer.tolist() == EXPECTED
        assert back.did["502"] == 4
        assert back.answered.total() > 3  # it answered again


def test_it_fails_when_none_answers(ledger: Ledger) -> None:
    with FaultyServer(answer) as gone:
        urls = [gone.url, gone.url.replace("127.0.0.1", "localhost")]
    supervisor = api(*urls, tries=2)
    with pytest.raises(SteelyardError, match=f"{urls[0]} and {urls[1]} do not answer") as error:
        vote(supervisor, NOTHING, [QUESTIONS], CLASSES, seed=0)
    assert "\n" not in str(error.value)
    with (
        FaultyServer(answer, after(4, "502")) as one,
        FaultyServer(answer, after(4, "503")) as other,
        pytest.raises(SteelyardError, match="25 queries in a row got no answer"),
    ):
        ask(one, other, answers=ledger, tries=1)
    assert ledger.count() == 8  # what they said is kept


def test_models_that_differ_are_refused_before_anything_is_paid() -> None:
    with (
        FaultyServer(answer, models=listed("org/m")) as one,
        FaultyServer(answer, models=listed("org/large")) as other,
    ):
        with pytest.raises(ConfigError, match="serve different models") as error:
            ask(one, other)
        assert f"({one.url}: org/m; {other.url}: org/large)" in str(error.value)
        assert "\n" not in str(error.value)
        assert one.requests == other.requests == 0


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ([("m", "")], [("m", ""), ("n", "")], True),  # another model beside it
        ([("m", "/a/q-7b")], [("m", "org/q-7b/")], True),  # one folder under two names
        ([("m", "/a/q-7b")], [("m", "/a/q-14b")], False),  # one name for two folders
        ([("n", "")], [("m", "")], False),
        ([("x", ""), ("y", "")], [("y", ""), ("x", "")], True),  # the name is an alias
        ([("x", "")], [("y", "")], False),
    ],
)
def test_lists_of_models(first: Any, second: Any, equal: bool) -> None:
    pairs = [("http://a/v1", first), ("http://b/v1", second)]
    if equal:
        check_listed(pairs, "m")
        return
    with pytest.raises(ConfigError, match="different models"):
        check_listed(pairs, "m")


def test_a_reply_of_another_model_costs_one_request_and_is_not_stored(ledger: Ledger) -> None:
    with (
        FaultyServer(answer) as one,
        FaultyServer(answer, lambda prompt, before: "renamed") as other,
    ):
        with pytest.raises(ConfigError, match=f"{other.url}: another-model"):
            ask(one, other, answers=ledger)
        assert (one.requests, other.requests, ledger.count()) == (1, 1, 1)


@pytest.mark.parametrize("models", [None, {"models": []}, {"data": [7]}, {"data": {}}])
def test_a_server_without_a_list_of_models_is_asked(models: Body | None) -> None:
    with FaultyServer(answer, models=models) as one, FaultyServer(answer, models=models) as other:
        assert ask(one, other).answer.tolist() == EXPECTED


def test_the_recipe_has_the_first_address_alone() -> None:
    one, both = api("http://a/v1"), api("http://a/v1/", "http://b/v1")
    assert both.base_url == ("http://a/v1", "http://b/v1")
    assert one.deciding_settings() == both.deciding_settings()
    assert one.engine == both.engine
    assert Api.model_validate_json(both.model_dump_json()) == both


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": ["http://a/v1", "http://a/v1/"]}, "several different ones"),
        ({"base_url": []}, "one address"),
        ({"base_url": ["http://a/v1", "b"]}, "must be an address"),
        ({"base_url": ["http://a/v1", "http://b/v1"], "batch": True}, "sends to one server"),
    ],
)
def test_addresses_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Api(model="m", **settings)
    assert Api(model="m", base_url=["http://a/v1"]).base_url == "http://a/v1"


def test_label_asks_nothing_again_when_an_address_is_added(tmp_path: Path) -> None:
    items, out = Items("classification", QUESTIONS, CLASSES), tmp_path / "votes.jsonl"
    with FaultyServer(answer) as one, FaultyServer(answer) as other:
        label(items, [api(one.url)], out)
        before = out.read_bytes()
        result = label(items, [api(one.url, other.url)], out)
        assert (result.requests, other.requests) == (0, 0)
    assert out.read_bytes() == before
