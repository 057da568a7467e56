"""Imports go one way, no stage imports another, and `--help` loads nothing heavy."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "steelyard"
FLOOR = [
    *("errors", "extras", "progress", "io", "types", "prompts", "objectives", "models", "votes_io"),
]
STAGES = [
    *("data", "supervision", "reliability", "selection", "student", "evaluation", "report"),
    "diagnostics",
]
ROOF = ["store", "weighing", "labelling", "generation", "studies", "cli"]
HEAVY = ["torch", "transformers", "sklearn", "scipy", "matplotlib", "datasets", "pyarrow"]
FILES = sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of steelyard that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [node.module or ""]
            if node.module == "steelyard":
                names = [f"steelyard.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("steelyard.")}
    return found


def allowed(part: str) -> set[str]:
    if part in FLOOR:
        return set(FLOOR[: FLOOR.index(part) + 1])
    if part in STAGES:
        return {part, *FLOOR}
    return {*FLOOR, *STAGES, *ROOF[: ROOF.index(part) + 1]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    if part_of(path) not in ("__init__", "__main__"):
        assert imported(path) <= allowed(part_of(path))


def test_every_part_has_its_place() -> None:
    parts = {part_of(path) for path in FILES} - {"__init__", "__main__"}
    assert parts == {*FLOOR, *STAGES, *ROOF}


def modules_imported(path: Path) -> set[str]:
    """Modules of steelyard that a file imports to run, not those for type checkers alone."""
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    names = set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= inner & MODULES.keys() or {node.module}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        nodes += ast.iter_child_nodes(node)
    return names & MODULES.keys()


MODULES = {
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in FILES
}


def test_files_import_in_no_circle() -> None:
    graph = {name: modules_imported(path) - {name} for name, path in MODULES.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"these files import one another: {' -> '.join(error.args[1])}")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['steelyard', '--help']\n"
        "from steelyard.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        f"print('loaded:', *[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_the_package_is_a_command() -> None:
    told = [sys.executable, "-m", "steelyard", "weigh", "no such file.csv"]
    found = subprocess.run(told, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.startswith("error: ")
