"""What `import steelyard` shows is exactly what it promises, also to type checkers."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import pytest

import steelyard
from steelyard import objectives, reliability, selection, student
from steelyard.supervision import kinds


def test_dir_shows_exactly_the_public_names() -> None:
    assert dir(steelyard) == steelyard.__all__
    assert steelyard.__all__ == sorted(set(steelyard.__all__))


@pytest.mark.parametrize("name", steelyard.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(steelyard, name)
    assert getattr(value, "__module__", "steelyard").startswith("steelyard")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'steelyard' has no attribute 'DawidSkeen'"):
        steelyard.DawidSkeen  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_package() -> None:
    assert steelyard.__version__ == version("steelyard")


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, steelyard; print('numpy' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def declared() -> dict[str, str]:
    """Names that type checkers see, and their modules."""
    tree = ast.parse(Path(steelyard.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert all(alias.asname == alias.name for node in imports for alias in node.names)
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_type_checkers_see_the_names_that_there_are() -> None:
    homes = {name: f"steelyard.{module}" for name, module in steelyard._HOMES.items()}
    assert declared() == homes


KINDS = {
    "estimators": [*reliability.ESTIMATORS.values(), *reliability.FEATURE_ESTIMATORS.values()],
    "supervisors": get_args(get_args(kinds.SupervisorSettings)[0]),
    "students": get_args(get_args(student.StudentSettings)[0]),
    "selections": get_args(get_args(selection.SelectorSettings)[0]),
    "objectives": get_args(get_args(objectives.ObjectiveSettings)[0]),
}


@pytest.mark.parametrize("room", KINDS)
def test_every_kind_is_public_under_its_own_name(room: str) -> None:
    assert len(KINDS[room]) >= 5
    for kind in KINDS[room]:
        assert getattr(steelyard, kind.__name__) is kind


SNIPPET = """
from typing import assert_type

import steelyard as sy
from steelyard import Hierarchical

assert_type(sy.__version__, str)
assert_type(Hierarchical(), sy.Hierarchical)
result = sy.weigh("votes.csv", truth={"q1": "yes"})
assert_type(result, sy.Weighed)
assert_type(result.label_by_id, dict[str, str | None])
assert_type(result.reliabilities, dict[str, sy.Reliability])
"""


@pytest.mark.slow
def test_a_type_checker_knows_every_name_and_no_other(tmp_path: Path) -> None:
    names = "\n".join(f"sy.{name}" for name in steelyard.__all__)
    (tmp_path / "good.py").write_text(f"{SNIPPET}\n{names}\n")
    (tmp_path / "typo.py").write_text("import steelyard as sy\nsy.wiegh('votes.csv')\n")
    (tmp_path / "wrong.py").write_text("import steelyard as sy\nsy.weigh('votes.csv', truht=1)\n")
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "mypy", "--config-file", str(root / "pyproject.toml")]
    done = subprocess.run(
        [*command, *map(str, sorted(tmp_path.glob("*.py")))],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    errors = sorted(line.partition("error: ")[2] for line in lines if ": error: " in line)
    assert len(errors) == 2, lines
    assert errors[0].startswith('Module has no attribute "wiegh"')
    assert errors[1].startswith('Unexpected keyword argument "truht"')
