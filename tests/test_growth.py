"""What `benchmarks/growth.py` says of three sizes."""

import importlib
import math
from pathlib import Path
from typing import Any

import httpx
import pytest


@pytest.fixture
def growth(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    return importlib.import_module("benchmarks.growth")


def test_the_exponent_leaves_out_what_every_run_costs(growth: Any) -> None:
    # 5 + 2 n^1.5 at 1, 10, 100: 7, 68.2455..., 2005; steps 61.2455... and 1936.754...; their ratio
    # is 10^1.5
    assert growth.exponent([5 + 2 * n**1.5 for n in (1, 10, 100)]) == pytest.approx(1.5)
    assert growth.exponent([7.0, 7.0, 7.0]) == 0.0
    assert growth.exponent([3.0, 2.0, 9.0]) == math.inf


def test_what_grows_too_fast_is_an_error(growth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "SIZES", {"weigh": (10, 100, 1000)})
    monkeypatch.setattr(growth, "write", lambda *_: None)

    def costs(power: float) -> list[Any]:
        sizes = (10, 100, 1000)
        return [growth.Cost("weigh", n, 1 + n**power, n**power, 50.0) for n in sizes]

    growth.conclude(costs(1.0), quick=True)
    # n log n: 23.03, 460.5, 6907.8; log10(6447.2 / 437.5) = 1.168, and 0.1 of noise
    growth.conclude(costs(1.26), quick=True)
    with pytest.raises(AssertionError, match="faster than n log n"):
        growth.conclude(costs(1.28), quick=True)


def test_the_server_answers_every_question_on_one_connection(growth: Any) -> None:
    with growth.server() as url, httpx.Client() as client:
        for _ in range(3):
            reply = client.post(f"{url}/chat/completions", json={"model": "judge"})
            assert reply.json()["choices"][0]["message"]["content"] == "no"
