"""The page: complete, offline, inert."""

import re
from pathlib import Path
from typing import Any

import pytest

from pages import HOSTILE, Reader
from report_colours import contrast
from steelyard.report import study_page, write_study_report
from steelyard.report.study_sentences import study_headline
from steelyard.report.study_tables import metric_grids
from steelyard.report.tables import HEADER

Study = dict[str, Any]
OPTIONAL = (
    ("metrics", "curves", "weak_ensemble", "costs"),
    ("reproduce", "votes", "reliability"),
    ("warnings", "environment", "artifacts", "seconds", "data"),
)


def poisoned(value: Any, text: str) -> Any:
    """The results with `text` in every string and every key that data can name."""
    if isinstance(value, dict):
        return {key: poisoned(part, text) for key, part in value.items()}
    if isinstance(value, list):
        return [poisoned(part, text) for part in value]
    return f"{value} {text}" if isinstance(value, str) else value


def poison(results: Study, text: str) -> Study:
    bad: Study = poisoned(results, text)
    for arm, source in zip(bad["arms"].values(), results["arms"].values(), strict=True):
        arm["role"] = source["role"]
    for key in ("arms", "metrics", "reliability", "curves", "environment", "artifacts"):
        bad[key] = {f"{name} {text}": part for name, part in bad[key].items()}
    return bad


def test_the_page_tells_every_arm_and_its_numbers(results: Study, rendered: str) -> None:
    visible = " ".join(Reader(rendered).texts)
    for name in results["arms"]:
        assert name in visible
    for text in (
        "The best arm, filter, recovers 55 % [29, 83] of the gap",
        *("0.762 [0.742, 0.783]", "0.620 [0.602, 0.638]", "0.870 [0.855, 0.885]"),
        *("+0.029 [0.007, 0.051]", "p = 0.024 (Holm)", "50 %", "0.842"),
        *(
            "6 voters, 30,000 prompt variants",
            "68.4 % of the answers are correct",
            "llm/minilm/wording-2",
        ),
        *("2 exactly, 5 nearly", "47 trainings", "steelyard study safety.yaml", "macro_f1"),
        "7 rows of strong_train are near-duplicates of test rows",
    ):
        assert text in visible


def test_the_sentence_that_matters_is_the_first_heading(results: Study, rendered: str) -> None:
    assert re.findall(r"<h1>(.*?)</h1>", rendered) == [study_headline(results)]
    assert rendered.index("</h1>") < rendered.index("<h2")


def test_settings_between_backticks_are_shown_as_code(results: Study) -> None:
    results["warnings"] = ["`data.leaks: drop` removes <them>."]
    results["arms"]["random_keep"]["description"] = "As many examples as `filter` keeps."
    text = study_page(results)
    assert "<code>data.leaks: drop</code> removes &lt;them&gt;." in text
    assert "As many examples as <code>filter</code> keeps." in text
    assert "`" not in text


def test_one_voter_is_no_voters_and_one_prompt_needs_no_mention(results: Study) -> None:
    results["votes"].update(voters=1, queries=1)
    assert "<p>1 voter; 68.4 % of the answers are correct" in study_page(results)


def test_a_metric_without_any_pgr_has_no_such_column(results: Study) -> None:
    has_pgr = dict.fromkeys(results["arms"], None)
    results["metrics"] = {"ece": {**results["metrics"]["macro_f1"], "pgr": has_pgr}}
    assert metric_grids(results)["ece"].header == ("arm", "value")
    results["metrics"]["ece"]["pgr"]["filter"] = {"value": 0.5}
    assert metric_grids(results)["ece"].header == ("arm", "value", "PGR")


def test_marks_of_caution_are_seen_on_light_and_dark(rendered: str) -> None:
    colours = {
        name: re.findall(rf"--{name}: (#[0-9a-f]{{6}})", rendered)
        for name in ("paper", "warn-paper", "warn-line")
    }
    for light_or_dark in (0, 1):
        mark = colours["warn-line"][light_or_dark]
        assert contrast(mark, colours["paper"][light_or_dark]) >= 3
        assert contrast(mark, colours["warn-paper"][light_or_dark]) >= 3


def test_on_narrow_pages_each_cell_names_its_column(rendered: str) -> None:
    labels = re.findall(r'<td data-label="([^"]+)">', rendered)
    assert set(labels) == set(HEADER[1:])


def test_the_forest_plot_comes_before_the_table(rendered: str) -> None:
    assert rendered.index('id="figure-scores"') < rendered.index('<table class="scores stack">')


def test_warnings_come_before_the_table(rendered: str) -> None:
    assert rendered.index("near-duplicates") < rendered.index('<table class="scores stack">')


def test_the_page_is_well_formed_and_loads_nothing(rendered: str) -> None:
    reader = Reader(rendered)
    assert reader.open == []
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(reader.tags)
    for name, value in reader.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href"):
            assert (value or "").startswith("#")
    assert "@import" not in rendered
    assert not re.search(r"https?://", rendered)
    assert not re.search(r"url\((?!#)", rendered)


def test_every_link_on_the_page_has_its_target_and_ids_are_unique(rendered: str) -> None:
    attributes = Reader(rendered).attributes
    ids = [value for name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {(value or "")[1:] for name, value in attributes if name == "href"}
    assert targets <= set(ids)


def test_the_page_has_light_and_dark(rendered: str) -> None:
    assert "@media (prefers-color-scheme: dark)" in rendered
    assert "@media print" in rendered


def test_text_from_data_is_inert(results: Study, rendered: str) -> None:
    clean, dirty = Reader(rendered), study_page(poison(results, HOSTILE))
    reader = Reader(dirty)
    assert set(reader.tags) == set(clean.tags)
    assert {name for name, _ in reader.attributes} == {name for name, _ in clean.attributes}
    assert reader.open == []
    assert "\x1b" not in dirty
    assert "\u202e" not in dirty
    dirty.encode("utf-8")
    visible = "".join(reader.texts)
    for text in ("{{7*7}}{% raw %}", "<script>alert(1)</script>", "␛[31mred␛[0m"):
        assert text in visible


def test_the_same_results_give_the_same_study_page(results: Study, rendered: str) -> None:
    assert study_page(results) == rendered


@pytest.mark.parametrize("keys", OPTIONAL)
def test_a_missing_part_is_omitted(results: Study, keys: tuple[str, ...]) -> None:
    for key in keys:
        del results[key]
    reader = Reader(study_page(results))
    assert reader.open == []
    ids = {value for name, value in reader.attributes if name == "id"}
    assert not {"votes", "reliability", "metrics", "data", "warnings"} & set(keys) & ids


def test_an_old_file_with_the_bare_minimum_has_a_study_page(results: Study) -> None:
    old = {key: results[key] for key in ("study", "weak", "ceiling", "arms")}
    for arm in old["arms"].values():
        del arm["description"], arm["role"], arm["pgr_reason"]
        arm["vs_naive"] = None
    assert "filter" in study_page(old)
    assert "No arm" not in study_page({"arms": {}})


def test_a_file_of_nulls_has_a_study_page(results: Study) -> None:
    def emptied(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: emptied(part) for key, part in value.items()}
        if isinstance(value, list):
            return [emptied(part) for part in value]
        return None if isinstance(value, float | int) else value

    assert "n/a" in study_page(emptied(results))


def test_no_pgr_shows_the_reason(results: Study) -> None:
    for arm in results["arms"].values():
        arm.update(pgr=None, pgr_reason="The ceiling is not clearly above the floor.")
    results["best"].update(pgr=None, pgr_reason="The ceiling is not clearly above the floor.")
    text = study_page(results)
    assert (
        "The gap recovered cannot be computed: The ceiling is not clearly above the floor." in text
    )
    assert '<td data-label="PGR">n/a</td>' in text


def test_many_voters_are_truncated_and_counted(results: Study) -> None:
    results["votes"]["by_voter"] = [
        {"voter": f"w{v}", "accuracy": 0.5, "abstained": 0.0} for v in range(2400)
    ]
    assert "2200 more in results.json." in study_page(results)


def test_both_files_are_written_and_nothing_else(
    results: Study, rendered: str, tmp_path: Path
) -> None:
    path = write_study_report(results, tmp_path / "run")
    assert path == tmp_path / "run" / "report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == ["report.html", "report.md"]
    assert path.read_text(encoding="utf-8") == rendered


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    results: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study_report(results, tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    results["study"] = "another"
    with pytest.raises(OSError, match="no space left"):
        write_study_report(results, tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "report.md"]
