"""A budget of queries goes where answers differ, and the same way after a stop."""

import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faulty_server import Body, FaultyServer
from steelyard.labelling import Items, label
from steelyard.supervision.api.request import Limits
from steelyard.types import Question
from texts_to_label import CLASSES, ITEMS, answer, api, number_of, rows_in


def test_a_budget_goes_to_the_questions_on_which_answers_differ(tmp_path: Path) -> None:
    """40 questions are asked twice; the 8 whose answers differ are asked up to 4 times more."""
    questions = tuple(Question(f"q{i}", f"text {i} .") for i in range(40))
    calls: Counter[int] = Counter()

    def torn(body: Body) -> str:
        number = number_of(body)
        calls[number] += 1
        draw = zlib.crc32(f"{number} {calls[number]}".encode()) // 7 if calls[number] > 2 else 0
        return CLASSES[(calls[number] + draw) % 2] if number < 8 else CLASSES[number % 2]

    with FaultyServer(torn) as server:
        items = Items("classification", questions, CLASSES)
        result = label(items, [api(server, queries=6)], tmp_path / "votes.jsonl", budget=100)
    assert result.votes == server.requests == 100
    more = np.array([calls[i] - 2 for i in range(40)])
    assert more[:8].min() >= 1
    assert more[:8].mean() > 2 * more[8:].mean()


def test_a_budget_takes_the_same_way_after_a_stop(tmp_path: Path) -> None:
    def torn(body: Body) -> str:
        return CLASSES[zlib.crc32(json.dumps(body["messages"]).encode()) % 2]

    with FaultyServer(torn) as server:
        supervisors = [api(server, queries=4), api(server, queries=3, name="other", system="Hm.")]
        for limit in (9, 8, 15, None):
            result = label(
                ITEMS,
                supervisors,
                tmp_path / "votes.jsonl",
                budget=40,
                limits=Limits(max_requests=limit),
            )
            assert bool(result.stopped_by) == (limit is not None)
        assert server.requests == result.votes == 40
        calm = label(
            ITEMS, supervisors, tmp_path / "calm.jsonl", budget=40, ledger=tmp_path / "l.sqlite"
        )
    assert (calm.votes, calm.voters) == (40, ("m", "other"))
    assert (tmp_path / "calm.jsonl").read_bytes() == (tmp_path / "votes.jsonl").read_bytes()


def test_a_budget_above_all_there_is_to_ask(tmp_path: Path) -> None:
    with FaultyServer(answer) as server:
        result = label(ITEMS, [api(server)], tmp_path / "votes.jsonl", budget=100)
    assert (result.votes, result.unused_budget) == (24, 76)


@pytest.mark.parametrize("kind", ["generation", "multiple_choice"])
def test_a_budget_for_questions_without_shared_classes(tmp_path: Path, kind: Any) -> None:
    def torn(body: Body) -> str:
        draw = zlib.crc32(json.dumps(body["messages"]).encode())
        return "AB"[draw % 2] if kind == "multiple_choice" else str(draw % 3)

    options = [("x", "y", "z")[: 2 + i % 2] if kind == "multiple_choice" else () for i in range(12)]
    questions = tuple(Question(f"q{i}", f"text {i} .", options[i]) for i in range(len(options)))
    classes = ("0", "1", "2") if kind == "multiple_choice" else ()
    with FaultyServer(torn) as server:
        answer_format = None if classes else "number"
        supervisor = api(server, queries=5, answer_format=answer_format)
        result = label(
            Items(kind, questions, classes), [supervisor], tmp_path / "votes.jsonl", budget=40
        )
        assert result.votes == 40
        assert server.requests == 40
    count = Counter(row["id"] for row in rows_in(tmp_path / "votes.jsonl"))
    assert min(count.values()) >= 2


def test_a_budget_below_one_query_each(tmp_path: Path) -> None:
    with FaultyServer(answer) as server:
        result = label(ITEMS, [api(server)], tmp_path / "votes.jsonl", budget=5)
        assert result.votes == server.requests == 5
