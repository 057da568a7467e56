"""Truth, options and places that do not fit `weigh`: one line that names them; exit code 2."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vote_files import FEW, GOOD, Weigh

TRUTH = {
    "unknown id": ("id,truth\nq8,ham\nq9,ham\n", ["truth.csv line 2: id 'q8'", "4 ids"]),
    "unknown class": ("id,truth\nq1,egg\n", ["truth.csv line 2: `truth` 'egg'", "'spam'"]),
    "two truths": ("id,truth\nq1,ham\nq2,ham\nq1,spam\n", ["line 4: `truth` 'spam'", "line 2"]),
    "another name": ("id,turth\nq1,ham\n", ["truth.csv has no column 'truth'", "'turth'"]),
    "two truths of an item": (
        "id,gold,gt\nq1,ham,ham\n",
        ["truth.csv has no column 'truth'", "'gt'"],
    ),
    "minus one": ("id,truth\nq1,ham\nq2,-1\n", ["line 3: `truth` is '-1', on 1 rows", "`classes`"]),
    "no id": ("name,truth\nq1,ham\n", ["truth.csv has no column 'id'"]),
    "empty id": ("id,truth\n,ham\n", ["truth.csv line 2: `id`"]),
    "empty": ("", ["truth.csv is empty"]),
}


@pytest.mark.parametrize(("text", "parts"), TRUTH.values(), ids=TRUTH)
@pytest.mark.parametrize("option", ["--truth", "--gold"])
def test_truth_that_does_not_fit_is_named(
    weigh: Weigh, text: str, parts: list[str], option: str
) -> None:
    said = weigh(GOOD, option, "truth.csv", files={"truth.csv": text})
    assert [part for part in parts if part not in said.error] == [], said.error


def test_a_truth_column_that_does_not_fit_is_named(weigh: Weigh) -> None:
    rows = [{**row, "truth": "ham"} for row in GOOD]
    rows[2]["truth"] = "spam"
    line = weigh(rows, "--truth", "truth").error
    assert "line 4: `truth` 'ham' differs from 'spam' of votes.jsonl line 3" in line
    assert "no column 'turth'" in weigh(rows, "--truth", "turth").error
    assert "Did you mean 'truth'?" in weigh(rows, "--truth", "turth").error
    assert "no column 'gold'" in weigh([{"id": "q", "votes": []}], "--truth", "gold").error
    assert "trth.csv does not exist" in weigh(rows, "--truth", "trth.csv").error


OPTIONS = {
    "method": (["--method", "majorty"], ["'majorty' is not a method", "`majority`"]),
    "method's kind": (["--method", "{kind: vote_shar}"], ["'vote_shar'", "`vote_share`"]),
    "method's setting": (
        ["--method", "{kind: vote_share, temperatur: 1}"],
        ["Method `vote_share`: `temperatur` is not a setting", "`temperature`"],
    ),
    "method without a kind": (["--method", "{temperature: 1}"], ["settings have a `kind`"]),
    "method's value": (["--method", "{kind: vote_share, temperature: -1}"], ["`temperature`"]),
    "method's YAML": (["--method", "{kind: ["], ["is not YAML"]),
    "duplicates": (
        ["--duplicates", "first"],
        ["`duplicates` must be one of error, last, mean", "'first'"],
    ),
    "answers": (["--answers", "numbers"], ["must be one of closed, number, text, json"]),
    "alpha out of range": (["--alpha", "2", "--truth", "t"], ["`alpha` must be in (0, 1), got 2"]),
    "delta out of range": (["--delta", "0"], ["`delta` must be in (0, 1)"]),
    "delta without alpha": (
        ["--delta", "0.2"],
        ["the probability of exceeding `alpha`"],
    ),
    "alpha without truth": (["--alpha", "0.1"], ["truth"]),
    "votes missing": (["--method"], ["-h"]),
}


@pytest.mark.parametrize(("words", "parts"), OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_cannot_be_is_named(
    weigh: Weigh, words: list[str], parts: list[str]
) -> None:
    said = weigh(GOOD, *words)
    assert [part for part in parts if part not in said.error] == [], said.error


def test_a_missing_file_has_its_nearest_name(steelyard: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(FEW)
    assert "Did you mean 'votes.csv'" in steelyard("weigh", "vote.csv", "--out", "out").error
    (tmp_path / "votes.txt").write_text(FEW)
    assert "must end in one of" in steelyard("weigh", "votes.txt", "--out", "out").error


def test_a_folder_with_other_files_is_left_alone(weigh: Weigh, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "report.html").write_text("of a study")
    assert "out is not empty and holds no weighing" in weigh(FEW).error
    assert (folder / "report.html").read_text() == "of a study"
    (folder / "summary.json").write_text("[]")
    assert "holds no weighing" in weigh(FEW).error


def test_out_that_is_a_file_is_named(weigh: Weigh, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    assert "out must be a folder" in weigh(FEW).error
    (tmp_path / "out").unlink()
    assert "votes.csv is a file; give another folder" in weigh(FEW, "--out", "votes.csv/out").error
    (tmp_path / "link").symlink_to("nowhere")
    assert "link/out cannot be made" in weigh(FEW, "--out", "link/out").error
