"""The files that `weigh` writes, each complete or not at all."""

import csv
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.io.atomic import draft_folder, remove_stale_drafts
from steelyard.report import LabelledItems, write_weigh_report
from steelyard.types import ABSTAIN, Votes
from steelyard.weighing.inputs import WeighInputs
from steelyard.weighing.summary import VOTER_COLUMNS, MethodScores, flat_voters

SUMMARY, LABEL_FIRST = "summary.json", "label_first.csv"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""Beginnings of cells that a spreadsheet may run as a formula."""
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?%?")
EXCEL = "utf-8-sig"
"""UTF-8 with the mark by which Excel knows it; other programs skip the mark."""


def check_output_folder(out: Path) -> None:
    """Check early that results can be written to a folder.

    Raises:
        InputError: it is a file, holds other files than those of `weigh`, or cannot be written to.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"{out} must be a folder, or not exist yet; give another `out`.")
    above = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        what = "cannot be written to" if above.is_dir() else "is a file"
        raise InputError(f"{out}: {above} {what}; give another folder as `out`.")
    if not out.exists() or not any(out.iterdir()):
        return
    try:
        summary = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
        is_weighing = "steelyard" in summary and "by_voter" in summary
    except (OSError, ValueError, TypeError):
        is_weighing = False
    if not is_weighing:
        raise InputError(f"{out} is not empty and holds no weighing; give another folder as `out`.")


def write_files(
    out: Path, inputs: WeighInputs, scores: Mapping[str, MethodScores], summary: dict[str, Any]
) -> Path:
    """Write all files beside `out`, then put them into it; returns the path of the report.

    The files of an earlier call are replaced, and those of its other methods removed.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"{out} cannot be made: {error.strerror} ({error.filename}); give another folder as "
            "`out`."
        ) from error
    remove_stale_drafts(out.parent, f"{out.name}-")
    with draft_folder(out) as draft:
        votes, (first, *others) = inputs.votes, scores
        items = labelled_items(inputs, scores[first])
        write_labels(draft / "labels.csv", items)
        write_reliability(draft / "reliability.parquet", votes, scores[first])
        (draft / "methods").mkdir()
        for name in others:
            write_reliability(draft / "methods" / f"{name}.parquet", votes, scores[name])
        write_voters(draft / "voters.csv", summary["by_voter"])
        if not summary["dependence"]["decided"]:
            write_items_to_label(draft / LABEL_FIRST, summary["dependence"]["label_first"])
        text = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
        (draft / SUMMARY).write_text(text, encoding="utf-8")
        report = write_weigh_report(summary, draft, items)
        _put(draft, out)
    return out / str(report.name)


def write_reliability(path: Path, votes: Votes, scores: MethodScores) -> None:
    """One method's items as Parquet: `id, label, score, posterior` in the order of the votes.

    `label` is null where nobody answered; `posterior` has a number for each class, or for each of
    the item's `candidates`, another column of open answers. `calibrated` is P(label is right),
    where the truth of enough items is known.
    """
    import pyarrow as pa
    import pyarrow.parquet

    counts = votes.candidates
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    posterior = scores.reliability.posterior[votes.possible]
    columns = {
        "id": pa.array(votes.ids, pa.string()),
        "label": _labels(votes, scores),
        "score": pa.array(scores.reliability.score),
        "posterior": pa.ListArray.from_arrays(pa.array(offsets), pa.array(posterior)),
    }
    if scores.calibration is not None:
        columns["calibrated"] = pa.array(scores.calibration.score)
    if votes.candidate_texts:
        columns["candidates"] = pa.array(votes.candidate_texts, pa.list_(pa.string()))
    pyarrow.parquet.write_table(pa.table(columns), path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def labelled_items(inputs: WeighInputs, scores: MethodScores) -> LabelledItems:
    """The items with one method's labels. Gold answers count as known truth."""
    truth = np.where(inputs.gold != ABSTAIN, inputs.gold, inputs.truth)
    score = scores.reliability.score
    return LabelledItems(inputs.votes, scores.label, score, truth, inputs.slices, inputs.texts)


def write_labels(path: Path, items: LabelledItems) -> None:
    """Labels as CSV, a row for each item in the order of the votes.

    `disagreement` is the share of the item's votes that do not name its label, empty without votes;
    `text` and `slice` are there where they are known. A text that a spreadsheet may run as a
    formula gets an apostrophe in front.
    """
    columns: dict[str, Iterable[Any]] = {
        "id": map(_cell, items.votes.ids),
        "label": (_cell(name or "") for name in items.names),
        "score": np.round(items.score, 6).tolist(),
        "votes": items.readable.tolist(),
        "disagreement": (
            "" if share != share else share for share in np.round(items.disagreement, 6).tolist()
        ),
    }
    if items.slices:
        columns["slice"] = map(_cell, items.slices)
    if items.texts:
        columns["text"] = map(inert, items.texts)
    with path.open("w", encoding=EXCEL, newline="", errors="replace") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*columns.values(), strict=True))
        file.flush()
        os.fsync(file.fileno())


def _labels(votes: Votes, scores: MethodScores) -> Any:
    import pyarrow as pa

    if votes.candidate_texts:
        return pa.array(votes.answer_names(scores.label), pa.string())
    names = pa.array(votes.class_names, pa.string())
    numbers = pa.array(scores.label, mask=scores.label < 0)
    return pa.DictionaryArray.from_arrays(numbers, names).cast(pa.string())


def write_voters(path: Path, by_voter: list[dict[str, Any]]) -> None:
    """Voters as CSV. A text that a spreadsheet may run as a formula gets an apostrophe in front."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, VOTER_COLUMNS)
        table.writeheader()
        for row in flat_voters(by_voter):
            table.writerow({**row, "voter": inert(row["voter"]), "flags": inert(row["flags"])})
        file.flush()
        os.fsync(file.fileno())


def write_items_to_label(path: Path, ids: list[str]) -> None:
    """Items as CSV with an empty column `truth`, to be filled and given as `gold`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "truth"), *((name, "") for name in ids)])
        file.flush()
        os.fsync(file.fileno())


def inert(text: str) -> str:
    """A text for a cell, that no spreadsheet takes for a formula.

    >>> inert("=1+1"), inert("ann")
    ("'=1+1", 'ann')
    """
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _cell(text: str) -> str:
    """`inert` text; a class or an id that is a plain number, such as -1, stays one."""
    return text if NUMBER.fullmatch(text) else inert(text)


def _put(draft: Path, out: Path) -> None:
    """Move the new files into `out`, and remove files of methods that are no longer there."""
    out.mkdir(exist_ok=True)
    (out / "methods").mkdir(exist_ok=True)
    new = sorted(path.relative_to(draft) for path in draft.rglob("*") if path.is_file())
    for name in sorted(new, key=lambda name: name.name == SUMMARY):  # last: it marks the folder
        (draft / name).replace(out / name)
    for path in (out / "methods").glob("*.parquet"):
        if path.relative_to(out) not in new:
            path.unlink()
