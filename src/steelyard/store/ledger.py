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
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from steelyard.errors import StoreError

FORMAT = 1  # version of the tables; a ledger of a later version is refused
APPLICATION_ID = int.from_bytes(b"Stly", "big")  # SQLite's application_id: this file is a ledger
TIMEOUT = 60.0  # seconds to wait for other writers
BATCH = 500  # keys in one statement
FIELDS = (
    *("engine", "model", "request", "text", "finish_reason", "refusal", "logprobs"),
    *("served_model", "fingerprint", "prompt_tokens", "completion_tokens"),
    *("price", "seconds", "time"),
)
"""Columns of a reply. `request` and `logprobs` are JSON; `time` is when it was stored."""
TABLES = f"""
CREATE TABLE answers (key TEXT PRIMARY KEY, {", ".join(FIELDS)}) WITHOUT ROWID;
CREATE TABLE claims (key TEXT PRIMARY KEY, owner TEXT, until REAL) WITHOUT ROWID;
"""


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
        self._lock, self._closed = threading.Lock(), False
        with self._errors_as_sentences():
            self._database = sqlite3.connect(
                path, timeout=TIMEOUT, isolation_level=None, check_same_thread=False
            )
            try:
                self._retry_busy(self._prepare)
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release all claims and close the file."""
        with self._lock, self._errors_as_sentences():
            if not self._closed:
                self._write("DELETE FROM claims WHERE owner = ?", (self._owner,))
                self._database.close()
            self._closed = True

    def count(self) -> int:
        """Number of stored replies."""
        with self._lock, self._errors_as_sentences():
            (count,) = self._database.execute("SELECT count(*) FROM answers").fetchone()
        return int(count)

    def get(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Stored replies by key, with `FIELDS` but the request."""
        answers: dict[str, dict[str, Any]] = {}
        names = [name for name in FIELDS if name != "request"]
        for start in range(0, len(keys), BATCH):
            part = list(keys[start : start + BATCH])
            marks = ", ".join("?" * len(part))
            query = f"SELECT key, {', '.join(names)} FROM answers WHERE key IN ({marks})"
            with self._lock, self._errors_as_sentences():
                rows = self._database.execute(query, part).fetchall()
            for key, *values in rows:
                answer = dict(zip(names, values, strict=True))
                answer["logprobs"] = _parsed(answer["logprobs"], self.path)
                answers[key] = answer
        return answers

    def put(self, answers: Mapping[str, Mapping[str, Any]]) -> int:
        """Store replies durably. If a key is stored already, its first reply is kept.

        Args:
            answers: key -> some of `FIELDS`; `request` and `logprobs` are plain values.

        Returns:
            Number of keys that were new.
        """
        rows = [(key, *_row(answer)) for key, answer in answers.items()]
        marks = ", ".join("?" * (1 + len(FIELDS)))
        with self._lock, self._errors_as_sentences(), self._transaction(durable=True):
            insert = f"INSERT OR IGNORE INTO answers VALUES ({marks})"
            written = self._database.executemany(insert, rows).rowcount
            self._database.executemany(
                "DELETE FROM claims WHERE key = ?", [(key,) for key in answers]
            )
        return written

    def claim(self, key: str) -> bool:
        """Claim a request; False if another ledger claims it or the reply is stored.

        A claim ends with `put`, `release` or `close`, with the end of its process, or after the
        lease.
        """
        answered = "SELECT 1 FROM answers WHERE key = ?"
        with self._lock, self._errors_as_sentences():
            if self._database.execute(answered, (key,)).fetchone():
                return False
        with self._lock, self._errors_as_sentences(), self._transaction():
            if self._database.execute(answered, (key,)).fetchone():  # meanwhile
                return False
            row = self._database.execute(
                "SELECT owner, until FROM claims WHERE key = ?", (key,)
            ).fetchone()
            if row and row[0] != self._owner and time.time() < row[1] and _lives(row[0]):
                return False
            self._database.execute(
                "INSERT OR REPLACE INTO claims VALUES (?, ?, ?)",
                (key, self._owner, time.time() + self._lease),
            )
        return True

    def release(self, key: str) -> None:
        """Release a claim without a reply."""
        with self._lock, self._errors_as_sentences():
            self._write("DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._owner))

    def _write(self, statement: str, values: Sequence[Any]) -> None:
        with self._transaction():
            self._database.execute(statement, values)

    @contextmanager
    def _transaction(self, durable: bool = False) -> Iterator[None]:
        """A transaction, flushed to the disk if `durable`; a claim need not survive a power loss.

        IMMEDIATE, for a reader that turns into a writer would be refused without waiting.
        """
        self._database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _retry_busy(self, step: Callable[[], None]) -> None:
        """Retry a step that SQLite refuses while another connection opens the file.

        A change of the journal's mode is such a step.
        """
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                return step()
            except sqlite3.OperationalError as error:
                name = getattr(error, "sqlite_errorname", "") or ""
                if not name.startswith("SQLITE_BUSY") or time.monotonic() > end:
                    raise
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                time.sleep(0.01)

    def _prepare(self) -> None:
        self._database.execute("BEGIN")  # one look, while another process may make the tables
        self._check_application()
        self._database.execute("COMMIT")
        self._database.execute("PRAGMA journal_mode = WAL")
        with self._transaction(durable=True):
            if self._pragma("application_id") == 0:  # else another process was quicker
                for statement in TABLES.strip().split("\n"):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._database.execute(f"PRAGMA user_version = {FORMAT}")
        problem = self._pragma("quick_check(1)")
        if problem != "ok":
            raise StoreError(_damaged(self.path, str(problem)))

    def _check_application(self) -> None:
        mark, version = self._pragma("application_id"), self._pragma("user_version")
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if mark != APPLICATION_ID and (mark or version or tables):
            raise StoreError(
                f"{self.path} is a SQLite file of another program; give another ledger."
            )
        if version > FORMAT:
            raise StoreError(
                f"{self.path} was written by a later version (format {version}, this one reads "
                f"{FORMAT}); update steelyard, or give another ledger."
            )

    def _pragma(self, name: str) -> Any:
        return self._database.execute(f"PRAGMA {name}").fetchone()[0]

    @contextmanager
    def _errors_as_sentences(self) -> Iterator[None]:
        """Turn errors of SQLite into StoreError."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorname", "") or ""
            raise StoreError(_sentence(self.path, code, str(error))) from error


def _sentence(path: Path, code: str, problem: str) -> str:
    if code.startswith("SQLITE_NOTADB"):
        return f"{path} is not a ledger (no SQLite file); give another, or move it away."
    if code.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return f"The ledger {path} cannot be written ({problem}); give another place."
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return f"The ledger {path} cannot be written ({problem}); make room and run again."
    if code.startswith("SQLITE_BUSY"):
        return f"The ledger {path} was locked for {TIMEOUT:.0f} s; stop what holds it."
    return _damaged(path, problem)


def _damaged(path: Path, problem: str) -> str:
    first = problem.splitlines()[0]
    return (
        f"The ledger {path} is damaged ({first}). Put back a copy, or move it away: its answers "
        "are then asked for again."
    )


def _parsed(text: str | None, path: Path) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise StoreError(_damaged(path, f"a row is not JSON: {error}")) from error


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
