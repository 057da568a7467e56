"""Batches of requests that were handed to a server and not yet collected, in the ledger's file."""

import json
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from steelyard.store.sqlite_file import SqliteFile
from steelyard.supervision.api.batch_records import SubmittedBatch

COLUMNS = "name, keys, file, batch, owner"


class SubmittedBatches:
    """The table of open batches. A row is written before anything is sent, and deleted last.

    Args:
        file: the ledger's file.
        owner: name of this process.
        lives: whether the process of an owner may still run.
    """

    def __init__(self, file: SqliteFile, owner: str, lives: Callable[[str], bool]) -> None:
        self._file, self._owner, self._lives = file, owner, lives

    @staticmethod
    def add_table(connection: sqlite3.Connection) -> None:
        """Add the table to a file that has none."""
        columns = "name TEXT PRIMARY KEY, engine TEXT, keys TEXT, file TEXT, batch TEXT, owner TEXT"
        connection.execute(f"CREATE TABLE IF NOT EXISTS batches ({columns})")

    def waiting(self, engine: str) -> list[SubmittedBatch]:
        """Open batches of a server.

        Those whose process ended before a file was uploaded are dropped. One that has a file and
        no batch yet, of a process that ended, becomes this process's.
        """
        select = f"SELECT {COLUMNS} FROM batches WHERE engine = ? ORDER BY rowid"
        batches = []
        with self._file.transaction() as connection:
            for name, keys, file, batch, owner in connection.execute(select, (engine,)).fetchall():
                owned = owner in ("", self._owner) or not self._lives(owner)
                if owned and not file:
                    connection.execute("DELETE FROM batches WHERE name = ?", (name,))
                    continue
                if owned:
                    connection.execute(
                        "UPDATE batches SET owner = ? WHERE name = ?", (self._owner, name)
                    )
                batches.append(SubmittedBatch(name, tuple(json.loads(keys)), file, batch, owned))
        return batches

    def reserve(self, engine: str, keys: Sequence[str]) -> SubmittedBatch:
        """Note that a batch is about to be sent, of the keys that are in no other open batch."""
        name = uuid.uuid4().hex
        with self._file.transaction(durable=True) as connection:
            rows = connection.execute("SELECT keys FROM batches WHERE engine = ?", (engine,))
            pending = {key for (text,) in rows for key in json.loads(text)}
            free = tuple(key for key in keys if key not in pending)
            if free:
                row = (name, engine, json.dumps(free), "", "", self._owner)
                connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", row)
        return SubmittedBatch(name, free, "", "", True)

    def note(self, name: str, *, file: str = "", batch: str = "") -> None:
        """Note the server's name of the uploaded file or of the batch."""
        for column, value in (("file", file), ("batch", batch)):
            if value:
                self._durably(f"UPDATE batches SET {column} = ? WHERE name = ?", (value, name))

    def close(self, name: str) -> None:
        """Forget a batch whose replies are stored, or that the server does not answer."""
        self._durably("DELETE FROM batches WHERE name = ?", (name,))

    def disown(self) -> None:
        """Leave this process's batches to whoever comes next."""
        self._file.write("UPDATE batches SET owner = '' WHERE owner = ?", (self._owner,))

    def _durably(self, statement: str, values: Sequence[Any]) -> None:
        with self._file.transaction(durable=True) as connection:
            connection.execute(statement, values)
