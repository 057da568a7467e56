"""Data sets of the Hugging Face Hub, or local folders in the same form. No remote code is run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steelyard.data.settings import Data
from steelyard.errors import InputError
from steelyard.io.rows import LocatedRow


def open_hub(data: Data, split: str, base: Path = Path()) -> Any:
    """One split as a `datasets.Dataset`. A folder below `base` wins over a name on the Hub.

    Raises:
        InputError: there is no such data set, subset, revision or split, or it cannot be read.
    """
    import datasets

    assert data.hub is not None
    folder = base / data.hub
    name = str(folder) if folder.is_dir() else data.hub
    what = f"split {split!r} of {data.hub!r}"
    if data.subset:
        what += f", subset {data.subset!r}"
    if data.revision:
        what += f", revision {data.revision!r}"
    try:
        table = datasets.load_dataset(name, data.subset, split=split, revision=data.revision)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise InputError(
            f"{what} cannot be loaded: {reason} Check `data.hub`, `data.subset`, the split names "
            "`data.train` and `data.test`, and the network."
        ) from error
    if not len(table):
        raise InputError(f"{what} has no rows; at least one is needed.")
    return table


def table_rows(table: Any, name: str) -> Iterator[LocatedRow]:
    """Rows of an opened split; the location of each is the name and the row from 1."""
    for number, row in enumerate(table, start=1):
        yield f"{name} row {number}", dict(row)


def class_names(table: Any, column: str) -> tuple[str, ...] | None:
    """The class names of a `ClassLabel` column; None for other columns."""
    names = getattr(table.features.get(column), "names", None)
    return tuple(names) if names else None
