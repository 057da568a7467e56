"""Votes that do not fit `weigh`: one line that names the file, the line, the value; exit code 2."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

NAN = float("nan")
Weigh = Callable[..., Any]


@pytest.fixture
def weigh(steelyard: Callable[..., Any], tmp_path: Path) -> Weigh:
    """`weigh(rows, "--truth", "truth")` puts the votes into a file and weighs them by majority.

    A dict is a Parquet file of columns, a list JSON lines, text or bytes a CSV.
    """

    def call(
        votes: Any, *words: object, name: str = "", files: dict[str, str] | None = None
    ) -> Any:
        for other, text in (files or {}).items():
            (tmp_path / other).write_text(text, encoding="utf-8")
        if isinstance(votes, dict):
            path = tmp_path / (name or "votes.parquet")
            pq.write_table(pa.table(votes), path)
        elif isinstance(votes, list):
            path = tmp_path / (name or "votes.jsonl")
            path.write_text("".join(json.dumps(row) + "\n" for row in votes))
        else:
            path = tmp_path / (name or "votes.csv")
            path.write_bytes(votes if isinstance(votes, bytes) else votes.encode())
        return steelyard("weigh", path.name, "--method", "majority", "--out", "out", *words)

    return call


def vote(item: Any, voter: Any, answer: Any, **more: Any) -> dict[str, Any]:
    return {"id": item, "voter": voter, "answer": answer, **more}


GOOD = [vote(f"q{i}", voter, "ham" if i % 2 else "spam") for i in range(4) for voter in "ab"]
HEADER = "id,voter,answer\n"
FEW = f"{HEADER}q1,ann,ham\nq1,bob,spam\nq2,ann,ham\n"
CLASSES = {"labels.json": '["ham", "spam"]'}


def columns(**changes: Any) -> dict[str, Any]:
    """A Parquet file of long votes with one column changed."""
    return {"id": ["q1", "q1", "q2"], "voter": ["a", "b", "a"], "answer": [0, 1, 1], **changes}


COLUMNS = {
    "voter misspelt": ("id,votr,answer\nq,a,x\n", ["`voter` is missing", "'votr' to `voter`"]),
    "both misspelt": ("id,voters,answers\nq,a,x\n", ["'voters' to `voter`", "rename"]),
    "words of others": ("task,worker,label\nq,a,x\n", ["`id` is missing", "'task' to `id`"]),
    "an annotator": ("id,annotator,label\nq,a,x\n", ["'annotator' to `voter`"]),
    "a labelled data set": (
        "id,text,label\nq,a,x\n",
        ["`voter` is missing", "one column per voter"],
    ),
    "no id": ("ann,bob\nx,y\n", ["votes.csv", "`id` is missing", "ann, bob"]),
    "nobody votes": ("id,text,truth\nq,a,x\n", ["votes.csv has no votes", "id, text, truth"]),
    "semicolons": ("id;voter;answer\nq;a;x\n", ["separated by ';'", "by commas"]),
    "weights": ("id,voter,answer,weight\nq,a,x,2\n", ["no weights", "'weight'", "take the column"]),
    "wide with queries": ("id,ann,query\nq,x,y\n", ["`voter` is missing", "'query'"]),
    "column twice": ("id,ann,ann\nq,x,y\n", ["votes.csv line 1: column 'ann' is there twice"]),
    "length is no voter": (
        "id,ann,bob,length\nq1,x,y,31\nq2,y,x,47\nq3,x,x,12\n",
        ["is column 'length' a voter", "31", "--classes"],
    ),
    "answer missing in one row": (
        [*GOOD, {"id": "q1", "voter": "c"}],
        ["votes.jsonl line 9: column `answer` is missing", "id, voter"],
    ),
    "voter missing in one row": ([*GOOD, {"id": "q1", "answer": "ham"}], ["line 9", "`voter`"]),
    "no votes in one row": (
        [{"id": "q1", "votes": []}, {"id": "q2"}],
        ["votes.jsonl line 2: column `votes` is missing"],
    ),
    "no annotator": (
        [{"id": "q1", "votes": [{"label": 1}]}],
        ["votes.jsonl line 1: column `annotator` is missing", "label"],
    ),
    "votes are no list": ([{"id": "q1", "votes": {"a": 1}}], ["line 1: `votes` must be a list"]),
}
NAMES = {
    "null id": ([*GOOD, vote(None, "a", "ham")], ["line 9: `id` must be a name", "None"]),
    "empty id": (f"{FEW} ,ann,ham\n", ["votes.csv line 5: `id` must be a name", "' '"]),
    "float id": (columns(id=[1.0, 1.0, 2.0]), ["votes.parquet row 1: `id`", "1.0"]),
    "bool voter": ([*GOOD, vote("q1", True, "ham")], ["line 9: `voter`", "True"]),
    "empty voter": (f"{FEW}q2,,ham\n", ["votes.csv line 5: `voter`", "''"]),
    "ids differ in case": (f"{FEW}Q1,cyd,ham\n", ["line 5: id 'Q1'", "case", "'q1'", "line 2"]),
    "ids differ in space": (f"{FEW}q1 ,cyd,ham\n", ["line 5: id 'q1 '", "white space", "line 2"]),
    "lone surrogate": ([*GOOD, vote("q\ud800", "a", "ham")], ["line 9: `id`"]),
    "NUL escaped": ([*GOOD, vote("q\0", "a", "ham")], ["line 9: `id`"]),
}
ANSWERS = {
    "bool": ([*GOOD, vote("q1", "c", True)], ["line 9: answer True of 'c' on 'q1'", "write 1"]),
    "bools of Parquet": (columns(answer=[True, False, True]), ["row 1: answer True", "write 1"]),
    "fraction": ([*GOOD, vote("q1", "c", 0.5)], ["line 9: answer 0.5 of 'c'", "`probabilities`"]),
    "fraction in CSV": (f"{FEW}q2,bob,0.5\n", ["line 5: answer '0.5' of 'bob'", "--classes"]),
    "infinite": ([*GOOD, vote("q1", "c", float("inf"))], ["line 9: answer inf"]),
    "list": ([*GOOD, vote("q1", "c", ["ham"])], ["line 9: answer ['ham']", "--answers json"]),
    "two spellings": (f"{FEW}q2,bob,Ham\n", ["line 5: answer 'Ham'", "'ham' of votes.csv line 2"]),
    "two spaces": (f"{FEW}q2,bob, ham\n", ["line 5: answer ' ham'", "white space", "line 2"]),
    "wide characters": ([*GOOD, vote("q1", "c", "\uff48am")], ["line 9", "differs only"]),
    "names and numbers": (
        [*GOOD, vote("q1", "c", 1)],
        ["all names or all whole numbers", "line 1 has 'spam'", "line 9 has 1"],
    ),
    "01 and 1": (f"{HEADER}q1,a,01\nq1,b,1\n", ["all names or all whole", "'01'", "'1'"]),
    "1 and -1": (f"{HEADER}q1,a,1\nq1,b,-1\n", ["1 and -1", "-1 abstains", "--classes"]),
    "nobody says anything": (f"{HEADER}q1,a,\nq1,b,-1\nq2,a,nan\n", ["every vote abstains"]),
    "open answers": (
        HEADER + "".join(f"q{i},{v},{i}{v}{i}x\n" for i in range(30) for v in "ab"),
        ["60 distinct answers on 30 items", "--answers number"],
    ),
    "the same vote twice": (
        f"{FEW}q1,ann,spam\nq2,ann,ham\n",
        ["votes.csv line 5: 'ann' votes on 'q1' a second time", "line 2", "2 such", "--duplicates"],
    ),
    "twice in a nested row": (
        [{"id": "q", "votes": [{"annotator": "a", "label": 1}, {"annotator": "a", "label": 1}]}],
        ["line 1: 'a' votes on 'q' a second time, first at votes.jsonl line 1"],
    ),
    "an id twice in a wide file": ("id,ann\nq1,x\nq2,y\nq1,x\n", ["line 4: 'ann' votes on 'q1'"]),
}
FILES = {
    "no rows": (HEADER, ["votes.csv has no rows"]),
    "empty": ("", ["votes.csv is empty"]),
    "ragged": (f"{FEW}q3,ann\n", ["votes.csv line 5 must have 3 cells", "got 2"]),
    "NUL": (f"{FEW}q3,a\0,ham\n", ["votes.csv line 5: byte 5 is NUL"]),
    "Latin-1": (FEW.encode() + b"q3,caf\xe9,ham\n", ["votes.csv line 5: byte 7 is 0xe9", "UTF-8"]),
    "UTF-16": (FEW.encode("utf-16"), ["votes.csv is UTF-16"]),
    "open quote": (f'{FEW}"q3,ann,ham\n', ["votes.csv line 5 is not CSV", "quotes"]),
}


@pytest.mark.parametrize(
    ("votes", "parts"),
    [*COLUMNS.values(), *NAMES.values(), *ANSWERS.values(), *FILES.values()],
    ids=[*COLUMNS, *NAMES, *ANSWERS, *FILES],
)
def test_what_does_not_fit_is_named(
    weigh: Weigh, tmp_path: Path, votes: Any, parts: list[str]
) -> None:
    said = weigh(votes)
    assert [part for part in parts if part not in said.error] == [], said.error
    assert len(said.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_bad_line_of_ten_thousand_is_named(weigh: Weigh) -> None:
    lines = [json.dumps(vote(f"q{i}", "ann", "ham")) for i in range(10_000)]
    lines[6] = lines[6][:-1]
    assert "votes.jsonl line 7 is not JSON" in weigh("\n".join(lines), name="votes.jsonl").error


KNOWN = {
    "unknown class": (
        [*GOOD, vote("q1", "c", "spamm")],
        ["line 9: answer 'spamm' of 'c' on 'q1'", "['ham', 'spam'] of labels.json", "'spam'?"],
    ),
    "another case": ([*GOOD, vote("q1", "c", "Spam")], ["answer 'Spam'", "Did you mean 'spam'?"]),
    "number out of range": ([*GOOD, vote("q1", "c", 2)], ["line 9: answer 2", "[0, 2)"]),
    "negative": ([*GOOD, vote("q1", "c", -2)], ["line 9: answer -2", "[0, 2)"]),
    "fraction": ([*GOOD, vote("q1", "c", 0.5)], ["line 9: answer 0.5"]),
    "bool": ([*GOOD, vote("q1", "c", False)], ["line 9: answer False"]),
    "unknown in a wide file": (
        "id,ann,bob\nq1,ham,spam\nq2,ham,x\n",
        ["line 3: answer 'x' of 'bob'"],
    ),
}


@pytest.mark.parametrize(("votes", "parts"), KNOWN.values(), ids=KNOWN)
def test_an_answer_that_is_no_class_of_labels_json_is_named(
    weigh: Weigh, votes: Any, parts: list[str]
) -> None:
    said = weigh(votes, files=CLASSES)
    assert [part for part in parts if part not in said.error] == [], said.error


def test_classes_are_read_from_a_file_that_is_named(weigh: Weigh) -> None:
    files = {**CLASSES, "mine.json": '["spam", "eggs"]'}
    line = weigh(GOOD, "--classes", "mine.json", files=files).error
    assert "line 3: answer 'ham' of 'a' on 'q1'" in line
    assert "['spam', 'eggs'] of mine.json" in line
    assert (
        "mine.json must be a list"
        in weigh(GOOD, "--classes", "mine.json", files={"mine.json": "{}"}).error
    )
    assert "no.json does not exist" in weigh(GOOD, "--classes", "no.json").error


PROBABILITIES = {
    "sum": ([0.5, 0.6], ["`probabilities` of 'c' on 'q1' must be 2 numbers", "[0.5, 0.6]"]),
    "NaN": ([NAN, 1.0], ["must be 2 numbers >= 0 that sum to 1"]),
    "negative": ([-0.5, 1.5], ["must be 2 numbers >= 0"]),
    "length": ([0.2, 0.3, 0.5], ["must be 2 numbers"]),
    "words": (["a", "b"], ["must be 2 numbers"]),
    "text": ("half", ["must be 2 numbers", "'half'"]),
    "another order": ([0.1, 0.9], ["at 'spam' if the classes are in the order", "answers 'ham'"]),
}


@pytest.mark.parametrize(("given", "parts"), PROBABILITIES.values(), ids=PROBABILITIES)
def test_probabilities_that_cannot_be_are_named(weigh: Weigh, given: Any, parts: list[str]) -> None:
    said = weigh([*GOOD, vote("q1", "c", "ham", probabilities=given)])
    assert "votes.jsonl line 9: " in said.error
    assert [part for part in parts if part not in said.error] == [], said.error


TRUTH = {
    "unknown id": ("id,truth\nq1,ham\nq9,ham\n", ["truth.csv line 3: id 'q9'", "4 ids"]),
    "unknown class": ("id,truth\nq1,egg\n", ["truth.csv line 2: `truth` 'egg'", "'spam'"]),
    "two truths": ("id,truth\nq1,ham\nq2,ham\nq1,spam\n", ["line 4: `truth` 'spam'", "line 2"]),
    "another name": ("id,turth\nq1,ham\n", ["truth.csv has no column 'truth'", "'turth'"]),
    "a label": ("id,label\nq1,ham\n", ["truth.csv has no column 'truth'", "'label' to `truth`"]),
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
    "delta without alpha": (["--delta", "0.2"], ["`delta` is the doubt about `alpha`"]),
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
    said = weigh(gzip.compress(FEW.encode()), name="votes.csv.gz")
    assert "2 items, 3 votes, 2 voters" in said.out
    assert (
        "not a whole gzip file"
        in weigh(gzip.compress(FEW.encode())[:-9], "--out", "other", name="votes.csv.gz").error
    )


def labels(tmp_path: Path) -> list[tuple[str, str | None, float]]:
    table = pq.read_table(tmp_path / "out" / "reliability.parquet").to_pylist()
    return [(row["id"], row["label"], row["score"]) for row in table]


def summary(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "out" / "summary.json").read_text())
    return found


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
    assert "1 votes abstain" in said.out
    assert "note: 1 answers of nan abstain." in said.out
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
    assert "2 are duplicates (last)" in said.out
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
    assert "Every vote names the same class." in said
    assert "All votes on an item agree" in said
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
    assert "note: 200 labels are ties that a draw decided." in said.out
    first = labels(tmp_path)
    assert 60 < sum(label == "ham" for _, label, _ in first) < 140
    weigh(votes)
    assert labels(tmp_path) == first


def test_truth_that_is_not_named_is_not_looked_at(weigh: Weigh, tmp_path: Path) -> None:
    rows = [{**row, "truth": "no class at all"} for row in GOOD]
    said = weigh(rows)
    assert said.code == 0, said.err
    assert "note: Column 'truth' looks like the truth and was not looked at" in said.out
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
