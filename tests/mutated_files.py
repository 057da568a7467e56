"""Votes files that are damaged at random: each is read, or refused in one line."""

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import steelyard as sy
from export_files import FILES, LONG, SAID, excel, parquet, table, wide
from mutated import damaged
from mutated_values import damaged_values
from steelyard.errors import SteelyardError
from steelyard.votes_io.read_options import ReadOptions
from steelyard.weighing.inputs import load_votes

Content = tuple[str, bytes, dict[str, str]]
"""A file's name, its bytes and the names of columns."""


def damaged_bytes(content: bytes, draw: random.Random) -> bytes:
    """Bytes after one to four changes: some replaced, cut out, repeated, or the end missing."""
    for _ in range(draw.randint(1, 4)):
        start = draw.randint(0, len(content))
        end = start + draw.choice((1, 1, 2, 8, 64))
        part = draw.choice((draw.randbytes(end - start), b"", content[start:end] * 2))
        content = content[:start] + part + content[end:]
        if draw.random() < 0.1:
            content = content[:start]
    return content


def whole_files() -> list[Content]:
    """Files that are read as they are: exports, and long and wide tables in every format."""
    found: list[Content] = []
    for name, make, columns in FILES.values():
        made = make()
        first = next(iter(made.items())) if isinstance(made, dict) else (name, made)
        content = first[1] if isinstance(first[1], bytes) else first[1].encode()
        found.append((first[0], content, columns))
    rows = [{"id": i, "voter": v, "answer": a} for (i, v), a in SAID.items()]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    for text in (table(LONG), table(LONG, probabilities="[0.2, 0.8]"), wide(truth="spam")):
        found += [("v.csv", text.encode(), {}), ("v.tsv", text.replace(",", "\t").encode(), {})]
        found += [("v.xlsx", excel(text), {}), ("v.parquet", parquet(text), {})]
        found += [("v.csv.gz", gzip.compress(text.encode()), {})]
    found += [("v.jsonl", lines.encode(), {}), ("v.json", json.dumps(rows).encode(), {})]
    return [*found, ("v.jsonl.gz", gzip.compress(lines.encode()), {})]


def _damaged_file(content: Content, other: Content, draw: random.Random) -> bytes:
    """A file with damaged values, text (inside gzip or a workbook too) or bytes."""
    name, data, _ = content
    if draw.random() < 0.5:
        return damaged_values(name, data, draw)
    inner = draw.random() < 0.8  # as text, where there is one

    def changed(part: bytes) -> bytes:
        text, others = part.decode(errors="replace"), other[1].decode(errors="replace")
        encoding = draw.choices(("utf-8", "utf-16", "cp1252", "utf-8-sig"), (90, 2, 4, 4))[0]
        return damaged(text, others, draw).encode(encoding, errors="surrogatepass" if "utf" in
                                                  encoding else "replace")  # fmt: skip

    if not inner or name.endswith(".parquet"):
        return damaged_bytes(data, draw)
    if name.endswith(".gz"):
        return gzip.compress(changed(gzip.decompress(data)))
    return _damaged_book(data, changed, draw) if name.endswith(".xlsx") else changed(data)


def _damaged_book(data: bytes, changed: Callable[[bytes], bytes], draw: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as book, zipfile.ZipFile(out, "w") as new:
        parts = book.namelist()
        chosen = draw.choice(parts)
        for part in parts:
            new.writestr(part, changed(book.read(part)) if part == chosen else book.read(part))
    return out.getvalue()


def check_file(number: int, seed: int, files: Sequence[Content], folder: Path) -> bool:
    """Read a damaged votes file as `weigh` does, and weigh every fiftieth; whether it was read.

    Raises:
        AssertionError: an error of more than one line.
        Exception: anything but a SteelyardError.
    """
    draw = random.Random(f"{seed} file {number}")
    content = draw.choice(files)
    name, _, columns = content
    path = folder / name
    path.write_bytes(_damaged_file(content, draw.choice(files), draw))
    answers = draw.choices(
        ("closed", "number", "text", "json", "slots", "set"), (90, 2, 2, 2, 2, 2)
    )
    duplicates = draw.choice(("error", "last", "mean"))
    truth = "truth" if draw.random() < 0.1 else None
    options = ReadOptions(columns)
    try:
        if number % 50:
            load_votes(path, truth, None, answers[0], duplicates, None, options)
        else:
            sy.weigh(path, ["majority"], truth=truth, answers=answers[0], duplicates=duplicates,
                     columns=columns, out=folder / "out")  # fmt: skip
    except SteelyardError as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError(f"not one line: {error}") from error
        return False
    return True
