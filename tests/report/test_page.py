"""The page: complete, offline, inert."""

import re
from pathlib import Path
from typing import Any

import pytest

from pages import HOSTILE, Reader
from steelyard.report import page, write

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
    words = " ".join(Reader(rendered).words)
    for name in results["arms"]:
        assert name in words
    for text in (
        "The best arm, filter, recovers 57 % [31, 85] of the gap",
        *("0.762 [0.742, 0.783]", "0.620 [0.602, 0.638]", "0.870 [0.855, 0.885]"),
        *("+0.029 [0.007, 0.051]", "p = 0.012", "50 %", "0.842"),
        *("6 voters, 30,000 queries", "68.4 % of the answers", "llm/minilm/wording-2"),
        *("2 exactly, 5 nearly", "47 trainings", "steelyard study safety.yaml", "macro_f1"),
        "7 rows of strong_train are near-duplicates of test rows",
    ):
        assert text in words


def test_warnings_come_before_the_table(rendered: str) -> None:
    assert rendered.index("near-duplicates") < rendered.index('<table class="scores">')


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
    clean, dirty = Reader(rendered), page(poison(results, HOSTILE))
    reader = Reader(dirty)
    assert set(reader.tags) == set(clean.tags)
    assert {name for name, _ in reader.attributes} == {name for name, _ in clean.attributes}
    assert reader.open == []
    assert "\x1b" not in dirty
    assert "\u202e" not in dirty
    dirty.encode("utf-8")
    words = "".join(reader.words)
    for text in ("{{7*7}}{% raw %}", "<script>alert(1)</script>", "␛[31mred␛[0m"):
        assert text in words


def test_the_same_results_give_the_same_page(results: Study, rendered: str) -> None:
    assert page(results) == rendered


@pytest.mark.parametrize("keys", OPTIONAL)
def test_a_missing_part_is_left_out(results: Study, keys: tuple[str, ...]) -> None:
    for key in keys:
        del results[key]
    reader = Reader(page(results))
    assert reader.open == []
    ids = {value for name, value in reader.attributes if name == "id"}
    assert not {"votes", "reliability", "metrics", "data", "warnings"} & set(keys) & ids


def test_an_old_file_with_the_bare_minimum_has_a_page(results: Study) -> None:
    old = {key: results[key] for key in ("study", "weak", "ceiling", "arms")}
    for arm in old["arms"].values():
        del arm["description"], arm["role"], arm["pgr_reason"]
        arm["vs_naive"] = None
    assert "filter" in page(old)
    assert "No arm" not in page({"arms": {}})


def test_a_file_of_nulls_has_a_page(results: Study) -> None:
    def emptied(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: emptied(part) for key, part in value.items()}
        if isinstance(value, list):
            return [emptied(part) for part in value]
        return None if isinstance(value, float | int) else value

    assert "n/a" in page(emptied(results))


def test_no_pgr_shows_the_reason(results: Study) -> None:
    for arm in results["arms"].values():
        arm.update(pgr=None, pgr_reason="The ceiling is not clearly above the floor.")
    text = page(results)
    assert "The gap recovered cannot be given: The ceiling is not clearly above the floor." in text
    assert "<td>n/a</td>" in text


def test_many_voters_are_cut_and_counted(results: Study) -> None:
    results["votes"]["by_voter"] = [
        {"voter": f"w{v}", "accuracy": 0.5, "abstained": 0.0} for v in range(2400)
    ]
    assert "2200 more in results.json." in page(results)


def test_both_files_are_written_and_nothing_else(
    results: Study, rendered: str, tmp_path: Path
) -> None:
    path = write(results, tmp_path / "run")
    assert path == tmp_path / "run" / "report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == ["report.html", "report.md"]
    assert path.read_text(encoding="utf-8") == rendered


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    results: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(results, tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    results["study"] = "another"
    with pytest.raises(OSError, match="no space left"):
        write(results, tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "report.md"]
