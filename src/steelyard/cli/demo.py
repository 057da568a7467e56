"""`steelyard demo`: a complete study on an embedded data set."""

from pathlib import Path
from typing import Annotated, Any

import typer

from steelyard.cli.options import Workers
from steelyard.cli.study import run_study

EXAMPLE = ("steelyard demo --out runs/demo", "README.md")
DEMO: dict[str, Any] = {
    "name": "demo",
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 200, "strong_train": 800, "max_test": 600},
    "supervisors": [{"kind": "tfidf", "voters": 5}],
    "student": {
        "kind": "classifier",
        "model": "minilm",
        "train_layers": 2,
        "epochs": 1,
        "learning_rate": 2.0e-4,
        "max_tokens": 64,
    },
    "match": "steps",
    "arms": ["naive", "majority", "filter", "refine", "refine_gold"],
    "seeds": 3,
    "recommend": True,
}
"""The study that the demo runs."""


def demo(
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="The folder for results, report and stored intermediate results."
        ),
    ] = Path("runs/demo"),
    workers: Workers = None,
) -> None:
    """Run a complete small study on generated data: no network, a few minutes on two cores."""
    run_study(dict(DEMO), out, ["demo"], [], "local", workers)
