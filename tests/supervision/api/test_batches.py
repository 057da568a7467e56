"""Batches: submitted once, collected whatever is interrupted, half the price."""

import json
import logging
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from batch_server import BatchServer
from faulty_server import Body, FaultyServer, error
from steelyard.errors import ConfigError, SteelyardError
from steelyard.labelling import label, plan_queries
from steelyard.store.reply_ledger import Ledger
from steelyard.supervision import Api
from steelyard.supervision.api import batch_files
from steelyard.supervision.api.batch_client import BatchClient
from steelyard.supervision.api.request import Limits
from texts_to_label import CLASSES, ITEMS, QUESTIONS, answer, api, number_of, rows_in


def batch_api(url: str, **changes: Any) -> Api:
    fixed = {"queries": 2, "first_wait": 0.001, "longest_wait": 0.01, "tries": 3}
    return Api(base_url=url, model="m", batch=True, **{**fixed, "batch_poll": 0.005, **changes})


def open_batches(ledger: Path) -> int:
    database = sqlite3.connect(ledger)
    ((count,),) = database.execute("SELECT count(*) FROM batches").fetchall()
    database.close()
    return int(count)


def test_a_batch_gives_the_votes_of_ordinary_requests_at_half_the_price(tmp_path: Path) -> None:
    prices = {"price_prompt_per_million": 1000, "price_completion_per_million": 500}
    with FaultyServer(answer) as server:
        result = label(ITEMS, [api(server, **prices)], tmp_path / "one.jsonl")
    # 24 replies of 10 and 2 tokens: 24 (10 x 1000 + 2 x 500) / 1e6
    assert result.cost == pytest.approx(24 * 0.011)
    with BatchServer(answer) as server:
        supervisor = batch_api(server.url, **prices)
        (plan,) = plan_queries(ITEMS, [supervisor], tmp_path / "two.jsonl")
        again = label(ITEMS, [supervisor], tmp_path / "two.jsonl")
        assert set(server.asked.values()) == {1}
        assert server.did["POST batches"] == 1
        assert label(ITEMS, [supervisor], tmp_path / "two.jsonl").requests == 0
        assert server.did["POST batches"] == 1
    assert (again.cost, again.requests) == (pytest.approx(12 * 0.011), 24)
    whole = plan.prompt_tokens * 1000 + plan.completion_tokens * 500
    assert plan.price == pytest.approx(whole / 1e6 / 2)
    one, two = (rows_in(tmp_path / f"{name}.jsonl") for name in ("one", "two"))
    assert one == two
    assert open_batches(tmp_path / "two.ledger.sqlite") == 0


def test_replies_of_batches_have_the_keys_of_ordinary_requests(tmp_path: Path) -> None:
    with BatchServer(answer) as server:
        out = tmp_path / "votes.jsonl"
        label(ITEMS, [batch_api(server.url)], out)
        plain = batch_api(server.url).model_copy(update={"batch": False})
        result = label(ITEMS, [plain], out)  # its address has no chat completions
    assert (result.requests, result.votes) == (0, 24)


class Killed(BaseException):
    """As if by signal 9."""


STEPS = ("upload", "note file", "start", "note batch", "look", "download", "put", "close")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_nothing_is_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    """Right before or right after each step; `start` after: the server has it, we have no name."""
    from steelyard.store.submitted import SubmittedBatches

    method, *kind = step.split()
    owner: Any = Ledger if step == "put" else BatchClient
    owner = SubmittedBatches if method in ("note", "close") else owner
    whole = getattr(owner, method)

    def dying(self: Any, *args: Any, **options: Any) -> Any:
        if kind and kind[0] not in options:
            return whole(self, *args, **options)
        if when == "after":
            whole(self, *args, **options)
        raise Killed

    out = tmp_path / "votes.jsonl"
    with BatchServer(answer) as server:
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, dying)
            with pytest.raises(Killed):
                label(ITEMS, [batch_api(server.url)], out)
        label(ITEMS, [batch_api(server.url)], out)
        assert len(server.asked) == 24
        assert set(server.asked.values()) == {1}
    assert [row["answer"] for row in rows_in(out)][:5] == ["spam", "spam", "ham", "ham", None]
    assert open_batches(tmp_path / "votes.ledger.sqlite") == 0


def test_a_start_without_an_answer_is_looked_for_and_not_repeated(tmp_path: Path) -> None:
    with BatchServer(answer) as server:
        for _ in range(5):  # more than one page of the list
            server.files["old"] = ""
            server.start("old")
        server.lose_start = True
        result = label(ITEMS, [batch_api(server.url)], tmp_path / "votes.jsonl")
        assert (server.did["POST batches"], result.votes) == (1, 24)
        assert set(server.asked.values()) == {1}


def test_passing_faults_change_nothing(tmp_path: Path) -> None:
    with BatchServer(answer) as server:
        server.broken = 2
        result = label(ITEMS, [batch_api(server.url)], tmp_path / "votes.jsonl")
        assert (result.abstained, result.votes) == (Counter(refused=8), 24)
        assert server.did["POST files"] == 3


@pytest.mark.parametrize(
    ("given", "reason", "retryable"),
    [
        ("expired", "batch expired", True),
        ("lost", "no reply in the batch", True),
        ((500, error("oops")), "server error 500", True),
        ((400, error("maximum context length is 10 tokens")), "too long", False),
        ((400, error("flagged", "content_filter")), "refused", False),
    ],
)
def test_requests_without_a_reply_abstain_with_the_reason(
    tmp_path: Path, given: Any, reason: str, retryable: bool
) -> None:
    broken = True

    def some(body: Body) -> Any:
        return given if broken and number_of(body) == 5 else answer(body)

    out = tmp_path / "votes.jsonl"
    with BatchServer(some) as server:
        result = label(ITEMS, [batch_api(server.url)], out)
        assert [row["reason"] for row in rows_in(out) if row["id"] == "q5"] == [reason] * 2
        assert result.unanswered == (Counter({reason: 2}) if retryable else {})
        broken = False
        result = label(ITEMS, [batch_api(server.url)], out)
        assert Counter(server.asked.values()) == {1: 22, 2: 2}
    assert result.abstained == Counter(refused=8)


@pytest.mark.parametrize("end", ["expired", "cancelled"])
def test_a_batch_that_ends_early_keeps_what_was_done(tmp_path: Path, end: str) -> None:
    with BatchServer(lambda b: answer(b) if number_of(b) < 6 else "lost", end=end) as server:
        out = tmp_path / "votes.jsonl"
        result = label(ITEMS, [batch_api(server.url)], out)
    assert result.unanswered == {f"batch {end}": 12}
    assert open_batches(tmp_path / "votes.ledger.sqlite") == 0


def test_a_failed_batch_is_reported_with_the_setting_and_may_be_sent_again(tmp_path: Path) -> None:
    message = "Unsupported parameter: 'top_logprobs' is not supported with this model."
    out = tmp_path / "votes.jsonl"
    with BatchServer(answer, end="failed", message=message) as server:
        with pytest.raises(ConfigError, match=r"failed batch batch-0 of 24 requests \(Unsupported"):
            label(ITEMS, [batch_api(server.url)], out)
        with pytest.raises(ConfigError, match=r"set `top_logprobs: 0` and run the same command"):
            label(ITEMS, [batch_api(server.url)], out)
        server.end = "completed"
        assert label(ITEMS, [batch_api(server.url, top_logprobs=0)], out).votes == 24
    with (
        BatchServer(answer, end="failed", message="Enqueued token limit reached") as server,
        pytest.raises(ConfigError, match=r"send fewer requests at once \(`max_requests`\)"),
    ):
        label(ITEMS, [batch_api(server.url)], tmp_path / "other.jsonl")


def test_settings_that_every_request_refuses_are_named(tmp_path: Path) -> None:
    refused = 400, error("'temperature' does not support 0 with this model")
    with (
        BatchServer(lambda body: refused) as server,
        pytest.raises(ConfigError, match=r"extra: \{temperature: null\}"),
    ):
        label(ITEMS, [batch_api(server.url)], tmp_path / "votes.jsonl")


def test_limits_and_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_files, "MOST_REQUESTS", 4)
    out = tmp_path / "votes.jsonl"
    with BatchServer(answer) as server:
        result = label(ITEMS, [batch_api(server.url)], out, limits=Limits(max_requests=10))
        assert (result.votes, result.stopped_by) == (10, "`max_requests=10`")
        assert [len(batch["lines"]) for batch in server.batches.values()] == [4, 4, 2]
        result = label(ITEMS, [batch_api(server.url)], out)
        assert (result.votes, result.stopped_by) == (24, "")
        assert set(server.asked.values()) == {1}


def test_an_ordinary_run_does_not_pay_for_what_is_in_a_batch(tmp_path: Path) -> None:
    out = tmp_path / "votes.jsonl"
    with BatchServer(answer, looks=10**9) as server:
        supervisor = batch_api(server.url)
        asked = supervisor.ask_all(QUESTIONS, "classification", CLASSES, 0)
        with Ledger(tmp_path / "votes.ledger.sqlite") as ledger:
            keys = [supervisor.query_of(prompt).key for prompt in asked]
            name = ledger.batches.reserve(supervisor.engine, keys).name
            ledger.batches.note(name, file="file-0", batch="batch-0")
        with pytest.raises(ConfigError, match=r"24 queries of these are paid for in batch batch-0"):
            label(ITEMS, [supervisor.model_copy(update={"batch": False})], out)


def test_a_batch_that_the_server_forgot_is_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "votes.jsonl"
    with BatchServer(answer) as server:
        supervisor = batch_api(server.url)
        prompt = supervisor.ask_all(QUESTIONS, "classification", CLASSES, 0)[0]
        with Ledger(tmp_path / "votes.ledger.sqlite") as ledger:
            keys = [supervisor.query_of(prompt).key]
            name = ledger.batches.reserve(supervisor.engine, keys).name
            ledger.batches.note(name, file="file-9", batch="batch-9")
        with caplog.at_level(logging.WARNING):
            assert label(ITEMS, [supervisor], out).votes == 24
        assert "no longer has batch batch-9" in caplog.text


def test_a_server_without_batches_is_reported(tmp_path: Path) -> None:
    with FaultyServer(answer, lambda p, b: "404") as server:
        url = server.url.replace("/v1", "/v2")
        with pytest.raises(SteelyardError, match="does not answer"):
            label(ITEMS, [batch_api(f"{url}/none")], tmp_path / "votes.jsonl")


def test_useless_replies_of_a_batch_stop_the_next_one(tmp_path: Path) -> None:
    with BatchServer(lambda body: "hm") as server:
        out = tmp_path / "votes.jsonl"
        supervisor = batch_api(server.url, first_abstentions=5)
        with pytest.raises(ConfigError, match="All of the first 6 replies of m abstain: not an"):
            label(ITEMS, [supervisor], out, limits=Limits(max_requests=6))
        with pytest.raises(ConfigError, match="first_abstentions: null"):
            label(ITEMS, [supervisor], out)
        assert len(server.asked) == 6
        assert json.loads(next(iter(server.files.values())).splitlines()[0])["body"]["model"] == "m"
