"""`label` pays for no useless reply twice, and stops early where all are useless."""

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from faulty_server import Body, FaultyServer, completion
from steelyard.errors import ConfigError
from steelyard.labelling import Items, label, plan_queries
from steelyard.store.reply_ledger import Ledger
from steelyard.supervision import Api, Tfidf
from steelyard.supervision.api.first_abstentions import FirstAbstentions, UselessRepliesError
from steelyard.supervision.api.request import Limits
from steelyard.types import Question
from texts_to_label import ITEMS, answer, api, number_of, rows_in

MANY = Items(
    "classification", tuple(Question(f"q{i}", f"text {i} .") for i in range(60)), ("ham", "spam")
)
STOPS = {
    "cut off": ("cut off (`max_new_tokens` is 256)", '"Let me think about"', "`max_new_tokens`"),
    "null": ("empty", '""', "enable_thinking: false"),
    "refusal": ("refused", '"I will not."', "`system`"),
    "useless tool call": ("tool call", '"{}"', "`extra: {tool_choice: none}`"),
    "too long": ("too long", "maximum context length", "longer context"),
}


@pytest.mark.parametrize(("name", "parts"), STOPS.items(), ids=STOPS)
def test_a_run_stops_when_all_first_replies_abstain_for_one_reason(
    tmp_path: Path, name: str, parts: tuple[str, ...]
) -> None:
    out = tmp_path / "votes.jsonl"
    with FaultyServer(answer, lambda p, b: name) as server:
        settings = api(server, concurrency=4)
        with pytest.raises(
            UselessRepliesError, match=r"All of the first 2.* replies of m abstain"
        ) as e:
            label(MANY, [settings], out)
        assert 20 <= server.requests < 20 + 4  # those under way
        assert [part for part in parts if part not in str(e.value)] == [], e.value
        assert "\n" not in str(e.value)
        sent = server.requests
        with Ledger(tmp_path / "votes.ledger.sqlite") as ledger:
            assert ledger.count() == (0 if name == "too long" else sent)
        if name != "too long":  # nothing was stored that could be counted
            with pytest.raises(UselessRepliesError):
                label(MANY, [settings], out)
            assert server.requests == sent  # stored replies are enough to know
        result = label(MANY, [api(server, first_abstentions=None)], out)
    assert result.abstained.total() == result.votes == 120


def test_reasons_that_differ_stop_later_and_one_answer_is_enough_to_go_on() -> None:
    first = FirstAbstentions("m", 4, 256)
    for i in range(11):
        first.note(("empty", "two answers")[i % 2], "x")
        first.check()
    first.note("empty", "A\x1b[31m\nB " + "c" * 200)
    with pytest.raises(UselessRepliesError) as error:
        first.check()
    # the shown reply is one line, shortened and printable
    assert "of m abstain: empty 7, two answers 5, such as" in str(error.value)
    assert r'"A\x1b[31m B ccc' in str(error.value)
    assert '..."' in str(error.value)
    first.note("", "B")
    for _ in range(100):
        first.note("empty", "")
        first.check()


def test_an_answer_among_the_first_replies_goes_on(tmp_path: Path) -> None:
    def once(body: Body) -> str:
        return "spam" if number_of(body) == 7 else "hm"

    with FaultyServer(once) as server:
        result = label(MANY, [api(server)], tmp_path / "votes.jsonl")
    assert (result.votes, result.abstained) == (120, Counter({"not an answer": 118}))


# Keys.


def by_limit(body: Body) -> Body:
    """Texts of even number end by themselves after 2 tokens, the others at 50."""
    short = number_of(body) % 2 == 0
    if short or body["max_tokens"] >= 50:
        return completion("spam", body)
    return completion("Let me", body, finish_reason="length")


def test_only_replies_that_were_cut_off_are_asked_again_under_a_larger_limit(
    tmp_path: Path,
) -> None:
    out = tmp_path / "votes.jsonl"
    with FaultyServer(by_limit) as server:
        first = label(ITEMS, [api(server, max_new_tokens=16)], out)
        assert first.abstained == {"cut off": 12}
        supervisor = api(server, max_new_tokens=64)
        (plan,) = plan_queries(ITEMS, [supervisor], out)
        assert (plan.stored, plan.to_ask) == (12, 12)
        second = label(ITEMS, [supervisor], out)
        assert (server.requests, second.requests, second.abstained) == (36, 12, Counter())
        assert label(ITEMS, [supervisor], out).requests == 0
        # a smaller limit, another temperature, another system message are other requests
        assert label(ITEMS, [api(server, max_new_tokens=8)], out).requests == 24
        assert label(ITEMS, [api(server, max_new_tokens=64, system="x")], out).requests == 24


def test_a_reply_as_long_as_its_limit_is_asked_again_whatever_the_server_calls_it(
    tmp_path: Path,
) -> None:
    def full(body: Body) -> Body:
        return completion("spam", body, usage={"prompt_tokens": 9, "completion_tokens": 16})

    out = tmp_path / "votes.jsonl"
    with FaultyServer(full) as server:
        label(ITEMS, [api(server, max_new_tokens=16)], out)
        assert label(ITEMS, [api(server, max_new_tokens=64)], out).requests == 24


def test_ledgers_of_earlier_versions_are_read_and_their_replies_reused(tmp_path: Path) -> None:
    out, ledger = tmp_path / "votes.jsonl", tmp_path / "votes.ledger.sqlite"
    with FaultyServer(by_limit) as server:
        label(ITEMS, [api(server, max_new_tokens=16)], out)
        database = sqlite3.connect(ledger)
        with database:  # the tables that earlier versions do not have
            database.execute("DROP TABLE endings")
            database.execute("DROP TABLE batches")
        database.close()
        assert label(ITEMS, [api(server, max_new_tokens=16)], out).requests == 0
        assert label(ITEMS, [api(server, max_new_tokens=64)], out).requests == 12


# Asking again.


def test_replies_that_abstain_for_a_reason_are_asked_again_on_demand(tmp_path: Path) -> None:
    out = tmp_path / "votes.jsonl"
    better = False

    def some(body: Body) -> str:
        text = answer(body)  # refuses a third
        return "spam" if better and text.startswith("Sorry") else text

    with FaultyServer(some) as server:
        assert label(ITEMS, [api(server)], out).abstained == {"refused": 8}
        assert label(ITEMS, [api(server)], out, again=["empty"]).requests == 0
        (plan,) = plan_queries(ITEMS, [api(server)], out, again=["refused"])
        assert (plan.stored, plan.to_ask) == (16, 8)
        better = True
        assert label(ITEMS, [api(server)], out).requests == 0  # only on demand
        result = label(ITEMS, [api(server)], out, again=["refused"], limits=Limits(max_requests=3))
        assert (result.requests, result.votes) == (3, 19)
        result = label(ITEMS, [api(server)], out)  # resumes
        assert (result.requests, result.abstained, result.votes) == (5, Counter(), 24)
        assert label(ITEMS, [api(server)], out, again=["refused"]).requests == 0
        assert server.requests == 32
    with Ledger(tmp_path / "votes.ledger.sqlite") as ledger:
        assert ledger.count() == 32  # the refusals are still there, under other keys


def test_asking_again_under_a_larger_limit_and_in_rounds(tmp_path: Path) -> None:
    out = tmp_path / "votes.jsonl"
    with FaultyServer(answer) as server:
        label(ITEMS, [api(server, max_new_tokens=16)], out)
        again = label(ITEMS, [api(server, max_new_tokens=64)], out, again=["refused"])
        assert (again.requests, again.asked_again) == (8, {"refused": 8})
        rounds = label(ITEMS, [api(server, max_new_tokens=64)], out, again=["refused"], budget=24)
        assert rounds.requests == rounds.asked_again["refused"] == 8
    assert len(rows_in(out)) == 24


def test_asking_again_needs_a_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no supervisor asks a server; remove `again`"):
        label(ITEMS, [Tfidf()], tmp_path / "votes.jsonl", again=["empty"])


# Prices.


def test_prices_of_a_million_and_their_old_names(caplog: pytest.LogCaptureFixture) -> None:
    fixed = {"base_url": "http://x/v1", "model": "m"}
    new = Api(**fixed, price_prompt_per_million=0.15, price_completion_per_million=0.6)
    assert new.price(2_000_000, 1_000_000) == pytest.approx(0.9)
    assert not caplog.text
    old = Api(**fixed, price_prompt=0.00015, price_completion=0.0006)  # type: ignore[call-arg]
    assert old.price(2_000_000, 1_000_000) == pytest.approx(0.9)
    assert "`price_prompt`, of 1,000 tokens, is now `price_prompt_per_million: 0.15`" in caplog.text
    with pytest.raises(ValueError, match="`price_prompt` is the old name"):
        Api(**fixed, price_prompt=1, price_prompt_per_million=1)  # type: ignore[call-arg]
    assert new.model_copy(update={"batch": True}).price(2_000_000, 1_000_000) == pytest.approx(0.45)
