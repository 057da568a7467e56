"""A trained student as a folder in Hugging Face format: `train` writes it, `evaluate` reads it."""

import json
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter

from steelyard.errors import InputError
from steelyard.io import atomic
from steelyard.io.plugins import find_plugin
from steelyard.models.lm.save_lm import SavedWeights
from steelyard.objectives import CROSS_ENTROPY, Objective, ObjectiveSettings
from steelyard.student import STUDENTS, Student, TrainedModel
from steelyard.student.model_card import LabelSource, model_card
from steelyard.types.task_kinds import KINDS, Kind

CARD = "steelyard.json"


def save_model(
    fitted: TrainedModel,
    folder: Path,
    task: Kind,
    classes: tuple[str, ...],
    *,
    weights: SavedWeights = "merged",
    source: LabelSource | None = None,
) -> None:
    """Write a student in Hugging Face's format, with a card that `load_model` reads, and README.md.

    Args:
        fitted: the student.
        folder: new, or empty.
        task: of the questions.
        classes: names of the answers.
        weights: of a language model with adapters: merged in the type of its checkpoint, the
            adapter alone, or both.
        source: of the labels, for README.md.

    Raises:
        InputError: the folder exists and is not empty.
        ConfigError: there is no adapter to save.
    """
    check_free(folder)
    student, prompt = cast("Student", fitted.settings), fitted.prompt_text
    student.check_export(weights)
    kind, base = student.loaded_by(weights), student.pretrained
    readme = model_card(folder.name, kind, base, task, classes, source, prompt)
    card = {
        "steelyard": version("steelyard"),
        "task": task,
        "classes": list(classes),
        "settings": student.model_dump(mode="json"),
        "objective": fitted.objective.model_dump(mode="json"),
        "weights": weights,
        "prompt_text": None if prompt is None else asdict(prompt),
    }

    def write(draft: Path) -> None:
        fitted.export(draft, classes, weights)
        (draft / "README.md").write_text(readme, encoding="utf-8")
        (draft / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")

    if folder.exists():
        folder.rmdir()
    atomic.publish(folder, write)


def check_free(folder: Path) -> None:
    """Raise InputError if the folder is not empty, or cannot be made; called before training."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty; give another folder.")
        with tempfile.TemporaryFile(dir=folder.parent):
            pass
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be written ({error.strerror}); give another."
        ) from error


def load_model(folder: Path) -> tuple[TrainedModel, Kind, tuple[str, ...]]:
    """A saved student, its task and its classes.

    A preference student loads the model from before its training as well, for its rewards.

    Raises:
        InputError: the folder holds no such model.
    """
    student, kind, classes = read_card(folder)
    trained = student.load(folder, kind, classes).with_objective(_objective(folder))
    return trained, kind, classes


def _objective(folder: Path) -> Objective:
    """What a saved student was trained to minimise, which may decide its probabilities.

    Cross-entropy for models that were saved without it.
    """
    settings = json.loads((folder / CARD).read_text(encoding="utf-8")).get("objective")
    if settings is None:
        return CROSS_ENTROPY
    try:
        plugin = find_plugin(str(settings.get("kind")), "loss")
        if plugin is None:
            objective: Objective = TypeAdapter(ObjectiveSettings).validate_python(settings)
        else:
            objective = plugin.model_validate(settings)
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"{folder / CARD} is damaged (`objective`: {error}); train the model again."
        ) from error
    return objective


def read_card(folder: Path) -> tuple[Student, Kind, tuple[str, ...]]:
    """Settings of a saved student, its task and its classes.

    Raises:
        InputError: the folder holds no such model.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        settings, classes, kind = card["settings"], tuple(card["classes"]), KINDS[card["task"]].name
        name = settings.get("kind") or _kind_of(kind)
        student = STUDENTS.get(name) or find_plugin(name, "fit")
        if student is None:
            raise InputError(
                f"{folder} holds a student of kind `{name}`, which no installed package offers."
            )
        given = {name: settings[name] for name in student.model_fields if name in settings}
        if "chat" in student.model_fields:  # models from before version 0.2 were taught plain text
            given.setdefault("chat", False)
        return student.model_validate(given), kind, classes
    except OSError as error:
        raise InputError(
            f"{folder} holds no model of `steelyard train`: {CARD} cannot be read "
            f"({error.strerror}). Give a folder that `steelyard train` wrote."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder / CARD} is damaged ({type(error).__name__}: {error}); train the model again."
        ) from error


def _kind_of(task: Kind) -> str:
    """The kind of a fine-tuned student, whose card has only how it was trained."""
    return "classifier" if KINDS[task].has_classes else "chooser"
