"""Results on disk, addressed by what they were made from, so that a run can resume.

A result is a folder with a manifest, named `<kind>-<hash of its recipe>`. The recipe holds the
version of the code, the settings, fingerprints of the inputs, and the relevant library versions.
`steelyard why` compares it with `recipe.json` beside the content.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from steelyard import types
from steelyard.errors import InputError, StoreError
from steelyard.io.atomic import publish, remove_stale_drafts, verify
from steelyard.store.content import Content, read_content, write_content

log = logging.getLogger(__name__)

Make = Callable[[Path], Content]
"""Computes a result; is given a folder for checkpoints."""


@dataclass(frozen=True)
class Recipe:
    """Everything that a result depends on. Equal recipes give equal results."""

    kind: str  # a word for the folder's name, such as "votes" or "student"
    version: int  # of the code; raised when results change without a change of settings
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]  # name of each input -> its fingerprint
    libraries: Mapping[str, str]  # library -> version

    @functools.cached_property
    def name(self) -> str:
        return f"{self.kind}-{fingerprint(dataclasses.asdict(self))}"

    def differences(self, other: "Recipe") -> list[str]:
        """Changes from `other` to this recipe, one line each."""
        old, new = dataclasses.asdict(other), dataclasses.asdict(self)
        return [
            f"{key}: {_short(_flat(old).get(key))} -> {_short(_flat(new).get(key))}"
            for key in sorted({*_flat(old), *_flat(new)})
            if _flat(old).get(key) != _flat(new).get(key)
        ]


class Missing(StoreError):
    """Raised by a read-only store for a result that is not stored."""

    def __init__(self, role: str, recipe: Recipe) -> None:
        super().__init__(f"{role} is not stored; run the study first.")
        self.role, self.recipe = role, recipe


class Busy(StoreError):
    """Raised for a result that another process is making."""


class Store:
    """A folder of results; each is computed once and read afterwards.

    Args:
        root: the folder; created with the first result.
        read_only: raise `Missing` instead of computing.
    """

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self.root = root
        self.read_only = read_only
        self.roles: dict[str, str] = {}  # role of each result met -> its name
        self.made = 0  # results that were computed here and not read
        if not read_only:
            remove_stale_drafts(root)
            for folder in root.glob("unfinished/*"):
                remove_stale_drafts(folder)

    def keep(self, role: str, recipe: Recipe, make: Make, *, wait: bool = True) -> Content:
        """The result of a recipe: read and verified if it is stored, otherwise computed and stored.

        Args:
            role: position of the result in the study, such as "seed-0/filter/student".
            recipe: what makes it.
            make: computes the result; its argument is a folder for checkpoints.
            wait: whether to wait for another process that is making it.

        Raises:
            Missing: it is not stored and the store is read-only.
            Busy: another process is making it, and `wait` is False.
        """
        self.roles[role] = recipe.name
        folder = self.root / recipe.name
        stored = self._read(folder)
        if stored is not None:
            return stored
        if self.read_only:
            raise Missing(role, recipe)
        with self._lock(recipe.name, wait):
            stored = self._read(folder)  # another process may have made it meanwhile
            if stored is not None:
                return stored
            unfinished = self.root / "unfinished" / recipe.name
            start = time.monotonic()
            content = make(unfinished)
            self.made += 1
            seconds = time.monotonic() - start
            record = {"role": role, "seconds": seconds, "recipe": dataclasses.asdict(recipe)}
            publish(folder, functools.partial(_write, content=content, record=record))
            shutil.rmtree(unfinished, ignore_errors=True)
        stored = self._read(folder)
        if stored is None:
            raise StoreError(f"{folder} was damaged as soon as it was written; is the disk sound?")
        return stored

    def keep_all(self, wanted: Sequence[tuple[str, Recipe, Make]]) -> list[Content]:
        """The results of several recipes; see `keep`.

        Results that another process is making come last, so that two processes share the work.
        """
        stored: dict[int, Content] = {}
        for wait in (False, True):
            for i, (role, recipe, make) in enumerate(wanted):
                if i not in stored:
                    with suppress(Busy):
                        stored[i] = self.keep(role, recipe, make, wait=wait)
        return [stored[i] for i in range(len(wanted))]

    def keep_files(self, recipe: Recipe, write: Callable[[Path, Path], None]) -> Path:
        """The folder with the files of a recipe, such as a trained model, written if it is missing.

        They are temporary: not read into memory and not listed among the results. `write` is given
        the folder to write to, and one for checkpoints.
        """
        folder, unfinished = self.root / recipe.name, self.root / "unfinished" / recipe.name
        with self._lock(recipe.name, wait=True):
            if not folder.is_dir():
                publish(folder, lambda draft: write(draft, unfinished))
                shutil.rmtree(unfinished, ignore_errors=True)
        return folder

    def forget(self, kind: str) -> None:
        """Delete all temporary results of a kind."""
        for folder in self.root.glob(f"{kind}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def recipe(self, name: str) -> Recipe | None:
        """The recipe of a stored result; None if it is missing or unreadable."""
        record = self._record(name)
        return None if record is None else record[0]

    def seconds(self, name: str) -> float:
        """Seconds that a stored result took to compute; 0 if it is missing."""
        record = self._record(name)
        return 0.0 if record is None else record[1]

    def _record(self, name: str) -> tuple[Recipe, float] | None:
        path = self.root / name / "recipe.json"
        if not path.is_file():
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            return _recipe_of(record["recipe"]), float(record["seconds"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("%s is damaged: %s", path, error)
            return None

    @contextmanager
    def _lock(self, name: str, wait: bool) -> Iterator[None]:
        from filelock import FileLock, Timeout

        locks = self.root / "locks"
        try:
            locks.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"The folder {self.root} cannot be written ({error.strerror}); "
                "give another one as `out`."
            ) from error
        lock = FileLock(locks / f"{name}.lock")
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout as error:
            raise Busy(f"{name} is being made by another process.") from error
        try:
            yield
        finally:
            lock.release()

    def _read(self, folder: Path) -> Content | None:
        if not folder.is_dir():
            return None
        try:
            verified = verify(folder)
            if "recipe.json" not in verified:
                raise StoreError(f"{folder.name}: recipe.json is not in the manifest.")
            return read_content(folder, verified)
        except (StoreError, OSError) as error:
            aside = folder.with_name(f"damaged-{folder.name}-{time.time_ns()}")
            log.warning("A stored result is damaged and is made again: %s", error)
            try:
                folder.rename(aside)
            except FileNotFoundError:
                log.info("Another process set %s aside first.", folder.name)
            return None


def _recipe_of(values: Any) -> Recipe:
    """A recipe from its dictionary, the inverse of `dataclasses.asdict`.

    Raises:
        TypeError, ValueError: a field is missing, unknown, or of another type.
    """
    recipe = Recipe(**values)
    parts = (recipe.settings, recipe.inputs, recipe.libraries)
    if not isinstance(recipe.kind, str) or not isinstance(recipe.version, int):
        raise ValueError("a recipe has a kind and a version")
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError("settings, inputs and libraries are objects")
    return recipe


def _write(folder: Path, content: Content, record: Mapping[str, Any]) -> None:
    (folder / "recipe.json").write_text(json.dumps(record, indent=1, sort_keys=True), "utf-8")
    write_content(folder, content)


def fingerprint(value: object) -> str:
    """Hash of the content of a value, 16 hexadecimal digits.

    Reads plain values, sequences, mappings, arrays, settings and the nouns.
    """
    digest = hashlib.blake2b(digest_size=8)
    _feed(digest, value)
    return digest.hexdigest()


def library_versions(*names: str) -> dict[str, str]:
    """Installed versions of the libraries that a result depends on."""
    return {name: _installed(name) for name in names}


@functools.cache  # reading it takes 2 ms, and a study names hundreds of results
def _installed(library: str) -> str:
    return importlib.metadata.version(library)


def _feed(digest: Any, item: object) -> None:
    if isinstance(item, BaseModel):
        _feed(digest, item.model_dump(mode="json"))
    elif isinstance(item, types.Question):
        digest.update(f"{item!r};".encode("utf-8", "backslashreplace"))
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        _feed(digest, {f.name: getattr(item, f.name) for f in dataclasses.fields(item)})
    elif isinstance(item, np.ndarray):
        digest.update(f"array {item.dtype.str} {item.shape};".encode())
        digest.update(np.ascontiguousarray(item).data)
    elif isinstance(item, Mapping):
        digest.update(f"mapping {len(item)};".encode())
        for key in sorted(item):
            _feed(digest, key)
            _feed(digest, item[key])
    elif isinstance(item, tuple | list):
        digest.update(f"sequence {len(item)};".encode())
        for part in item:
            _feed(digest, part)
    elif isinstance(item, str | int | float | bool | None):
        digest.update(f"{type(item).__name__} {item!r};".encode("utf-8", "surrogatepass"))
    else:
        raise TypeError(f"A {type(item).__qualname__} has no fingerprint; use plain fields.")


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, part in value.items():
        if isinstance(part, Mapping):
            flat.update(_flat(part, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = part
    return flat


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
