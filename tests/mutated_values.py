"""Votes files whose values or names are damaged, and not their syntax."""

import csv
import datetime
import gzip
import io
import json
import random
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from mutated import PIECES

NAMES = ("id", "voter", "answer", "truth", "query", "probabilities", "reason", "label", "text")
LEAVES: tuple[Any, ...] = (
    *(None, "", " ", "x", "ham", "HAM", " spam", "a|b", "t1", "T1", "ann", "Ann", "-1", "NA", "?"),
    *(True, False, 0, 1, -1, 2, 7, 10**12, 10**30, 0.5, 1.0, 1e300, float("nan"), float("inf")),
    *([], {}, [1], ["ham", "spam"], {"label": "ham"}, [[]], [None], {"": 0}, [0.2, 0.8]),
)


def damaged_values(name: str, data: bytes, draw: random.Random) -> bytes:
    """A file of the same format with one to four changed values, keys or rows."""
    changes = draw.choices((1, 2, 4), (6, 3, 1))[0]
    if name.endswith(".gz"):
        return gzip.compress(damaged_values(name[:-3], gzip.decompress(data), draw))
    if name.endswith((".csv", ".tsv")):
        return _csv(data.decode(), changes, draw)
    rows = _rows(name, data)
    for _ in range(changes):
        rows = changed(rows, draw)
    if name.endswith((".jsonl", ".ndjson")):
        return "".join(json.dumps(row) + "\n" for row in _list(rows)).encode()
    if name.endswith(".json"):
        return json.dumps(rows).encode()
    table = [row for row in _list(rows) if isinstance(row, dict)]
    return _xlsx(table) if name.endswith(".xlsx") else _parquet(table)


def changed(value: Any, draw: random.Random) -> Any:
    """A JSON value with a part of it replaced, renamed, repeated or taken out."""
    is_leaf = not isinstance(value, dict | list) or not value
    if is_leaf or draw.random() < 0.05:
        return draw.choice((*LEAVES, draw.choice(PIECES), f"{value}{draw.choice(PIECES)}"))
    if isinstance(value, list):
        i = draw.randrange(len(value))
        deeper = [changed(value[i], draw)]
        part = draw.choices((deeper, [], [value[i]] * 2), (18, 1, 1))[0]
        return [*value[:i], *part, *value[i + 1 :]]
    name = draw.choice(list(value))
    kind = draw.random()
    if kind < 0.85:
        return {**value, name: changed(value[name], draw)}
    new = draw.choice((*NAMES, draw.choice(PIECES), f"{name} "))
    renamed = {new if key == name else key: x for key, x in value.items()}
    return renamed if kind < 0.95 else {k: x for k, x in value.items() if k != name}


def _list(rows: Any) -> list[Any]:
    return rows if isinstance(rows, list) else [rows]


def _rows(name: str, data: bytes) -> Any:
    if name.endswith(".xlsx"):
        sheet = openpyxl.load_workbook(io.BytesIO(data)).active
        header, *rows = sheet.iter_rows(values_only=True)
        return [dict(zip(map(str, header), row, strict=True)) for row in rows]
    if name.endswith(".parquet"):
        return pq.read_table(io.BytesIO(data)).to_pylist()
    try:
        return json.loads(data)
    except ValueError:
        return [json.loads(line) for line in data.decode().splitlines()]


def _csv(text: str, changes: int, draw: random.Random) -> bytes:
    first, *others = text.splitlines(keepends=True)
    directive = first if first.startswith("sep=") else ""
    body = "".join(others) if directive else text
    head = body.partition("\n")[0]
    mark = max(",;\t|", key=head.count)
    rows = list(csv.reader(io.StringIO(body), delimiter=mark))
    for _ in range(changes):
        row = rows[draw.randrange(len(rows))]
        if row:
            i = draw.randrange(len(row))
            row[i] = "" if (value := changed(row[i], draw)) is None else str(value)
        if draw.random() < 0.1:
            rows.insert(draw.randrange(len(rows)), list(row))
    out = io.StringIO()
    csv.writer(out, delimiter=mark, lineterminator=draw.choice(("\n", "\r\n"))).writerows(rows)
    encoding = draw.choices(("utf-8", "utf-16", "cp1252", "utf-8-sig"), (90, 2, 4, 4))[0]
    return (directive + out.getvalue()).encode(encoding, errors="replace")


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    try:
        pq.write_table(pa.Table.from_pylist(rows), out)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):  # values of several types
        plain = [{k: None if x is None else str(x) for k, x in row.items()} for row in rows]
        texts = [{k: x and x.replace("\ud800", "") for k, x in row.items()} for row in plain]
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(texts), out)
    return out.getvalue()


def _xlsx(rows: list[dict[str, Any]]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    names = list({name: None for row in rows for name in row})
    for cells in ([*names], *([row.get(name) for name in names] for row in rows)):
        book.active.append([_cell(value) for value in cells])
    if rows:
        book.active.cell(2, len(names) + 1).value = None
    book.save(out)
    return out.getvalue()


def _cell(value: Any) -> Any:
    """A value that a workbook can hold; 7 becomes a date, which workbooks may have."""
    if value == 7 and value is not True:
        return datetime.datetime(2024, 1, 7)
    if isinstance(value, int | float) and abs(value) < 1e15:
        return value
    text = "" if value is None else str(value)
    kept = "".join(c for c in text if c.isprintable())
    return kept or None
