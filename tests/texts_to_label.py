"""Twelve texts to label, and a server that labels or refuses each by its number."""

import json
from pathlib import Path
from typing import Any

from faulty_server import Body, FaultyServer
from steelyard.labelling import Items
from steelyard.supervision import Api
from steelyard.types import Question

QUESTIONS = tuple(Question(f"q{i}", f"text {i} .") for i in range(12))
CLASSES = ("ham", "spam")
ITEMS = Items("classification", QUESTIONS, CLASSES)


def number_of(body: Body) -> int:
    return int(body["messages"][-1]["content"].split("text ")[1].split()[0])


def answer(body: Body) -> str:
    return ("spam", "ham", "Sorry, I cannot tell.")[number_of(body) % 3]


def api(server: FaultyServer, **changes: Any) -> Api:
    return Api(base_url=server.url, model="m", **{"queries": 2, "first_wait": 0.001, **changes})


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
