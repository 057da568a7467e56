"""The public names in `src/steelyard/__init__.py`: kinds come from the unions of their rooms."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import wrap
from typing import get_args

import steelyard
from steelyard import objectives, reliability, selection, student
from steelyard.supervision import kinds

PACKAGE = Path(steelyard.__file__)
UNIONS = {
    "objectives": objectives.ObjectiveSettings,
    "reliability": reliability.EstimatorSettings,
    "selection": selection.SelectorSettings,
    "student": student.StudentSettings,
    "supervision": kinds.SupervisorSettings,
}


def public_names() -> str:
    """The text of the package's module with the kinds of every room among its names."""
    names = {room: text.split() for room, text in steelyard._NAMES.items()}
    for room, union in UNIONS.items():
        members = [cls.__name__ for cls in get_args(get_args(union)[0])]
        others = [name for name in names[room] if _is_other(name)]
        names[room] = [*others, *sorted(members)]
    text = PACKAGE.read_text(encoding="utf-8")
    table = "".join(f"    {room!r}: {_strings(given)},\n" for room, given in names.items())
    text = re.sub(r"^_NAMES = \{.*?^\}", f"_NAMES = {{\n{table}}}", text, flags=re.S | re.M)
    imports = "".join(
        f"    from steelyard.{room} import {name} as {name}\n"
        for room, given in names.items()
        for name in sorted(
            given, key=lambda name: (not name.isupper(), name[0].islower(), name.lower())
        )
    )
    pattern = r"(if TYPE_CHECKING:[^\n]*\n).*?(\n    __version__: str\n)"
    text = re.sub(pattern, lambda m: m.group(1) + imports + m.group(2), text, flags=re.S)
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(PACKAGE), "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout


def _is_other(name: str) -> bool:
    """Whether a public name exists and is no kind: no class whose settings have a `kind`."""
    value = getattr(steelyard, name, None)
    field = getattr(value, "model_fields", {}).get("kind")
    return value is not None and (field is None or field.is_required())


def _strings(names: list[str]) -> str:
    lines = wrap(" ".join(names), 84)
    if len(lines) == 1:
        return f'"{lines[0]}"'
    return "(" + " ".join(f'"{line} "' for line in lines[:-1]) + f' "{lines[-1]}")'
