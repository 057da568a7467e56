"""A study: data x supervisors x arms x seeds, as one YAML file."""

import difflib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from steelyard.arms import Arm, complete
from steelyard.data import Data
from steelyard.errors import ConfigError
from steelyard.evaluation import METRICS, metric
from steelyard.student import Student
from steelyard.supervision import Supervisor, VotesFile

MAX_BYTES = 1_000_000  # of a study file
DEFAULT_ARMS = ("naive", "majority", "soft", "filter", "reweigh")


class Study(BaseModel):
    """What is studied. Floor, naive, majority, ceiling and controls come along by themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    task: Literal["classification", "multiple_choice"]
    data: Data
    supervisors: tuple[Supervisor, ...] = Field(min_length=1)
    student: Student
    arms: tuple[Any, ...] = DEFAULT_ARMS
    """Names of arms, or `{name, reliability, selection}`."""
    seeds: int | tuple[int, ...] = 5
    """How many (0, 1, ...), or which. A seed draws the splits, the supervisors and the student."""
    metric: str = "accuracy"
    match: Literal["epochs", "steps"] = "epochs"
    """Whether arms that keep fewer examples take fewer steps, or repeat theirs to the same number
    of steps as the ceiling."""

    @field_validator("seeds")
    @classmethod
    def _some_seeds(cls, value: int | tuple[int, ...]) -> int | tuple[int, ...]:
        count = value if isinstance(value, int) else len(set(value))
        if count < 1 or (not isinstance(value, int) and (count < len(value) or min(value) < 0)):
            raise ValueError(f"must be a number >= 1 or distinct numbers >= 0, got {value}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> "Study":
        metric(self.metric)
        self.student.check_task(self.task)
        for supervisor in self.supervisors:
            supervisor.check_task(self.task)
            if supervisor.kind != "votes" and self.data.weak_train < 2:
                raise ValueError(
                    f"a {supervisor.kind} supervisor needs labelled rows; set `data.weak_train` "
                    "to at least 2, or use `votes` only"
                )
        assert self.all_arms
        return self

    @cached_property
    def all_arms(self) -> tuple[Arm, ...]:
        """Every arm and control that is run."""
        return complete(self.arms)

    @property
    def seed_list(self) -> tuple[int, ...]:
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    def arm(self, name: str) -> Arm:
        """The arm of a name.

        Raises:
            ConfigError: there is none; the nearest name is given.
        """
        for arm in self.all_arms:
            if arm.name == name:
                return arm
        names = [arm.name for arm in self.all_arms]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        raise ConfigError(f"{name!r} is not an arm of the study; {hint}It has {', '.join(names)}.")


def read_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """A study file, checked, with `key.path=value` overrides.

    Args:
        path: a YAML file; relative paths in it start from its folder.
        overrides: such as "student.epochs=2"; values are YAML.

    Raises:
        ConfigError: no such file, not YAML, or settings that cannot work; one line that names the
            setting and the nearest right one.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Give a study file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}).") from error
    if text is None:
        raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes; a study file is a page long.")
    settings = read_yaml(text, path.name)
    if not isinstance(settings, dict):
        raise ConfigError(f"{path.name} must be `key: value` settings, such as `name:`, `data:`.")
    for override in overrides:
        _override(settings, override)
    settings.setdefault("name", re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem) or "study")
    return make_study(settings, path.name, path.parent)


def make_study(settings: dict[str, Any], source: str = "study", base: Path = Path()) -> Study:
    """A study from plain settings; relative paths are resolved against `base`.

    Raises:
        ConfigError: settings that cannot work, as one sentence.
    """
    try:
        study = Study.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_sentence(error, settings)}") from error
    supervisors = tuple(
        s.model_copy(update={"path": str(base / s.path)}) if isinstance(s, VotesFile) else s
        for s in study.supervisors
    )
    return study.model_copy(update={"supervisors": supervisors})


def read_yaml(text: str, source: str) -> Any:
    """Plain YAML values; duplicate keys and floods of aliases are refused.

    Raises:
        ConfigError: not YAML, with the line.
    """
    try:
        aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text))
        if aliases > 100:
            raise ConfigError(f"{source} has {aliases} aliases; write the values out.")
        return yaml.load(text, Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{source}{line} is not YAML: {problem}.") from error


class _UniqueKeys(yaml.SafeLoader):
    """Safe YAML in which a key may stand once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands twice", problem_mark=node.start_mark
                )
        return super().construct_mapping(node, deep)


def _override(settings: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set takes `key.path=value`, got {override!r}.")
    place: Any = settings
    *parents, last = path.split(".")
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place.setdefault(key, {})
        if not isinstance(place, dict | list):
            raise ConfigError(f"--set {override}: `{key}` is a value and has no `{last}`.")
    try:
        index: Any = int(last) if isinstance(place, list) else last
        place[index] = read_yaml(value, f"--set {override}")
    except (ValueError, IndexError) as error:
        raise ConfigError(f"--set {override}: the list has no entry {last!r}.") from error


def _sentence(error: ValidationError, settings: dict[str, Any]) -> str:
    """The first problem of a failed validation, in words."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"] if part not in _TAGS)
    if problem["type"] == "extra_forbidden":
        known = _fields(problem["loc"])
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else f" Known are {', '.join(known)}."
        return f"`{place}` is not a setting.{hint}"
    if problem["type"] == "missing":
        return f"`{place}` is missing; it must be given."
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        given = problem.get("ctx", {}).get("tag", "nothing")
        tags = problem.get("ctx", {}).get("expected_tags", "")
        near = difflib.get_close_matches(given, [t.strip("' ") for t in tags.split(",")], n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        return f"`{place}.kind` must be one of {tags or 'the known kinds'}, got {given!r}.{hint}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"`{place}`: {message}" if place else message
    return f"`{place}`: {message}, got {problem['input']!r}."


_TAGS = {"tfidf", "classifier", "chooser", "votes", "probe", "function-after", "function-before"}


def _fields(place: tuple[int | str, ...]) -> list[str]:
    """Names of the settings around an unknown one."""
    fields: dict[str, Any] = Study.model_fields
    for part in place[:-1]:
        if isinstance(part, int):
            continue
        if part in fields:
            models = [m for m in _models(fields[part].annotation)]
        else:
            models = [m for m in models if m.model_fields["kind"].default == part]
        if models:
            fields = {name: f for model in models for name, f in model.model_fields.items()}
    return list(fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


__all__ = ["DEFAULT_ARMS", "METRICS", "Study", "make_study", "read_study", "read_yaml"]
