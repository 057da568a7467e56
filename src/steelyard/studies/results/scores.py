"""Floor, arms and ceiling, measured on the same test items: scores, intervals, PGR."""

from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from steelyard.data import row_groups, take
from steelyard.evaluation import (
    SLOT_METRICS,
    MetricFacts,
    Scores,
    draw_resamples,
    find_metric,
    mean_interval,
    measure,
    paired_difference,
    performance_gap_recovered,
)
from steelyard.studies.grading import Answers, agreement, bind_metric, grade
from steelyard.studies.ladder import arm_labels_of
from steelyard.studies.reference_names import GOLD_ONLY
from steelyard.studies.results.json_numbers import numbers
from steelyard.studies.results.label_quality import arm_labels
from steelyard.studies.results.middle import middle_labels
from steelyard.studies.results.supervisor_rows import ENSEMBLE, FLOOR, TEACHER, supervisor_rows
from steelyard.studies.results.uncertainty import uncertainty
from steelyard.studies.run import Run
from steelyard.studies.single_supervisors import arm_votes
from steelyard.studies.training import CEILING, TrainedStudent, train_student, why_untrained
from steelyard.studies.votes import collect_votes, true_answers
from steelyard.types import Floats, Ints, Selection, Votes
from steelyard.types.arrays import expected_hits, leaders

EMPTY = (*("rows", "kept", "steps", "label_accuracy", "label_f1", "agreement", "preference"),)
"""Entries of a seed in which an arm was not trained."""
NO_FLOOR = "There are no weak votes on the test questions, so the floor is not known."


class StudyScores:
    """Every model of a study measured on the same test items with the same resamples."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.seeds = run.study.seed_list
        references = run.study.reference_names
        names = [CEILING, *references, *(arm.name for arm in run.study.all_arms)]
        self.reasons = {
            (name, i): reason
            for name in names
            for i, seed in enumerate(self.seeds)
            if (reason := why_untrained(run, seed, name)) is not None
        }
        self.students = {
            name: {i: train_student(run, self.seeds[i], name) for i in self.trained(name)}
            for name in names
        }
        self.whole = run.task(self.seeds[0]).test
        self.votes = [collect_votes(run, seed).test for seed in self.seeds]
        self.supervisors = supervisor_rows(run) if all(len(v.answer) for v in self.votes) else {}
        self.test_sets = tuple(dict.fromkeys(self.whole.sets))
        self._look_at(self._rows_of(self.test_sets[0]) if self.test_sets else None)

    def _rows_of(self, test_set: str) -> Ints:
        return np.flatnonzero(np.array(self.whole.sets) == test_set)

    def _look_at(self, rows: Ints | None) -> None:
        """Measure on these rows of the test split from now on, or on all."""
        self.rows = np.arange(len(self.whole.truth)) if rows is None else rows
        self.test = self.whole if rows is None else take(self.whole, rows)
        self.truth = self.test.truth
        self.test_groups = row_groups(self.test)
        self.independent = len(np.unique(self.test_groups))
        alone = self.independent == len(self.rows)
        self.resamples = draw_resamples(len(self.rows), groups=None if alone else self.test_groups)
        asked = [np.isin(v.example, self.rows).any() for v in self.votes]
        self.has_floor = bool(self.supervisors) and all(asked)
        self._measured: dict[tuple[str, str], Scores] = {}

    def of_test_set(self, name: str) -> "StudyScores":
        """The same models on another test set."""
        other = copy(self)
        other._look_at(self._rows_of(name))
        return other

    def of_slice(self, rows: Ints) -> "StudyScores":
        """The same models and resamples on some of these rows, (M,) positions in them."""
        part = copy(self)
        part.rows, part.test = self.rows[rows], take(self.test, rows)
        part.truth, part.test_groups = self.truth[rows], self.test_groups[rows]
        part.independent = len(np.unique(part.test_groups))
        part.resamples = self.resamples[:, rows]
        part._measured = {}
        return part

    def bound(self, metric: str) -> MetricFacts:
        """A metric for these test rows; see `bind_metric`."""
        return bind_metric(self.run, metric, self.test)

    def table(self, answers: Answers, metric: str) -> Floats:
        """Answers to these test rows as the metric takes them, (N, K)."""
        return grade(self.run, self.whole, answers, metric)[self.rows]

    def trained(self, *names: str) -> list[int]:
        """Positions of the seeds in which all these models were trained."""
        every = range(len(self.seeds))
        return [i for i in every if not any((name, i) in self.reasons for name in names)]

    def scores(self, metric: str, name: str, among: Sequence[int] | None = None) -> Scores:
        """One model's scores in its seeds, or in those `among`."""
        if (metric, name) not in self._measured:
            answers = self.supervisors.get(name)
            if answers is None:
                answers = [[student.answers] for student in self.students[name].values()]
            bound = self.bound(metric)
            probs = [[self.table(texts, metric) for texts in seed] for seed in answers]
            score = measure(bound, self.truth, probs, self.resamples)
            self._measured[metric, name] = replace(score, items=self.independent)
        scores = self._measured[metric, name]
        trained = self.trained(name)
        if among is None or list(among) == trained:
            return scores
        rows = [trained.index(i) for i in among]
        return replace(scores, seeds=scores.seeds[rows], resampled=scores.resampled[rows])

    def score(self, metric: str, name: str) -> dict[str, Any]:
        scores = self.scores(metric, name)
        return {**asdict(mean_interval(scores)), "seeds": numbers(scores.seeds)}

    def floor(self, metric: str) -> dict[str, Any] | None:
        return self.score(metric, FLOOR) if self.has_floor else None

    def ensemble(self, metric: str) -> dict[str, Any] | None:
        return self.score(metric, ENSEMBLE) if self.has_floor else None

    def arm(self, name: str) -> dict[str, Any]:
        """An arm's part of results.json."""
        metric = self.run.study.metric_name
        arm = self.run.study.arm(name)
        trained = self.trained(name)
        reason = self.reason(name)
        gap = self.gap(metric, name)
        values = self.scores(metric, name).seeds if trained else np.zeros(0)
        return {
            "role": arm.role,
            "description": arm.description,
            "uses_gold": arm.uses_gold,
            "score": asdict(mean_interval(self.scores(metric, name))) if trained else None,
            "floor": self._own_floor(metric, name),
            "reason": reason,
            "pgr": None if gap is None or gap.interval is None else asdict(gap.interval),
            "pgr_reason": (NO_FLOOR if trained else reason) if gap is None else gap.reason,
            "vs_naive": self._against(metric, name, "naive"),
            "vs_majority": self._against(metric, name, "majority"),
            "vs_gold_only": self._against(metric, name, GOLD_ONLY),
            "vs_control": self._against_control(metric, name),
            "label_accuracy": arm_labels(self.run, arm, [self.seeds[i] for i in trained]),
            "uncertainty": uncertainty(self, name),
            **({"through": middle_labels(self.run, arm)} if arm.through else {}),
            "seeds": [
                {
                    "seed": seed,
                    "score": float(values[trained.index(i)]) if i in trained else None,
                    "pgr": None if gap is None or i not in trained else gap.seeds[trained.index(i)],
                    **self._row(i, seed, name),
                }
                for i, seed in enumerate(self.seeds)
            ],
        }

    def reason(self, name: str) -> str | None:
        """Why an arm was not trained, and in which seeds; None if it was in all."""
        missing = {self.seeds[i]: why for (arm, i), why in self.reasons.items() if arm == name}
        if not missing:
            return None
        seeds = "seed" if len(missing) == 1 else "seeds"
        numbers = ", ".join(map(str, missing))
        return f"Not trained in {seeds} {numbers}: {next(iter(missing.values()))}"

    def _against(self, metric: str, name: str, other: str) -> dict[str, Any] | None:
        """The paired difference of two students; None for one and itself, or if there is none."""
        shared = self.trained(name, other) if other in self.students else []
        if name == other or not shared:
            return None
        scores = [self.scores(metric, key, shared) for key in (name, other)]
        return asdict(paired_difference(*scores))

    def _against_control(self, metric: str, name: str) -> dict[str, Any] | None:
        """The paired difference between an arm and its own control, if it has one."""
        for control in self.run.study.all_arms:
            if control.control_of == name:
                difference = self._against(metric, name, control.name)
                return {"control": control.name, **difference} if difference else None
        return None

    def first_seed(self) -> dict[str, TrainedStudent]:
        """Each model in the first seed in which it was trained."""
        return {name: next(iter(t.values())) for name, t in self.students.items() if t}

    def gap(self, metric: str, name: str) -> Any:
        seeds = self.trained(name)
        if not self.has_floor or not seeds:
            return None
        models = (self._floor_of(name), name, CEILING)
        return performance_gap_recovered(*(self.scores(metric, key, seeds) for key in models))

    def _own_floor(self, metric: str, name: str) -> float | None:
        """The score that an arm's PGR starts from, where it is not the floor of the others."""
        if not self.has_floor or self._floor_of(name) == FLOOR:
            return None
        return float(self.scores(metric, TEACHER).value)

    def _floor_of(self, name: str) -> str:
        """What PGR starts from: the floor, or the one supervisor that teaches an arm."""
        arms = {arm.name: arm for arm in self.run.study.all_arms}
        takes_one = name in arms and arms[name].selection.takes_one_supervisor
        return TEACHER if takes_one else FLOOR

    def _row(self, i: int, seed: int, name: str) -> dict[str, Any]:
        if (name, i) in self.reasons:
            return {**dict.fromkeys(EMPTY), "reason": self.reasons[name, i]}
        student = self.students[name][i]
        arm = self.run.study.arm(name)
        selection = arm_labels_of(self.run, seed, arm)
        kept = selection.weights > 0
        votes = arm_votes(self.run, seed, arm).strong_train
        right = expected_hits(true_answers(self.run, seed, votes), selection.targets)[kept]
        agreed = agreement(self.run, seed, student.answers, self.rows) if self.has_floor else None
        record = {
            "rows": student.record["kept"],
            "kept": student.record["kept"] / student.record["rows"],
            "steps": student.record["steps"],
        }
        return {
            **record,
            "label_accuracy": float(right.mean()),
            "label_f1": self._label_f1(seed, selection, votes),
            "agreement": agreed,
            "preference": student.record.get("preference"),
            "reason": None,
        }

    def _label_f1(self, seed: int, selection: Selection, votes: Votes) -> float | None:
        """The study's F1 of the slots in the kept labels."""
        if self.run.study.metric_name not in SLOT_METRICS:
            return None
        split = self.run.task(seed).strong_train
        labels = zip(votes.candidate_texts, leaders(selection.targets) > 0, strict=True)
        answers = tuple(
            tuple(text for text, leads in zip(texts, row, strict=False) if leads)
            for texts, row in labels
        )
        kept = selection.weights > 0
        table = grade(self.run, split, answers, self.run.study.metric_name)[kept]
        value = float(find_metric(self.run.study.metric_name)(split.truth[kept], table, None)[0])
        return value if value == value else None
