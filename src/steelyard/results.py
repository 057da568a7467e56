"""From what is stored to results.json: scores, intervals, PGR, label quality, costs."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation import (
    PAIR_METRICS,
    SLOT_METRICS,
    Scores,
    draw_resamples,
    judge,
    judge_doubts,
    mean_interval,
    measure,
    metric,
    paired_difference,
    performance_gap_recovered,
)
from steelyard.executors import cores
from steelyard.run import Run
from steelyard.teaching import CEILING, Taught
from steelyard.types import ABSTAIN, Floats, Selection, Votes, rows_of

CURVE_POINTS = 60
NO_FLOOR = "There are no weak votes on the test questions, so the floor is not known."


def collect(run: Run) -> dict[str, Any]:
    """Everything that results.json holds, read from the store; see docs/formats.md.

    Raises:
        Missing: with a store that only reads, if a result is not stored.
    """
    study = run.study
    judged = _Judged(run)
    metrics, undefined = _other_metrics(judged)
    reliability = {kind: _reliability(run, kind) for kind in _estimators(run)}
    results: dict[str, Any] = {
        "steelyard": version("steelyard"),
        "study": study.name,
        "task": study.task,
        "metric": study.metric,
        "seeds": list(study.seed_list),
        "data": _data(run, judged),
        "weak": judged.floor(study.metric),
        "weak_ensemble": judged.ensemble(study.metric),
        "ceiling": judged.score(study.metric, CEILING),
        "arms": {arm.name: judged.arm(arm.name) for arm in study.all_arms},
        "metrics": metrics,
        "votes": _votes(run),
        "reliability": reliability,
        "curves": {name: _curve(taught) for name, taught in judged.first_seed().items()},
        "match": study.match,
    }
    results["warnings"] = [*_warnings(run, results), *_of_language_models(judged), *undefined]
    results["costs"] = _costs(run)
    results["environment"] = environment()
    results["artifacts"] = {k: v for k, v in sorted(run.store.roles.items()) if "/" in k}
    return results


def environment() -> dict[str, Any]:
    """Versions and machine, without names of people or places."""
    libraries = ("torch", "transformers", "numpy", "scikit-learn")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": cores(),
    }


class _Judged:
    """Every model of a study measured on the same test items with the same resamples."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.seeds = run.study.seed_list
        names = [CEILING, *(arm.name for arm in run.study.all_arms)]
        self.taught = {n: [run.teach(seed, n) for seed in self.seeds] for n in names}
        self.test = run.task(self.seeds[0]).test
        self.truth = self.test.truth
        self.resamples = draw_resamples(len(self.truth))
        votes = [run.votes(seed).test for seed in self.seeds]
        self.has_floor = all(len(v.answer) > 0 for v in votes)
        self.voters = [run.members(s) for s in self.seeds] if self.has_floor else []
        self.majority = [[run.ensemble(s)] for s in self.seeds] if self.has_floor else []
        self._measured: dict[tuple[str, str], Scores] = {}

    def scores(self, metric: str, name: str) -> Scores:
        """One model's scores; `weak` is the floor."""
        if (metric, name) not in self._measured:
            if name in ("weak", "weak_ensemble"):
                said = self.voters if name == "weak" else self.majority
            else:
                said = [[self.run.said(taught)] for taught in self.taught[name]]
            probs = [[self.run.grade(self.test, one, metric) for one in each] for each in said]
            self._measured[metric, name] = measure(metric, self.truth, probs, self.resamples)
        return self._measured[metric, name]

    def score(self, metric: str, name: str) -> dict[str, Any]:
        scores = self.scores(metric, name)
        return {**asdict(mean_interval(scores)), "seeds": _numbers(scores.seeds)}

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
            judge_doubts(taught.predictions.probs, taught.doubts, self.truth)
            for taught in self.taught[name]
        ]
        return {
            measure: {
                "mean": _mean([seed[measure].mean for seed in seeds]),
                "auroc": _mean([x for seed in seeds if (x := seed[measure].auroc) is not None]),
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

    def first_seed(self) -> dict[str, Taught]:
        return {name: taught[0] for name, taught in self.taught.items()}

    def _gap(self, metric: str, name: str) -> Any:
        if not self.has_floor:
            return None
        return performance_gap_recovered(
            self.scores(metric, "weak"), self.scores(metric, name), self.scores(metric, CEILING)
        )

    def _row(self, i: int, seed: int, name: str) -> dict[str, Any]:
        taught = self.taught[name][i]
        selection, _ = self.run.selection(seed, self.run.study.arm(name))
        kept = selection.weights > 0
        truth = self.run.truth(seed)
        right = selection.targets.argmax(axis=1)[kept] == truth[kept]
        agreement = self.run.agreement(seed, taught) if self.has_floor else None
        record = {
            "rows": taught.record["kept"],
            "kept": taught.record["kept"] / taught.record["rows"],
            "steps": taught.record["steps"],
        }
        return {
            **record,
            "label_accuracy": float(right.mean()),
            "label_f1": self._label_f1(seed, selection),
            "agreement": agreement,
            "preference": taught.record.get("preference"),
        }

    def _label_f1(self, seed: int, selection: Selection) -> float | None:
        """The study's F1 of the slots in the kept labels."""
        if self.run.study.metric not in SLOT_METRICS:
            return None
        split, texts = self.run.task(seed).strong_train, self.run.votes(seed).strong_train
        labels = zip(texts.candidate_texts, selection.targets.argmax(axis=1), strict=True)
        said = tuple(own[k] for own, k in labels)
        kept = selection.weights > 0
        table = self.run.grade(split, said, self.run.study.metric)[kept]
        value = float(metric(self.run.study.metric)(split.truth[kept], table, None)[0])
        return value if value == value else None


def _other_metrics(judged: _Judged) -> tuple[dict[str, Any], list[str]]:
    """Scores by every metric but the study's, and why some are not defined on these test rows."""
    study = judged.run.study
    if study.metrics == ("accuracy",):
        return {}, ["Open answers have no classes: accuracy is the only metric."]
    metrics, undefined = {}, []
    for name in study.metrics:
        if name != study.metric:
            try:
                metrics[name] = judged.other(name)
            except InputError as error:
                undefined.append(f"No {name}: {error}")
    return metrics, undefined


def _data(run: Run, judged: _Judged) -> dict[str, Any]:
    task, leaks = run.splits(run.study.seed_list[0])
    counts = np.bincount(task.test.truth, minlength=task.answers)[: task.answers]
    cut = max(taught.record["cut"] for taught in judged.taught[CEILING])
    return {
        "name": run.source.name,
        "weak_train": len(task.weak_train.truth),
        "strong_train": len(task.strong_train.truth),
        "test": len(task.test.truth),
        "classes": list(task.classes),
        "test_class_shares": _numbers(counts / len(task.test.truth)),
        "leaks": {
            "exact": sum(leak.similarity == 1.0 for leak in leaks),
            "near": sum(leak.similarity < 1.0 for leak in leaks),
            "policy": run.study.data.leaks,
            "examples": [asdict(leak) for leak in leaks[:5]],
        },
        "truncated": {"strong_train": cut},
        "left_out": run.source.left_out,
    }


def _votes(run: Run) -> dict[str, Any]:
    """How often votes on strong_train are right, over all seeds."""
    right, read, total = 0, 0, 0
    by_voter: dict[str, list[tuple[float, float]]] = {}
    for seed in run.study.seed_list:
        votes, truth = run.votes(seed).strong_train, run.truth(seed)
        hit = votes.answer == truth[votes.example]
        seen = votes.answer != ABSTAIN
        right, read, total = right + hit.sum(), read + seen.sum(), total + len(seen)
        for name, rates in _by_voter(votes, hit, seen).items():
            by_voter.setdefault(name, []).append(rates)
    return {
        "accuracy": float(right / read) if read else None,
        "abstained": float(1 - read / total),
        "voters": len(votes.voters),
        "queries": len(votes.queries),
        "by_voter": [
            {
                "voter": name,
                "accuracy": _mean([r[0] for r in rates]),
                "abstained": _mean([r[1] for r in rates]),
            }
            for name, rates in by_voter.items()
        ],
    }


def _by_voter(votes: Votes, hit: Any, seen: Any) -> dict[str, tuple[float, float]]:
    size = len(votes.voters)
    cast = np.bincount(votes.voter, minlength=size)
    read = np.bincount(votes.voter[seen], minlength=size)
    right = np.bincount(votes.voter[hit], minlength=size)
    return {
        name: (float(right[v] / read[v]) if read[v] else float("nan"), float(1 - read[v] / cast[v]))
        for v, name in enumerate(votes.voters)
        if cast[v]
    }


def _estimators(run: Run) -> dict[str, Any]:
    """One arm for each way that reliability is estimated; settings tell two of a kind apart."""
    first: dict[str, Any] = {}
    for arm in run.study.all_arms:
        first.setdefault(arm.reliability.model_dump_json(), arm)
    kinds = [arm.reliability.kind for arm in first.values()]
    named = {}
    for arm in first.values():
        method = arm.reliability
        settings = method.model_dump(exclude={"kind"}, exclude_none=True)
        detail = ", ".join(f"{key}={value}" for key, value in settings.items())
        several = kinds.count(method.kind) > 1 and detail
        named[f"{method.kind}({detail})" if several else method.kind] = arm
    return named


def _reliability(run: Run, kind: str) -> dict[str, Any]:
    """Does the score rank right labels first? Examples of all seeds, judged together."""
    arm = _estimators(run)[kind]
    scores, rights = [], []
    for seed in run.study.seed_list:
        _, reliability = run.selection(seed, arm)
        votes, split = run.votes(seed).strong_train, run.task(seed).strong_train
        answered = votes.counts.sum(axis=1) > 0
        rows = rows_of(split.ids, reliability.ids)
        labels = _labels(votes, reliability.posterior)
        scores.append(reliability.score[answered])
        rights.append((labels == run.truth(seed)[rows])[answered])
    quality = judge(np.concatenate(scores), np.concatenate(rights))
    return {
        "auroc": quality.auroc,
        "aurc": quality.aurc,
        "ece": quality.ece,
        "bins": [asdict(part) for part in quality.bins],
        "risk_coverage": [[point.coverage, point.risk] for point in quality.risk_coverage],
    }


def _labels(votes: Votes, posterior: Floats) -> Any:
    from steelyard.selection.labels import most_probable

    return most_probable(votes, posterior)


def _curve(taught: Taught) -> dict[str, list[float]]:
    """Training loss, averaged over at most CURVE_POINTS stretches of steps."""
    loss = np.array(taught.record["loss"])
    if not len(loss):
        return {"step": [], "loss": []}
    parts = np.array_split(np.arange(len(loss)), min(CURVE_POINTS, len(loss)))
    return {
        "step": [float(part.mean() + 1) for part in parts],
        "loss": [round(float(loss[part].mean()), 5) for part in parts],
    }


def _warnings(run: Run, results: dict[str, Any]) -> list[str]:
    """What a reader should know before believing the table."""
    said = []
    leaks = results["data"]["leaks"]
    if leaks["exact"] + leaks["near"]:
        done = "were dropped from training" if leaks["policy"] == "drop" else "were left in"
        said.append(
            f"{leaks['exact']} exact and {leaks['near']} near duplicates across splits (first "
            f"seed) {done}; `data.leaks: drop` removes them, `error` refuses."
        )
    useless = [f"{count} ({why})" for why, count in results["data"]["left_out"].items() if count]
    if useless:
        said.append(
            f"Pairs of the data files that say nothing were left out: {', '.join(useless)}."
        )
    if len(run.study.seed_list) < 5:
        said.append(
            f"Seeds run: {len(run.study.seed_list)}. Intervals over so few are wide and their "
            "coverage is rough; five or more are advised."
        )
    if results["votes"]["abstained"] > 0:
        said.append(f"{results['votes']['abstained']:.1%} of the votes abstained.")
    cut = results["data"]["truncated"]["strong_train"]
    if cut:
        said.append(f"{cut} training texts were longer than `max_tokens` and were cut.")
    reasons = [arm["pgr_reason"] for arm in results["arms"].values() if arm["pgr_reason"]]
    said += reasons[:1]  # all are about the same gap
    silent = [kind for kind, judged in results["reliability"].items() if judged["auroc"] is None]
    if silent:
        said.append(f"No AUROC for {', '.join(silent)}: the labels are all right or all wrong.")
    return said


def _of_language_models(judged: _Judged) -> list[str]:
    """What a language model could not learn, and what could not be read of what it wrote."""
    said = []
    records = [taught.record for several in judged.taught.values() for taught in several]
    left_out = max(record.get("left_out", 0) for record in records)
    if left_out:
        said.append(
            f"Up to {left_out} training answers were left out: they did not fit into `max_tokens`, "
            "or the student's tokenizer cannot spell them."
        )
    for name, several in judged.taught.items():
        shares = [
            _unreadable(taught, judged.run.task(judged.seeds[0]).answers) for taught in several
        ]
        if max(shares) > 0 and judged.run.study.student.kind == "preference":
            said.append(  # the same pairs for every arm
                f"{np.mean(shares):.1%} of the test pairs do not fit into `max_tokens`; they count "
                "as wrong for every student."
            )
            break
        if max(shares) > 0:
            said.append(f"{np.mean(shares):.1%} of the answers of `{name}` could not be read.")
    return said


def _unreadable(taught: Taught, answers: int) -> float:
    """Share of the test questions to which a student gave no readable answer."""
    if "answers" in taught.record:
        return float(np.mean([answer is None for answer in taught.record["answers"]]))
    return float(taught.predictions.probs[:, answers:].sum() / len(taught.predictions.ids))


def _costs(run: Run) -> dict[str, Any]:
    """Trainings and seconds of what is stored, by stage."""
    names = {role: name for role, name in run.store.roles.items() if "/" in role}
    seconds = {"supervision": 0.0, "student": 0.0}
    for name in set(names.values()):
        stage = "supervision" if name.startswith("votes-") else "student"
        seconds[stage] += run.store.seconds(name)
    students = {name for name in names.values() if name.startswith("student-")}
    return {"trainings": len(students), "seconds": {k: round(v, 1) for k, v in seconds.items()}}


def _numbers(values: Floats) -> list[float]:
    return [float(value) for value in values]


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else None
