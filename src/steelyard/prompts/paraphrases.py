"""Paraphrases of questions, read from a file."""

import functools
from collections.abc import Mapping
from pathlib import Path

from steelyard.errors import InputError
from steelyard.io.rows import read_rows


def read_paraphrases(path: str) -> Mapping[str, tuple[str, ...]]:
    """Paraphrases by question id, from rows `id, texts`; a file is read again once it changes.

    Raises:
        InputError: a row has no `id` or no list of texts, or an id occurs twice.
    """
    stat = Path(path).stat() if Path(path).is_file() else None
    return _read(path, stat and stat.st_mtime_ns, stat and stat.st_size)


@functools.lru_cache(maxsize=8)
def _read(path: str, modified: int | None, size: int | None) -> Mapping[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for location, row in read_rows(Path(path)):
        texts = row.get("texts")
        good = isinstance(texts, list) and all(isinstance(t, str) and t.strip() for t in texts)
        if "id" not in row or not texts or not good:
            raise InputError(f"{location}: a paraphrase has `id` and `texts`, a list of texts.")
        if str(row["id"]) in table:
            raise InputError(
                f"{location}: id {row['id']!r} occurs twice; put its texts in one row."
            )
        table[str(row["id"])] = tuple(texts)
    return table
