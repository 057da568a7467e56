"""`steelyard evaluate`: score a trained model on labelled rows."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelyard.errors import InputError
from steelyard.studies.progress import Stopwatch

if TYPE_CHECKING:
    from steelyard.student import Student, TrainedModel
    from steelyard.types import Floats, Split
    from steelyard.types.task_kinds import Kind

EXAMPLE = ("steelyard evaluate model test.jsonl --out scores.json", "docs/formats.md")


def evaluate(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL_DIR", help="The folder of a model that `steelyard train` saved."
        ),
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="The file of test rows with their true labels (CSV, JSON lines)."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the scores to this file, as JSON."),
    ] = None,
) -> None:
    """Score a trained model on labelled rows: every metric, with its confidence interval."""
    watch = Stopwatch()
    watch.line(f"loading {model}")
    if out is not None and not out.parent.is_dir():
        raise InputError(
            f"{out} cannot be written: there is no folder {out.parent}. Create it first."
        )
    from steelyard.data import read_labelled
    from steelyard.evaluation import draw_resamples, mean_interval, measure
    from steelyard.io.atomic import write_text
    from steelyard.student.saved import load_model, read_card

    trained, task, classes = load_model(model)
    split = read_labelled(task, data, classes)
    watch.line(f"answering {len(split.truth)} rows of {data.name}")
    measured = _measured(trained, read_card(model)[0], task, split, len(classes))
    resamples = draw_resamples(len(split.truth))
    scores: dict[str, Any] = {}
    answers = f"classes {', '.join(classes)}" if classes else "open answers"
    print(f"{len(split.truth)} rows of {data.name}, {answers}")
    for name, rows in measured.items():
        try:
            score = mean_interval(measure(name, split.truth, [[rows]], resamples))
        except InputError as error:  # such as auroc of rows of one class
            scores[name] = {"value": None, "reason": str(error)}
            print(f"{name:<18} n/a: {error}")
            continue
        scores[name] = asdict(score)
        print(f"{name:<18} {score.value:.3f}  [{score.low:.3f}, {score.high:.3f}]")
    if out is not None:
        result = {"model": model.name, "data": data.name, "rows": len(split.truth)}
        write_text(out, json.dumps({**result, "metrics": scores}, indent=1))
        print(f"scores: {out}")


def _measured(
    trained: "TrainedModel", student: "Student", task: "Kind", split: "Split", classes: int
) -> "dict[str, Floats]":
    """The input of each metric: class probabilities, or graded open answers, (N, K)."""
    from steelyard.evaluation import (
        canonical_truth,
        grade_texts,
        metrics_of,
        without_abstentions,
    )

    answers, spelling = trained.predict(split.questions), student.spelling
    names = metrics_of(task, spelling, rewards=True)
    if answers.probs is not None:
        return dict.fromkeys(names, without_abstentions(answers.probs, classes))
    truth = canonical_truth(split.ids, split.reference_texts, spelling)
    return {name: grade_texts(answers.texts, truth, spelling, name) for name in names}
