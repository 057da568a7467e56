"""A trained student as a folder in Hugging Face format: `train` writes it, `evaluate` reads it."""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from steelyard.errors import InputError
from steelyard.io import atomic as sealed
from steelyard.models.finetune import Finetuned, Finetuning
from steelyard.student.language_model import TrainedLanguageModel
from steelyard.student.preference import TrainedPreferenceStudent
from steelyard.types.task_kinds import Kind

CARD = "steelyard.json"


def save_model(fitted: Any, folder: Path, task: str, classes: tuple[str, ...]) -> None:
    """Write a student in Hugging Face's format, with a card that `load_model` reads.

    Raises:
        InputError: the folder exists and is not empty.
    """
    check_free(folder)
    card = {
        "steelyard": version("steelyard"),
        "task": task,
        "classes": list(classes),
        "settings": fitted.settings.model_dump(mode="json"),
    }

    def write(draft: Path) -> None:
        fitted.save(draft)
        (draft / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")

    if folder.exists():
        folder.rmdir()
    sealed.publish(folder, write)


def check_free(folder: Path) -> None:
    """Find out early whether a model can be written to the folder.

    Raises:
        InputError: the folder is not empty, or cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty; give another folder with --out.")
        with tempfile.TemporaryFile(dir=folder.parent):
            pass
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be written ({error.strerror}); give another with --out."
        ) from error


def load_model(
    folder: Path,
) -> tuple[Finetuned | TrainedLanguageModel | TrainedPreferenceStudent, Kind, tuple[str, ...]]:
    """A saved student, its task and its classes.

    Of a preference student the model that it was made from is read as well: rewards are what
    training changed.

    Raises:
        InputError: the folder holds no such model.
    """
    from steelyard.models.load import Pretrained, load_saved, load_tokenizer

    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        given = {**card["settings"], "lora": None, "model": str(folder), "layers": None}
        task, classes = card["task"], tuple(card["classes"])
        if given.get("kind") == "language_model":
            return _load_language_model(given, task, classes), task, classes
        if given.get("kind") == "preference":
            return _load_preference(card["settings"], folder), task, classes
        settings = Finetuning(**{name: given[name] for name in Finetuning.model_fields})
    except OSError as error:
        raise InputError(
            f"{folder} holds no model of `steelyard train`: {CARD} cannot be read "
            f"({error.strerror}). Give the folder that `train --out` wrote."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / CARD} is damaged ({type(error).__name__}: {error}); train the model again."
        ) from error
    place = Pretrained(model=str(folder))
    model = load_saved(folder)
    tokenizer = load_tokenizer(place)
    return Finetuned(settings, model, tokenizer, len(classes), None, 0), task, classes


def _load_language_model(
    settings: dict[str, Any], task: str, classes: tuple[str, ...]
) -> TrainedLanguageModel:
    from steelyard.models.lm.finetune_lm import Completer
    from steelyard.models.lm.load_lm import load_causal
    from steelyard.models.load import Pretrained, load_tokenizer
    from steelyard.models.train import device
    from steelyard.student import LanguageModelStudent

    place = Pretrained(model=settings["model"])
    model = load_causal(place).to(device())
    completer = Completer(model, load_tokenizer(place), truncated=0, dropped=0)
    return TrainedLanguageModel(LanguageModelStudent(**settings), task, classes, completer)


def _load_preference(settings: dict[str, Any], folder: Path) -> TrainedPreferenceStudent:
    from steelyard.models.lm.dpo import Preferrer
    from steelyard.models.lm.load_lm import load_causal
    from steelyard.models.load import Pretrained, load_tokenizer
    from steelyard.models.train import device
    from steelyard.student import PreferenceStudent

    student, place = PreferenceStudent(**settings), Pretrained(model=str(folder))
    model = load_causal(place).to(device())
    preferrer = Preferrer(
        student.pretrained, student.tuning, model, load_tokenizer(place), truncated=0, dropped={}
    )
    return TrainedPreferenceStudent(student, preferrer)
