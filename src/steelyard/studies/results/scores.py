"""Floor, arms and ceiling, measured on the same test items: scores, intervals, PGR."""

from dataclasses import asdict
from typing import Any

from steelyard.evaluation import (
    PAIR_METRICS,
    SLOT_METRICS,
    Scores,
    detect_errors,
    draw_resamples,
    mean_interval,
    measure,
    metric,
    paired_difference,
    performance_gap_recovered,
)
from steelyard.studies.grading import agreement, ensemble_answers, grade, supervisors_answers
from steelyard.studies.results.json_numbers import mean, numbers
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.training import CEILING, TrainedStudent, train_student
from steelyard.studies.votes import collect_votes, true_answers
from steelyard.types import Selection

NO_FLOOR = "There are no weak votes on the test questions, so the floor is not known."


class StudyScores:
    """Every model of a study measured on the same test items with the same resamples."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.seeds = run.study.seed_list
        names = [CEILING, *(arm.name for arm in run.study.all_arms)]
        self.taught = {n: [train_student(run, seed, n) for seed in self.seeds] for n in names}
        self.test = run.task(self.seeds[0]).test
        self.truth = self.test.truth
        self.resamples = draw_resamples(len(self.truth))
        votes = [collect_votes(run, seed).test for seed in self.seeds]
        self.has_floor = all(len(v.answer) > 0 for v in votes)
        self.voters = [supervisors_answers(run, s) for s in self.seeds] if self.has_floor else []
        self.majority = [[ensemble_answers(run, s)] for s in self.seeds] if self.has_floor else []
        self._measured: dict[tuple[str, str], Scores] = {}

    def scores(self, metric: str, name: str) -> Scores:
        """One model's scores; `weak` is the floor."""
        if (metric, name) not in self._measured:
            if name in ("weak", "weak_ensemble"):
                said = self.voters if name == "weak" else self.majority
            else:
                said = [[taught.answers] for taught in self.taught[name]]
            probs = [[grade(self.run, self.test, one, metric) for one in each] for each in said]
            self._measured[metric, name] = measure(metric, self.truth, probs, self.resamples)
        return self._measured[metric, name]

    def score(self, metric: str, name: str) -> dict[str, Any]:
        scores = self.scores(metric, name)
        return {**asdict(mean_interval(scores)), "seeds": numbers(scores.seeds)}

    def floor(self, metric: str) -> dict[str, Any] | None:
        return self.score(metric, "weak") if self.has_floor else None

    def ensemble(self, metric: str) -> dict[str, Any] | None:
        return self.score(metric, "weak_ensemble") if self.has_floor else None

    def arm(self, name: str) -> dict[str, Any]:
        """An arm's part of results.json."""
        metric = self.run.study.metric
        arm = self.run.study.arm(name)
        scores = self.scores(metric, name)
        gap = self._gap(metric, name)
        return {
            "role": arm.role,
            "description": arm.description,
            "score": asdict(mean_interval(scores)),
            "pgr": None if gap is None or gap.interval is None else asdict(gap.interval),
            "pgr_reason": NO_FLOOR if gap is None else gap.reason,
            "vs_naive": self._against(metric, name, "naive"),
            "vs_majority": self._against(metric, name, "majority"),
            "vs_control": self._against_control(metric, name),
            "doubt": self._doubt(name),
            "seeds": [
                {
                    "seed": seed,
                    "score": float(scores.seeds[i]),
                    "pgr": None if gap is None else gap.seeds[i],
                    **self._row(i, seed, name),
                }
                for i, seed in enumerate(self.seeds)
            ],
        }

    def _against(self, metric: str, name: str, other: str) -> dict[str, Any] | None:
        """The paired difference between two arms, None of an arm to itself."""
        if name == other:
            return None
        scores = [self.scores(metric, key) for key in (name, other)]
        return asdict(paired_difference(*scores))

    def _against_control(self, metric: str, name: str) -> dict[str, Any] | None:
        """The paired difference between an arm and its own control, if it has one."""
        for control in self.run.study.all_arms:
            if control.control_of == name:
                difference = self._against(metric, name, control.name)
                return {"control": control.name, **(difference or {})}
        return None

    def _doubt(self, name: str) -> dict[str, Any] | None:
        """How unsure the student is and whether it is so where it is wrong, means over the seeds.

        None of open answers: whether they are right is all that is known of them.
        """
        if not self.run.task(self.seeds[0]).classes:
            return None
        seeds = [
            detect_errors(taught.predictions.probs, taught.doubts, self.truth)
            for taught in self.taught[name]
        ]
        return {
            measure: {
                "mean": mean([seed[measure].mean for seed in seeds]),
                "auroc": mean([x for seed in seeds if (x := seed[measure].auroc) is not None]),
            }
            for measure in seeds[0]
        }

    def other(self, metric: str) -> dict[str, Any]:
        """Floor, arms and ceiling by a further metric; without a gap where units differ."""
        names = [arm.name for arm in self.run.study.all_arms]
        own = metric in PAIR_METRICS
        gaps = {name: None if own else self._gap(metric, name) for name in names}
        return {
            "weak": None if own else self.floor(metric),
            "ceiling": self.score(metric, CEILING),
            "arms": {n: asdict(mean_interval(self.scores(metric, n))) for n in names},
            "pgr": {
                n: None if g is None or g.interval is None else asdict(g.interval)
                for n, g in gaps.items()
            },
        }

    def first_seed(self) -> dict[str, TrainedStudent]:
        return {name: taught[0] for name, taught in self.taught.items()}

    def _gap(self, metric: str, name: str) -> Any:
        if not self.has_floor:
            return None
        return performance_gap_recovered(
            self.scores(metric, "weak"), self.scores(metric, name), self.scores(metric, CEILING)
        )

    def _row(self, i: int, seed: int, name: str) -> dict[str, Any]:
        taught = self.taught[name][i]
        selection, _ = select_labels(self.run, seed, self.run.study.arm(name))
        kept = selection.weights > 0
        truth = true_answers(self.run, seed)
        right = selection.targets.argmax(axis=1)[kept] == truth[kept]
        agreed = agreement(self.run, seed, taught.answers) if self.has_floor else None
        record = {
            "rows": taught.record["kept"],
            "kept": taught.record["kept"] / taught.record["rows"],
            "steps": taught.record["steps"],
        }
        return {
            **record,
            "label_accuracy": float(right.mean()),
            "label_f1": self._label_f1(seed, selection),
            "agreement": agreed,
            "preference": taught.record.get("preference"),
        }

    def _label_f1(self, seed: int, selection: Selection) -> float | None:
        """The study's F1 of the slots in the kept labels."""
        if self.run.study.metric not in SLOT_METRICS:
            return None
        split, texts = self.run.task(seed).strong_train, collect_votes(self.run, seed).strong_train
        labels = zip(texts.candidate_texts, selection.targets.argmax(axis=1), strict=True)
        said = tuple(own[k] for own, k in labels)
        kept = selection.weights > 0
        table = grade(self.run, split, said, self.run.study.metric)[kept]
        value = float(metric(self.run.study.metric)(split.truth[kept], table, None)[0])
        return value if value == value else None
