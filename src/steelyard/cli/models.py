"""`steelyard train` and `steelyard evaluate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from steelyard.data import read_labelled, read_questions
from steelyard.errors import ConfigError, InputError
from steelyard.evaluation import (
    draw_resamples,
    grade_texts,
    mean_interval,
    measure,
    metrics_of,
    read_truth,
)
from steelyard.io import atomic as sealed
from steelyard.io.rows import READERS, read_rows
from steelyard.io.yaml_file import MAX_SEED, read_yaml
from steelyard.selection.selection_file import read_open_selection, read_selection
from steelyard.store.store import Store
from steelyard.student import STUDENTS, Student, TrainedModel, TrainingData, TrainingOptions
from steelyard.student.saved import check_free, load_model, read_card, save_model
from steelyard.studies.config import make_study, read_study
from steelyard.studies.run import Run
from steelyard.studies.training import training_set
from steelyard.types import Floats, Question, Split
from steelyard.types.task_kinds import KINDS, Kind, recognise


def train_model(
    data: Path, selection: str, out: Path, student: str, seed: int, overrides: list[str]
) -> None:
    """Train on a selection file, or on an arm of a study, and save the model."""
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"`--seed` must be from 0 to {MAX_SEED}, got {seed}.")
    check_free(out)
    if data.suffix in (".yaml", ".yml"):
        settings, training = _of_study(data, selection, seed, overrides)
    else:
        settings, kind = _student(student, data)
        settings.check_saved()
        questions = read_questions(kind, data)
        names = KINDS[kind].names(questions)
        training = _chosen(selection, settings, kind, questions, names or None)
    kept = int((training.weights > 0).sum())
    answers = f"{len(training.classes)} answers" if training.classes else "open answers"
    print(f"training on {kept} of {len(training.questions)} examples, {answers}")
    fitted = settings.fit(training, TrainingOptions(seed=seed))
    if left_out := fitted.training_record().get("left_out"):
        print(f"note: {left_out} examples were left out: too long for their answer")
    save_model(fitted, out, training.kind, training.classes)
    print(f"model: {out}")


def _of_study(
    path: Path, selection: str, seed: int, overrides: list[str]
) -> tuple[Student, TrainingData]:
    """The student of a study, and an arm's training data or those of a selection file."""
    study = read_study(path, overrides)
    student = study.student
    student.check_saved()
    run = Run(study, Store(Path("runs") / study.name / "store"), path.parent)
    if not Path(selection).is_file():
        if selection.lower().endswith(tuple(READERS)):
            raise InputError(f"{selection} does not exist; give a selection file, or an arm.")
        return student, training_set(run, seed, study.arm(selection).name)[0]
    task = run.task(seed)
    questions = task.strong_train.questions
    return student, _chosen(selection, student, study.task, questions, task.classes)


def evaluate_model(model: Path, data: Path, out: Path | None) -> None:
    """Print every metric with its interval over the rows."""
    if out is not None and not out.parent.is_dir():
        raise InputError(f"{out} cannot be written: there is no folder {out.parent}. Make it.")
    fitted, task, classes = load_model(model)
    split = read_labelled(task, data, classes)
    judged = _judged(fitted, read_card(model)[0], task, split)
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
    """The task of a kind of student; of several tasks the one that the columns of the data show."""
    forms = STUDENTS[student].answer_forms if student in STUDENTS else ("classes",)
    if len(forms) == 1:
        return recognise((), forms=forms) or "classification"
    _, row = next(iter(read_rows(data)))
    usual = next(kind.name for kind in KINDS.values() if kind.form == forms[0])
    return recognise(row, forms=forms) or usual  # whose missing column is then named


def _chosen(
    selection: str,
    student: Student,
    kind: Kind,
    questions: tuple[Question, ...],
    classes: tuple[str, ...] | None,
) -> TrainingData:
    """What a selection file says of the questions; of open ones the answers that are learnt."""
    if KINDS[kind].is_open:
        chosen, questions = read_open_selection(Path(selection), questions, student.spelling)
        return TrainingData(kind, (), questions, chosen.targets, chosen.weights)
    chosen, names = read_selection(Path(selection), questions, classes)
    return TrainingData(kind, names, questions, chosen.targets, chosen.weights)


def _judged(fitted: TrainedModel, student: Student, task: Kind, split: Split) -> dict[str, Floats]:
    """What each metric takes: class probabilities, or graded open answers, (N, K)."""
    answers = fitted.predict(split.questions)
    names = metrics_of(task, student.spelling, rewards=True)
    if answers.probs is not None:
        return dict.fromkeys(names, answers.probs)
    truth = read_truth(split.ids, split.reference_texts, student.spelling)
    return {name: grade_texts(answers.texts, truth, student.spelling, name) for name in names}


def _student(text: str, data: Path) -> tuple[Student, Kind]:
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
