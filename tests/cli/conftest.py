"""The command line, called in this process, and a small study to call it on."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from steelyard.cli.main import run

Rows = list[dict[str, Any]]
Files = dict[str, str | bytes]
WORDS = {
    "cook": ("soup", "bread", "kettle", "onion", "recipe", "oven", "butter", "pan"),
    "trip": ("train", "hotel", "passport", "ferry", "island", "ticket", "airport", "luggage"),
}
TRAIN = ("We talked about the {}.", "I forgot the {} again.", "Where is the {} now?")
TEST = ("Tell me more about the {}.",)


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one error line; before it there may be the progress of jobs, and nothing else."""
        assert self.code == 2, self.err
        *progress, last = self.err.splitlines() or [""]
        assert all(" s  " in line for line in progress), self.err
        assert last.startswith("error: "), self.err
        return last


@pytest.fixture
def steelyard(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., Said]]:
    """`steelyard("study", "study.yaml")` in `tmp_path`; handlers of signals are put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # Typer sets its own
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["steelyard", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            run()
        said = capfd.readouterr()
        return Said(int(stop.value.code or 0), said.out, said.err)

    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def refused(steelyard: Callable[..., Said], tmp_path: Path) -> Callable[..., str]:
    """Runs a command on a small study with some changes; returns its one error line."""

    def call(*words: object, files: Files | None = None, **changes: Any) -> str:
        write(tmp_path, {**small_study(**changes), **(files or {})})
        return steelyard(*(words or ("study", "study.yaml", "--workers", 1))).error

    return call


@pytest.fixture(scope="session")
def put() -> Callable[..., None]:
    """Writes the small study, with some changes and further files, into a folder."""
    return lambda folder, files=None, **changes: write(
        folder, {**small_study(**changes), **(files or {})}
    )


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small study and its results in `run`; copy it before you change it."""
    from steelyard import study

    folder = tmp_path_factory.mktemp("done")
    write(folder, small_study())
    study(folder / "study.yaml", folder / "run", workers=1)
    return folder


@pytest.fixture
def weigh(steelyard: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """`weigh(rows, "--truth", "truth")` puts the votes into a file and weighs them by majority.

    A dict is a Parquet file of columns, a list JSON lines, text or bytes a CSV.
    """

    def call(
        votes: Any, *words: object, name: str = "", files: dict[str, str] | None = None
    ) -> Any:
        for other, text in (files or {}).items():
            (tmp_path / other).write_text(text, encoding="utf-8")
        if isinstance(votes, dict):
            path = tmp_path / (name or "votes.parquet")
            pq.write_table(pa.table(votes), path)
        elif isinstance(votes, list):
            path = tmp_path / (name or "votes.jsonl")
            path.write_text("".join(json.dumps(row) + "\n" for row in votes))
        else:
            path = tmp_path / (name or "votes.csv")
            path.write_bytes(votes if isinstance(votes, bytes) else votes.encode())
        return steelyard("weigh", path.name, "--method", "majority", "--out", "out", *words)

    return call


def small_study(
    train: dict[int, dict[str, Any]] | None = None,
    test: dict[int, dict[str, Any]] | None = None,
    **settings: Any,
) -> Files:
    """48 train rows, 16 test rows and the study's file.

    Args:
        train: changes of train rows by line number from 1; a column of value `...` is taken out.
        test: the same for test rows.
        **settings: of the study instead of its own; None takes one out.
    """
    whole = {
        "task": "classification",
        "data": {"train": "train.jsonl", "test": "test.jsonl", "weak_train": 12},
        "supervisors": [{"kind": "tfidf", "voters": 3}],
        "student": {
            **{"kind": "probe", "model": "minilm", "layers": 2, "max_tokens": 16},
            "regularization": 1.0,
        },
        "arms": ["filter"],
        "seeds": 2,
        **settings,
    }
    return {
        "train.jsonl": lines(rows("train", TRAIN), train or {}),
        "test.jsonl": lines(rows("test", TEST), test or {}),
        "study.yaml": yaml.safe_dump({k: v for k, v in whole.items() if v is not None}),
    }


def rows(name: str, frames: tuple[str, ...]) -> Rows:
    """Labelled sentences, the classes in turn: 16 for each frame."""
    pairs = list(zip(*WORDS.values(), strict=True))
    made = [
        {"text": frame.format(word), "label": label}
        for frame in frames
        for pair in pairs
        for label, word in zip(WORDS, pair, strict=True)
    ]
    return [{"id": f"{name}-{i}", **row} for i, row in enumerate(made, start=1)]


def lines(made: Rows, changes: dict[int, dict[str, Any]]) -> str:
    changed = [{**row, **changes.get(number, {})} for number, row in enumerate(made, start=1)]
    kept = [{name: cell for name, cell in row.items() if cell is not ...} for row in changed]
    return "".join(json.dumps(row) + "\n" for row in kept)


def write(folder: Path, files: Files) -> None:
    """Files by name; their folders are made."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
