"""Folders that are whole or absent: written to a draft, checksummed, then renamed.

Stored results and training checkpoints are such folders. `manifest.json`, written last, holds the
size and the BLAKE2 checksum of every file; a folder whose files do not match it is damaged.
"""

import glob
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from steelyard.errors import StoreError

MANIFEST = "manifest.json"
DRAFT = ".draft-"


def publish(final: Path, write: Callable[[Path], None]) -> None:
    """Call `write` on a draft folder, write its manifest, and rename it to `final`.

    If the process is killed at any moment, `final` is whole or absent. If another process
    published first, its folder is kept and this draft is deleted.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    with draft_folder(final) as draft:
        write(draft)
        write_manifest(draft)
        _share(draft)
        try:
            draft.rename(final)
        except OSError:
            if not (final / MANIFEST).exists():
                raise
        _flush(final.parent)


@contextmanager
def draft_folder(final: Path) -> Iterator[Path]:
    """A new folder `.draft-...` beside `final`, deleted at the end unless it was renamed.

    It is locked while this process lives, so that `remove_stale_drafts` spares it.
    """
    while True:
        draft = Path(tempfile.mkdtemp(prefix=f"{DRAFT}{final.name[:40]}-", dir=final.parent))
        handle = _locked(draft, wait=True)
        if draft.exists():  # else another process removed it before it was locked
            break
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def remove_stale_drafts(folder: Path, name: str = "") -> None:
    """Delete the draft folders that killed processes left behind.

    Drafts of living processes are kept. Nothing is deleted where folders cannot be locked (on
    Windows, or on some network drives).

    Args:
        folder: where the drafts are; it need not exist.
        name: delete only drafts of the result with this name; empty for all.
    """
    for draft in folder.glob(f"{DRAFT}{glob.escape(name[:40])}*"):
        handle = _locked(draft, wait=False)
        if handle is not None:
            shutil.rmtree(draft, ignore_errors=True)
            os.close(handle)


def _locked(folder: Path, *, wait: bool) -> int | None:
    """An open handle that locks a folder until it is closed or the process ends.

    None if another process holds the lock and there is no wait, or where folders cannot be locked.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(handle)
        return None
    return handle


def write_manifest(folder: Path) -> None:
    """Flush every file of a folder to the disk and write the manifest of sizes and checksums."""
    sums = {}
    for path in _files(folder):
        _flush(path)
        sums[path.relative_to(folder).as_posix()] = [path.stat().st_size, file_sum(path)]
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(sums, indent=1, sort_keys=True), encoding="utf-8")
    _flush(manifest)
    _flush(folder)


def verify(folder: Path) -> frozenset[str]:
    """Compare a folder with its manifest; returns the names of the verified files.

    Raises:
        StoreError: the manifest is missing or unreadable, or a file is missing, has another size
            or another sum; the message names the first such file.
    """
    try:
        sums = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{folder.name} has no readable manifest ({error}).") from error
    if not isinstance(sums, dict) or not all(map(_is_entry, sums.values())):
        raise StoreError(
            f"{folder.name}: {MANIFEST} must be an object of file names with [size, sum]."
        )
    for name, (size, digest) in sums.items():
        path = folder / name
        if not path.is_file():
            raise StoreError(f"{folder.name}: {name} is missing.")
        if path.stat().st_size != size:
            raise StoreError(f"{folder.name}: {name} has {path.stat().st_size} bytes, not {size}.")
        if file_sum(path) != digest:
            raise StoreError(f"{folder.name}: the content of {name} has changed.")
    return frozenset(sums)


def _is_entry(entry: object) -> bool:
    return isinstance(entry, list) and list(map(type, entry)) == [int, str]


def file_sum(path: Path) -> str:
    """BLAKE2 checksum of a file, 32 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Replace a text file atomically: readers see the old or the new content."""
    write_parts(path, (text,))


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """`write_text` for a text in parts."""
    _replace(path, (part.encode() for part in parts))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file atomically: readers see the old or the new content."""
    _replace(path, (content,))


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            for part in parts:
                stream.write(part)
            stream.flush()
            os.fchmod(handle, 0o666 & ~_umask())  # a draft is its maker's alone, the file is not
            os.fsync(stream.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _share(draft: Path) -> None:
    """Permissions as for any new file: a draft, and what some libraries write, is its maker's."""
    mask = _umask()
    draft.chmod(0o777 & ~mask)
    for path in draft.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
