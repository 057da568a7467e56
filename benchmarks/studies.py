"""What a study does once that separate programs do again and again.

- Frozen layers. Students of several arms and seeds train the top of MiniLM on sst2. Ours read the
  frozen layers' states, made once per text; against it the same loop with the same layers frozen
  (`requires_grad` off, so that no gradient is computed below) that runs them in every step.
- Probes. Ten arms x ten seeds of logistic heads on MiniLM's features of 3,000 texts, in one solve;
  against one head, and against scikit-learn, one head after another, with the tolerance that gives
  equal probabilities and with its default, which does not.
- Counts. Trainings and texts read by a study, and by its arms as separate programs.

Results are compared before times: probabilities to 1e-5 in float32, and of the heads to 1e-4.
"""

import functools
import gzip
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.race import Claim, Timed, Way, claims, race, write
from steelyard.models.finetune import Finetuning, finetune
from steelyard.models.frozen import Trunk
from steelyard.models.logistic import HeadTargets, fit_heads
from steelyard.store.store import Store
from steelyard.student import Probe
from steelyard.studies.config import make_study
from steelyard.studies.hidden_states import TextStates
from steelyard.studies.presets import PRESETS
from steelyard.studies.run import Run
from steelyard.studies.training import CEILING, train_student
from steelyard.types import Floats, Ints, Question

DATA = Path(__file__).parents[2] / "shared" / "data"


def main(quick: bool) -> None:
    if not (DATA / "sst2").is_dir() or not (DATA / "trec").is_dir():
        print(f"studies: no sst2 and trec in {DATA}; nothing was measured")
        return
    frozen, of_frozen = frozen_layers(1, quick)
    stacked, of_stacked = probes("sst2", quick)
    figures = {"frozen, top 1": of_frozen, "probes, sst2": of_stacked, "counts": counts(quick)}
    print(json.dumps(figures["counts"], indent=1))
    write("studies", [*frozen, *stacked], figures, quick)


def rows_of_text(name: str, part: str, count: int) -> tuple[list[Question], Ints]:
    """The first questions of a data set and their labels, numbered."""
    with gzip.open(DATA / name / f"{part}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    classes = sorted({str(row["label"]) for row in rows})
    labels = np.array([classes.index(str(row["label"])) for row in rows])
    return [Question(row["id"], row["text"]) for row in rows], labels


def weak_lessons(labels: Ints, count: int) -> list[HeadTargets]:
    """Lessons like those of arms: 5 to 30 % wrong labels; all, a filtered half, weights, soft."""
    answers, lessons = int(labels.max()) + 1, []
    for number in range(count):
        rng = np.random.default_rng(number)
        wrong = rng.random(len(labels)) < rng.uniform(0.05, 0.3)
        told = np.where(wrong, rng.integers(0, answers, len(labels)), labels)
        targets = np.eye(answers)[told]
        weights = np.ones(len(labels))
        if number % 4 == 1:
            weights = np.where(rng.random(len(labels)) < 0.5, 2.0, 0.0)
        if number % 4 == 2:
            weights = rng.exponential(size=len(labels))
        if number % 4 == 3:
            targets = 0.8 * targets + 0.2 / answers
        lessons.append(HeadTargets(np.arange(len(labels)), targets, weights))
    return lessons


@dataclass(frozen=True)
class Students:
    """Students of some arms x seeds on the same texts."""

    questions: Sequence[Question]
    lessons: Sequence[HeadTargets]
    test: Sequence[Question]
    settings: Finetuning

    def cached(self) -> list[Floats]:
        """All that is taught or asked passes the frozen layers once."""
        with tempfile.TemporaryDirectory() as folder:
            texts = TextStates(Store(Path(folder)), [*self.questions, *self.test])
            return self._teach(texts.cache({}, "the same weights"))

    def whole(self) -> list[Floats]:
        """Every step runs the frozen layers."""
        with mock.patch.object(Trunk, "fits", return_value=False):
            return self._teach(None)

    def _teach(self, states: Any) -> list[Floats]:
        found = []
        for seed, lesson in enumerate(self.lessons):
            fitted = finetune(
                *(self.settings, self.questions, lesson.targets, lesson.weights),
                seed=seed,
                states=states,
            )
            found.append(fitted.probabilities(self.test, states))
        return found


def frozen_layers(layers: int, quick: bool) -> tuple[list[Claim], dict[str, Any]]:
    size, tested, arms = (120, 60, 2) if quick else (200, 100, 4)
    questions, labels = rows_of_text("sst2", "train", size)
    test, _ = rows_of_text("sst2", "test", tested)
    lessons = weak_lessons(labels, arms)

    def students(precision: str, epochs: int) -> Students:
        settings = Finetuning(
            train_layers=layers, epochs=epochs, learning_rate=2e-4, precision=precision
        )
        return Students(questions, lessons, test, settings)

    exact = students("fp32", 1)
    off = differences(exact.cached()[:2], exact.whole()[:2])
    assert off < 1e-5, f"in float32 the two ways differ by {off}"
    both = students("bf16", 1 if quick else 3)
    gaps: list[float] = []

    def same(results: Sequence[Any]) -> None:
        gaps.append(differences(*results))

    ways = [Way("states made once", both.cached), Way("frozen layers in every step", both.whole)]
    timed = race(ways, 1 if quick else 3, same)
    what = f"study, top {layers} of 6, sst2"
    figure = {
        **{"students": arms, "rows": size, "test": tested, "epochs": both.settings.epochs},
        "seconds": seconds(timed),
        "largest difference of probabilities": {"fp32": off, "bf16": gaps[0]},
    }
    return claims(what, timed, [3.0]), figure


def differences(a: Sequence[Floats], b: Sequence[Floats]) -> float:
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


def probes(name: str, quick: bool) -> tuple[list[Claim], dict[str, Any]]:
    rows, many, few = (600, 20, 2) if quick else (3000, 100, 4)
    questions, labels = rows_of_text(name, "train", rows)
    lessons = weak_lessons(labels, many)
    start = time.perf_counter()
    features = Probe().features(questions, None)
    reading = time.perf_counter() - start
    off: list[float] = []

    def heads(count: int) -> list[Floats]:
        solved = fit_heads(features, lessons[:count], 1.0)
        return [head.probabilities(features) for head in solved]

    def same(results: Sequence[Any]) -> None:
        stack, *others, loose = results
        for other, bound in zip(others, (1e-4, 1e-4, 1e-4), strict=True):
            gap = differences(other, stack[: len(other)])
            assert gap < bound, f"probabilities differ by {gap}"
        off.append(differences(loose, stack[: len(loose)]))

    theirs = functools.partial(sklearn, features, lessons[:few])
    ways = [
        Way(f"{many} heads", functools.partial(heads, many)),
        Way(f"{few} heads", functools.partial(heads, few)),
        Way("1 head", functools.partial(heads, 1)),
        Way(f"scikit-learn, {few} heads, as exact", functools.partial(theirs, 1e-8)),
        Way(f"scikit-learn, {few} heads, its default", functools.partial(theirs, 1e-4)),
    ]
    timed = race(ways, 1 if quick else 3, same)
    what = f"{many} probes over 1, {name}"
    alone, way = (
        [
            (more + all_) / (more + one)
            for all_, one in zip(*(t.seconds for t in timed[:3:2]), strict=True)
        ]
        for more in (0.0, reading)
    )
    found = [
        *claims(f"{few} probes, {name}", [timed[1], *timed[3:]], [None, None]),
        _times(what, "1 probe, texts read once for both", way, 3.0),
        _times(what, "1 probe, solve alone", alone, None),
    ]
    figure = {
        **{"rows": rows, "reading the texts, seconds": reading, "seconds": seconds(timed)},
        "scikit-learn's default is off by": off[0],
    }
    return found, figure


def _times(what: str, against: str, ratios: Sequence[float], target: float | None) -> Claim:
    middle = statistics.median(ratios)
    return Claim(what, against, middle, min(ratios), max(ratios), target, "times the time")


def sklearn(features: Any, lessons: Sequence[HeadTargets], tolerance: float) -> list[Floats]:
    """One head after another; a soft target is a row for each class."""
    from sklearn.linear_model import LogisticRegression

    rows, found = np.asarray(features, dtype=np.float64), []
    for lesson in lessons:
        share = lesson.targets * lesson.weights[:, None]
        i, k = np.nonzero(share)
        head = LogisticRegression(tol=tolerance, max_iter=100_000)
        head.fit(rows[i], k, sample_weight=share[i, k])
        found.append(head.predict_proba(rows))
    return found


def seconds(timed: Sequence[Timed]) -> dict[str, float]:
    return {one.name: one.median for one in timed}


def counts(quick: bool) -> dict[str, Any]:
    """Calls of supervisors, trainings, and texts that passed a frozen model."""
    arms, seeds = (list(PRESETS)[:3], 2) if quick else (list(PRESETS), 5)
    words = {
        "name": "counted",
        "task": "classification",
        "data": {"generated": "errands", "weak_train": 120, "strong_train": 80, "max_test": 40},
        "supervisors": [{"kind": "tfidf", "voters": 3}],
        "student": {"kind": "classifier", "layers": 2, "train_layers": 1, "epochs": 1},
        "arms": arms,
        "seeds": seeds,
    }
    study = make_study(words)
    with counted() as together, tempfile.TemporaryDirectory() as folder:
        run = Run(study, Store(Path(folder)))
        for name in (CEILING, *arms):
            for seed in study.seed_list:
                train_student(run, seed, name)
    with counted() as apart:
        for name in arms:
            with tempfile.TemporaryDirectory() as folder:
                run = Run(study, Store(Path(folder)))
                for seed in study.seed_list:
                    train_student(run, seed, CEILING)
                    train_student(run, seed, name)
    return {
        "arms": len(arms),
        "seeds": seeds,
        "one study": together,
        "arms as separate programs": apart,
    }


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Counts what is done inside."""
    from steelyard.student import finetuned
    from steelyard.supervision.tfidf import Tfidf

    found = {"supervisors trained and asked": 0, "students trained": 0, "texts read": 0}

    def wrap(owner: Any, name: str, key: str, size: Callable[..., int]) -> Any:
        plain = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            found[key] += size(*args, **kwargs)
            return plain(*args, **kwargs)

        return mock.patch.object(owner, name, call)

    with (
        wrap(Tfidf, "vote", "supervisors trained and asked", lambda *_, **__: 1),
        wrap(finetuned, "finetune", "students trained", lambda *_, **__: 1),
        wrap(Trunk, "states", "texts read", lambda _, encoded, *__: len(encoded)),
    ):
        yield found
