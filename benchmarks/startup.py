"""What a command costs before it does anything: seconds from start to end of a process of its own.

Every way is a process: `python -c pass`, the command line on next to no work, and what somebody
would write instead. The page cache is warm: the first turn is nobody's.
"""

import functools
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.race import Claim, Timed, Way, claims, race, write

TURNS = 9
ITEMS, VOTES, VOTERS = 200, 1_000, 20
NOTHING = "python -c pass"
COMMAND = "from steelyard.cli.main import run; run()"  # what the installed `steelyard` calls
TARGETS = {
    "steelyard --help": 0.5,
    "import steelyard": 0.3,
    "steelyard weigh, 1,000 votes": 1.5,
    "steelyard label --dry-run": None,
}
"""Ours, with the most seconds that it should take."""
SCRIPT = """
import pandas
from crowdkit.aggregation import DawidSkene
votes = pandas.read_csv("votes.csv", names=["task", "worker", "label"], header=0)
DawidSkene().fit_predict(votes).to_csv("crowdkit.csv")
"""
WEIGHED = "weigh 1,000 votes, Dawid-Skene"
SCRIPTED = "crowd-kit: read, Dawid-Skene, write"


def main(quick: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        timed = race(ways(Path(folder)), 2 if quick else TURNS, same)
    found = {one.name: one for one in timed}
    rows = [against_nothing(found[name], found[NOTHING], most) for name, most in TARGETS.items()]
    rows += claims(WEIGHED, [found[WEIGHED], found[SCRIPTED]], [None])
    figures = [
        {"command": one.name, "seconds": one.median, "most": TARGETS.get(one.name)} for one in timed
    ]
    write("startup", rows, {"turns": TURNS, "startup": figures}, quick)


def ways(folder: Path) -> list[Way]:
    """The bare interpreter, ours, and a script with crowd-kit; a process each, in the folder."""
    label = ("label", "items.jsonl", "--supervisor", "judge.yaml", "--out", "v.jsonl", "--dry-run")
    weigh = ("weigh", "votes.csv", "--out")
    return [
        Way(name, functools.partial(python, folder, *words))
        for name, words in {
            NOTHING: ("pass",),
            "steelyard --help": (COMMAND, "--help"),
            "import steelyard": ("import steelyard",),
            "steelyard weigh, 1,000 votes": (COMMAND, *weigh, "weighed"),
            "steelyard label --dry-run": (COMMAND, *label),
            WEIGHED: (COMMAND, *weigh, "ours", "--method", "dawid_skene"),
            SCRIPTED: (SCRIPT,),
        }.items()
    ]


def python(folder: Path, code: str, *words: str) -> Path:
    command = [sys.executable, "-W", "ignore", "-c", code, *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def same(results: Sequence[Any]) -> None:
    """Our Dawid-Skene and crowd-kit's name the same label for every item but ties."""
    import pyarrow.parquet
    from pyarrow import csv

    ours = pyarrow.parquet.read_table(results[0] / "ours" / "reliability.parquet")
    theirs = csv.read_csv(results[0] / "crowdkit.csv").to_pydict()
    labels = dict(zip(theirs["task"], theirs["agg_label"], strict=True))
    equal = sum(labels[row["id"]] == row["label"] for row in ours.to_pylist())
    assert equal >= 0.99 * ITEMS, f"{equal} of {ITEMS} labels are equal"


def against_nothing(ours: Timed, nothing: Timed, most: float | None) -> Claim:
    """How many times as long as the bare interpreter; the target is seconds, so it is in words."""
    (claim,) = claims(ours.name, [nothing, ours], [None])
    said = "" if most is None else f" (at most {most:g} s)"
    return replace(claim, against=NOTHING, unit=f"times as long: {ours.median:.2f} s{said}")


def write_files(folder: Path) -> None:
    """Votes of a small crowd on items of three classes, questions, and a supervisor to ask."""
    rng = random.Random(0)
    rows = ["id,voter,answer"]
    for item in range(ITEMS):
        truth = rng.choice("abc")
        for voter in rng.sample(range(VOTERS), VOTES // ITEMS):
            said = truth if rng.random() < 0.7 else rng.choice("abc")
            rows.append(f"i{item},w{voter},{said}")
    (folder / "votes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    questions = [{"id": f"q{i}", "text": f"Is number {i} prime?"} for i in range(100)]
    text = "".join(json.dumps(question) + "\n" for question in questions)
    (folder / "items.jsonl").write_text(text, encoding="utf-8")
    judge = "{kind: api, base_url: 'http://127.0.0.1:9/v1', model: judge, classes: ['no', 'yes']}"
    (folder / "judge.yaml").write_text(judge, encoding="utf-8")
