"""Checksums of folders, remembered so that unchanged files are not read again.

Files count as unchanged while their sizes, times and inodes are. Sums of large folders are also
kept in a file of the user's cache folder, for other processes.
"""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from steelyard.io.atomic import file_sum, write_text

LARGE = 2**26  # bytes of a folder whose sum is kept for other processes; reading so many is quick
SETTLED = 2.0  # seconds: a file written later than this may change again without another time
State: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Name, size, time of change (nanoseconds) and inode of each file of a folder."""
_SUMS: dict[str, tuple[State, str]] = {}


def folder_state(folder: Path) -> State:
    """The state of a folder's files; another state means that it may have another content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in files]
    return tuple((name, s.st_size, s.st_mtime_ns, s.st_ino) for name, s in stats)


def folder_sum(folder: Path) -> str:
    """BLAKE2 checksum of the names and contents of a folder's files, 32 hexadecimal digits."""
    address, state = str(folder.resolve()), folder_state(folder)
    large = sum(size for _, size, _, _ in state) >= LARGE
    if address not in _SUMS and large:
        _SUMS.update(_stored())
    if address in _SUMS and _SUMS[address][0] == state:
        return _SUMS[address][1]
    digest = hashlib.blake2b(digest_size=16)
    for name, *_ in state:
        digest.update(f"{name} {file_sum(folder / name)}\n".encode())
    newest = max((changed for _, _, changed, _ in state), default=0)
    if time.time_ns() - newest > SETTLED * 1e9:
        _SUMS[address] = state, digest.hexdigest()
        if large:
            _store(address)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where the program keeps what it can make again: in `XDG_CACHE_HOME`, or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "steelyard"


def _stored() -> dict[str, tuple[State, str]]:
    """Sums of other processes; none where the file is missing or damaged."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        entries = json.loads((cache_folder() / "sums.json").read_text(encoding="utf-8"))
        return {
            address: (tuple((str(n), int(s), int(t), int(i)) for n, s, t, i in state), str(digest))
            for address, (state, digest) in entries.items()
        }
    return {}


def _store(address: str) -> None:
    """Add a sum to the file; a folder that cannot be written is no error."""
    with suppress(OSError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        entries = {**_stored(), address: _SUMS[address]}
        write_text(cache_folder() / "sums.json", json.dumps(entries))
