"""Rows that do not fit: one line that names the file, the line, the id, the value."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Refused = Callable[..., str]
NAN = float("nan")
INF = float("inf")
DATA = {"train": "train.jsonl", "test": "test.jsonl", "weak_train": 12}
CHOICE = {"question": "Which is food?", "choices": ["soup", "hotel"], "label": 0}


def label(value: Any) -> dict[str, Any]:
    """The label of train line 3 is another."""
    return {"train": {3: {"label": value}}}


ROWS = {
    "label out of range": (
        {**label(7), "files": {"labels.json": '["cook", "trip"]'}},
        ["train.jsonl line 3, id 'train-3'", "from 0 to 1", "got 7"],
    ),
    "class not in labels.json": (
        {**label("cok"), "files": {"labels.json": '["cook", "trip"]'}},
        ["train.jsonl line 3, id 'train-3'", "got 'cok'", "Did you mean 'cook'?"],
    ),
    "class in test only": (
        {"test": {5: {"label": "pay"}}},
        ["test.jsonl line 5, id 'test-5'", "one of the classes ['cook', 'trip']", "got 'pay'"],
    ),
    "names and numbers": (label(1), ["all names or all integers", "train.jsonl line 3", "1"]),
    "two spellings": (label("Cook"), ["line 3", "'Cook' differs only in case", "line 1"]),
    "float": (label(1.0), ["train.jsonl line 3, id 'train-3'", "got 1.0", "Write 1."]),
    "fraction": (label(0.5), ["train.jsonl line 3", "got 0.5", "true label"]),
    "NaN": (label(NAN), ["train.jsonl line 3", "got nan"]),
    "null": (label(None), ["train.jsonl line 3", "got None"]),
    "bool": (label(True), ["train.jsonl line 3", "got True", "Write 1."]),
    "empty label": (label("  "), ["train.jsonl line 3", "got '  '"]),
    "list": (label(["cook"]), ["train.jsonl line 3", "got ['cook']"]),
    "no label": (label(...), ["train.jsonl line 3", "column 'label' is missing", "'text'"]),
    "no text": (
        {"train": {2: {"text": ...}}},
        ["train.jsonl line 2", "column 'text' is missing", "data.columns"],
    ),
    "empty text": ({"train": {2: {"text": " "}}}, ["train.jsonl line 2", "not empty"]),
    "text is a number": ({"train": {2: {"text": 5}}}, ["train.jsonl line 2", "got 5"]),
    "NUL": ({"train": {2: {"text": "a\0b"}}}, ["line 2", "position 1"]),
    "lone surrogate": ({"train": {2: {"text": "a\ud800"}}}, ["line 2", "position 1"]),
    "same id": (
        {"train": {9: {"id": "train-4"}}},
        ["train.jsonl line 9", "id 'train-4'", "train.jsonl line 4"],
    ),
    "same id but for case": (
        {"test": {2: {"id": "TRAIN-4 "}}},
        ["test.jsonl line 2", "differs only in case or white space from 'train-4'", "line 4"],
    ),
    "id is a float": ({"train": {1: {"id": 1.5}}}, ["train.jsonl line 1", "got 1.5"]),
    "long text": (
        {"train": {6: {"text": "word " * 200_000}}},
        ["train.jsonl line 6, id 'train-6'", "1,000,000 characters", "data.max_characters"],
    ),
    "one class": (
        {"train": {n: {"label": "cook"} for n in range(1, 49)}},
        ["test.jsonl line 2, id 'test-2'", "['cook']", "got 'trip'"],
    ),
    "one class everywhere": (
        {
            "train": {n: {"label": "cook"} for n in range(1, 49)},
            "test": {n: {"label": "cook"} for n in range(1, 17)},
        },
        ["All 48 train rows have the same label", "train.jsonl line 1", "'cook'"],
    ),
    "too few rows": (
        {"data": {**DATA, "strong_train": 40}},
        ["48 train rows", "`weak_train` needs 12 and `strong_train` 40", "Lower"],
    ),
    "one test row": ({"data": {**DATA, "max_test": 1}}, ["1 test row", "`data.max_test`"]),
    "all rows for supervisors": (
        {"data": {**DATA, "weak_train": 47}},
        ["48 train rows", "`weak_train` needs 47", "at least 2"],
    ),
    "leaks refused": (
        {"data": {**DATA, "leaks": "error"}, "test": {4: {"text": "We talked about the soup."}}},
        ["'train-1' and 'test-4'", "1.00", "data.leaks"],
    ),
    "choice label out of range": (
        {
            "task": "multiple_choice",
            "supervisors": [{"kind": "chooser"}],
            "student": {"kind": "chooser"},
            "train": {n: {**CHOICE, "label": 2 if n == 8 else n % 2} for n in range(1, 49)},
            "test": {n: CHOICE for n in range(1, 17)},
        },
        ["train.jsonl line 8, id 'train-8'", "from 0 to 1", "got 2"],
    ),
}


@pytest.mark.parametrize(("changes", "parts"), ROWS.values(), ids=ROWS)
def test_a_row_that_does_not_fit_is_named(
    refused: Refused, changes: dict[str, Any], parts: list[str]
) -> None:
    line = refused(**changes)
    assert [part for part in parts if part not in line] == [], line


GOOD = json.dumps({"text": "We talked about the soup.", "label": "cook"})
FILES = {
    "missing file": (
        {"data": {**DATA, "train": "trian.jsonl"}},
        ["trian.jsonl does not exist", "'train.jsonl'"],
    ),
    "missing folder": (
        {"data": {**DATA, "train": "no/train.jsonl"}},
        ["no/train.jsonl does not exist", "folder no"],
    ),
    "data that are not there": (
        {"data": {**DATA, "test": "../shared/test.jsonl"}},
        [
            *("../shared/test.jsonl does not exist", "`data.test` names this file"),
            *("relative paths start from /", "the folder of the study file", "`data.hub`"),
        ],
    ),
    "a folder": ({"data": {**DATA, "train": "."}}, [". must end in one of", ".jsonl"]),
    "another ending": ({"data": {**DATA, "train": "study.yaml"}}, ["study.yaml must end in"]),
    "empty": ({"files": {"train.jsonl": ""}}, ["train.jsonl is empty", "at least one row"]),
    "blank lines": ({"files": {"train.jsonl": "\n\n"}}, ["train.jsonl has no rows"]),
    "bad JSON": (
        {"files": {"train.jsonl": f"{GOOD}\n" * 6 + "{'text': 1}\n" + f"{GOOD}\n" * 9993}},
        ["train.jsonl line 7 is not JSON", "column 2"],
    ),
    "not an object": ({"files": {"train.jsonl": "[1]\n"}}, ["train.jsonl line 1", "a list"]),
    "Latin-1": (
        {"files": {"train.jsonl": f"{GOOD}\n".encode() + b'{"text": "caf\xe9"}\n'}},
        ["train.jsonl line 2: byte 14 is 0xe9", "UTF-8"],
    ),
    "UTF-16": ({"files": {"train.jsonl": GOOD.encode("utf-16")}}, ["train.jsonl", "UTF-16"]),
    "10 MB line": (
        {"files": {"train.jsonl": f"{GOOD}\n" + '{"text": "' + "x" * 10_000_000 + '"}\n'}},
        ["train.jsonl line 2 has more than", "bytes"],
    ),
    "deep JSON": (
        {"files": {"train.jsonl": '{"text": ' + "[" * 100_000 + "\n"}},
        ["train.jsonl line 1", "JSON"],
    ),
    "long number": (
        {"files": {"train.jsonl": '{"text": "a", "label": ' + "9" * 5000 + "}\n"}},
        ["train.jsonl line 1", "JSON that cannot be read"],
    ),
    "not gzip": (
        {"data": {**DATA, "train": "t.jsonl.gz"}, "files": {"t.jsonl.gz": GOOD}},
        ["t.jsonl.gz is not a whole gzip file"],
    ),
    "not Parquet": (
        {"data": {**DATA, "train": "t.parquet"}, "files": {"t.parquet": GOOD}},
        ["t.parquet is not a whole Parquet file"],
    ),
    "ragged CSV": (
        {"data": {**DATA, "train": "t.csv"}, "files": {"t.csv": "text,label\na,cook\nb,c,d\n"}},
        ["t.csv line 3 must have 2 cells", "got 3"],
    ),
    "column twice": (
        {"data": {**DATA, "train": "t.csv"}, "files": {"t.csv": "text,text\na,cook\n"}},
        ["t.csv line 1: column 'text' is there twice"],
    ),
    "labels.json": (
        {"files": {"labels.json": "{}"}},
        ["labels.json must be a list of at least two class names", "{}"],
    ),
    "column of another name": (
        {"data": {**DATA, "columns": {"text": "txt"}}},
        ["train.jsonl line 1", "column 'txt' is missing", "'text'"],
    ),
    "same file twice": (
        {"data": {**DATA, "test": "train.jsonl"}},
        ["`train` and `test`", "differ"],
    ),
}


@pytest.mark.parametrize(("changes", "parts"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_read_is_named(
    refused: Refused, changes: dict[str, Any], parts: list[str]
) -> None:
    line = refused(**changes)
    assert [part for part in parts if part not in line] == [], line


def test_a_long_text_is_cut_and_counted_where_it_is_allowed(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    words = "word " * 200_000
    put(
        tmp_path,
        data={**DATA, "max_characters": 2_000_000},
        train={6: {"text": f"soup {words}"}},
        supervisors=[{"kind": "tfidf", "voters": 1}],
        arms=[],
        seeds=[0],
    )
    said = steelyard("study", "study.yaml", "--workers", 1, "--out", "run")
    assert said.code == 0, said.err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["data"]["truncated"]["strong_train"] == 1
    assert "Truncated to `max_tokens`: " in " ".join(said.out.split())


def vote(question: int, voter: str, answer: Any, **more: Any) -> dict[str, Any]:
    return {"id": f"train-{question}", "voter": voter, "answer": answer, **more}


def votes(*changes: dict[str, Any]) -> dict[str, Any]:
    """A study on votes of two people about every train row, with further rows."""
    cast = [
        vote(n, person, "cook" if n % 2 else "trip") for n in range(1, 49) for person in ("a", "b")
    ]
    text = "".join(json.dumps(row) + "\n" for row in [*cast, *changes])
    return {
        "data": {**DATA, "weak_train": 0},
        "supervisors": [{"kind": "votes", "path": "votes.jsonl"}],
        "files": {"votes.jsonl": text},
    }


def only(*rows: dict[str, Any]) -> dict[str, Any]:
    """A study on these votes alone."""
    return {**votes(), "files": {"votes.jsonl": "".join(json.dumps(row) + "\n" for row in rows)}}


VOTES = {
    "unknown id": (
        votes({"id": "train-99", "voter": "a", "answer": "cook"}),
        ["votes.jsonl line 97", "id 'train-99'", "64 ids"],
    ),
    "unknown class": (
        votes(vote(3, "c", "cok")),
        ["votes.jsonl line 97", "'cok' of 'c' on 'train-3'", "['cook', 'trip']", "abstain"],
    ),
    "number out of range": (votes(vote(3, "c", 2)), ["votes.jsonl line 97", "answer 2", "[0, 2)"]),
    "float answer": (votes(vote(3, "c", 1.5)), ["votes.jsonl line 97", "answer 1.5"]),
    "infinite answer": (votes(vote(3, "c", INF)), ["votes.jsonl line 97", "answer inf"]),
    "bool answer": (votes(vote(3, "c", True)), ["votes.jsonl line 97", "answer True"]),
    "long number": (votes(vote(3, "c", "9" * 5000)), ["votes.jsonl line 97", "answer '999"]),
    "twice": (
        votes(vote(3, "a", "trip")),
        ["votes.jsonl line 97", "'a' votes on 'train-3' a second time", "line 5", "`query`"],
    ),
    "no voter": (
        votes({"id": "train-1", "answer": "cook"}),
        ["votes.jsonl line 97", "column `voter` is missing", "id, answer"],
    ),
    "abstentions only": (
        only(*(vote(n, "a", None) for n in range(1, 49))),
        ["None of 48 strong_train questions", "1 voters", "seed 0", "Check the votes"],
    ),
    "no votes": (only(), ["votes.jsonl is empty"]),
    "no file": (
        {**votes(), "supervisors": [{"kind": "votes", "path": "vote.jsonl"}]},
        ["vote.jsonl does not exist", "'votes.jsonl'"],
    ),
    "nested wrongly": (
        only({"id": "train-1", "votes": {"a": "cook"}}),
        ["votes.jsonl line 1", "`votes` must be a list", "{'a': 'cook'}"],
    ),
    "nested without a name": (
        only({"id": "train-1", "votes": [{"label": "cook"}]}),
        ["votes.jsonl line 1", "column `annotator` is missing"],
    ),
}


@pytest.mark.parametrize(("changes", "parts"), VOTES.values(), ids=VOTES)
def test_a_vote_that_does_not_fit_is_named(
    refused: Refused, changes: dict[str, Any], parts: list[str]
) -> None:
    line = refused(**changes)
    assert [part for part in parts if part not in line] == [], line
