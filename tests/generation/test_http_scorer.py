"""A server of scores: stored, retried, and refused where a reply has no score."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from score_server import ScoreServer, perspective
from steelyard.errors import ConfigError, SteelyardError
from steelyard.generation import score_all
from steelyard.generation.http_scorer import HttpScorer
from steelyard.generation.scorers import make_scorer


def length(text: str, number: int) -> tuple[int, str]:
    return 200, perspective(str(len(text) / 10))


def scorer(server: ScoreServer, **settings: Any) -> HttpScorer:
    return HttpScorer(base_url=server.url, first_wait=0.0, longest_wait=0.01, **settings)


def test_scores_are_paid_for_once(tmp_path: Path) -> None:
    ledger = tmp_path / "scores.sqlite"
    with ScoreServer(length) as server:
        asked = scorer(server, ledger=ledger)
        texts = ["abc", "", "abc", "abcde", "a"]
        np.testing.assert_allclose(score_all(asked, texts), [0.3, 0, 0.3, 0.5, 0.1])
        np.testing.assert_allclose(score_all(asked, [*texts, "ab"])[-1], 0.2)
        assert server.asked == {"abc": 1, "abcde": 1, "a": 1, "ab": 1}
    body = server.bodies[0][1]
    assert body["requestedAttributes"] == {"TOXICITY": {}}
    assert asked.name.endswith("/v1:TOXICITY")


def test_failed_requests_are_sent_again(tmp_path: Path) -> None:
    def answer(text: str, number: int) -> tuple[int, str]:
        return length(text, number) if number > 2 else (503 - 74 * (number - 1), "busy")  # 429

    with ScoreServer(answer) as server:
        np.testing.assert_allclose(score_all(scorer(server), ["abc"]), [0.3])
        assert server.asked == {"abc": 3}


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (200, perspective("NaN"), "has no score in the reply: .* is nan, and scores are from 0"),
        (200, perspective("73"), "is 73, and scores are from 0 to 1"),
        (200, perspective("-0.1"), "is -0.1, and"),
        (200, perspective("true"), "is no number"),
        (200, perspective("0.4", "INSULT"), "value` is no number"),
        (200, "[]", "is no number"),
        (200, "<html>", "has no score in the reply"),
        (500, "down", r"got no score from .*500.*scores so far are stored"),
        (400, "bad language", "got no score from .*bad request"),
    ],
)
def test_a_text_without_a_score_is_named(
    status: int, content: str, message: str, tmp_path: Path
) -> None:
    ledger = tmp_path / "scores.sqlite"

    def answer(text: str, number: int) -> tuple[int, str]:
        return (status, content) if text == "bad" else length(text, number)

    with ScoreServer(answer) as server:
        asked = scorer(server, ledger=ledger, tries=2, concurrency=1)
        with pytest.raises(SteelyardError, match=message) as raised:
            score_all(asked, ["good", "good", "bad", "later"])
        assert "text 3 ('bad')" in str(raised.value)
        assert "\n" not in str(raised.value)
        server.answer = length
        np.testing.assert_allclose(score_all(asked, ["good", "bad"]), [0.4, 0.3])
        assert server.asked["good"] == 1  # was stored; the reply without a score was not


def test_a_slow_server_is_given_up() -> None:
    def answer(text: str, number: int) -> tuple[int, str]:
        time.sleep(0.3)
        return length(text, number)

    with ScoreServer(answer) as server:
        asked = scorer(server, timeout=0.05, tries=2)
        with pytest.raises(SteelyardError, match=r"timeout: none in 0\.05 s"):
            score_all(asked, ["abc"])
        assert server.asked == {"abc": 2}


def test_another_format_of_request_and_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(text: str, number: int) -> tuple[int, str]:
        return 200, '{"labels": [{"p": 0.25}]}'

    monkeypatch.setenv("SCORE_KEY", "a-secret-1")
    with ScoreServer(answer) as server:
        asked = scorer(
            server,
            request={"comment": {"text": "<{text}>"}, "n": [1]},
            value="labels.0.p",
            query={"key": "$SCORE_KEY"},
        )
        np.testing.assert_allclose(score_all(asked, ["a b"]), [0.25])
        path, body = server.bodies[0]
    assert body == {"comment": {"text": "<a b>"}, "n": [1]}
    assert path.endswith("?key=a-secret-1")
    assert "secret" not in asked.name


def test_settings_that_cannot_work() -> None:
    bad = [
        ({"base_url": "ftp://x"}, "base_url"),
        ({"request": {"t": "{text}"}}, "needs `value`"),
        ({"request": {"t": "x"}, "value": "s"}, "must have {text}"),
        ({"query": {"key": "sk-123"}}, "must not hold a secret"),
        ({"tries": 0}, "tries"),
    ]
    for settings, message in bad:
        with pytest.raises(ConfigError, match=message) as raised:
            make_scorer({"kind": "http", **settings})
        assert "\n" not in str(raised.value)
