"""The arms tried on rows of known truth: a study of weak_train alone, one fold at a time."""

from dataclasses import dataclass

import numpy as np

from steelyard.data import row_groups
from steelyard.data.take import joined
from steelyard.evaluation import draw_resamples, measure
from steelyard.evaluation.expected_gains import TriedGains
from steelyard.store.store import Store
from steelyard.studies.grading import bind_metric, grade
from steelyard.studies.reference_names import ZERO_SHOT
from steelyard.studies.run import Folds, Run
from steelyard.studies.training import student_jobs, train_student, why_untrained
from steelyard.types import Floats

FOLDS = 5
FEWEST_ROWS = 20
"""Rows of weak_train below which nothing is tried."""
MAJORITY = "majority"


@dataclass(frozen=True, eq=False)
class PilotScores:
    """Scores of arms and references on the rows of weak_train, each row held out once."""

    rows: int
    arms: tuple[str, ...]  # (A,), those that were trained in every fold
    scores: Floats  # (A,)
    resampled: Floats  # (A, R), on resamples of the rows, shared by all
    sign: float  # -1 where lower scores are better
    score_range: float  # the largest possible score less the smallest; infinite without limits

    def over_majority(self, arms: tuple[str, ...]) -> TriedGains:
        """Gains of these arms over the majority, with their covariance over resamples."""
        index = [self.arms.index(arm) for arm in arms]
        base = self.arms.index(MAJORITY)
        gains = self.sign * (self.resampled[index] - self.resampled[base])
        usable = gains[:, ~np.isnan(gains).any(axis=0)]
        covariance = np.atleast_2d(np.cov(usable))
        return TriedGains(self.sign * (self.scores[index] - self.scores[base]), covariance)


def why_no_pilot(run: Run) -> str:
    """Why the arms of a study cannot be tried on known truth; empty if they can."""
    rows = len(run.task(run.study.seed_list[0]).weak_train.truth)
    if rows < FEWEST_ROWS:
        return f"weak_train has {rows} rows; a try on known truth needs {FEWEST_ROWS}"
    return ""


def pilot_run(run: Run) -> Run:
    """The same study whose seeds are folds of the first seed's weak_train.

    Supervisors and students are trained anew without the fold and answer its rows. No truth of
    strong_train or test has a part in it.
    """
    references = tuple(name for name in run.study.references if name != ZERO_SHOT)
    changes = {"seeds": tuple(range(FOLDS)), "gold_curve": (), "references": references}
    folds = Folds(FOLDS, run.study.seed_list[0])
    study = run.study.model_copy(update=changes)
    return Run(study, Store(run.store.root, read_only=run.store.read_only), run.base, folds)


def pilot_scores(pilot: Run) -> PilotScores:
    """Scores of what was trained in every fold, on the rows of all folds together."""
    names = list(dict.fromkeys(name for _, name in student_jobs(pilot)))
    every = [
        name
        for name in names
        if all(why_untrained(pilot, fold, name) is None for fold in pilot.study.seed_list)
    ]
    tests = [pilot.task(fold).test for fold in pilot.study.seed_list]
    rows = joined({str(fold): test for fold, test in enumerate(tests)})
    metric, truth = bind_metric(pilot, pilot.study.metric_name, rows), rows.truth
    resamples = draw_resamples(len(truth), groups=row_groups(rows))
    measured = [measure(metric, truth, [[_answers(pilot, name)]], resamples) for name in every]
    return PilotScores(
        len(truth),
        tuple(every),
        np.array([scores.value for scores in measured]),
        np.array([scores.resampled[0] for scores in measured]),
        -1.0 if metric.lower_is_better else 1.0,
        metric.limits[1] - metric.limits[0],
    )


def _answers(pilot: Run, name: str) -> Floats:
    """Answers of an arm's students to the rows of all folds, as the metric takes them, (N, K)."""
    tables = [
        grade(
            pilot,
            pilot.task(fold).test,
            train_student(pilot, fold, name).answers,
            pilot.study.metric_name,
        )
        for fold in pilot.study.seed_list
    ]
    width = max(table.shape[1] for table in tables)
    return np.concatenate([np.pad(t, ((0, 0), (0, width - t.shape[1]))) for t in tables])
