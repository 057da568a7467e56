"""The parts of the report below the main table, as grids of text for Markdown and the page.

A part whose keys are missing, as in a file of an older version, is None and omitted.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from steelyard.report.formats import (
    Results,
    amount,
    count,
    defined,
    interval,
    number,
    percent,
    percent_interval,
    plain,
    seconds,
)
from steelyard.report.tables import kept_share

MOST_ROWS = 200  # of a grid; the rest is in results.json


@dataclass(frozen=True)
class Grid:
    """A small table of text. The first column names the row."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: int = 1  # the first ones, set on the left; numbers follow, on the right
    hidden_rows: int = 0  # rows beyond MOST_ROWS
    shown_rows: int = 0  # rows at first, of those that the page holds; 0 for all


def make_grid(
    header: Iterable[str], rows: Iterable[tuple[str, ...]], text_columns: int = 1
) -> Grid | None:
    """A grid of the first MOST_ROWS rows; None without rows."""
    all_rows = tuple(rows)
    if not all_rows:
        return None
    hidden_rows = max(0, len(all_rows) - MOST_ROWS)
    return Grid(tuple(header), all_rows[:MOST_ROWS], text_columns, hidden_rows)


def seed_grids(results: Results) -> dict[str, Grid]:
    """Each arm's numbers by seed."""
    header = ("seed", "score", "PGR", "rows", "kept", "steps", "label accuracy", "agreement")
    grids = {}
    for name, arm in (results.get("arms") or {}).items():
        seeds: list[Results] = arm.get("seeds") or []
        optional = [title for title in OPTIONAL if any(_optional(seed)[title] for seed in seeds)]
        rows = ((*_seed(seed), *(_optional(seed)[title] for title in optional)) for seed in seeds)
        if grid := make_grid((*header, *optional), rows):
            grids[plain(name)] = grid
    return grids


OPTIONAL = ("F1 of labels", "pairs", "pairs ranked correctly", "reward margin")
"""Columns of slot tasks and of arms with a preference stage."""


def _optional(seed: Results) -> dict[str, str]:
    stage: Results = seed.get("preference") or {}
    values = (
        "" if seed.get("label_f1") is None else number(seed["label_f1"]),
        count(stage["pairs"]) if "pairs" in stage else "",
        percent(stage["accuracy"]) if "accuracy" in stage else "",
        number(stage["reward_margin"]) if "reward_margin" in stage else "",
    )
    return dict(zip(OPTIONAL, values, strict=True))


def _seed(seed: Results) -> tuple[str, ...]:
    return (
        plain(seed.get("seed")),
        number(seed.get("score")),
        percent(seed.get("pgr")),
        count(seed.get("rows")),
        percent(kept_share(seed)),
        count(seed.get("steps")),
        number(seed.get("label_accuracy")),
        number(seed.get("agreement")),
    )


def metric_grids(results: Results) -> dict[str, Grid]:
    """The other metrics: for each, floor, arms and ceiling, with PGR where an arm has one."""
    grids = {}
    for metric, part in (results.get("metrics") or {}).items():
        if part.get("reason"):
            grids[plain(metric)] = Grid(("not defined",), ((plain(part["reason"]),),))
            continue
        pgr = part.get("pgr") or {}
        rows = [("weak supervisors", interval(part.get("weak")), "")]
        for name, span in (part.get("arms") or {}).items():
            rows.append((plain(name), interval(span), percent_interval(pgr.get(name))))
        rows.append(("ceiling", interval(part.get("ceiling")), ""))
        columns = 3 if any(pgr.values()) else 2
        header = ("arm", "value", "PGR")[:columns]
        grids[plain(metric)] = Grid(header, tuple(row[:columns] for row in rows))
    return grids


def votes_sentence(results: Results) -> str:
    """The votes in one sentence; empty where there are none."""
    votes = results.get("votes")
    if not votes:
        return ""
    parts = [amount(votes.get("voters"), "voter")]
    if votes.get("queries") != 1:
        parts.append(amount(votes.get("queries"), "prompt variant"))
    asked = "".join(f" {note}" for note in votes.get("asked") or ())
    return (
        f"{', '.join(parts)}; "
        f"{percent(votes.get('accuracy'), 1)} of the answers are correct, "
        f"{percent(votes.get('abstained'), 1)} abstained (unreadable, refused or not given).{asked}"
    )


def voters_grid(results: Results) -> Grid | None:
    """Each voter's accuracy, best first; voters without one last."""
    voters: list[Results] = (results.get("votes") or {}).get("by_voter") or []

    def rank(voter: Results) -> float:
        accuracy = defined(voter.get("accuracy"))
        return 1.0 if accuracy is None else -accuracy

    rows = (
        (plain(v.get("voter")), number(v.get("accuracy")), percent(v.get("abstained"), 1))
        for v in sorted(voters, key=rank)
    )
    return make_grid(("voter", "accuracy", "abstained"), rows)


SPLITS = {
    "weak_train": "trains the weak supervisors; true labels are used",
    "strong_train": "trains the student; true labels are hidden",
    "test": "evaluates every model",
}


def splits_grid(results: Results) -> Grid | None:
    """Rows of each split, and how many texts were truncated to fit the model."""
    data = results.get("data") or {}
    truncated = data.get("truncated")
    rows = (
        (name, purpose, count(data[name]), count(truncated.get(name)) if truncated else "")
        for name, purpose in SPLITS.items()
        if name in data
    )
    return make_grid(("split", "purpose", "rows", "truncated"), rows, text_columns=2)


def classes_grid(results: Results) -> Grid | None:
    """Each class with its share of the test rows."""
    data = results.get("data") or {}
    shares = data.get("test_class_shares") or ()
    rows = zip(map(plain, data.get("classes") or ()), (percent(s, 1) for s in shares), strict=False)
    return make_grid(("class", "share of test"), rows)


def leaks_sentence(results: Results) -> str:
    """Result of the leak check; empty where it was not made."""
    leaks = (results.get("data") or {}).get("leaks")
    if leaks is None:
        return ""
    exact, near = leaks.get("exact"), leaks.get("near")
    if exact == 0 and near == 0:
        return "No row appears in two splits, exactly or nearly."
    return f"Rows that appear in two splits: {count(exact)} exactly, {count(near)} nearly."


def leaks_grid(results: Results) -> Grid | None:
    """Examples of rows that appear in two splits."""
    examples = ((results.get("data") or {}).get("leaks") or {}).get("examples") or ()
    rows = (
        (
            plain(leak.get("left")),
            plain(leak.get("right")),
            plain(leak.get("where") or ""),
            number(leak.get("similarity"), 2),
        )
        for leak in examples
    )
    return make_grid(("row", "and row", "splits", "similarity"), rows, text_columns=3)


def costs_grid(results: Results) -> Grid | None:
    """Time by stage, with its share of the stages' total."""
    stages: Results = (results.get("costs") or {}).get("seconds") or {}
    total = sum(filter(None, map(defined, stages.values())))
    rows = (
        (plain(stage), seconds(spent), percent(spent / total) if spent and total else "")
        for stage, spent in stages.items()
    )
    return make_grid(("stage", "time", "share"), rows)


def costs_sentence(results: Results) -> str:
    """Trainings and the time from start to end; empty where neither is known."""
    costs: Results = results.get("costs") or {}
    trainings, folds = costs.get("trainings"), costs.get("folds")
    parts: list[str] = []
    if trainings is not None:
        parts.append(amount(trainings, "training"))
    if folds:
        steps = f" of {amount(folds['steps'], 'step')} in all" if folds["steps"] else ""
        parts.append(f"{amount(folds['trainings'], 'training')} of folds to refine labels{steps}")
    if middle := costs.get("middle"):
        steps = f" of {amount(middle['steps'], 'step')} in all" if middle["steps"] else ""
        parts.append(f"{amount(middle['trainings'], 'training')} of middle students{steps}")
    if results.get("seconds") is not None:
        parts.append(f"{seconds(results['seconds'])} from start to end")
    return f"{', '.join(parts)}." if parts else ""


def environment_grid(results: Results) -> Grid | None:
    """Versions and machine."""
    items = (results.get("environment") or {}).items()
    rows = ((plain(key), _cell(value)) for key, value in items)
    return make_grid(("what", "value"), rows, text_columns=2)


def artifacts_grid(results: Results) -> Grid | None:
    """Names of the stored results that the study is made of."""
    items = (results.get("artifacts") or {}).items()
    rows = ((plain(key), _cell(value)) for key, value in items)
    return make_grid(("role", "stored as"), rows, text_columns=2)


def run_sentence(results: Results) -> str:
    """What was run, in one sentence."""
    data = results.get("data") or {}
    roles = [arm.get("role") for arm in (results.get("arms") or {}).values()]
    others = {name: roles.count(name) for name in ("control", "oracle", "conflict")}
    parts = [
        amount(len(roles) - sum(others.values()), "arm"),
        *(amount(number, name) for name, number in others.items() if number),
        "floor and ceiling",
        amount(len(results["seeds"]), "seed") if results.get("seeds") else "",
        f"{count(data.get('strong_train'))} training questions with hidden truth",
        f"{count(data.get('test'))} test questions",
        f"scored by {plain(results.get('metric') or 'an unnamed metric')}",
    ]
    task = plain(results.get("task") or "an unnamed task").replace("_", " ")
    return f"A study of {task}: {', '.join(filter(None, parts))}."


def _cell(value: Any) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
