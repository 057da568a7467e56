"""Votes files: three layouts, two readers that must agree, open answers, truth."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import InputError
from steelyard.io.columns import Column, _read_by_rows, read_columns
from steelyard.io.row_source import FileRows
from steelyard.types import ABSTAIN, NO_CANDIDATE, Votes
from steelyard.types.build_votes import open_votes, vote_order
from steelyard.votes_io.classes import FileClasses, infer_classes, whole_number
from steelyard.votes_io.raw_votes import read_raw_votes
from steelyard.votes_io.read_votes import read_votes
from steelyard.votes_io.truth import read_truth

LONG = [
    {"id": "q1", "voter": "ann", "answer": "yes"},
    {"id": "q1", "voter": "bob", "answer": "no"},
    {"id": "q2", "voter": "bob", "answer": "yes"},
    {"id": "q3", "voter": "ann", "answer": "no"},
]
NESTED = [
    {
        "id": "q1",
        "votes": [{"annotator": "ann", "label": "yes"}, {"annotator": "bob", "label": "no"}],
    },
    {"id": "q2", "votes": [{"annotator": "bob", "label": "yes"}]},
    {"id": "q3", "votes": [{"annotator": "ann", "label": "no"}]},
]
WIDE = "id,text,ann,bob\nq1,who,yes,no\nq2,what, ,yes\nq3,why,no,\n"


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def said(votes: Votes) -> list[tuple[str, str, int]]:
    """(id, voter, answer) of each vote in order."""
    triples = zip(votes.example, votes.voter, votes.answer, strict=True)
    return [(votes.ids[i], votes.voters[v], int(a)) for i, v, a in triples]


EXPECTED = [("q1", "ann", 1), ("q1", "bob", 0), ("q2", "bob", 1), ("q3", "ann", 0)]


def files(folder: Path) -> dict[str, Path]:
    """The same votes in every layout and format."""
    table = {name: [row[name] for row in LONG] for name in ("id", "voter", "answer")}
    pq.write_table(pa.table(table), folder / "long.parquet")
    pq.write_table(pa.Table.from_pylist(NESTED), folder / "nested.parquet")
    with (folder / "long.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["voter", "answer", "id"])
        writer.writeheader()
        writer.writerows(LONG)
    return {
        "long.jsonl": lines(folder / "long.jsonl", LONG),
        "long.json": text(folder / "long.json", json.dumps(LONG)),
        "long.csv": folder / "long.csv",
        "long.parquet": folder / "long.parquet",
        "nested.jsonl": lines(folder / "nested.jsonl", NESTED),
        "nested.parquet": folder / "nested.parquet",
        "wide.csv": text(folder / "wide.csv", WIDE),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("long.jsonl", "long.json", "long.csv", "long.parquet"),
        *("nested.jsonl", "nested.parquet", "wide.csv"),
    ],
)
def test_every_layout_and_format_says_the_same(tmp_path: Path, name: str) -> None:
    read = read_votes(files(tmp_path)[name])
    assert read.header.layout == name.split(".")[0]
    assert read.votes.classes == ("no", "yes")
    assert read.votes.ids == ("q1", "q2", "q3")
    assert sorted(said(read.votes)) == EXPECTED
    assert read.notes == ()


def test_a_wide_file_says_what_it_ignores(tmp_path: Path) -> None:
    read = read_votes(text(tmp_path / "v.csv", WIDE))
    assert read.header.voters == ("ann", "bob")
    assert read.header.ignored == ("text",)


def test_numbered_voters_are_voters_and_no_misspelling(tmp_path: Path) -> None:
    read = read_votes(text(tmp_path / "v.csv", "id,voter1,voter2\nq,x,y\nr,y,x\n"))
    assert read.votes.voters == ("voter1", "voter2")


def test_rows_of_a_wide_json_file_may_name_other_voters(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": "q", "a": 1}, {"id": "r", "b": 1, "text": "long"}]
    read = read_votes(lines(tmp_path / "v.jsonl", rows), classes=("no", "yes"))
    assert said(read.votes) == [("q", "a", 1), ("r", "b", 1)]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12))
def test_arrow_and_the_row_reader_read_a_csv_alike(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "v.csv"
    rows.append(("q", "a", "x"))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "voter", "answer"), *rows])
    names = ("id", "voter", "answer")
    fast, slow = read_columns(path, names), _read_by_rows(path, None)
    assert {name: decoded(column) for name, column in fast.items()} == {
        name: decoded(column) for name, column in slow.items()
    }
    full = [row for row in rows if any(map(str.strip, row))]  # blank rows are Excel's
    assert [row[1] for row in full] == decoded(fast["voter"])


@given(st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=1, max_size=12))
def test_arrow_and_the_row_reader_read_parquet_alike(
    tmp_path_factory: pytest.TempPathFactory, values: list[int | None]
) -> None:
    path = tmp_path_factory.mktemp("parquet") / "v.parquet"
    kinds = {"i": pa.int8(), "f": pa.float32(), "s": pa.string()}
    casts = {"i": values, "f": values, "s": [None if v is None else str(v) for v in values]}
    pq.write_table(pa.table({k: pa.array(casts[k], kind) for k, kind in kinds.items()}), path)
    fast, slow = read_columns(path, tuple(kinds)), _read_by_rows(path, None)
    for name in kinds:
        assert list(map(repr, decoded(fast[name]))) == list(map(repr, decoded(slow[name])))


def decoded(column: Column) -> list[Any]:
    return [column.values[code] for code in column.codes]


def test_what_arrow_has_no_one_reading_for_is_read_by_rows(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    table = {"id": ["q", "q"], "voter": ["a", "b"], "answer": ["x", "y"]}
    pq.write_table(pa.table({**table, "probabilities": [[1.0, 0.0], [0.25, 0.75]]}), path)
    votes = read_votes(path).votes
    assert votes.probs is not None
    assert votes.probs.tolist() == [[1.0, 0.0], [0.25, 0.75]]


def test_categories_of_pandas_are_read(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    voters = pa.array(["a", "b", "a"]).dictionary_encode()
    pq.write_table(pa.table({"id": ["q", "q", "r"], "voter": voters, "answer": [0, 1, 1]}), path)
    assert said(read_votes(path).votes) == [("q", "a", 0), ("q", "b", 1), ("r", "a", 1)]


def test_probabilities_are_completed(tmp_path: Path) -> None:
    """One-hot where a vote has none, uniform where it abstains; cells of a CSV are JSON."""
    rows = 'id,voter,answer,probabilities\nq,a,x,"[0.9, 0.1]"\nq,b,y,\nq,c,,\n'
    votes = read_votes(text(tmp_path / "v.csv", rows)).votes
    assert votes.probs is not None
    assert votes.probs.tolist() == [[0.9, 0.1], [0.0, 1.0], [0.5, 0.5]]
    assert votes.answer.tolist() == [0, 1, ABSTAIN]


def test_an_answer_below_its_probability_needs_the_order_of_the_classes(tmp_path: Path) -> None:
    row = {"id": "q", "voter": "a", "answer": "no", "probabilities": [0.7, 0.3]}
    path = lines(tmp_path / "v.jsonl", [row, {**row, "voter": "b", "answer": "yes"}])
    with pytest.raises(InputError, match="in the order"):
        read_votes(path)
    assert read_votes(path, classes=("yes", "no")).votes.answer.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        *((1, "1"), (1.0, "1"), ("1", "1"), ("1.0", "1"), ("+1", "1"), ("-0", "0"), ("01", None)),
        *((True, None), ("1.5", None), (0.5, None), (float("nan"), None), ("", None), (None, None)),
    ],
)
def test_whole_numbers_have_one_name(value: Any, whole: str | None) -> None:
    assert whole_number(value) == whole


def test_numbers_are_names_where_a_name_is_a_number() -> None:
    """With classes 1, 2, 3 the answer 1 is the first class, and 0 is none."""
    assert FileClasses(("1", "2", "3")).numbers([1, "3", 0, 2.0]).tolist() == [0, 2, -2, 1]
    assert FileClasses(("no", "yes")).numbers([1, "no", 2, "1.0"]).tolist() == [1, 0, -2, 1]
    assert FileClasses(("-1", "1")).numbers([-1, "1", "", None]).tolist() == [0, 1, -1, -1]


def test_class_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    rows = "".join(f"q{i},a,{i}\n" for i in (10, 9, 2))
    raw = read_raw_votes(FileRows(text(tmp_path / "v.csv", f"id,voter,answer\n{rows}")))
    assert infer_classes(raw)[0].names == ("2", "9", "10")


def test_a_text_that_may_abstain_is_noted(tmp_path: Path) -> None:
    read = read_votes(text(tmp_path / "v.csv", "id,voter,answer\nq,a,yes\nq,b,N/A\nq,c,NULL\n"))
    assert read.votes.classes == ("N/A", "yes")
    assert read.votes.answer.tolist() == [1, 0, ABSTAIN]
    assert read.notes == (
        "The answer 'N/A' is read as a class; an empty answer abstains. If it is none, give it as "
        "`abstain`.",
        "1 answer of 'NULL' abstains.",
    )


def test_the_last_of_two_votes_is_kept(tmp_path: Path) -> None:
    rows = [*LONG, {"id": "q1", "voter": "ann", "answer": "no"}]
    read = read_votes(lines(tmp_path / "v.jsonl", rows), duplicates="last")
    assert read.duplicates == 1
    assert said(read.votes) == [("q1", "ann", 0), *EXPECTED[1:]]


def test_the_mean_of_a_voters_votes_is_its_distribution(tmp_path: Path) -> None:
    """ann on q1: yes, no, abstains: (1/2, 1/2) over the two that can be read."""
    rows = [*LONG, *({"id": "q1", "voter": "ann", "answer": a} for a in ("no", None))]
    votes = read_votes(lines(tmp_path / "v.jsonl", rows), duplicates="mean").votes
    assert votes.probs is not None
    assert votes.probs.tolist() == [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    assert [(i, v) for i, v, _ in said(votes)] == [(i, v) for i, v, _ in EXPECTED]


def test_a_voter_who_only_abstains_twice_abstains(tmp_path: Path) -> None:
    rows = [*LONG, *({"id": "q2", "voter": "ann", "answer": a} for a in (None, None))]
    votes = read_votes(lines(tmp_path / "v.jsonl", rows), duplicates="mean").votes
    assert said(votes)[2] == ("q2", "ann", ABSTAIN)


OPEN = [
    ("q1", "a", "$1,200.00"),
    ("q1", "b", 1200),
    ("q1", "c", "7"),
    ("q2", "a", "no idea"),
    ("q2", "b", "-1"),
    ("q3", "a", None),
]


def test_open_numbers_are_candidates_of_their_item(tmp_path: Path) -> None:
    rows = [dict(zip(("id", "voter", "answer"), row, strict=True)) for row in OPEN]
    read = read_votes(lines(tmp_path / "v.jsonl", rows), answers="number")
    votes = read.votes
    assert votes.candidate_texts == (("1200", "7"), ("-1",), ("",))
    assert votes.candidates.tolist() == [2, 1, 1]
    assert votes.answer.tolist() == [0, 0, 1, ABSTAIN, 0, ABSTAIN]
    assert votes.texts == ("$1,200.00", "1200", "7", "no idea", "-1", "")
    assert read.notes == ("1 answer has no number in it and abstains, such as 'no idea'.",)
    truth = text(tmp_path / "t.csv", 'id,truth\nq1,"1,200"\nq2,7\nq3,5\n')
    # nobody said 7 of q2, though it is an answer to q1; nobody ever said 5
    assert read_truth(FileRows(truth), votes.ids, read.label_set).tolist() == [
        0,
        NO_CANDIDATE,
        NO_CANDIDATE,
    ]


def test_open_answers_that_cannot_be_read_at_all_are_refused(tmp_path: Path) -> None:
    path = text(tmp_path / "v.csv", "id,voter,answer\nq,a,pear\nq,b,fig\n")
    with pytest.raises(InputError, match=r"has no answer that reads as `answers: number`.*'pear'"):
        read_votes(path, answers="number")
    assert read_votes(path, answers="text").votes.candidate_texts == (("fig", "pear"),)


def test_json_answers_do_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    answers = [{"a": 1, "b": [2]}, '{"b": [2], "a": 1}', {"a": 2}]
    rows = [{"id": "q", "voter": str(v), "answer": answer} for v, answer in enumerate(answers)]
    votes = read_votes(lines(tmp_path / "v.jsonl", rows), answers="json").votes
    assert votes.counts.tolist() == [[2, 1]]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from(["b", "a", "c", None])),
        max_size=20,
        unique_by=lambda vote: vote[:2],
    )
)
def test_open_votes_keep_what_each_voter_said(rows: list[tuple[int, int, str | None]]) -> None:
    example, voter = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    votes = open_votes(
        ids=("q0", "q1", "q2", "q3"),
        voters=("u", "v", "w"),
        queries=("unchanged",),
        example=example,
        voter=voter,
        query=np.zeros(len(rows), dtype=np.int64),
        answers=[row[2] for row in rows],
    )
    back = {
        (int(i), int(v), None if a == ABSTAIN else votes.candidate_texts[i][a])
        for i, v, a in zip(votes.example, votes.voter, votes.answer, strict=True)
    }
    assert back == set(rows)
    for i, candidates in enumerate(votes.candidate_texts):
        given_there = sorted({row[2] for row in rows if row[0] == i and row[2] is not None})
        assert candidates == (tuple(given_there) or ("",))


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=30), st.booleans())
def test_vote_order_sorts_and_finds_repeats(rows: list[tuple[int, int, int]], huge: bool) -> None:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    scale = np.array([2**31, 2**31, 2**31]) if huge else np.ones(3, dtype=np.int64)
    order, repeats = vote_order(*(table * scale).T)
    ordered = [rows[i] for i in order]
    assert ordered == sorted(rows)
    assert repeats.tolist() == [i > 0 and ordered[i] == ordered[i - 1] for i in range(len(rows))]


def test_truth_columns_are_read_only_when_they_are_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "v.jsonl", [{**row, "gold": "yes"} for row in NESTED])
    assert read_votes(path).truth == {}
    assert read_votes(path).header.truth == ("gold",)
    assert read_votes(path, truth=["gold"]).truth["gold"].tolist() == [1, 1, 1]


def test_a_column_of_truth_is_no_voter(tmp_path: Path) -> None:
    path = text(tmp_path / "v.csv", "id,ann,bob,expert\nq,x,y,x\nr,y,y,\n")
    read = read_votes(path, truth=["expert"])
    assert read.votes.voters == ("ann", "bob")
    assert read.truth["expert"].tolist() == [0, ABSTAIN]


def test_real_crowd_votes_are_read(shared_data: Path) -> None:
    """Counts of the data set's own description: 11,040 items, 825 voters, 92,721 votes."""
    path = shared_data / "crowd_adult" / "train.jsonl.gz"
    read = read_votes(path, classes=("0", "1", "2", "3"), duplicates="last", truth=["gold"])
    assert (len(read.votes.ids), len(read.votes.voters)) == (11_040, 825)
    assert len(read.votes.answer) + read.duplicates == 92_721
    assert int((read.truth["gold"] != ABSTAIN).sum()) == 333


@pytest.mark.parametrize("answers", ["closed", "text", "number"])
def test_a_file_without_any_vote_is_refused_in_a_line(tmp_path: Path, answers: Any) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text('{"id": "q1", "votes": []}\n')
    with pytest.raises(InputError, match=r"v\.jsonl has no (vote|answer)") as error:
        read_votes(path, answers=answers)
    assert len(str(error.value).splitlines()) == 1
