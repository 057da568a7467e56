"""The settings of a supervisor, from a file or from the command line."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError, create_model

from steelyard.errors import ConfigError
from steelyard.io.setting_errors import sentence
from steelyard.io.yaml_file import MAX_BYTES, read_yaml
from steelyard.supervision.api.supervisor import Api


def read_supervisor(text: str) -> tuple[Any, tuple[str, ...] | None]:
    """A supervisor of a YAML file, or of YAML in braces, and the classes that it names.

    Raises:
        ConfigError: no such file, not YAML, or settings that cannot work.
    """
    path, source = Path(text), "--supervisor"
    if not text.lstrip().startswith("{"):
        source = path.name
        try:
            size = path.stat().st_size
            text = path.read_text(encoding="utf-8") if size <= MAX_BYTES else ""
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read: {error.strerror}. Give a file with a supervisor's "
                "settings, or the settings as '{kind: ..., ...}'."
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}).") from error
        if size > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes; settings are a few lines.")
    settings = read_yaml(text, source)
    if not isinstance(settings, dict):
        raise ConfigError(f"{source} must be `key: value` settings, such as `kind: api`.")
    classes = _classes(settings.pop("classes", None), source)
    supervisor = _supervisor(settings, source)
    if source != "--supervisor":  # paths start from the file's folder
        supervisor = supervisor.with_paths(lambda name: str(path.parent / name))
    return supervisor, classes


def _supervisor(settings: dict[str, Any], source: str) -> Any:
    """A supervisor from its settings; one behind a server loads no model library."""
    supervisor: Any = Api
    if settings.get("kind") != "api":
        from steelyard.studies.parts import AnySupervisor

        supervisor = AnySupervisor
    specs = create_model("Specs", supervisors=tuple[supervisor, ...])
    try:
        checked: Any = specs.model_validate({"supervisors": [settings]})
    except ValidationError as error:
        problem = sentence(error, specs).replace("supervisors.0.", "")
        raise ConfigError(f"{source}: {problem.replace('`supervisors.0`', 'It')}") from error
    return checked.supervisors[0]


def _classes(names: Any, source: str) -> tuple[str, ...] | None:
    if names is None:
        return None
    good = isinstance(names, list) and len(names) >= 2
    if not good or not all(isinstance(name, str) and name.strip() for name in names):
        raise ConfigError(
            f"{source}: `classes` must be a list of at least two names, got {str(names)[:80]}; "
            "numbers and words such as yes are put in quotes."
        )
    if len(set(names)) < len(names):
        raise ConfigError(f"{source}: `classes` has a name twice, got {names}.")
    return tuple(names)


def same_classes(named: list[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """The class names that the supervisors' settings have in common; None where none has any.

    Raises:
        ConfigError: two of them name different classes.
    """
    distinct = {names for names in named if names is not None}
    if len(distinct) > 1:
        raise ConfigError(
            "The supervisors' settings name different `classes`; give all the same list."
        )
    return distinct.pop() if distinct else None
