"""Grids about labels and their scores, and about the students' own uncertainty."""

from typing import Any

from steelyard.report.formats import Results, interval, number, plain
from steelyard.report.study_tables import Grid, make_grid


def reliability_grid(results: Results) -> Grid | None:
    """How well each reliability score ranks correct labels above wrong ones."""
    methods = (results.get("reliability") or {}).items()
    spans = {name: part.get("intervals") or {} for name, part in methods}
    rows = (
        (
            plain(name),
            *([interval(spans[name].get("accuracy"))] if any(spans.values()) else []),
            *(_with_interval(part.get(key), spans[name].get(key)) for key in ("auroc", "aurc")),
            number(part.get("ece")),
        )
        for name, part in methods
    )
    accuracy = ("label accuracy",) if any(spans.values()) else ()
    return make_grid(("method", *accuracy, "AUROC", "AURC", "ECE"), rows)


def labels_grid(results: Results) -> Grid | None:
    """Share of right labels among those that each arm trains on, with its interval."""
    arms = (results.get("arms") or {}).items()
    spans = ((name, arm["label_accuracy"]) for name, arm in arms if arm.get("label_accuracy"))
    return make_grid(("arm", "label accuracy"), ((plain(n), interval(s)) for n, s in spans))


def _with_interval(value: Any, span: Results | None) -> str:
    return interval(span) if span else number(value)


UNCERTAINTIES = {
    "least_confidence": "1 - largest probability",
    "vacuity": "vacuity",
    "expected_entropy": "expected entropy",
}


def uncertainty_grid(results: Results) -> Grid | None:
    """Uncertainty of the students, and how well it finds their errors, if one is evidential."""
    arms: Results = results.get("arms") or {}
    by_arm: dict[str, Results] = {name: arm.get("uncertainty") or {} for name, arm in arms.items()}
    if not any("vacuity" in measures for measures in by_arm.values()):
        return None
    header = [f"{title}{end}" for title in UNCERTAINTIES.values() for end in ("", ", AUROC")]
    rows = (
        (
            plain(name),
            *(
                _uncertainty(measures.get(measure), key)
                for measure in UNCERTAINTIES
                for key in ("mean", "auroc")
            ),
        )
        for name, measures in by_arm.items()
    )
    return make_grid(("arm", *header), rows)


def _uncertainty(measure: Results | None, key: str) -> str:
    if measure is None:
        return ""
    return _with_interval(measure.get(key), measure.get("interval") if key == "auroc" else None)
