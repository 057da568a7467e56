"""What is noted of a batch that a server works on: it is collected, and not sent again."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """Requests that are sent together; `file` and `batch` are the server's names, or empty."""

    name: str
    keys: tuple[str, ...]  # of its requests
    file: str  # empty until the requests are uploaded
    batch: str  # empty until the server has accepted the batch
    owned: bool  # whether this process may send what is missing


class BatchBook(Protocol):
    """Open batches, in a ledger or in memory; see `store.submitted`."""

    def waiting(self, engine: str) -> list[SubmittedBatch]: ...

    def reserve(self, engine: str, keys: Sequence[str]) -> SubmittedBatch: ...

    def note(self, name: str, *, file: str = "", batch: str = "") -> None: ...

    def close(self, name: str) -> None: ...


class BatchesInMemory:
    """Open batches that are forgotten when the process ends."""

    def __init__(self) -> None:
        self._batches: dict[str, SubmittedBatch] = {}

    def waiting(self, engine: str) -> list[SubmittedBatch]:
        return list(self._batches.values())

    def reserve(self, engine: str, keys: Sequence[str]) -> SubmittedBatch:
        batch = SubmittedBatch(uuid.uuid4().hex, tuple(keys), "", "", True)
        self._batches[batch.name] = batch
        return batch

    def note(self, name: str, *, file: str = "", batch: str = "") -> None:
        old = self._batches[name]
        self._batches[name] = replace(old, file=file or old.file, batch=batch or old.batch)

    def close(self, name: str) -> None:
        del self._batches[name]
