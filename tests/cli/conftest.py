"""The command line, called in this process, and a small study to call it on."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from steelyard.cli.main import run


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one error line; before it there may be the progress of jobs, and nothing else."""
        *progress, last = self.err.splitlines() or [""]
        assert all(" s  " in line and "seed" in line for line in progress), self.err
        assert last.startswith("error: "), self.err
        return last


Command = Callable[..., Said]
Files = dict[str, str | bytes]


@pytest.fixture
def steelyard(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Command]:
    """`steelyard("study", "study.yaml")` in `tmp_path`, with the handlers of signals put back."""
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


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small study that was run, in `run`; tests copy it before they change it."""
    from steelyard import study

    folder = tmp_path_factory.mktemp("done")
    write(folder, small_study())
    study(folder / "study.yaml", folder / "run", workers=1)
    return folder


def write(folder: Path, files: Files) -> None:
    """Files by name, made with their folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


WORDS = {
    "cook": ("soup", "bread", "kettle", "onion", "recipe", "oven", "butter", "pan"),
    "trip": ("train", "hotel", "passport", "ferry", "island", "ticket", "airport", "luggage"),
}
FRAMES = ("We talked about the {}.", "I forgot the {} again.", "Where is the {} now?")


def rows(name: str, frames: tuple[str, ...] = FRAMES) -> list[dict[str, Any]]:
    """Labelled sentences: 8 words x 2 classes for each frame."""
    made = [
        {"text": frame.format(word), "label": label}
        for frame in frames
        for pair in zip(*WORDS.values(), strict=True)
        for label, word in zip(WORDS, pair, strict=True)
    ]
    return [{"id": f"{name}-{i}", **row} for i, row in enumerate(made)]


def lines(made: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in made)


def settings(**changes: Any) -> str:
    """The small study's file with some settings changed; None takes one out."""
    whole = {
        "task": "classification",
        "data": {"train": "train.jsonl", "test": "test.jsonl", "weak_train": 12},
        "supervisors": [{"kind": "tfidf", "voters": 3}],
        "student": {"kind": "probe", "model": "minilm", "max_tokens": 16},
        "arms": ["filter"],
        "seeds": 2,
        **changes,
    }
    return yaml.safe_dump({key: value for key, value in whole.items() if value is not None})


def small_study(**changes: Any) -> Files:
    """48 train rows, 16 test rows and the study's file."""
    return {
        "train.jsonl": lines(rows("train")),
        "test.jsonl": lines(rows("test", ("Tell me more about the {}.",))),
        "study.yaml": settings(**changes),
    }
