"""Odd votes that `weigh` can read: what it makes of them, and what it says."""

import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from vote_files import CLASSES, FEW, GOOD, HEADER, NAN, Weigh, columns, labels, summary, vote

ODD_BUT_READABLE = {
    "BOM": b"\xef\xbb\xbf" + FEW.encode(),
    "CRLF": FEW.replace("\n", "\r\n"),
    "blank lines": FEW.replace("\n", "\n\n"),
    "quotes, commas and line ends in cells": FEW.replace("q2", '"q,\n""2"""'),
    "no line end at the end": FEW.rstrip(),
}


@pytest.mark.parametrize("votes", ODD_BUT_READABLE.values(), ids=ODD_BUT_READABLE)
def test_odd_files_are_read(weigh: Weigh, tmp_path: Path, votes: Any) -> None:
    said = weigh(votes)
    assert said.code == 0, said.err
    assert "2 items, 3 votes, 2 voters" in said.out
    assert labels(tmp_path)[1][1] == "ham"


def test_gzip_is_read(weigh: Weigh, tmp_path: Path) -> None:
    said = weigh(gzip.compress(FEW.encode(), mtime=0), name="votes.csv.gz")
    assert "2 items, 3 votes, 2 voters" in said.out
    assert (
        "not a whole gzip file"
        in weigh(
            gzip.compress(FEW.encode(), mtime=0)[:-9], "--out", "other", name="votes.csv.gz"
        ).error
    )


@pytest.mark.parametrize(
    "answer", ["", "nan", None, NAN, -1, "-1", "-1.0", " "], ids=lambda value: repr(value)
)
def test_nothing_said_is_an_abstention(weigh: Weigh, tmp_path: Path, answer: Any) -> None:
    said = weigh([*GOOD, vote("q1", "c", answer)])
    assert said.code == 0, said.err
    assert summary(tmp_path)["abstained"] == 1
    assert summary(tmp_path)["classes"] == ["ham", "spam"]


def test_nan_of_pandas_abstains_and_is_counted(weigh: Weigh, tmp_path: Path) -> None:
    said = weigh(columns(answer=np.array([0.0, 1.0, np.nan])))
    assert "1 abstention, no duplicate votes" in said.out
    assert "note: 1 answer of nan abstains." in said.out
    assert summary(tmp_path)["classes"] == ["0", "1"]
    assert labels(tmp_path)[1] == ("q2", None, 0.0)


def test_one_number_however_it_is_written_is_one_class(weigh: Weigh, tmp_path: Path) -> None:
    rows = [vote("q1", "a", 1), vote("q1", "b", "1"), vote("q1", "c", 1.0), vote("q1", "d", "1.0")]
    said = weigh([*rows, vote("q2", "a", 0)])
    assert summary(tmp_path)["classes"] == ["0", "1"]
    assert labels(tmp_path) == [("q1", "1", 1.0), ("q2", "0", 1.0)]
    assert "note: The answers 1 and '1' and 1.0 and '1.0' are one class, '1'." in said.out


def test_an_id_is_one_whether_a_number_or_its_digits(weigh: Weigh, tmp_path: Path) -> None:
    weigh([vote(7, "a", "ham"), vote("7", "b", "spam"), vote("7", "c", "spam")])
    assert labels(tmp_path) == [("7", "spam", 2 / 3)]


def test_duplicates_as_told(weigh: Weigh, tmp_path: Path) -> None:
    """'ann' says ham, spam, spam on q1: last is spam; her mean is (1/3, 2/3)."""
    votes = f"{FEW}q1,ann,spam\nq1,ann,spam\n"
    said = weigh(votes, "--duplicates", "last")
    assert "2 duplicate votes (last)" in said.out
    assert labels(tmp_path)[0] == ("q1", "spam", 1.0)
    weigh(votes, "--duplicates", "mean", "--method", "confidence")
    found = pq.read_table(tmp_path / "out" / "methods" / "confidence.parquet").to_pylist()
    # ((1/3, 2/3) + (0, 1)) / 2
    assert found[0]["posterior"] == pytest.approx([1 / 6, 5 / 6])
    assert summary(tmp_path)["duplicates"] == {"policy": "mean", "found": 2}


def test_other_queries_are_no_duplicates(weigh: Weigh, tmp_path: Path) -> None:
    said = weigh("id,voter,query,answer\nq1,ann,1,ham\nq1,ann,2,ham\nq1,ann,,spam\n")
    assert said.code == 0, said.err
    assert summary(tmp_path)["queries"] == 3
    assert labels(tmp_path) == [("q1", "ham", 2 / 3)]


def test_items_without_votes_stay(weigh: Weigh, tmp_path: Path) -> None:
    rows = [{"id": f"q{i}", "votes": [{"annotator": "a", "label": i}]} for i in range(2)]
    said = weigh([*rows, {"id": "q2", "votes": []}, {"id": "q3", "votes": None}])
    assert "50.0% of the items have a readable vote" in said.out
    assert "note: 2 items have no readable vote: their label is empty, their score 0." in said.out
    table = pq.read_table(tmp_path / "out" / "reliability.parquet").to_pylist()
    assert table[2] == {"id": "q2", "label": None, "score": 0.0, "posterior": [0.5, 0.5]}
    assert summary(tmp_path)["coverage"] == 0.5


def test_one_voter_one_class_and_all_alike_are_said(weigh: Weigh) -> None:
    assert "There is one voter" in weigh(f"{HEADER}q1,ann,ham\nq2,ann,spam\n").out
    said = weigh(f"{HEADER}q1,ann,ham\nq1,bob,ham\n").out
    assert "caution: Every vote names the same class, 'ham'" in said
    assert "All votes on each item agree" in said
    assert "No item has two votes" in weigh(f"{HEADER}q1,ann,ham\nq2,bob,spam\n").out


def test_nobody_says_anything(weigh: Weigh, tmp_path: Path) -> None:
    silent = f"{HEADER}q1,ann,\nq2,bob,\n"
    assert "every vote abstains" in weigh(silent).error
    said = weigh(silent, "--classes", "labels.json", files=CLASSES).out
    assert "2 items have no readable vote" in said
    rows = pq.read_table(tmp_path / "out" / "reliability.parquet").to_pylist()
    assert [row["label"] for row in rows] == [None, None]


def test_ties_go_to_a_draw_and_are_counted(weigh: Weigh, tmp_path: Path) -> None:
    """Of 200 ties about half go to each class: 60 and 140 are 5.7 standard deviations away."""
    votes = HEADER + "".join(f"q{i},ann,ham\nq{i},bob,spam\n" for i in range(200))
    said = weigh(votes)
    assert "note: 200 labels are ties, broken at random." in said.out
    first = labels(tmp_path)
    assert 60 < sum(label == "ham" for _, label, _ in first) < 140
    weigh(votes)
    assert labels(tmp_path) == first


def test_truth_that_is_not_named_is_not_read(weigh: Weigh, tmp_path: Path) -> None:
    rows = [{**row, "truth": "no class at all"} for row in GOOD]
    said = weigh(rows)
    assert said.code == 0, said.err
    assert "note: Column 'truth' looks like the truth and was not read" in said.out
    assert summary(tmp_path)["methods"]["majority"]["accuracy"] is None


def test_voters_cannot_write_formulas(weigh: Weigh, tmp_path: Path) -> None:
    names = ["=cmd|' /C calc'!A0", "+1", "-1", "@sum(a)", "\tx", "ann"]
    weigh([vote(f"q{i}", name, i % 2) for name in names for i in range(4)])
    lines = (tmp_path / "out" / "voters.csv").read_text().splitlines()
    cells = [line.lstrip('"') for line in lines[1:]]
    assert len(cells) == 6
    assert [cell for cell in cells if cell[0] in "=+-@\t"] == []


def test_control_characters_are_not_printed(weigh: Weigh) -> None:
    said = weigh([vote(f"q{i}", name, i % 2) for name in ("\x1b[31mred", "b") for i in range(4)])
    assert said.code == 0, said.err
    assert "\x1b" not in said.out


def test_columns_voters_and_abstentions_are_named_by_options(weigh: Weigh, tmp_path: Path) -> None:
    rows = "case~who~said\n1~ann~x\n1~bob~n/a\n1~cyd~y\n2~ann~x\n2~cyd~N/A\n2~dan~x\n"
    columns = [("--column", pair) for pair in ("id=case", "voter=who", "answer=said")]
    options = [word for pair in columns for word in pair]
    said = weigh(rows, *options, "--sep", "~", "--abstain", "n/a", "--without", "dan")
    assert said.code == 0, said.err
    assert "2 items, 5 votes, 3 voters" in said.out
    assert (
        "note: Columns by their names: id is 'case', voter is 'who', answer is 'said'" in said.out
    )
    assert summary(tmp_path)["abstained"] == 2
    weigh(rows, *options, "--sep", "~", "--voters", "ann, cyd", "--abstain", "n/a")
    assert [row["voter"] for row in summary(tmp_path)["by_voter"]] == ["ann", "cyd"]
    assert "`--column` takes NAME=COLUMN" in weigh(rows, "--column", "case").error
    assert "must be one character" in weigh(rows, "--sep", "ab").error
    assert "no column 'cse'" in weigh(rows, "--sep", "~", "--column", "id=cse").error


@pytest.mark.parametrize(
    "content",
    [
        FEW.encode(),
        FEW.replace(",", "\t").encode(),
        gzip.compress(FEW.encode(), mtime=0),
        b'[{"id": "q1", "ann": "ham", "bob": "spam"}, {"id": "q2", "ann": "ham"}]',
        b'{"id": "q1", "ann": "ham", "bob": "spam"}\n{"id": "q2", "ann": "ham"}\n',
    ],
)
def test_votes_may_be_piped(
    steelyard: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    said = steelyard("weigh", "-", "--out", "out")
    assert said.code == 0, said.err
    assert "stdin" in said.out
    assert "2 items, 3 votes, 2 voters" in said.out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "stdin is empty" in steelyard("weigh", "-", "--out", "out").error


def test_each_file_is_a_voter(steelyard: Callable[..., Any], tmp_path: Path) -> None:
    for name, answer in (("ann", "ham"), ("bob", "spam")):
        (tmp_path / f"{name}.csv").write_text(f"id;label\nq1;{answer}\nq2;ham\n")
    said = steelyard("weigh", "ann.csv", "bob.csv", "--out", "out")
    assert "ann.csv, bob.csv, read as long: 2 items, 4 votes, 2 voters" in said.out
    assert "bo.csv does not exist" in steelyard("weigh", "ann.csv", "bo.csv", "--out", "o").error
