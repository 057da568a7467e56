"""The option `--student`: settings of a student in YAML, and the task that it is for."""

from pathlib import Path
from typing import TYPE_CHECKING

from steelyard.errors import ConfigError

if TYPE_CHECKING:
    from steelyard.student import Student
    from steelyard.types.task_kinds import Kind


def student_of(text: str, data: Path) -> "tuple[Student, Kind]":
    """The student that YAML describes, and the task that the data's columns show."""
    from steelyard.io.yaml_file import read_yaml
    from steelyard.studies.config import make_study

    settings = read_yaml(text, "--student")
    if not isinstance(settings, dict):
        raise ConfigError("`--student` takes YAML such as '{kind: classifier, model: minilm}'.")
    kind = _kind(str(settings.get("kind")), data)
    study = {
        "task": kind,
        "data": {"generated": "errands"},
        "supervisors": [{"kind": "votes", "path": "none"}],
        "student": settings,
    }
    return make_study(study, "--student").student, kind


def _kind(student: str, data: Path) -> "Kind":
    """The task of a kind of student; of several tasks the one that the data's columns show."""
    from steelyard.io.rows import read_rows
    from steelyard.student import STUDENTS
    from steelyard.types.task_kinds import recognise

    forms = STUDENTS[student].answer_forms if student in STUDENTS else ("classes",)
    if len(forms) == 1:
        return recognise((), forms=forms) or "classification"
    _, row = next(iter(read_rows(data)))
    default: Kind = "classification" if "classes" in forms else "multiple_choice"
    return recognise(row, forms=forms) or default  # reading the rows names the missing column
