"""Every kind of scorer, and scorers by their settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from steelyard.errors import ConfigError
from steelyard.generation.classifier_scorers import TrainedScorer, TransformersScorer
from steelyard.generation.http_scorer import HttpScorer
from steelyard.generation.protocol import BaseScorer
from steelyard.io.plugins import check_not_taken, find_plugin
from steelyard.io.setting_errors import sentence
from steelyard.io.yaml_file import read_yaml

SCORERS: dict[str, type[BaseScorer]] = {
    "trained": TrainedScorer,
    "transformers": TransformersScorer,
    "http": HttpScorer,
}
"""Built-in kind -> class."""


def make_scorer(settings: Mapping[str, Any] | BaseScorer, source: str = "scorer") -> BaseScorer:
    """A scorer from its settings, built in or of an installed package.

    Args:
        settings: with a `kind`; an object is returned unchanged.
        source: what a message calls the settings.

    Raises:
        ConfigError: no such kind, or settings that cannot work.
    """
    if isinstance(settings, BaseModel):
        return settings
    kind = settings.get("kind")
    if kind in SCORERS:
        check_not_taken(str(kind), "score_texts")
    cls = SCORERS.get(str(kind)) or find_plugin(str(kind), "score_texts")
    if cls is None:
        raise ConfigError(
            f"{source}: `kind` must be one of {', '.join(SCORERS)}, or that of an installed "
            f"package; got {kind!r}."
        )
    try:
        return cls.model_validate(dict(settings))
    except ValidationError as error:
        raise ConfigError(f"{source}: {sentence(error, cls)}") from error


def read_scorer(text: str) -> BaseScorer:
    """A scorer of a YAML file, or of YAML in braces; paths start from the file's folder.

    Raises:
        ConfigError: no such file, not YAML, or settings that cannot work.
    """
    path, source = Path(text), "--scorer"
    if not text.lstrip().startswith("{"):
        source = path.name
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"--scorer {path} cannot be read ({error}); give a file with a scorer's settings, "
                "or the settings as '{kind: trained, model: ..., of: ...}'."
            ) from error
    settings = read_yaml(text, source)
    if not isinstance(settings, dict):
        raise ConfigError(f"{source} must be `key: value` settings, such as `kind: trained`.")
    if source != "--scorer":
        for key in ("model", "test", "ledger"):
            beside = path.parent / str(settings.get(key, ""))
            if key in settings and (beside.exists() or key != "model"):
                settings[key] = str(beside)
    return make_scorer(settings, source)
