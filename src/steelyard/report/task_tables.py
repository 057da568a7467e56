"""Grids about the metrics that matter, further test sets, slices, and errors out of obedience."""

from collections.abc import Iterator
from typing import Any

from steelyard.report.formats import (
    MISSING,
    Results,
    count,
    defined,
    difference,
    interval,
    number,
    percent_interval,
    plain,
)
from steelyard.report.study_tables import Grid, make_grid

ACCURACY = "accuracy"


def pgr_by_metric_grid(results: Results) -> Grid | None:
    """PGR of every arm by the main metric, accuracy and the further metrics; None for one metric.

    The last column names the metrics whose interval is wholly above or below that of the main one.
    """
    further = [name for name in results.get("further_metrics") or ()]
    others = results.get("metrics") or {}
    names = list(dict.fromkeys([*further, *([ACCURACY] if further and ACCURACY in others else [])]))
    if not names:
        return None
    main = results.get("metric")
    rows = []
    for arm, part in (results.get("arms") or {}).items():
        if part.get("role") != "arm":
            continue
        first = part.get("pgr")
        spans = {name: ((others.get(name) or {}).get("pgr") or {}).get(arm) for name in names}
        disagreeing = [name for name, span in spans.items() if _disjoint(first, span)]
        texts = map(percent_interval, (first, *spans.values()))
        rows.append((plain(arm), *texts, ", ".join(map(plain, disagreeing)) or "no"))
    return make_grid(("arm", *map(plain, (main, *names)), "disagrees with the first"), rows)


def _disjoint(first: Results | None, second: Results | None) -> bool:
    """Whether two intervals have no point in common."""
    ends = [defined((span or {}).get(key)) for span in (first, second) for key in ("low", "high")]
    if any(end is None for end in ends):
        return False
    low, high, other_low, other_high = (end for end in ends if end is not None)
    return other_low > high or low > other_high


def pgr_reasons(results: Results) -> list[str]:
    """Why there is no PGR by a metric, or no score at all, one sentence each."""
    named = results.get("further_metrics") or ()
    parts = {name: (results.get("metrics") or {}).get(name) or {} for name in named}
    reasons = {name: part.get("reason") or part.get("pgr_reason") for name, part in parts.items()}
    return [f"{name}: {reason}" for name, reason in reasons.items() if reason]


def test_set_grids(results: Results) -> dict[str, Grid]:
    """For each further test set and metric: floor, arms and ceiling, with PGR."""
    grids = {}
    for name, part in (results.get("test_sets") or {}).items():
        for metric, scores in part["metrics"].items():
            title = f"{plain(name)} ({count(part['rows'])} rows): {plain(metric)}"
            grids[title] = Grid(("arm", "value", "PGR"), tuple(_model_rows(scores)))
    return grids


def _model_rows(scores: Results) -> Iterator[tuple[str, str, str]]:
    if scores.get("reason"):
        yield ("not defined", plain(scores["reason"]), "")
        return
    pgr = scores.get("pgr") or {}
    yield ("weak supervisors", interval(scores.get("weak")), "")
    for name, span in (scores.get("arms") or {}).items():
        yield (plain(name), interval(span), percent_interval(pgr.get(name)))
    for name, span in (scores.get("references") or {}).items():
        yield (plain(name), interval(span), "")
    yield ("ceiling", interval(scores.get("ceiling")), "")
    if scores.get("pgr_reason"):
        yield ("no PGR", plain(scores["pgr_reason"]), "")


def threshold_grids(results: Results) -> dict[str, Grid]:
    """For each test set: every student's metrics at its own threshold."""
    main = plain((results.get("data") or {}).get("test_set") or "")
    by_set = {main or "test rows": results.get("threshold")}
    by_set |= {n: p.get("threshold") for n, p in (results.get("test_sets") or {}).items()}
    grids = {}
    for name, part in by_set.items():
        models = (part or {}).get("models") or {}
        metrics = list(dict.fromkeys(m for model in models.values() for m in model["metrics"]))
        rows = [(plain(label), *_at_threshold(model, metrics)) for label, model in models.items()]
        header = ("arm", "threshold", *map(plain, metrics), "main metric, less usual answers")
        if grid := make_grid(header, rows):
            grids[name] = grid
    return grids


def _at_threshold(model: Results, metrics: list[str]) -> tuple[str, ...]:
    thresholds, versus = model["thresholds"], model.get("vs_usual")
    mean = number(sum(thresholds) / len(thresholds))
    spans = (interval(model["metrics"].get(metric)) for metric in metrics)
    return (mean, *spans, difference(versus) if versus else "")


def threshold_sentence(results: Results) -> str:
    """What the tables of thresholds are about; empty where none was chosen."""
    part = results.get("threshold")
    if not part:
        return ""
    aim = "at the least mean cost"
    if part.get("recall") is not None:
        aim = f"for a recall of at least {number(part['recall'])}"
    return (
        f"Each student answers `{plain(part['of'])}` from a threshold on that was chosen on "
        f"weak_train {aim} (mean over seeds is shown); on test rows the aim may be missed."
    )


SLICE_HEADER = ("slice", "arm", "rows", "score", "less naive")


def slice_grids(results: Results) -> dict[str, Grid]:
    """For each test set and metric: every model on every slice, and arms against naive."""
    main = plain((results.get("data") or {}).get("test_set") or "")
    by_set = {main: results.get("slices")}
    by_set |= {n: part.get("slices") for n, part in (results.get("test_sets") or {}).items()}
    grids = {}
    for name, part in by_set.items():
        for metric, by_slice in ((part or {}).get("metrics") or {}).items():
            rows = [
                row
                for label, part_scores in by_slice.items()
                for row in _slice_rows(label, part_scores)
            ]
            title = f"{plain(name)}: {plain(metric)}" if name else plain(metric)
            if grid := make_grid(SLICE_HEADER, rows, text_columns=2):
                grids[title] = grid
    return grids


def _slice_rows(name: str, part: Results) -> Iterator[tuple[str, ...]]:
    rows, label = count(part.get("rows")), plain(name)
    reason = part.get("reason")
    models = {"weak supervisors": part.get("weak"), **(part.get("arms") or {})}
    if reason:
        yield (label, plain(reason), rows, "", "")
    if part.get("ceiling") is None:
        return
    for model, span in {**models, "ceiling": part["ceiling"]}.items():
        if span is None:
            continue
        versus: Results = span.get("vs_naive") or {}
        score = interval(span) if defined(span.get("low")) is not None else number(span["value"])
        yield (label, plain(model), rows, score, difference(versus) if versus else "")


def off_task_grids(results: Results) -> dict[str, Grid]:
    """For each other task: accuracy before training, and of each student with the difference."""
    grids = {}
    for name, part in (results.get("off_task") or {}).items():
        rows = [("before training", interval(part.get("before")), "")]
        rows += [
            (plain(label), interval(model), difference(model["vs_before"]))
            for label, model in (part.get("models") or {}).items()
        ]
        title = f"{plain(name)} ({count(part['rows'])} rows)"
        grids[title] = Grid(("arm", "accuracy", "less before training"), tuple(rows))
    return grids


def deception_sentence(results: Results) -> str:
    """What the table of deception is about; empty where it was not measured."""
    part = results.get("deception")
    if not part:
        return ""
    return (
        f"On {number(part.get('rows'), 1)} test rows (mean over seeds) the ceiling is right and "
        f"sure (at least {number(part.get('sure'), 2)}) while the supervisors' majority is wrong."
    )


def deception_grid(results: Results) -> Grid | None:
    """How often each student is wrong where the ceiling knows, by whether the supervisors are."""
    arms: Results = (results.get("deception") or {}).get("arms") or {}
    compared = {"vs_naive": "less naive"}
    if any(part.get("vs_no_conflict") for part in arms.values()):
        compared["vs_no_conflict"] = "less no conflict"
    header = ("arm", "supervisors wrong", "supervisors right", "excess", *compared.values())
    rows = ((plain(name), *_deceived(part, list(compared))) for name, part in arms.items())
    return make_grid(header, rows)


def _deceived(part: dict[str, Any], compared: list[str]) -> tuple[str, ...]:
    if part.get("reason"):
        return (plain(part["reason"]), *[MISSING] * (2 + len(compared)))
    spans = (interval(part.get(key)) for key in ("conflict", "no_conflict", "excess"))
    return (*spans, *(difference(part[key]) if part.get(key) else "" for key in compared))
