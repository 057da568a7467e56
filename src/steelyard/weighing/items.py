"""Items with their votes: labels.csv, and the table that the page lets its reader browse."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.io.inert import inert
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from steelyard.types.arrays import tally
from steelyard.weighing.inputs import WeighInputs
from steelyard.weighing.summary import MethodScores

MOST_ITEMS = 20_000
"""Items that the page holds; of more, the least sure."""
MOST_VOTES = 400_000
"""Votes that the page holds."""
LONGEST_TEXT = 600
"""Characters of an item's text on the page."""


def dissent(votes: Votes, label: Ints) -> Floats:
    """Share of an item's readable votes that name another answer than its label, (N,).

    nan where nobody answered.
    """
    read = votes.answer != ABSTAIN
    example, answer = votes.example[read], votes.answer[read]
    total = tally(example, len(votes.ids))
    differs = tally(example, len(votes.ids), answer != label[example])
    shares: Floats = np.divide(differs, total, out=np.full(len(total), np.nan), where=total > 0)
    return shares


def write_labels(path: Path, inputs: WeighInputs, first: MethodScores) -> None:
    """One row per item: `id, label, score, votes, disagreement`, then `slice` and `text` if known.

    `label` is empty where nobody answered. Cells that a spreadsheet may run as a formula get an
    apostrophe in front.
    """
    votes = inputs.votes
    others = {
        name: column
        for name, column in (("slice", inputs.slices), ("text", inputs.texts))
        if column
    }
    number = np.bincount(votes.example[votes.answer != ABSTAIN], minlength=len(votes.ids))
    differs = dissent(votes, first.label)
    names = votes.answer_names(first.label)
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "label", "score", "votes", "disagreement", *others])
        for i, name in enumerate(votes.ids):
            share = "" if np.isnan(differs[i]) else f"{differs[i]:.4g}"
            row = [inert(name), inert(names[i] or ""), f"{first.reliability.score[i]:.6g}"]
            row += [str(number[i]), share, *(inert(column[i]) for column in others.values())]
            table.writerow(row)
        file.flush()
        os.fsync(file.fileno())


def browsable_items(inputs: WeighInputs, first: MethodScores) -> dict[str, Any]:
    """The items for the page, least sure first, as columns of numbers and names.

    Answers are numbers of `classes`, or of open answers numbers of the item's `answers`. `votes`
    has voter, answer, voter, answer, ... of each item.
    """
    votes, score = inputs.votes, first.reliability.score
    has_votes = votes.answered
    order = np.lexsort((np.arange(len(score)), score, ~has_votes))
    per_item = np.bincount(votes.example, minlength=len(votes.ids))[order]
    fits = int(np.searchsorted(np.cumsum(per_item), MOST_VOTES, side="right"))
    rows = order[: max(1, min(MOST_ITEMS, fits))]
    is_open = bool(votes.candidate_texts)
    items: dict[str, Any] = {
        "total": len(votes.ids),
        "voters": list(votes.voters),
        "classes": [] if is_open else list(votes.class_names),
        "id": [votes.ids[i] for i in rows],
        "label": first.label[rows].tolist(),
        "score": [round(float(value), 4) for value in score[rows]],
        "votes": list(_votes_of(votes, rows)),
    }
    if is_open:
        items["answers"] = [list(votes.candidate_texts[i]) for i in rows]
    if (inputs.truth != ABSTAIN).any() or (inputs.gold != ABSTAIN).any():
        answers = np.where(inputs.gold >= 0, inputs.gold, inputs.truth)
        items["truth"] = answers[rows].tolist()
    if inputs.slices:
        names = sorted(set(inputs.slices))
        number = {name: i for i, name in enumerate(names)}
        items["slices"] = names
        items["slice"] = [number[inputs.slices[i]] for i in rows]
    if inputs.texts:
        items["text"] = [_shortened(inputs.texts[i]) for i in rows]
    return items


def _votes_of(votes: Votes, rows: Ints) -> Iterator[list[int]]:
    """Voter, answer, voter, answer, ... of each item, in the order of `rows`."""
    order = np.argsort(votes.example, kind="stable")
    starts = np.searchsorted(votes.example[order], np.arange(len(votes.ids) + 1))
    for i in rows:
        part = order[starts[i] : starts[i + 1]]
        yield np.stack([votes.voter[part], votes.answer[part]], axis=1).ravel().tolist()


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + "..."
