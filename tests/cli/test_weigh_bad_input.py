"""Votes that do not fit `weigh`: one line that names the file, the line, the value; exit code 2."""

import json
from pathlib import Path
from typing import Any

import pytest

from vote_files import CLASSES, FEW, GOOD, HEADER, NAN, Weigh, columns, vote

COLUMNS = {
    "voter misspelt": ("id,votr,answer\nq,a,x\n", ["`voter` is missing", "'votr' to `voter`"]),
    "both misspelt": ("id,voters,answers\nq,a,x\n", ["'voters' to `voter`", "rename"]),
    "two answers": (
        "id,voter,label,rating\nq,a,x,1\n",
        ["'label' and 'rating' may all be the answer", "answer=label"],
    ),
    "the id of the row": (
        "id,task_id,annotator,label\n1,q,a,x\n2,q,b,x\n",
        ["'id' is another in each row", "'task_id'", "id=task_id"],
    ),
    "a labelled data set": (
        "id,text,label\nq,a,x\n",
        ["`voter` is missing", "one column per voter"],
    ),
    "no id": ("ann,bob\nx,y\n", ["votes.csv", "`id` is missing", "ann, bob"]),
    "nobody votes": ("id,text,truth\nq,a,x\n", ["votes.csv has no votes", "id, text, truth"]),
    "weights": (
        "id,voter,answer,weight\nq,a,x,2\n",
        ["no weights", "'weight'", "remove the col"],
    ),
    "wide with queries": ("id,ann,query\nq,x,y\n", ["`voter` is missing", "'query'"]),
    "column twice": ("id,ann,ann\nq,x,y\n", ["votes.csv line 1: column 'ann' is there twice"]),
    "length is no voter": (
        "id,ann,bob,chars\nq1,x,y,31\nq2,y,x,47\nq3,x,x,12\n",
        ["is column 'chars' a voter", "31", "`without`", "`classes`"],
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
    "fraction as id": (columns(id=[1.5, 1.0, 2.0]), ["votes.parquet row 1: `id`", "1.5"]),
    "bool voter": ([*GOOD, vote("q1", True, "ham")], ["line 9: `voter`", "True"]),
    "empty voter": (f"{FEW}q2,,ham\n", ["votes.csv line 5: `voter`", "''"]),
    "ids differ in case": (f"{FEW}Q1,cyd,ham\n", ["line 5: id 'Q1'", "case", "'q1'", "line 2"]),
    "ids differ in space": (f"{FEW}q1 ,cyd,ham\n", ["line 5: id 'q1 '", "white space", "line 2"]),
    "lone surrogate": ([*GOOD, vote("q\ud800", "a", "ham")], ["line 9: `id`"]),
    "NUL escaped": ([*GOOD, vote("q\0", "a", "ham")], ["line 9: `id`"]),
}
ANSWERS = {
    "bool": ([*GOOD, vote("q1", "c", True)], ["line 9: answer True of 'c' on 'q1'", "write 1"]),
    "fraction": ([*GOOD, vote("q1", "c", 0.5)], ["line 9: answer 0.5 of 'c'", "`probabilities`"]),
    "fraction in CSV": (f"{FEW}q2,bob,0.5\n", ["line 5: answer '0.5' of 'bob'", "`classes`"]),
    "infinite": ([*GOOD, vote("q1", "c", float("inf"))], ["line 9: answer inf"]),
    "list": (
        [*GOOD, vote("q1", "c", ["ham"])],
        ["line 9: answer ['ham']", "`answers` to json"],
    ),
    "two spellings": (f"{FEW}q2,bob,Ham\n", ["line 5: answer 'Ham'", "'ham' of votes.csv line 2"]),
    "two spaces": (f"{FEW}q2,bob, ham\n", ["line 5: answer ' ham'", "white space", "line 2"]),
    "wide characters": ([*GOOD, vote("q1", "c", "\uff48am")], ["line 9", "differs only"]),
    "names and numbers": (
        [*GOOD, vote("q1", "c", 1)],
        ["all names or all whole numbers", "line 1 has 'spam'", "line 9 has 1"],
    ),
    "01 and 1": (f"{HEADER}q1,a,01\nq1,b,1\n", ["all names or all whole", "'01'", "'1'"]),
    "1 and -1": (f"{HEADER}q1,a,1\nq1,b,-1\n", ["1 and -1", "-1 abstains", "`classes`"]),
    "nobody says anything": (f"{HEADER}q1,a,\nq1,b,-1\nq2,a,nan\n", ["every vote abstains"]),
    "open answers": (
        HEADER + "".join(f"q{i},{v},{i}{v}{i}x\n" for i in range(30) for v in "ab"),
        ["60 distinct answers on 30 items", "`answers` to number"],
    ),
    "the same vote twice": (
        f"{FEW}q1,ann,spam\nq2,ann,ham\n",
        ["votes.csv line 5: 'ann' votes on 'q1' a second time", "line 2", "2 such", "`duplicates`"],
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
