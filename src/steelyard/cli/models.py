"""`steelyard train` and `steelyard evaluate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from steelyard.data import read_labelled, read_questions
from steelyard.errors import ConfigError, InputError
from steelyard.evaluation import (
    canonical_truth,
    draw_resamples,
    grade_texts,
    mean_interval,
    measure,
    metrics_of,
)
from steelyard.io import atomic as sealed
from steelyard.io.rows import READERS, read_rows
from steelyard.io.yaml_file import MAX_SEED, read_yaml
from steelyard.selection.selection_file import read_open_selection, read_selection
from steelyard.store.store import Store
from steelyard.student import TrainedLanguageModel, TrainedPreferenceStudent
from steelyard.student.saved import check_free, load_model, save_model
from steelyard.studies.config import make_study, read_study
from steelyard.studies.run import Run
from steelyard.studies.training import told
from steelyard.types import PAIR, Floats, Question, Selection, Split
from steelyard.types.task_kinds import Kind


def train_model(
    data: Path, selection: str, out: Path, student: str, seed: int, overrides: list[str]
) -> None:
    """Train on a selection file, or on an arm of a study, and save the model."""
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"`--seed` must be from 0 to {MAX_SEED}, got {seed}.")
    check_free(out)
    if data.suffix in (".yaml", ".yml"):
        study = read_study(data, overrides)
        run = Run(study, Store(Path("runs") / study.name / "store"), data.parent)
        _check_saved(study.student)
        task, settings = run.task(seed), study.student
        kind, classes, questions = study.task, task.classes, task.strong_train.questions
        if Path(selection).is_file():
            chosen, classes, questions = _chosen(selection, study.student, kind, questions, classes)
        elif selection.lower().endswith(tuple(READERS)):
            raise InputError(f"{selection} does not exist; give a selection file, or an arm.")
        else:
            questions, chosen = run.lesson(seed, study.arm(selection).name)
    else:
        settings, kind = _student(student, data)
        _check_saved(settings)
        questions = read_questions(kind, data)
        options = max(len(question.choices) for question in questions)
        numbers = PAIR if kind == "preference" else tuple(str(i) for i in range(options))
        chosen, classes, questions = _chosen(selection, settings, kind, questions, numbers or None)
    answers = f"{len(classes)} answers" if classes else "open answers"
    print(f"training on {chosen.kept} of {len(questions)} examples, {answers}")
    more = told(settings, kind, classes)
    fitted = settings.fit(questions, chosen.targets, chosen.weights, seed=seed, **more)
    if isinstance(fitted, TrainedLanguageModel | TrainedPreferenceStudent) and fitted.left_out:
        print(f"note: {fitted.left_out} examples were left out: too long for their answer")
    save_model(fitted, out, kind, classes)
    print(f"model: {out}")


def evaluate_model(model: Path, data: Path, out: Path | None) -> None:
    """Print every metric with its interval over the rows."""
    if out is not None and not out.parent.is_dir():
        raise InputError(f"{out} cannot be written: there is no folder {out.parent}. Make it.")
    fitted, task, classes = load_model(model)
    split = read_labelled(task, data, classes)
    judged = _judged(fitted, task, split)
    resamples = draw_resamples(len(split.truth))
    scores: dict[str, Any] = {}
    answers = f"classes {', '.join(classes)}" if classes else "open answers"
    print(f"{len(split.truth)} rows of {data.name}, {answers}")
    for name, rows in judged.items():
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
        sealed.write_text(out, json.dumps({**result, "metrics": scores}, indent=1))
        print(f"scores: {out}")


def _kind(student: Any, data: Path) -> Kind:
    """The task of a kind of student; of several tasks the one that the columns of the data say."""
    if student not in ("language_model", "chooser"):
        return "preference" if student == "preference" else "classification"
    _, row = next(iter(read_rows(data)))
    if "chosen" in row and "choices" not in row:
        return "preference"
    if "choices" in row or student == "chooser":
        return "multiple_choice"
    return "generation" if "prompt" in row else "classification"


def _chosen(
    selection: str,
    student: Any,
    kind: Kind,
    questions: tuple[Question, ...],
    classes: tuple[str, ...] | None,
) -> tuple[Selection, tuple[str, ...], tuple[Question, ...]]:
    """A selection file with its classes, and the questions; open ones with what is taught."""
    if kind == "generation":
        chosen, taught = read_open_selection(Path(selection), questions, student.reader)
        return chosen, (), taught
    return (*read_selection(Path(selection), questions, classes), questions)


def _judged(fitted: Any, task: Kind, split: Split) -> dict[str, Floats]:
    """What each metric takes: class probabilities, or graded open answers, (N, K)."""
    if not split.reference_texts:
        probs = fitted.probabilities(split.questions)
        return dict.fromkeys(metrics_of(task, rewards=True), probs)
    reader = fitted.settings.spelling
    truth = canonical_truth(split.ids, split.reference_texts, reader)
    said = fitted.answers(split.questions)
    return {name: grade_texts(said, truth, reader, name) for name in metrics_of(task, reader)}


def _check_saved(student: Any) -> None:
    """Refuse before training what cannot be kept after it."""
    if student.kind == "probe":
        raise ConfigError("A probe is not saved as a model; train a `classifier` student.")


def _student(text: str, data: Path) -> tuple[Any, Kind]:
    settings = read_yaml(text, "--student")
    if not isinstance(settings, dict):
        raise ConfigError("`--student` takes YAML such as '{kind: classifier, model: minilm}'.")
    kind = _kind(settings.get("kind"), data)
    words = {
        "task": kind,
        "data": {"generated": "errands"},
        "supervisors": [{"kind": "votes", "path": "none"}],
        "student": settings,
    }
    return make_study(words, "--student").student, kind
