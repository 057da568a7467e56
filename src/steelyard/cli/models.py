"""`steelyard train` and `steelyard evaluate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from steelyard import sealed
from steelyard.config import MAX_SEED, make_study, read_study, read_yaml
from steelyard.data import read_labelled, read_questions
from steelyard.errors import ConfigError, InputError
from steelyard.evaluation import METRICS, draw_resamples, mean_interval, measure
from steelyard.handoff import check_free, load_model, read_selection, save_model
from steelyard.rows import READERS
from steelyard.run import Run
from steelyard.store import Store


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
            chosen, _ = read_selection(Path(selection), questions, classes)
        elif selection.lower().endswith(tuple(READERS)):
            raise InputError(f"{selection} does not exist; give a selection file, or an arm.")
        else:
            chosen, _ = run.selection(seed, study.arm(selection))
    else:
        settings = _student(student)
        _check_saved(settings)
        kind = "multiple_choice" if settings.kind == "chooser" else "classification"
        questions = read_questions(kind, data)
        options = max(len(question.choices) for question in questions)
        numbers = tuple(str(i) for i in range(options))
        chosen, classes = read_selection(Path(selection), questions, numbers or None)
    print(f"training on {chosen.kept} of {len(questions)} examples, {len(classes)} answers")
    fitted = settings.fit(questions, chosen.targets, chosen.weights, seed=seed)
    save_model(fitted, out, kind, classes)
    print(f"model: {out}")


def evaluate_model(model: Path, data: Path, out: Path | None) -> None:
    """Print every metric with its interval over the rows."""
    if out is not None and not out.parent.is_dir():
        raise InputError(f"{out} cannot be written: there is no folder {out.parent}. Make it.")
    fitted, task, classes = load_model(model)
    split = read_labelled(task, data, classes)
    probs = fitted.probabilities(split.questions)
    resamples = draw_resamples(len(split.truth))
    scores: dict[str, Any] = {}
    print(f"{len(split.truth)} rows of {data.name}, classes {', '.join(classes)}")
    for name in METRICS:
        try:
            score = mean_interval(measure(name, split.truth, [[probs]], resamples))
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


def _check_saved(student: Any) -> None:
    """Refuse before training what cannot be kept after it."""
    if student.kind == "probe":
        raise ConfigError("A probe is not saved as a model; train a `classifier` student.")


def _student(text: str) -> Any:
    settings = read_yaml(text, "--student")
    if not isinstance(settings, dict):
        raise ConfigError("`--student` takes YAML such as '{kind: classifier, model: minilm}'.")
    chooser = settings.get("kind") == "chooser"
    words = {
        "task": "multiple_choice" if chooser else "classification",
        "data": {"generated": "errands"},
        "supervisors": [{"kind": "chooser" if chooser else "tfidf"}],
        "student": settings,
    }
    return make_study(words, "--student").student
