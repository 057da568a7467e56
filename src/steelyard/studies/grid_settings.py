"""A grid: a study file with `grid` in place of `supervisors` and `student`; every pair is a study.

Source: Burns et al. 2023, arXiv:2312.09390, section 4 (every weak supervisor with every student).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steelyard.errors import ConfigError
from steelyard.io.setting_errors import sentence
from steelyard.studies.config import DEFAULT_ARMS, Study, make_study
from steelyard.studies.parts import AnyStudent, AnySupervisor, short_name

BETWEEN = "--"
"""Between the names of a pair."""
BOOTSTRAPPED = "bootstrapped"
"""Name of the arm that `through_middle` adds."""


class GridLists(BaseModel):
    """The value of `grid`, in place of `supervisors` and `student`: each weak supervisor with each
    student. Entries may have a `name`; without it they are called by the end of their model's name
    and its `layers`, or by their kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weak: tuple[AnySupervisor, ...] = Field(min_length=1)
    """The weak supervisors, each alone."""
    student: tuple[AnyStudent, ...] = Field(min_length=1)
    """The students, smallest first."""
    through_middle: bool = False
    """Whether each student but the first has the arm `bootstrapped`: the labels of `naive`, through
    all students before it in the list."""


class _GridKey(BaseModel):
    grid: GridLists


@dataclass(frozen=True)
class Pair:
    """One weak supervisor with one student: their names, and the study of the two."""

    weak: str
    student: str
    study: Study

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.weak}{BETWEEN}{self.student}"


def make_pairs(
    settings: Mapping[str, Any], source: str = "grid", base: Path = Path()
) -> tuple[Pair, ...]:
    """The pairs of a grid, weak supervisor by weak supervisor.

    >>> students = [{"kind": "probe", "layers": 2}, {"kind": "probe", "name": "large"}]
    >>> pairs = make_pairs({
    ...     "task": "classification",
    ...     "data": {"generated": "errands"},
    ...     "grid": {"weak": [{"kind": "tfidf"}], "student": students},
    ... })
    >>> [pair.name for pair in pairs]
    ['tfidf--minilm-2', 'tfidf--large']

    Args:
        settings: of a study, with `grid` in place of `supervisors` and `student`.
        source: name of the file, for messages.
        base: folder that relative paths start from.

    Raises:
        ConfigError: settings that cannot work, as one sentence.
    """
    for key in ("supervisors", "student"):
        if key in settings:
            raise ConfigError(
                f"{source}: `{key}` and `grid` exclude each other; a grid has `weak` and `student`."
            )
    names, lists = _read(settings.get("grid"), source)
    weak = _named(lists.weak, names["weak"], f"{source}: `grid.weak")
    students = _named(lists.student, names["student"], f"{source}: `grid.student")
    rest = {key: value for key, value in settings.items() if key not in ("grid", "name")}
    pairs = []
    for weak_name, supervisor in weak.items():
        for number, (student_name, student) in enumerate(students.items()):
            middle = tuple(students.values())[:number] if lists.through_middle else ()
            parts = {"supervisors": [supervisor], "student": student}
            name = f"{weak_name}{BETWEEN}{student_name}"
            plain = {**_with_middle(rest, middle, source), **parts, "name": name}
            study = make_study(plain, f"{source}, pair {name}", base)
            pairs.append(Pair(weak_name, student_name, study))
    return tuple(pairs)


def _read(value: Any, source: str) -> tuple[dict[str, list[str | None]], GridLists]:
    """The names that entries of each list have, and the lists without them."""
    names: dict[str, list[str | None]] = {"weak": [], "student": []}
    plain = dict(value) if isinstance(value, Mapping) else value
    for key, given in names.items():
        entries = plain.get(key) if isinstance(plain, dict) else None
        if isinstance(entries, list | tuple):
            mappings = [entry if isinstance(entry, Mapping) else {} for entry in entries]
            given += [None if e.get("name") is None else str(e["name"]) for e in mappings]
            plain[key] = [
                {k: v for k, v in e.items() if k != "name"} if isinstance(e, Mapping) else e
                for e in entries
            ]
    try:
        return names, _GridKey.model_validate({"grid": plain}).grid
    except ValidationError as error:
        raise ConfigError(f"{source}: {sentence(error, _GridKey)}") from error


def _named(
    parts: Sequence[BaseModel], names: Sequence[str | None], place: str
) -> dict[str, BaseModel]:
    """Parts by their names; voters of a supervisor that has a `name` itself are called so too."""
    named: dict[str, BaseModel] = {}
    for number, (part, given) in enumerate(zip(parts, names, strict=True)):
        name = given or str(getattr(part, "name", None) or short_name(part))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,29}", name) or BETWEEN in name:
            raise ConfigError(
                f"{place}.{number}` is called {name!r}; give it a `name` of up to 30 letters, "
                "digits, `_`, `.` and single `-` that begins with a letter or digit."
            )
        if name.casefold() in map(str.casefold, named):
            raise ConfigError(
                f"{place}.{number}` is called {name!r} like an entry before it; give it another "
                "`name`."
            )
        if given and "name" in type(part).model_fields:
            part = part.model_copy(update={"name": given})
        named[name] = part
    return named


def _with_middle(
    settings: dict[str, Any], students: tuple[BaseModel, ...], source: str
) -> dict[str, Any]:
    """The settings with an arm through these students; unchanged without any."""
    if not students:
        return settings
    arms = settings.get("arms", DEFAULT_ARMS)
    if isinstance(arms, str):
        raise ConfigError(
            f"{source}: `grid.through_middle` adds an arm to a list; give `arms` as a list."
        )
    arm = {
        "name": BOOTSTRAPPED,
        "selection": "first_voter",
        "through": students,
        "description": "The labels of `naive`, through the students before it in the grid.",
    }
    return {**settings, "arms": [*arms, arm]}
