"""A SQLite file that processes of one machine share, with errors as sentences."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from steelyard.errors import StoreError

FORMAT = 1  # version of the tables; a ledger of a later version is refused
APPLICATION_ID = int.from_bytes(b"Stly", "big")  # SQLite's application_id: this file is a ledger
TIMEOUT = 60.0  # seconds to wait for other writers


class SqliteFile:
    """An open file whose tables exist; statements run one at a time.

    Args:
        path: the file; created if it is missing.
        tables: statements that make the tables of a new file.
        extend: adds tables of later versions to an older file, in a transaction.

    Raises:
        StoreError: the file is damaged, belongs to another program or to a later version, or
            cannot be written.
    """

    def __init__(
        self,
        path: Path,
        tables: Sequence[str],
        extend: Callable[[sqlite3.Connection], None],
    ) -> None:
        self.path = path
        self._lock = threading.Lock()
        with self._errors_as_sentences():
            self._connection = sqlite3.connect(
                path, timeout=TIMEOUT, isolation_level=None, check_same_thread=False
            )
            try:
                self._retry_busy(lambda: self._prepare(tables, extend))
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        with self._lock, self._errors_as_sentences():
            self._connection.close()

    def read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Rows of one statement."""
        with self._lock, self._errors_as_sentences():
            return self._connection.execute(statement, values).fetchall()

    def write(self, statement: str, values: Sequence[Any]) -> None:
        """Run one statement in a transaction of its own, not flushed to the disk."""
        with self.transaction() as connection:
            connection.execute(statement, values)

    @contextmanager
    def transaction(self, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction, flushed to the disk if `durable`; a claim need not survive a power loss.

        IMMEDIATE, for a reader that turns into a writer would be refused without waiting.
        """
        with self._lock, self._errors_as_sentences(), self._unlocked_transaction(durable):
            yield self._connection

    @contextmanager
    def _unlocked_transaction(self, durable: bool) -> Iterator[None]:
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

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
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                time.sleep(0.01)

    def _prepare(self, tables: Sequence[str], extend: Callable[[sqlite3.Connection], None]) -> None:
        self._connection.execute("BEGIN")  # one look, while another process may make the tables
        self._check_application()
        self._connection.execute("COMMIT")
        self._connection.execute("PRAGMA journal_mode = WAL")
        with self._unlocked_transaction(durable=True):
            if self._pragma("application_id") == 0:  # else another process was quicker
                for statement in tables:
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        problem = self._pragma("quick_check(1)")
        if problem != "ok":
            raise StoreError(damaged(self.path, str(problem)))
        with self._unlocked_transaction(durable=True):
            extend(self._connection)

    def _check_application(self) -> None:
        mark, version = self._pragma("application_id"), self._pragma("user_version")
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
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
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

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
    return damaged(path, problem)


def damaged(path: Path, problem: str) -> str:
    """The message about a file that cannot be read."""
    first = problem.splitlines()[0]
    return (
        f"The ledger {path} is damaged ({first}). Put back a copy, or move it away: its answers "
        "are then asked for again."
    )
