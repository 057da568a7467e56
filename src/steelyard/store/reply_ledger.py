"""Replies of servers in SQLite, so that no reply is paid for twice.

A row is one reply, under the hash of everything that it depends on (engine, model, exact messages,
sampling, number of the draw). It is committed before it is used. Threads and processes of one
machine may share a ledger; a claim keeps two of them from sending the same request at once.
"""

import json
import os
import socket
import sqlite3
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steelyard.errors import StoreError
from steelyard.store.sqlite_file import FORMAT as FORMAT
from steelyard.store.sqlite_file import SqliteFile, damaged
from steelyard.store.submitted import SubmittedBatches
from steelyard.supervision.api.request import ENDED, family_key, output_limit

BATCH = 500  # keys in one statement
FIELDS = (
    *("engine", "model", "request", "text", "finish_reason", "refusal", "logprobs"),
    *("served_model", "fingerprint", "prompt_tokens", "completion_tokens"),
    *("price", "seconds", "time"),
)
"""Columns of a reply. `request` and `logprobs` are JSON; `time` is when it was stored."""
TABLES = (
    f"CREATE TABLE answers (key TEXT PRIMARY KEY, {', '.join(FIELDS)}) WITHOUT ROWID",
    "CREATE TABLE claims (key TEXT PRIMARY KEY, owner TEXT, until REAL) WITHOUT ROWID",
)
ENDINGS = (
    "CREATE TABLE endings (family TEXT, most INTEGER, key TEXT, PRIMARY KEY (family, most))"
    " WITHOUT ROWID"
)
"""Replies that ended before their limit: the hash of the request without its limit, and it."""


class Ledger:
    """A file of stored replies.

    Args:
        path: the file; created if it is missing.
        lease: seconds after which a claim expires whose process cannot be looked up.

    Raises:
        StoreError: the file is damaged, belongs to another program or to a later version, or
            cannot be written.
    """

    def __init__(self, path: Path, lease: float = 900.0) -> None:
        self.path = path
        self._lease = lease
        self._owner = f"{socket.gethostname()} {os.getpid()} {_start_of(os.getpid())} {id(self)}"
        self._closed = False
        self._file = SqliteFile(path, TABLES, _add_tables)
        self.batches = SubmittedBatches(self._file, self._owner, _lives)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release all claims and close the file."""
        if not self._closed:
            self._file.write("DELETE FROM claims WHERE owner = ?", (self._owner,))
            self.batches.disown()
            self._file.close()
        self._closed = True

    def count(self) -> int:
        """Number of stored replies."""
        return int(self._file.read("SELECT count(*) FROM answers")[0][0])

    def get(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Stored replies by key, with `FIELDS` but the request."""
        names = [name for name in FIELDS if name != "request"]
        answers: dict[str, dict[str, Any]] = {}
        for key, *values in self._rows("key, " + ", ".join(names), "answers", "key", keys):
            answer = dict(zip(names, values, strict=True))
            answer["logprobs"] = _parsed(answer["logprobs"], self.path)
            answers[key] = answer
        return answers

    def get_shorter(self, limits: Mapping[str, int]) -> dict[str, tuple[str, dict[str, Any]]]:
        """Replies to the same requests with a smaller limit that ended before that limit.

        Args:
            limits: the request's `family_key` -> its largest number of tokens.

        Returns:
            `family_key` -> the key and the reply under the largest such limit.
        """
        nearest: dict[str, tuple[int, str]] = {}
        for family, most, key in self._rows("family, most, key", "endings", "family", list(limits)):
            if most < limits[family]:
                nearest[family] = max(nearest.get(family, (0, "")), (most, key))
        replies = self.get([key for _, key in nearest.values()])
        return {
            family: (key, replies[key]) for family, (_, key) in nearest.items() if key in replies
        }

    def put(self, answers: Mapping[str, Mapping[str, Any]]) -> int:
        """Store replies durably. If a key is stored already, its first reply is kept.

        Args:
            answers: key -> some of `FIELDS`; `request` and `logprobs` are plain values.

        Returns:
            Number of keys that were new.
        """
        rows = [(key, *_row(answer)) for key, answer in answers.items()]
        endings = [_ending(key, answer) for key, answer in answers.items()]
        marks = ", ".join("?" * (1 + len(FIELDS)))
        with self._file.transaction(durable=True) as connection:
            insert = f"INSERT OR IGNORE INTO answers VALUES ({marks})"
            written = connection.executemany(insert, rows).rowcount
            _insert_endings(connection, endings)
            connection.executemany("DELETE FROM claims WHERE key = ?", [(key,) for key in answers])
        return written

    def retire(self, keys: Sequence[str]) -> None:
        """Make requests unanswered again. Their replies stay in the file, under other keys."""
        with self._file.transaction(durable=True) as connection:
            for key in keys:
                other = f"{key}~{uuid.uuid4().hex[:8]}"
                connection.execute("UPDATE answers SET key = ? WHERE key = ?", (other, key))
                connection.execute("DELETE FROM endings WHERE key = ?", (key,))

    def claim(self, key: str) -> bool:
        """Claim a request; False if another ledger claims it or the reply is stored.

        A claim ends with `put`, `release` or `close`, with the end of its process, or after the
        lease.
        """
        answered = "SELECT 1 FROM answers WHERE key = ?"
        if self._file.read(answered, (key,)):
            return False
        with self._file.transaction() as connection:
            if connection.execute(answered, (key,)).fetchone():  # meanwhile
                return False
            row = connection.execute(
                "SELECT owner, until FROM claims WHERE key = ?", (key,)
            ).fetchone()
            if row and row[0] != self._owner and time.time() < row[1] and _lives(row[0]):
                return False
            connection.execute(
                "INSERT OR REPLACE INTO claims VALUES (?, ?, ?)",
                (key, self._owner, time.time() + self._lease),
            )
        return True

    def release(self, key: str) -> None:
        """Release a claim without a reply."""
        self._file.write("DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._owner))

    def _rows(self, columns: str, table: str, by: str, values: Sequence[str]) -> list[Any]:
        """Rows of a table whose column `by` has one of the values."""
        rows: list[Any] = []
        for start in range(0, len(values), BATCH):
            part = list(values[start : start + BATCH])
            marks = ", ".join("?" * len(part))
            rows += self._file.read(f"SELECT {columns} FROM {table} WHERE {by} IN ({marks})", part)
        return rows


def _add_tables(connection: sqlite3.Connection) -> None:
    """Add what ledgers of earlier versions lack."""
    SubmittedBatches.add_table(connection)
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'endings'").fetchone():
        return
    connection.execute(ENDINGS)
    names = ("engine", "request", "finish_reason", "completion_tokens")
    rows = connection.execute(f"SELECT key, {', '.join(names)} FROM answers")
    endings = []
    for key, *values in rows:
        answer = dict(zip(names, values, strict=True))
        try:
            answer["request"] = json.loads(answer["request"] or "null")
        except ValueError:  # a damaged row, which `get` reports where it is needed
            continue
        endings.append(_ending(key, answer))
    _insert_endings(connection, endings)


def _ending(key: str, answer: Mapping[str, Any]) -> tuple[str, int, str] | None:
    """The row of `endings` of a reply; None where a larger limit may give another reply."""
    request, written = answer.get("request"), answer.get("completion_tokens")
    if answer.get("finish_reason") not in ENDED or not isinstance(request, Mapping):
        return None
    most = output_limit(request)
    if most is None or (written is not None and written >= most):
        return None
    return family_key(str(answer.get("engine")), request), most, key


def _insert_endings(
    connection: sqlite3.Connection, endings: Sequence[tuple[str, int, str] | None]
) -> None:
    rows = [ending for ending in endings if ending is not None]
    connection.executemany("INSERT OR IGNORE INTO endings VALUES (?, ?, ?)", rows)


def _parsed(text: str | None, path: Path) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise StoreError(damaged(path, f"a row is not JSON: {error}")) from error


def _row(answer: Mapping[str, Any]) -> list[Any]:
    """The columns of a reply. Lone surrogates (from JSON escapes) are replaced: not UTF-8."""
    values = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **answer}
    assert set(values) <= set(FIELDS), values.keys()
    for name in ("request", "logprobs"):
        if values.get(name) is not None:
            values[name] = json.dumps(values[name])
    answers = (values.get(name) for name in FIELDS)
    return [v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in answers]


def _lives(owner: str) -> bool:
    """Whether the process of a claim may still run; True for another machine."""
    host, process, start, _ = owner.split(" ")
    return host != socket.gethostname() or _start_of(int(process)) == start


def _start_of(process: int) -> str:
    """When a process started, as text; empty if it has ended.

    Numbers of processes come again, in a container that is started anew most of all.
    """
    if sys.platform == "win32":
        return "unknown"  # the lease decides
    try:
        os.kill(process, 0)
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except ProcessLookupError:
        return ""
    except PermissionError:  # it runs as another user
        return "unknown"
    except OSError:  # no /proc, as on a Mac
        return "" if Path("/proc/self").exists() else "unknown"
    return "" if state in "ZX" else fields[18]
