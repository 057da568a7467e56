"""The `api` supervisor against a server that misbehaves in every known way."""

import json
import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from faulty_server import BEHAVIOURS, Body, FaultyServer, Script, completion, http_date, top
from requests_for_tests import vote
from steelyard.errors import ConfigError, SteelyardError
from steelyard.store.reply_ledger import Ledger
from steelyard.supervision import Api
from steelyard.supervision.api.http_errors import retry_after
from steelyard.supervision.api.request import InMemory, Limits
from steelyard.supervision.api.request_batch import RequestBatch
from steelyard.types import ABSTAIN, Question, Split, Votes

QUESTIONS = tuple(Question(f"q{i}", f"text {i}") for i in range(12))
CLASSES = ("ham", "spam")
NOTHING = Split((), np.zeros(0, dtype=np.int64))
EXPECTED = [1 if i % 3 == 0 else 0 for i in range(12)]


def number_of(body: Body) -> int:
    return int(body["messages"][-1]["content"].split("text ")[1].split()[0])


def answer(body: Body) -> str:
    return "spam" if number_of(body) % 3 == 0 else "ham"


def first(*names: str) -> Script:
    """The behaviours of the first, second, ... time that anything is asked; then it answers."""
    return lambda prompt, before: names[before] if before < len(names) else "answer"


def where(text: str, name: str, tries: int = 10**9) -> Script:
    """A behaviour towards prompts that have a text, the first so many times."""
    return lambda prompt, before: name if text in prompt and before < tries else "answer"


def api(server: FaultyServer, **changes: Any) -> Api:
    settings = {"queries": 1, "first_wait": 0.001, "longest_wait": 0.05, **changes}
    return Api(base_url=server.url, model="org/m", **settings)


def ask(server: FaultyServer, answers: Any = None, **changes: Any) -> Votes:
    return vote(api(server, **changes), NOTHING, [QUESTIONS], CLASSES, seed=0, replies=answers)[0]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        yield ledger


# What a server is asked.


def test_votes_of_each_list_with_queries_texts_and_seeds() -> None:
    with FaultyServer(answer) as server:
        settings = api(server, queries=2, system="Be brief.", extra={"user": "me", "top_p": None})
        strong, test = vote(settings, NOTHING, [QUESTIONS, QUESTIONS[:2]], CLASSES, seed=0)
    assert strong.voters == ("m",)
    assert strong.answer.tolist() == [label for label in EXPECTED for _ in range(2)]
    assert len(strong.queries) == 2
    assert strong.texts[:4] == ("spam", "spam", "ham", "ham")
    assert test.ids == ("q0", "q1")
    assert server.requests == 24  # equal prompts are asked once, whatever the list
    body = server.bodies[0]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "text 0" in body["messages"][1]["content"]
    assert (body["temperature"], body["max_tokens"], body["user"]) == (0.0, 256, "me")
    assert body["logprobs"] is True
    assert not {"seed", "top_p"} & set(body)


def test_samples_have_seeds_of_their_own_and_no_log_probabilities() -> None:
    with FaultyServer(answer) as server:
        settings = {"samples": 3, "temperature": 0.7, "max_tokens_name": "max_completion_tokens"}
        votes = ask(server, **settings)
        again = ask(server, **settings)
    assert votes.queries == ("0-plain/0", "0-plain/1", "0-plain/2")
    seeds = [body["seed"] for body in server.bodies]
    assert Counter(Counter(seeds).values()) == {2: 36}  # 12 questions x 3, the same in both runs
    assert not any({"logprobs", "max_tokens"} & set(body) for body in server.bodies)
    np.testing.assert_array_equal(votes.answer, again.answer)


def test_distributions_come_from_the_first_token() -> None:
    def sure(body: Body) -> Body:
        if number_of(body) == 1:
            return completion("ham", body)  # this one has no log-probabilities
        if number_of(body) == 2:
            return completion("I would say", body, finish_reason="length", **top(("ham", -0.1)))
        if number_of(body) == 3:
            return completion("spam? No: ham and spam", body, **top(("spam", -0.1)))
        return completion("spam", body, **top(("spam", np.log(0.6)), ("ham", np.log(0.2))))

    with FaultyServer(sure) as server:
        votes = ask(server)
    assert votes.probs is not None
    np.testing.assert_allclose(votes.probs[0], [0.25, 0.75])
    np.testing.assert_allclose(votes.probs[1], [1, 0])
    assert votes.answer[:4].tolist() == [1, 0, 0, ABSTAIN]  # cut off, but the first token is there
    assert votes.reasons[3] == "two answers"
    np.testing.assert_allclose(votes.probs[3], [0.5, 0.5])


def test_a_truncated_reply_that_goes_on_after_an_option_abstains() -> None:
    """ "Spam: n" may become "Spam: no"."""

    def begun(body: Body) -> Body:
        return completion("spam: n", body, finish_reason="length", **top(("spam", -0.01)))

    with FaultyServer(begun) as server:
        votes = ask(server)
    assert set(votes.reasons) == {"cut off"}


def test_a_reply_that_says_otherwise_than_its_first_token_is_read() -> None:
    def turned(body: Body) -> Body:
        return completion("The answer is ham.", body, **top(("spam", -0.1), ("ham", -3.0)))

    with FaultyServer(turned) as server:
        votes = ask(server)
    assert votes.probs is None
    assert set(votes.answer) == {0}


def test_open_answers_are_read_and_gathered() -> None:
    questions = (Question("a", "text 6"), Question("b", "text 7"))

    def solve(body: Body) -> str:
        return f"The answer is ${number_of(body) * 1000:,}.00" if number_of(body) == 6 else "Hm."

    with FaultyServer(solve) as server:
        votes = vote(api(server, answer_format="number"), NOTHING, [questions], (), seed=0)[0]
    assert votes.candidate_texts == (("6000",), ("",))
    assert votes.answer.tolist() == [0, ABSTAIN]
    assert votes.texts == ("The answer is $6,000.00", "Hm.")


def test_options_are_numbered_whatever_order_they_are_shown_in() -> None:
    questions = tuple(Question(f"q{i}", f"text {i}", ("red", "green", "blue")) for i in range(8))

    def green(body: Body) -> str:
        lines = body["messages"][-1]["content"].split("\n")
        return next(line for line in lines if line.endswith(". green"))[0]

    with FaultyServer(green) as server:
        settings = api(server, queries=4)
        votes = vote(settings, NOTHING, [questions], ("0", "1", "2"), seed=0)[0]
    assert set(votes.answer) == {1}
    assert len({json.dumps(body) for body in server.bodies}) == 32


def test_requests_share_connections_and_are_bounded() -> None:
    with FaultyServer(answer, lambda prompt, before: "held") as server:
        thread = threading.Thread(target=lambda: ask(server, queries=4, concurrency=5))
        thread.start()
        while not server.requests:
            time.sleep(0.01)
        time.sleep(0.1)
        assert server.requests == 1  # until the first answer one at a time
        server.held.set()
        thread.join()
    assert server.requests == 48
    assert server.connections <= 5
    assert server.at_once <= 5


def test_a_running_event_loop_is_no_obstacle() -> None:
    import asyncio

    async def notebook() -> Votes:
        return ask(server)

    with FaultyServer(answer) as server:
        assert asyncio.run(notebook()).answer.tolist() == EXPECTED


# What goes wrong.

ONCE = [
    *("timeout", "429", "429 seconds", "429 date", "429 nonsense", "500", "502", "503", "529"),
    *("reset", "reset in the body", "empty", "HTML", "half JSON", "deep JSON", "not UTF-8"),
    *("a list", "no schema", "wrong types", "no choices", "no message", "error in 200", "huge"),
]


@pytest.mark.parametrize("name", ONCE)
def test_a_passing_fault_is_tried_again_and_changes_no_vote(name: str, ledger: Ledger) -> None:
    script = where("text 1", name, tries=1)
    with FaultyServer(answer, script) as server:
        votes = ask(server, ledger, timeout=0.3 if name == "timeout" else 5)
    assert votes.answer.tolist() == EXPECTED
    assert set(votes.reasons) == {""}
    assert server.did == {"answer": 12, name: 3}  # texts 1, 10, 11
    assert ledger.count() == 12


def test_faults_of_every_kind_one_after_another() -> None:
    names = ["500", "429", "half JSON", "no choices", "empty"]
    with FaultyServer(answer, first(*names)) as server:
        votes = ask(server, tries=6)
    assert votes.answer.tolist() == EXPECTED
    assert server.did == {**dict.fromkeys(names, 12), "answer": 12}


REASONS = {
    "cut off": "cut off",
    "withheld": "refused",
    "refusal": "refused",
    "null": "empty",
    "useless tool call": "tool call",
    "too long": "too long",
    "policy": "refused",
    "400": "bad request",
}


@pytest.mark.parametrize(("name", "reason"), REASONS.items(), ids=REASONS)
def test_an_answer_without_a_label_abstains_with_its_reason(
    name: str, reason: str, ledger: Ledger
) -> None:
    script = where("text 5", name)
    with FaultyServer(answer, script) as server:
        votes = ask(server, ledger)
        assert server.did == {"answer": 11, name: 1}  # not tried again
        assert votes.answer.tolist() == [*EXPECTED[:5], ABSTAIN, *EXPECTED[6:]]
        assert votes.reasons[5] == reason
        paid = name not in ("too long", "policy", "400")  # the server made an answer
        assert ledger.count() == 11 + paid
        ask(server, ledger)
        assert server.did[name] == 1 + (not paid)


READ = ("NaN", "parts", "tool call", "function call")


@pytest.mark.parametrize("name", ["renamed", *READ])
def test_odd_replies_are_read(name: str) -> None:
    with FaultyServer(answer, lambda prompt, before: name) as server:
        assert ask(server).answer.tolist() == EXPECTED


def test_a_model_that_changes_its_name_is_counted() -> None:
    script = where("text 1", "renamed")
    with FaultyServer(answer, script) as server:
        settings = api(server)
        batch = settings.asker(InMemory())
        settings.replies(settings.ask_all(QUESTIONS, "classification", CLASSES, 0), batch)
    assert batch.models == {"org/m": 9, "another-model": 3}


def test_what_is_never_answered_is_not_kept_and_is_asked_again(ledger: Ledger) -> None:
    broken = True

    def script(prompt: str, before: int) -> str:
        return "503" if broken and "text 5" in prompt else "answer"

    with FaultyServer(answer, script) as server:
        with pytest.raises(
            SteelyardError, match=r"^1 of 12 queries got no answer from .* \(server e"
        ):
            ask(server, ledger, tries=3)
        assert (ledger.count(), server.did["503"]) == (11, 3)
        broken = False
        assert ask(server, ledger).answer.tolist() == EXPECTED
    assert server.answered.total() == 12  # nothing twice


STOPS = {
    "403": (1, ["needs a key", "403 not for you", "set STEELYARD_API_KEY"]),
    "404": (1, ["404 The model `m` does not exist", "check `base_url`, `model`"]),
    "moved": (1, ["308", "check `base_url`"]),
    "quota": (1, ["You exceeded your quota"]),
    "400": (3, ["refuses the request (400 top_logprobs is not supported)", "`top_logprobs: 0`"]),
    "500": (6, ["does not answer (server error 500: oops)"]),
}


@pytest.mark.parametrize(("name", "requests", "parts"), [(k, *v) for k, v in STOPS.items()])
def test_wrong_settings_stop_at_once_with_one_line(
    name: str, requests: int, parts: list[str]
) -> None:
    with (
        FaultyServer(answer, lambda prompt, before: name) as server,
        pytest.raises(SteelyardError) as error,
    ):
        ask(server, tries=2)
    assert server.requests == requests
    assert [part for part in parts if part not in str(error.value)] == [], error.value
    assert "\n" not in str(error.value)


def test_no_server_at_all() -> None:
    with FaultyServer(answer) as server:
        url = server.url
    settings = Api(base_url=url, model="m", queries=1, tries=2, first_wait=0.001)
    with pytest.raises(SteelyardError, match=r"does not answer \(no connection.*is it running"):
        vote(settings, NOTHING, [QUESTIONS], CLASSES, seed=0)


def test_a_server_that_goes_away_stops_the_run_and_keeps_what_it_said(ledger: Ledger) -> None:
    many = tuple(Question(f"q{i}", f"text {i}") for i in range(200))

    def script(prompt: str, before: int) -> str:
        return "answer" if int(prompt.split("text ")[1].split()[0]) < 50 else "502"

    with FaultyServer(answer, script) as server:
        with pytest.raises(SteelyardError, match="25 queries in a row got no answer"):
            vote(
                api(server, tries=2, concurrency=4),
                NOTHING,
                [many],
                CLASSES,
                seed=0,
                replies=ledger,
            )
        assert ledger.count() == 50
        assert server.did["502"] <= 2 * (25 + 4)


def test_a_wish_to_wait_is_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's wish of 1,000 seconds is cut to `longest_wait`, and all wait for it."""
    pauses: list[float] = []

    async def pause(self: RequestBatch, seconds: float, reason: str = "") -> None:
        pauses.append(seconds)

    monkeypatch.setattr(RequestBatch, "_pause", pause)
    with FaultyServer(answer, where("text 3", "429 long", tries=1)) as server:
        ask(server, longest_wait=50, concurrency=1)
    long = [seconds for seconds in pauses if seconds > 0]
    assert len(long) == 1 + 8  # text 3 once more, texts 4 to 11
    assert all(45 < seconds <= 50 for seconds in long)
    assert server.requests == 13


def test_waits_double_up_to_a_bound_and_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def pause(self: RequestBatch, seconds: float, reason: str = "") -> None:
        pauses.extend([seconds] if reason else [])

    monkeypatch.setattr(RequestBatch, "_pause", pause)
    script = where("text 3", "500", tries=6)
    with FaultyServer(answer, script) as server:
        ask(server, first_wait=4, longest_wait=20, tries=7)
    assert len(pauses) == 6
    for seconds, whole in zip(pauses, [4, 8, 16, 20, 20, 20], strict=True):
        assert whole / 2 <= seconds <= whole


def test_retry_after() -> None:
    assert retry_after("3") == 3
    assert retry_after("-3") == 0
    assert retry_after("inf") is None
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert 8 < (retry_after(http_date(10)) or 0) <= 10
    assert retry_after(None) is None


# Money, secrets, signals.


def test_caps_on_requests_and_cost(ledger: Ledger) -> None:
    with FaultyServer(answer) as server:
        settings = api(server, price_prompt=1.0, price_completion=2.0, max_new_tokens=2)
        asked = settings.ask_all(QUESTIONS, "classification", CLASSES, 0)
        batch = settings.asker(ledger, limits := Limits(max_requests=5))
        heard = settings.replies(asked, batch)
        assert (server.requests, limits.requests, ledger.count()) == (5, 5, 5)
        assert batch.stopped_by == "`max_requests=5`"
        assert Counter(one.reason for one in heard) == {"": 5, "not asked": 7}
        # an answer costs (10 x 1 + 2 x 2) / 1000 = 0.014; the estimate is a little more
        assert limits.cost == pytest.approx(5 * 0.014)
        batch = settings.asker(ledger, limits := Limits(max_cost=8.9 * 0.014))
        settings.replies(asked, batch)
        assert batch.stopped_by == "`max_cost=0.1246`"
        assert 5 * 0.014 < limits.cost <= 8.9 * 0.014
        settings.replies(asked, settings.asker(ledger))
    assert server.requests == 12  # nothing was paid for twice


def test_tokens_are_estimated_where_a_server_counts_none(ledger: Ledger) -> None:
    with FaultyServer(lambda body: completion("ham", body, usage=None)) as server:
        ask(server, ledger, price_prompt=1.0)
    query = api(server).query_of(api(server).ask_all(QUESTIONS, "classification", CLASSES, 0)[0])
    record = ledger.get([api(server, price_prompt=1.0).query_of(query.asked).key])
    assert [one["prompt_tokens"] for one in record.values()] == [None]
    (one,) = record.values()
    assert one["price"] == pytest.approx((len(query.asked.prompt) // 4 + 1) / 1000)


KEY = "sk-very-secret-0123456789"


def test_the_key_is_sent_and_written_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Not even where the server repeats it, in a reply, its model's name or a refusal."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("STEELYARD_API_KEY", f" {KEY}\n")

    def parrot(body: Body) -> Body:
        return completion(f"spam {KEY}", body, model=f"m-{KEY}", **top((f"{KEY}", -0.1)))

    with FaultyServer(parrot, key=KEY) as server, Ledger(tmp_path / "l.sqlite") as ledger:
        settings = api(server)
        votes = vote(settings, NOTHING, [QUESTIONS], CLASSES, seed=0, replies=ledger)[0]
        assert server.requests == 12
        assert votes.texts[0] == "spam [key]"
        monkeypatch.setenv("STEELYARD_API_KEY", KEY[:-1])
        wrong = settings.asker(ledger)
        with pytest.raises(ConfigError) as error:
            vote(api(server, queries=2), NOTHING, [QUESTIONS], CLASSES, seed=0, replies=ledger)
    assert "refuses the key in STEELYARD_API_KEY (401 Incorrect API key" in str(error.value)
    said = f"{error.value!r} {votes!r} {wrong!r} {wrong.server!r} {settings!r} {caplog.text}"
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert KEY[:-1] not in said
    assert KEY[:-1].encode() not in written
    assert b"spam [key]" in written


def test_a_key_that_is_not_there_or_cannot_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Api(base_url="http://localhost:1/v1", model="m", api_key_env="MY_KEY")
    with pytest.raises(ConfigError, match="The environment variable MY_KEY is not set"):
        settings.asker(InMemory())
    for value in ("two words", "käy"):
        monkeypatch.setenv("MY_KEY", value)
        with pytest.raises(ConfigError) as error:
            settings.asker(InMemory())
        assert "MY_KEY has a character that no key has" in str(error.value)
        assert value not in str(error.value)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_replies_under_way_arrive_and_then_stops(
    number: signal.Signals, ledger: Ledger
) -> None:
    class Signalled(BaseException):
        pass

    def raise_it(*_: object) -> None:
        raise Signalled

    before = signal.signal(number, raise_it)
    script: Script = lambda prompt, before: "answer" if "text 0" in prompt else "held"  # noqa: E731
    try:
        with FaultyServer(answer, script) as server:

            def interrupt() -> None:
                while server.requests < 5:
                    time.sleep(0.005)
                os.kill(os.getpid(), number)
                time.sleep(0.1)
                server.held.set()

            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(Signalled):
                ask(server, ledger, concurrency=4)
            thread.join()
            assert (server.requests, ledger.count()) == (5, 5)  # 1 and 4 that were under way
            assert signal.getsignal(number) is raise_it
            assert ask(server, ledger).answer.tolist() == EXPECTED
            assert server.answered.total() == 12
    finally:
        signal.signal(number, before)


def test_a_signal_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """The very first request hangs; what is not there after the grace is asked again."""
    monkeypatch.setattr("steelyard.supervision.api.request_batch.GRACE", 0.1)
    with FaultyServer(answer, lambda prompt, before: "held") as server:

        def interrupt() -> None:
            while not server.requests:
                time.sleep(0.005)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            ask(server, ledger)
        thread.join()
        assert ledger.count() == 0
        server.held.set()
        assert ask(server, ledger).answer.tolist() == EXPECTED


def test_two_that_ask_at_once_pay_once(tmp_path: Path) -> None:
    many = tuple(Question(f"q{i}", f"text {i}") for i in range(60))
    found: list[Votes] = []

    def one() -> None:
        with Ledger(tmp_path / "l.sqlite") as ledger:
            settings = api(server)
            found.append(vote(settings, NOTHING, [many], CLASSES, seed=0, replies=ledger)[0])

    with FaultyServer(answer) as server:
        threads = [threading.Thread(target=one) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.requests == 60
    assert [votes.answer.tolist() for votes in found] == [found[0].answer.tolist()] * 3


# Settings.

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no scheme": ({"base_url": "localhost:8000"}, "must be an address such as"),
    "a file": ({"base_url": "file:///etc/passwd"}, "must be an address such as"),
    "a password": ({"base_url": "http://me:secret@x/v1"}, "keys come from the environment"),
    "a query": ({"base_url": "http://x/v1?api-key=1"}, "keys come from the environment"),
    "the whole path": ({"base_url": "http://x/v1/chat/completions"}, "must end before"),
    "a blank": ({"base_url": "http://x y/v1"}, "must be an address such as"),
    "bad port": ({"base_url": "http://x:99999/v1"}, "must be an address such as"),
    "no concurrency": ({"concurrency": 0}, "greater than or equal to 1"),
    "messages": ({"extra": {"messages": []}}, "must not have 'messages'"),
    "stream": ({"extra": {"stream": None}}, "must not have 'stream'"),
    "key": ({"api_key": "sk"}, "Extra inputs are not permitted"),
    "shell": ({"api_key_env": "$(ls)"}, "should match pattern"),
}


@pytest.mark.parametrize(("changes", "said"), WRONG.values(), ids=WRONG)
def test_settings_that_cannot_work(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Api(**{"base_url": "http://x/v1", "model": "m", **changes})


def test_every_behaviour_of_the_server_is_tried() -> None:
    tried = {*ONCE, *REASONS, *STOPS, *READ, "429 long", "renamed", "answer", "held"}
    elsewhere = {"no logprobs", "another API"}  # test_refused_settings
    assert tried | elsewhere == set(BEHAVIOURS)
