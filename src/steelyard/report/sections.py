"""The parts of the report below the main table, as grids of text for Markdown and the page.

A part whose keys are missing, as in a file of an older version, is None and left out.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from steelyard.report.formats import (
    Results,
    count,
    counted,
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
    left_out: int = 0  # rows beyond MOST_ROWS


def _grid(
    header: Iterable[str], rows: Iterable[tuple[str, ...]], text_columns: int = 1
) -> Grid | None:
    every = tuple(rows)
    if not every:
        return None
    left_out = max(0, len(every) - MOST_ROWS)
    return Grid(tuple(header), every[:MOST_ROWS], text_columns, left_out)


def seed_grids(results: Results) -> dict[str, Grid]:
    """Each arm's numbers by seed."""
    header = ("seed", "score", "PGR", "rows", "kept", "steps", "labels right", "agreement")
    grids = {}
    for name, arm in (results.get("arms") or {}).items():
        seeds: list[Results] = arm.get("seeds") or []
        more = [title for title in SOME_ARMS if any(_more(seed)[title] for seed in seeds)]
        rows = ((*_seed(seed), *(_more(seed)[title] for title in more)) for seed in seeds)
        if grid := _grid((*header, *more), rows):
            grids[plain(name)] = grid
    return grids


SOME_ARMS = ("F1 of labels", "pairs", "pairs in order", "reward margin")
"""Columns that only slots, and arms with a preference stage, have."""


def _more(seed: Results) -> dict[str, str]:
    stage: Results = seed.get("preference") or {}
    values = (
        "" if seed.get("label_f1") is None else number(seed["label_f1"]),
        count(stage["pairs"]) if "pairs" in stage else "",
        percent(stage["accuracy"]) if "accuracy" in stage else "",
        number(stage["reward_margin"]) if "reward_margin" in stage else "",
    )
    return dict(zip(SOME_ARMS, values, strict=True))


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
    """The further metrics: for each, floor, arms and ceiling with PGR."""
    grids = {}
    for metric, part in (results.get("metrics") or {}).items():
        pgr = part.get("pgr") or {}
        rows = [("weak supervisors", interval(part.get("weak")), "")]
        for name, span in (part.get("arms") or {}).items():
            rows.append((plain(name), interval(span), percent_interval(pgr.get(name))))
        rows.append(("ceiling", interval(part.get("ceiling")), ""))
        grids[plain(metric)] = Grid(("arm", "value", "PGR"), tuple(rows))
    return grids


def votes_sentence(results: Results) -> str:
    """The votes in one sentence; empty where there are none."""
    votes = results.get("votes")
    if not votes:
        return ""
    return (
        f"{count(votes.get('voters'))} voters, {count(votes.get('queries'))} queries; "
        f"{percent(votes.get('accuracy'), 1)} of the answers are right, "
        f"{percent(votes.get('abstained'), 1)} abstained (unreadable, refused or not given)."
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
    return _grid(("voter", "accuracy", "abstained"), rows)


def reliability_grid(results: Results) -> Grid | None:
    """How well each reliability score ranks right labels above wrong ones."""
    rows = (
        (plain(name), *(number(part.get(key)) for key in ("auroc", "aurc", "ece")))
        for name, part in (results.get("reliability") or {}).items()
    )
    return _grid(("method", "AUROC", "AURC", "ECE"), rows)


DOUBTS = {
    "least_confidence": "1 - largest P",
    "vacuity": "vacuity",
    "expected_entropy": "expected entropy",
}


def doubt_grid(results: Results) -> Grid | None:
    """How unsure students are and whether where they are wrong, if one answers with evidence."""
    arms: Results = results.get("arms") or {}
    known = {name: arm.get("doubt") or {} for name, arm in arms.items()}
    if not any("vacuity" in doubt for doubt in known.values()):
        return None
    header = [f"{title}{of}" for title in DOUBTS.values() for of in ("", ", AUROC")]
    rows = (
        (
            plain(name),
            *(
                number(doubt[measure].get(key)) if measure in doubt else ""
                for measure in DOUBTS
                for key in ("mean", "auroc")
            ),
        )
        for name, doubt in known.items()
    )
    return _grid(("arm", *header), rows)


SPLITS = {
    "weak_train": "makes the weak supervisors; truth is used",
    "strong_train": "teaches the student; truth is hidden",
    "test": "judges every model",
}


def splits_grid(results: Results) -> Grid | None:
    """Rows of each split, and how many texts were cut to fit the model."""
    data = results.get("data") or {}
    cut = data.get("truncated")
    rows = (
        (name, purpose, count(data[name]), count(cut.get(name)) if cut else "")
        for name, purpose in SPLITS.items()
        if name in data
    )
    return _grid(("split", "purpose", "rows", "truncated"), rows, text_columns=2)


def classes_grid(results: Results) -> Grid | None:
    """Each class with its share of the test rows."""
    data = results.get("data") or {}
    shares = data.get("test_class_shares") or ()
    rows = zip(map(plain, data.get("classes") or ()), (percent(s, 1) for s in shares), strict=False)
    return _grid(("class", "share of test"), rows)


def leaks_sentence(results: Results) -> str:
    """What the leak check found; empty where it was not made."""
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
    return _grid(("row", "and row", "splits", "similarity"), rows, text_columns=3)


def costs_grid(results: Results) -> Grid | None:
    """Time by stage, with its share of the stages' total."""
    stages: Results = (results.get("costs") or {}).get("seconds") or {}
    total = sum(filter(None, map(defined, stages.values())))
    rows = (
        (plain(stage), seconds(spent), percent(spent / total) if spent and total else "")
        for stage, spent in stages.items()
    )
    return _grid(("stage", "time", "share"), rows)


def costs_sentence(results: Results) -> str:
    """Trainings and the time from start to end; empty where neither is known."""
    trainings = (results.get("costs") or {}).get("trainings")
    parts = []
    if trainings is not None:
        parts.append(counted(trainings, "training"))
    if results.get("seconds") is not None:
        parts.append(f"{seconds(results['seconds'])} from start to end")
    return f"{', '.join(parts)}." if parts else ""


def environment_grid(results: Results) -> Grid | None:
    """Versions and machine."""
    items = (results.get("environment") or {}).items()
    rows = ((plain(key), _word(value)) for key, value in items)
    return _grid(("what", "value"), rows, text_columns=2)


def artifacts_grid(results: Results) -> Grid | None:
    """Names of the stored results that the study is made of."""
    items = (results.get("artifacts") or {}).items()
    rows = ((plain(key), _word(value)) for key, value in items)
    return _grid(("role", "stored as"), rows, text_columns=2)


def run_sentence(results: Results) -> str:
    """What was run, in one sentence."""
    data = results.get("data") or {}
    roles = [arm.get("role") for arm in (results.get("arms") or {}).values()]
    controls, oracles = roles.count("control"), roles.count("oracle")
    parts = [
        counted(len(roles) - controls - oracles, "arm"),
        counted(controls, "control") if controls else "",
        counted(oracles, "oracle") if oracles else "",
        "floor and ceiling",
        counted(len(results["seeds"]), "seed") if results.get("seeds") else "",
        f"{count(data.get('strong_train'))} training questions without truth",
        f"{count(data.get('test'))} test questions",
        f"judged by {plain(results.get('metric') or 'an unnamed metric')}",
    ]
    task = plain(results.get("task") or "an unnamed task").replace("_", " ")
    return f"A study of {task}: {', '.join(filter(None, parts))}."


def _word(value: Any) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
