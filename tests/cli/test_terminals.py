"""Narrow terminals, and output in encodings that lack a character."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from steelyard.cli.weigh import table
from steelyard.report import terminal_table

COMMAND = [sys.executable, "-c", "from steelyard.cli.main import run; run()"]


def span(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def arm(value: float, pgr: float, role: str = "arm") -> dict[str, Any]:
    return {
        "role": role,
        "score": span(value, value - 0.02, value + 0.02),
        "pgr": span(pgr, pgr - 0.1, pgr + 0.1),
        "vs_naive": {"difference": 0.012, "p": 0.04},
        "seeds": [{"kept": 0.5, "rows": 800, "label_accuracy": 0.912}],
    }


RESULTS: dict[str, Any] = {
    "study": "demo",
    "metric": "accuracy",
    "seeds": [0, 1, 2],
    "weak": span(0.81, 0.79, 0.83),
    "ceiling": span(0.93, 0.91, 0.95),
    "arms": {
        "filter": arm(0.892, 0.68),
        "an_arm_with_a_rather_long_name": arm(0.888, 0.65),
        "shuffled_weights": arm(0.884, 0.61, "control"),
    },
}


def shown(columns: int) -> list[str]:
    console = Console(width=columns, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(terminal_table(RESULTS, columns))
    console.file.close()
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 200])
def test_every_arm_keeps_its_score_and_pgr(columns: int) -> None:
    lines = shown(columns)
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert "…" not in re.sub(r"an_arm_\w+…", "", text)  # only a long name is cut
    for number in ("0.892 [0.872, 0.912]", "0.888 [0.868, 0.908]", "0.930 [0.910, 0.950]"):
        assert number in text
    for pgr in ("68 % [58, 78]", "65 % [55, 75]", "61 % [51, 71]"):
        assert pgr in text


def test_columns_are_dropped_from_the_right() -> None:
    headings = [" ".join(shown(columns)).count("label acc.") for columns in (100, 60, 40)]
    assert headings == [1, 0, 0]
    rows = {columns: [line for line in shown(columns) if "0.892" in line] for columns in (40, 60)}
    assert "filter" in rows[60][0]  # one line for each arm
    assert "filter" not in rows[40][0]  # a block for each arm
    assert "68 %" in rows[60][0]


SUMMARY: dict[str, Any] = {
    **{"source": "votes.csv", "format": "wide", "items": 5, "votes": 19, "voters": 2},
    **{"classes": ["ham", "spam"], "coverage": 1.0, "abstained": 1, "warnings": []},
    "duplicates": {"found": 0, "policy": "error"},
    "method": "hierarchical",
    "dependence": {"decided": True, "label_first": [], "pairs": []},
    "truth": {"items": 3},
    "methods": {"hierarchical": {"accuracy": 0.932, "auroc": None, "ece": 0.04}},
    "risk_control": None,
    "by_voter": [
        {
            "voter": "bot",
            "votes": 5,
            "accuracy": span(0.412, 0.119, 0.783),
            "flags": ["always answers the same: spam, where others would in 47 % of the items"],
        },
        {"voter": "a" * 50, "votes": 1234, "accuracy": span(0.9, 0.8, 0.95), "flags": []},
    ],
    "copies": [],
    "relabel": ["1"],
    "relabel_items": 1,
}


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 100])
def test_the_voters_of_weigh_fit_and_keep_their_numbers_whole(columns: int) -> None:
    lines = table(SUMMARY, columns)
    start = next(i for i, line in enumerate(lines) if "accuracy" in line and "voter" in line)
    for line in lines[start : lines.index("", start)]:
        assert len(line) <= columns, line
    assert any("0.412" in line for line in lines)
    assert any("[0.119, 0.783]" in line for line in lines)
    assert any("1,234" in line for line in lines)


def test_a_pipe_is_given_the_whole_text() -> None:
    assert any(
        line.endswith("where others would in 47 % of the items") for line in table(SUMMARY, None)
    )


def test_counts_agree_with_their_nouns() -> None:
    text = "\n".join(table(SUMMARY))
    assert "1 abstention, no duplicate votes" in text
    assert "1 of 2 voters flagged; 0 pairs of voters who may copy each other" in text
    assert "next: 1 of 5 items would gain from one more vote." in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_stdout_that_is_not_utf8_gets_question_marks(
    encoding: str, tmp_path: Path, put: Callable[..., None]
) -> None:
    votes = "id,änn,李,王\n1,grün,rot,grün\n2,rot,rot,grün\n3,grün,grün,rot\n"
    (tmp_path / "votes.csv").write_text(votes, encoding="utf-8")
    for words in (("weigh", "votes.csv", "--out", "out"), ("study", "--help"), ("weigh", "李.csv")):
        ran = subprocess.run(
            [*COMMAND, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in ran.stderr
        assert ran.returncode == (2 if words[-1] == "李.csv" else 0), ran.stderr
        if words[1] == "votes.csv":
            assert b"?" in ran.stdout
