"""A grid: every weak supervisor with every student, each pair a study, one store."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import steelyard as sy
from shifting_student import CALLS, PROBE, STOP, Shifting, write
from steelyard.cli.main import run
from steelyard.errors import ConfigError
from steelyard.report.grid_html import grid_page
from steelyard.studies.grid import planned_grid
from steelyard.studies.grid_settings import make_pairs
from steelyard.studies.why import explain

SMALL, LARGE = Shifting(name="small"), Shifting(name="large", shift=0.1)


@pytest.fixture(autouse=True)
def _nothing_trained() -> None:
    CALLS.clear()
    STOP.clear()


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """Two voters' files as weak supervisors, and two students that note their trainings."""
    plain = write(folder)
    plain["data"]["weak_train"] = 8
    second = folder / "second.jsonl"
    lines = Path(plain["supervisors"][0]["path"]).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows[::5]:
        row["answer"] = "yes"
    second.write_text("".join(json.dumps({**row, "voter": "bob"}) + "\n" for row in rows))
    weak = [
        {"name": "ann", **plain.pop("supervisors")[0]},
        {"name": "bob", "kind": "votes", "path": str(second)},
    ]
    del plain["student"]
    whole = {**plain, "references": ["gold_only"], "arms": ["naive"], "seeds": 3}
    return {**whole, "grid": {"weak": weak, "student": [SMALL, LARGE]}, **changes}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[sy.GridResult, Path, int]:
    """A finished grid, the folder of its data, and how many students were trained."""
    folder = tmp_path_factory.mktemp("made")
    CALLS.clear()
    return sy.grid(settings(folder), folder / "out", workers=1), folder, len(CALLS)


def test_every_pair_is_a_study_and_shared_work_is_done_once(
    made: tuple[sy.GridResult, Path, int],
) -> None:
    grid, folder, trained = made
    names = ["ann--small", "ann--large", "bob--small", "bob--large"]
    assert [pair["folder"] for pair in grid.results["pairs"]] == names
    for name in names:
        files = {path.name for path in (folder / "out" / name).iterdir()}
        assert files >= {"results.json", "report.html", "study.lock.yaml"}
        assert "store" not in files
    # In each of three seeds: for each student a ceiling and a gold_only, for each pair the student
    # of naive, whose labels are those of majority.
    assert trained == 3 * (2 * 2 + 4 * 1)
    assert grid.results["costs"] == {"trainings": 24, "shared": 3 * 2 * 2}
    again = sy.grid(settings(folder), folder / "out", workers=1)
    assert CALLS == []
    assert again.results["pairs"] == grid.results["pairs"]


def test_a_pair_equals_its_study(made: tuple[sy.GridResult, Path, int], tmp_path: Path) -> None:
    grid, folder, _ = made
    plain = settings(folder)
    weak = {k: v for k, v in plain.pop("grid")["weak"][1].items() if k != "name"}
    alone = sy.study({**plain, "supervisors": [weak], "student": LARGE}, tmp_path).results
    pair = grid.pair("bob", "large").results
    for key in ("arms", "ceiling", "weak", "references", "artifacts"):
        assert pair[key] == alone[key]
    entry = grid.results["pairs"][3]
    assert entry["floor"] == alone["weak"]
    assert entry["arms"]["naive"]["pgr"] == alone["arms"]["naive"]["pgr"]
    with pytest.raises(KeyError):
        grid.pair("bob", "huge")


def test_a_stopped_grid_goes_on(made: tuple[sy.GridResult, Path, int], tmp_path: Path) -> None:
    grid, folder, trained = made
    STOP.append(15)
    with pytest.raises(KeyboardInterrupt):
        sy.grid(settings(folder), tmp_path, workers=1)
    assert not (tmp_path / "grid.json").exists()
    STOP.clear()
    resumed = sy.grid(settings(folder), tmp_path, workers=1)
    assert len(CALLS) == trained + 1
    assert resumed.results["pairs"] == grid.results["pairs"]


def test_students_before_it_lead_to_each_student(tmp_path: Path) -> None:
    plain = settings(tmp_path)
    grid = {**plain["grid"], "through_middle": True}
    pairs = {pair.name: pair.study for pair in make_pairs({**plain, "grid": grid})}
    arms = {name: [arm.name for arm in study.all_arms] for name, study in pairs.items()}
    assert arms["ann--small"] == ["majority", "naive"]
    assert arms["ann--large"] == ["majority", "naive", "bootstrapped", "direct"]
    assert pairs["ann--large"].arm("bootstrapped").through == (SMALL,)


def test_the_report_has_tables_figures_and_every_key_is_documented(
    made: tuple[sy.GridResult, Path, int],
) -> None:
    grid, folder, _ = made
    page = grid.report.read_text(encoding="utf-8")
    assert page == grid_page(json.loads((folder / "out" / "grid.json").read_text()))
    assert '<a href="ann--small/report.html">ann to small</a>' in page
    assert "<h2" in page
    assert 'id="figure-score-naive"' in page
    assert "against the student" in page
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    table = text.partition("## grid.json")[2].partition("\n## ")[0]
    found = grid.results
    for key in (*found, *(f"pairs[].{key}" for key in found["pairs"][0])):
        assert f"`{key}`" in table, key
    for part in ("weak", "students"):
        for key in found[part][0]:
            assert f"`{part}[].{key}`" in table
    for key in found["pairs"][0]["arms"]["naive"]:
        assert f"`pairs[].arms.NAME.{key}`" in table
    for key in found["costs"]:
        assert f"`costs.{key}`" in table


FILE = """
task: classification
data: {generated: errands, weak_train: 60, strong_train: 60, max_test: 40}
grid:
  weak:
  - {kind: tfidf, voters: 1}
  - {kind: tfidf, name: words, voters: 3}
  student:
  - {kind: probe, layers: 1, max_tokens: 16, regularization: 1.0}
  - {kind: probe, layers: 2, max_tokens: 16, regularization: 1.0}
arms: [naive]
references: [gold_only]
seeds: 3
"""


def test_the_command_runs_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["steelyard", *arguments])
        with pytest.raises(SystemExit) as end:
            run()
        assert not end.value.code
        return capsys.readouterr().out

    path = tmp_path / "grid.yaml"
    path.write_text(FILE)
    out = tmp_path / "out"
    assert command("study", str(path), "--dry-run").count("data: 60 weak_train") == 4
    printed = command("study", str(path), "--out", str(out), "--workers", "1")
    assert "Gap recovered" in printed
    assert f"report: {out / 'report.html'}" in printed
    found = json.loads((out / "grid.json").read_text())
    assert [part["name"] for part in found["students"]] == ["minilm-1", "minilm-2"]
    sizes = [part["parameters"] for part in found["students"]]
    assert 0 < sizes[0] < sizes[1]
    # of each student and seed the ceiling, gold_only, and naive: the voter on all labelled rows is
    # the same beside one bootstrap sample and beside three
    assert found["costs"]["shared"] == 2 * 3 * 3
    assert all(not part.changes for part in explain(out / "words--minilm-2"))
    assert "parameters of the student" in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": {"weak": [], "student": [PROBE]}}, "`grid.weak` must have at least one entry"),
        ({"grid": {"weak": [{"kind": "tfidf"}]}}, "`grid.student` is missing"),
        ({"supervisors": []}, "`supervisors` and `grid` exclude each other"),
        ({"student": PROBE}, "`student` and `grid` exclude each other"),
        ({"seedz": 3}, "pair tfidf--minilm-1: `seedz` is not a setting"),
        (
            {"grid": {"weak": [{"kind": "tfidf"}, {"kind": "tfidf"}], "student": [PROBE]}},
            "`grid.weak.1` is called 'tfidf' like an entry before it",
        ),
        (
            {"grid": {"weak": [{"kind": "tfidf", "name": "a--b"}], "student": [PROBE]}},
            "`grid.weak.0` is called 'a--b'; give it a `name`",
        ),
        (
            {"grid": {"weak": [{"kind": "tfidf"}], "student": [{**PROBE, "layer": 1}]}},
            "`grid.student.0.layer` is not a setting. Did you mean `layers`?",
        ),
        (
            {"grid": {"weak": [{"kind": "tfidf"}], "student": [PROBE], "middle": True}},
            "`grid.middle` is not a setting",
        ),
        ({"grid": 3}, "`grid` must be `key: value` settings"),
    ],
)
def test_grids_that_cannot_work_are_refused(changes: dict[str, Any], message: str) -> None:
    plain = {
        "task": "classification",
        "data": {"generated": "errands"},
        "grid": {"weak": [{"kind": "tfidf"}], "student": [PROBE]},
    }
    with pytest.raises(ConfigError) as error:
        planned_grid({**plain, **changes})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_study_refuses_a_grid() -> None:
    plain = {"task": "classification", "data": {"generated": "errands"}, "grid": {}}
    with pytest.raises(ConfigError, match=r"a `grid` is many studies; run it with"):
        sy.study(plain)
