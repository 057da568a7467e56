"""What the documentation says is so: pages are current, examples run, links lead somewhere."""

import csv
import doctest
import importlib
import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings_section import models_in

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
QUICK = ("own_estimator.py", "own_objective.py", "own_supervisor.py")
"""Run in the default tier besides `first_run.py`: each example is a process of its own."""
OFFLINE = """
import runpy, socket, sys
def refuse(self, address):
    raise RuntimeError(f"an example connects to {address}; examples run offline")
socket.socket.connect = refuse
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(script: Path, folder: Path) -> str:
    """What a script prints, run by itself in a folder, without network."""
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(script)],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What `examples/first_run.py` prints, and the folder it leaves."""
    folder = tmp_path_factory.mktemp("first_run")
    return run(ROOT / "examples" / "first_run.py", folder), folder / "runs" / "first-run"


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate_docs", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", generator().PAGES)
def test_generated_pages_are_current(page: str) -> None:
    """The outputs that the README and the tutorial show are the program's, digit for digit."""
    written = (DOCS / page).read_text(encoding="utf-8")
    assert written == generator().PAGES[page](), "run `make docs`"


def test_a_stale_page_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = generator()
    module.DOCS, module.PAGES = tmp_path, {"one.md": lambda: "new\n", "two.md": lambda: "same\n"}
    for name in module.PAGES:
        (tmp_path / name).write_text("same\n")
    assert module.main(check=True) == 1
    assert capsys.readouterr().out == "docs/one.md is not current; run `make docs`.\n"
    assert (tmp_path / "one.md").read_text() == "same\n"


def measured() -> list[dict[str, Any]]:
    """Claims of all benchmarks, read without the code that writes the pages."""
    found = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    ]
    return [claim for content in found for claim in content.get("claims", [])]


def test_every_ratio_was_measured() -> None:
    """A row of a table of ratios stands in a file of results, to the digits that are shown."""
    claims = {(claim["what"], claim["against"]): claim for claim in measured()}
    lines = (DOCS / "speed.md").read_text(encoding="utf-8").splitlines()
    rows = []
    for n, line in enumerate(lines):
        if line.startswith("| what | against | ratio"):
            body = itertools.takewhile(lambda line: line.startswith("|"), lines[n + 2 :])
            rows += [[cell.strip() for cell in line.split("|")[1:-1]] for line in body]
    assert len(rows) == len(claims) > 0
    for what, against, ratio, target in rows:
        claim = claims[what, against]
        shown = re.match(r"([\d.,]+) \[([\d.,]+), ([\d.,]+)\]", ratio)
        assert shown is not None, ratio
        values = [float(text.replace(",", "")) for text in shown.groups()]
        told = [claim[name] for name in ("ratio", "low", "high")]
        assert values == pytest.approx(told, rel=0.006), what  # three digits or a whole number
        assert (float(target) if target else None) == claim["target"]


def test_growth_figure_is_readable_in_light_and_dark() -> None:
    root = xml.etree.ElementTree.parse(DOCS / "growth.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = (DOCS / "growth.svg").read_text(encoding="utf-8")
    assert "prefers-color-scheme:dark" in text
    fixed = set(re.findall(r"#[0-9a-f]{6}\b", text)) - {"#24292f", "#e6edf3"}
    assert len(fixed) == 3  # a colour for each command; text and axes take the page's


SETTINGS = ("study", "supervisors", "students", "estimators", "selections", "objectives")


@pytest.mark.parametrize("name", [*SETTINGS, "prompts", "training"])
def test_every_setting_has_a_meaning(name: str) -> None:
    lines = (DOCS / f"{name}.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `") and line.endswith("|  |")] == []


def test_every_kind_has_one_section_on_the_reference_pages() -> None:
    from steelyard.studies.arms import Arm
    from steelyard.studies.config import Study

    pages = {"supervisors": Study, "student": Study, "reliability": Arm, "selection": Arm}
    names = {"student": "students", "reliability": "estimators", "selection": "selections"}
    for field, owner in {**pages, "objective": Arm}.items():
        name = names.get(field, "objectives" if field == "objective" else field)
        text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
        for model in models_in(owner.model_fields[field].annotation):
            if "kind" in model.model_fields:
                kind = model.model_fields["kind"].default
                assert text.count(f"\n## `kind: {kind}`\n") == 1, f"{name}.md: {kind}"


def numbers_of(page: Path, head: str) -> list[dict[str, str]]:
    """Rows of every table of a page whose head begins so, as mappings of column to cell."""
    rows: list[dict[str, str]] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    for n, line in enumerate(lines):
        if line.startswith(head):
            names = [cell.strip() for cell in line.split("|")[1:-1]]
            for row in itertools.takewhile(lambda row: row.startswith("|"), lines[n + 2 :]):
                cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
                rows.append(dict(zip(names, cells, strict=True)))
    return rows


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "results.md"], ids=lambda p: p.name)
def test_every_score_is_that_of_a_kept_result(page: Path) -> None:
    """Read without the code that writes the tables."""
    rows = numbers_of(page, "| study | metric | floor |")
    assert rows
    for row in rows:
        kept = ROOT / "studies" / "results" / f"{row['study']}.json"
        results = json.loads(kept.read_text(encoding="utf-8"))
        assert row["metric"] == results["metric"]
        assert row["floor"] == f"{results['weak']['value']:.3f}"
        assert row["ceiling"] == f"{results['ceiling']['value']:.3f}"
        for name, shown in row.items():
            arm = name
            if name.startswith("control of "):
                filtered = results["arms"].get(name.removeprefix("control of "))
                arm = filtered["vs_control"]["control"] if filtered else ""
            if name not in ("study", "metric", "floor", "ceiling"):
                scores = {key: part["score"] for key, part in results["arms"].items()}
                score = (scores | results.get("references", {})).get(arm)
                assert shown == (f"{score['value']:.3f}" if score else ""), name


def test_every_gap_and_difference_is_that_of_a_kept_result() -> None:
    rows = numbers_of(DOCS / "results.md", "| study | arm | less majority |")
    assert rows
    for row in rows:
        kept = ROOT / "studies" / "results" / f"{row['study']}.json"
        arm = json.loads(kept.read_text(encoding="utf-8"))["arms"][row["arm"]]
        for column, key in (
            ("less majority", "vs_majority"),
            ("less its own control", "vs_control"),
        ):
            numbers = [float(text) for text in re.findall(r"[-+]?\d+\.\d+", row[column])]
            paired = arm[key]
            expected = (
                [] if paired is None else [paired[k] for k in ("difference", "low", "high", "p")]
            )
            assert numbers == pytest.approx(expected, abs=5.1e-4)


def test_accuracies_of_the_crowds_are_those_that_were_measured() -> None:
    content = (ROOT / "benchmarks" / "results" / "crowd.json").read_text(encoding="utf-8")
    sets = {entry["set"].removeprefix("crowd_"): entry for entry in json.loads(content)["sets"]}
    rows = numbers_of(DOCS / "results.md", "| set | majority |")
    shown = [name + (" *" if entry["undecided"] else "") for name, entry in sets.items()]
    assert [row["set"] for row in rows] == shown
    for row in rows:
        entry = sets[row["set"].removesuffix(" *")]
        assert row["hierarchical"] == f"{entry['steelyard']['hierarchical']['accuracy']:.3f}"
        theirs = entry["crowd-kit"]["DawidSkene"]["accuracy"]
        assert row["crowd-kit DawidSkene"] == f"{theirs:.3f}"


def test_the_readme_is_at_most_130_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_sources_name_tests_that_exist_and_name_what_they_test() -> None:
    rows = numbers_of(DOCS / "sources.md", "| class or function |")
    assert rows
    for row in rows:
        files = re.findall(r"\]\(\.\./(tests/[^)]+)\)", row["tests"])
        assert files or row["tests"] == "those of its callers", row["class or function"]
        assert all((ROOT / file).is_file() for file in files)
    tests = {row["class or function"]: row["tests"] for row in rows}
    assert "test_glad_and_mace.py" in tests["`Glad`"]
    assert "test_agreement.py" in tests["`Margin`"]


def test_papers_have_one_year_each() -> None:
    """An arXiv number stands behind the same authors and year wherever it is cited."""
    text = (DOCS / "sources.md").read_text(encoding="utf-8")
    years = set(re.findall(r"Cui et al\. (\d{4})", text))
    assert years == {"2024"}
    assert "Cui et al. 2025" not in (ROOT / "README.md").read_text(encoding="utf-8")


def yaml_blocks(page: Path) -> list[Any]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    return [yaml.safe_load(block) for block in blocks]


def test_the_study_of_the_readme_is_the_one_whose_results_it_shows() -> None:
    (shown,) = yaml_blocks(ROOT / "README.md")
    run = yaml.safe_load((ROOT / "studies" / "trec.yaml").read_text(encoding="utf-8"))
    for settings in (shown, run):
        for name in ("train", "test"):
            settings["data"][name] = Path(settings["data"][name]).name
    assert set(shown.pop("arms")) <= set(run.pop("arms"))
    assert run.pop("metric") == "accuracy"  # the default
    assert shown == run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_whole_studies_in_the_documentation_load(page: Path, tmp_path: Path) -> None:
    from steelyard.studies.config import read_study

    for settings in yaml_blocks(page):
        if isinstance(settings, dict) and {"task", "supervisors", "student"} <= set(settings):
            data = {"train": "train.jsonl", "test": "test.jsonl"}
            file = tmp_path / "study.yaml"
            file.write_text(yaml.safe_dump({"data": data, **settings}), encoding="utf-8")
            read_study(file)


@pytest.mark.parametrize(
    "file", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda file: file.stem
)
def test_study_files_load_and_say_where_their_data_are(file: Path) -> None:
    from steelyard.studies.config import read_study

    assert read_study(file).name == file.stem
    assert "# Data:" in file.read_text(encoding="utf-8")


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")  # of the extra `docs`
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "index.html").is_file()
    assert "tutorial" in (tmp_path / "search" / "search_index.json").read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        assert f": {page.name}" in text, page.name


def test_settings_that_docs_name_exist() -> None:
    """`data.leaks` and the like, and the keys of `key: value` in backticks."""
    from steelyard.studies.config import Study

    models = {"data": models_in(Study.model_fields["data"].annotation)}
    for part in ("student", "supervisors"):
        models[part] = models_in(Study.model_fields[part].annotation)
    known = {
        name: {f for model in found for f in model.model_fields} for name, found in models.items()
    }
    for page in PAGES:
        for part, key in re.findall(
            r"`(data|student|supervisors)\.(?:\d+\.)?([a-z_]+)", page.read_text(encoding="utf-8")
        ):
            if page.name != "formats.md" or part != "data":  # results.json has `data.` keys too
                assert key in known[part], f"{page.name}: `{part}.{key}` is no setting"


def test_first_run_prints_the_table(first_run: tuple[str, Path]) -> None:
    printed, folder = first_run
    for name in ("weak supervisors", "naive", "majority", "filter", "random_keep", "ceiling"):
        assert re.search(rf"^ {name} ", printed, re.MULTILINE), printed
    assert "report.html" in printed
    assert (folder / "report.html").is_file()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(path, id=path.name, marks=[] if path.name in QUICK else pytest.mark.slow)
        for path in EXAMPLES
        if path.name != "first_run.py"
    ],
)
def test_examples_run(script: Path, tmp_path: Path) -> None:
    assert run(script, tmp_path)


def test_formats_names_every_key_of_results(first_run: tuple[str, Path]) -> None:
    results = json.loads((first_run[1] / "results.json").read_text(encoding="utf-8"))
    text = (DOCS / "formats.md").read_text(encoding="utf-8")
    table = text.partition("## results.json")[2].partition("\n## ")[0]
    documented = {key for line in table.splitlines() for key in keys_of(line)}
    found = set(paths(results))
    parents = {key[: end.start()] for key in found for end in re.finditer(r"\.|\[\]", key)}
    assert sorted(found - documented - parents) == []
    # of students with epochs, `--gold-curve`, `--recommend`, undefined metrics, students of folds,
    # `threshold`, `through`: not in this study; the last three are in tests/studies, in
    # test_refine_student.py, test_alignment_study.py and test_ladder.py
    others = ("ceiling.epochs", "ceiling.steps", "ceiling.tried", "gold_curve.", "recommendation")
    others += ("metrics.NAME.reason", "costs.folds.", "threshold.models.NAME.")
    others += ("arms.NAME.through", "costs.middle.")
    assert sorted(key for key in documented - found if not key.startswith(others)) == []


def keys_of(line: str) -> list[str]:
    cells = line.split("|")
    return re.findall(r"`([^`]+)`", cells[1]) if line.startswith("| `") else []


NAMED = (
    *("arms", "arms.NAME.uncertainty", "metrics", "metrics.NAME.arms", "metrics.NAME.pgr"),
    *("reliability", "curves", "best.chosen", "imitation", "references"),
    *("deception.arms", "metrics.NAME.references"),
)
FLAT = ("environment", "artifacts")


def paths(value: Any, place: str = "") -> Iterator[str]:
    """Keys in a JSON value as formats.md writes them; spans and examples count as one."""
    if place:
        yield place
    if isinstance(value, dict) and not {"value", "low", "high"} <= set(value):
        named = place in (*NAMED, *FLAT)
        for key, part in value.items():
            yield from paths(part, ".".join(filter(None, (place, "NAME" if named else key))))
    if isinstance(value, list) and not place.endswith("examples"):
        for part in value:
            if isinstance(part, dict):
                for key, inner in part.items():
                    yield from paths(inner, f"{place}[].{key}")


def test_formats_names_what_a_study_leaves(first_run: tuple[str, Path]) -> None:
    text = (DOCS / "formats.md").read_text(encoding="utf-8")
    for path in first_run[1].iterdir():
        assert f"`{path.name}{'/' if path.is_dir() else ''}`" in text
    students = list((first_run[1] / "store").glob("student-*"))
    record = json.loads((students[0] / "recipe.json").read_text(encoding="utf-8"))
    assert set(record) == {"role", "seconds", "recipe"}
    for name in (*record, *record["recipe"], *(p.name for p in students[0].glob("*.json"))):
        assert f"`{name}`" in text


def test_python_in_the_tutorial_runs(tmp_path: Path) -> None:
    text = (DOCS / "tutorial-weigh.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert blocks, "the tutorial shows no Python"
    lines = (DOCS / "data" / "reviews.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.reader(lines))
    dropped = {rows[0].index(name) for name in ("dan", "eve", "gus")}
    kept = [[cell for n, cell in enumerate(row) if n not in dropped] for row in rows]
    with (tmp_path / "kept.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(kept)
    script = tmp_path / "tutorial.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    assert "labels may be used" in run(script, tmp_path)


def test_the_invented_crowd_is_the_one_its_script_writes(tmp_path: Path) -> None:
    script = tmp_path / "make_reviews.py"
    script.write_text((DOCS / "data" / "make_reviews.py").read_text("utf-8"), encoding="utf-8")
    run(script, tmp_path)
    assert (tmp_path / "reviews.csv").read_bytes() == (DOCS / "data" / "reviews.csv").read_bytes()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """Headings as GitHub links to them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


SHOWN = [p for p in (ROOT / "src").rglob("*.py") if ">>>" in p.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", sorted(SHOWN), ids=lambda path: path.name)
def test_examples_in_docstrings_hold(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
