"""Answers of the weak supervisors to the test questions, by the row of results.json."""

from steelyard.studies.grading import Answers, ensemble_answers, supervisor_answers
from steelyard.studies.run import Run
from steelyard.studies.single_supervisors import held_out_accuracy, single_supervisors, teacher_of

FLOOR, TEACHER, ENSEMBLE = "weak", "weak_teacher", "weak_ensemble"
"""Rows of the supervisors: the mean of the single ones, the one that teaches `naive`, and all."""
SINGLE = "single: "
"""Beginning of the rows of the single supervisors."""


def supervisor_rows(run: Run) -> dict[str, list[list[Answers]]]:
    """Answers of each row's supervisors, for each seed and member."""
    seeds = run.study.seed_list
    singles = {seed: single_supervisors(run, seed) for seed in seeds}
    rows = {
        FLOOR: [[supervisor_answers(run, single) for single in singles[seed]] for seed in seeds],
        TEACHER: [[supervisor_answers(run, teacher_of(run, seed))] for seed in seeds],
        ENSEMBLE: [[ensemble_answers(run, seed)] for seed in seeds],
    }
    names = [tuple(single.name for single in singles[seed]) for seed in seeds]
    if len(set(names)) == 1:  # the same ones in every seed
        for i, name in enumerate(names[0]):
            rows[f"{SINGLE}{name}"] = [[members[i]] for members in rows[FLOOR]]
    return rows


def mean_held_out(run: Run) -> dict[str, float]:
    """Mean accuracy over seeds of each single supervisor on rows of weak_train it did not learn."""
    seeds = run.study.seed_list
    by_name: dict[str, list[float]] = {}
    for seed in seeds:
        rows = zip(single_supervisors(run, seed), held_out_accuracy(run, seed), strict=True)
        for single, accuracy in rows:
            if accuracy is not None:
                by_name.setdefault(single.name, []).append(accuracy)
    return {
        name: sum(values) / len(seeds)
        for name, values in by_name.items()
        if len(values) == len(seeds)
    }
