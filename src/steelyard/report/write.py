"""The report's files, whole or not at all."""

import os
import tempfile
from pathlib import Path

from steelyard.report.formats import Results
from steelyard.report.markdown import markdown
from steelyard.report.page import page


def write(results: Results, folder: Path) -> Path:
    """Write `report.md` and `report.html` into `folder`; returns the path of the page.

    Both are rendered before either is written, and each replaces its former version at once:
    a reader, or a run killed midway, never sees half a report.
    """
    texts = {"report.md": markdown(results), "report.html": page(results)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        replace_text(folder / name, text)
    return folder / "report.html"


def replace_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(0o644)  # mkstemp makes files that only their owner can read
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
