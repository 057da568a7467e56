"""Reading files: every row with its place, every failure with file and line."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steelyard.data import read_rows
from steelyard.errors import InputError

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
ROWS = [{"id": "a", "text": "one"}, {"id": "b", "text": "zwei, drei\nvier"}]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path, **limits: int) -> str:
    with pytest.raises(InputError) as error:
        list(read_rows(path, **limits))
    return str(error.value)


def json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def csv_text(rows: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize(
    "name", ["d.jsonl", "d.jsonl.gz", "d.json", "d.csv", "d.csv.gz", "d.parquet"]
)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        text = csv_text(ROWS) if "csv" in name else json_lines(ROWS)
        raw = (json.dumps(ROWS) if name.endswith(".json") else text).encode()
        path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    assert [row for _, row in read_rows(path)] == ROWS


def test_places_are_lines_of_the_file(tmp_path: Path) -> None:
    lines = write(tmp_path, "t.jsonl", '{"a": 1}\n\n{"a": 2}\n')
    assert [place for place, _ in read_rows(lines)] == ["t.jsonl line 1", "t.jsonl line 3"]
    table = write(tmp_path, "t.csv", 'a,b\n1,"two\nlines"\n3,4\n')
    assert [place for place, _ in read_rows(table)] == ["t.csv line 2", "t.csv line 4"]


def test_a_byte_order_mark_is_no_part_of_the_first_field(tmp_path: Path) -> None:
    for name, text in (("t.csv", "a\n1\n"), ("t.jsonl", '{"a": "1"}'), ("t.json", '[{"a": "1"}]')):
        path = write(tmp_path, name, b"\xef\xbb\xbf" + text.encode())
        assert [row for _, row in read_rows(path)] == [{"a": "1"}]


def test_a_missing_file_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, "train.jsonl", "{}")
    path = tmp_path / "trian.jsonl"
    assert refusal(path) == f"{path} does not exist. Did you mean 'train.jsonl' in {tmp_path}?"
    other = tmp_path / "no" / "t.csv"
    assert refusal(other) == f"{other} does not exist. Nor does its folder {other.parent}."


def test_what_is_no_data_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").mkdir()
    assert "it is a folder" in refusal(tmp_path / "d.jsonl")
    assert "must end in one of .jsonl, .jsonl.gz, .json" in refusal(tmp_path / "d.txt")
    assert "is empty" in refusal(write(tmp_path, "e.csv", ""))
    assert "has no rows" in refusal(write(tmp_path, "e.csv", "id,text\n"))
    assert "has no rows" in refusal(write(tmp_path, "e.jsonl", "\n \n"))
    assert "has no rows" in refusal(write(tmp_path, "e.json", "[]"))
    assert "cannot be read: File name too long" in refusal(tmp_path / ("n" * 300 + ".csv"))


def test_a_file_without_read_permission_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "t.jsonl", "{}")
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        assert "cannot be read: Permission denied" in refusal(path)
    else:
        pytest.skip("this user may read every file")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.jsonl", b'{}\n{"a": "\xff"}\n', "t.jsonl line 2: byte 8 is 0xff, not UTF-8"),
        ("t.json", b'[{},\n{"a": "\xe4"}]', "t.json line 2: byte 8 is 0xe4, not UTF-8"),
        ("t.csv", b"a,b\n1,\0\n", "t.csv line 2: byte 3 is NUL"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "t.csv is UTF-16. Save it as UTF-8."),
        ("t.jsonl", '{}\n{"a": 1,}\n', "t.jsonl line 2 is not JSON: "),
        ("t.jsonl", "{}\n[1]\n", "t.jsonl line 2 must be a JSON object, {...}; got a list."),
        ("t.jsonl", "[" * 100_000, "t.jsonl line 1 is JSON that cannot be read"),
        ("t.jsonl", '{"a": ' + "9" * 5000 + "}", "t.jsonl line 1 is JSON that cannot be read"),
        ("t.json", '[{},\n{"a"}]', "t.json is not JSON: Expecting ':' delimiter, line 2, column 5"),
        ("t.json", '{"a": 1}', "t.json must be a JSON array of rows, [...]; got a dict."),
        ("t.json", '[{"a": 1}, 2]', "t.json row 2 must be a JSON object; got a int."),
        ("t.csv", "a,b\n1,2\n3\n", "t.csv line 3 must have 2 cells as the header has, got 1."),
        ("t.csv", 'a,b\n1,"2\n3,4\n', "t.csv line 2 is not CSV: unexpected end of data"),
        ("t.csv", "a,a\n1,2\n", "t.csv line 1: column 'a' is there twice."),
        ("t.parquet", "PAR1 and then nothing", "is not a whole Parquet file"),
    ],
)
def test_damage_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    assert message in refusal(write(tmp_path, name, content))


def test_a_line_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "t.jsonl", json_lines([{"a": "x"}, {"a": "x" * 100}]))
    message = refusal(path, max_bytes_per_line=50)
    assert message.startswith("t.jsonl line 2 has more than 50 bytes. One row per line; is this")


@pytest.mark.parametrize("name", ["t.jsonl.gz", "t.csv.gz"])
def test_a_truncated_gzip_file_is_refused(tmp_path: Path, name: str) -> None:
    whole = gzip.compress(json_lines([{"a": str(i)} for i in range(1000)]).encode())
    assert "is not a whole gzip file" in refusal(write(tmp_path, name, whole[:-20]))
    assert "is not a whole gzip file" in refusal(write(tmp_path, name, b"plain text"))


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(1000))}), path)
    whole = path.read_bytes()
    assert "is not a whole Parquet file" in refusal(write(tmp_path, "t.parquet", whole[:-30]))


def test_a_long_csv_cell_is_read_and_the_limit_of_the_process_stays(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = write(tmp_path, "t.csv", "a\n" + "x" * 200_000 + "\n")
    assert [len(row["a"]) for _, row in read_rows(path)] == [200_000]
    assert csv.field_size_limit() == before


@given(st.lists(st.fixed_dictionaries({"a": TEXTS, "b": TEXTS}), min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_what_is_written_is_read(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    lines = write(
        tmp_path, "t.jsonl", "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    )
    assert [row for _, row in read_rows(lines)] == rows
    rows.append({"a": "x", "b": "y"})
    table = write(tmp_path, "t.csv", csv_text(rows))
    full = [row for row in rows if any(map(str.strip, row.values()))]  # others are Excel's
    assert [row for _, row in read_rows(table)] == full


@given(
    st.binary(max_size=60), st.sampled_from(["jsonl", "json", "csv", "tsv", "csv.gz", "parquet"])
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_bytes_are_rows_or_an_input_error(tmp_path: Path, raw: bytes, ending: str) -> None:
    path = write(tmp_path, f"t.{ending}", raw)
    try:
        rows = list(read_rows(path))
    except InputError:
        return
    assert all(isinstance(row, dict) for _, row in rows)
