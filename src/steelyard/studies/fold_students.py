"""The student of a study, trained on parts of strong_train to predict the others.

Every training is kept in the store under what it was made of: a stopped study goes on where it was,
and arms whose labels come from the same votes share it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.data import take
from steelyard.errors import TrainingCollapsed
from steelyard.models.checkpoints import Checkpoints
from steelyard.reliability import Answers, Fold
from steelyard.store.store import Recipe, fingerprint
from steelyard.student import TrainedModel, TrainingData, TrainingOptions
from steelyard.studies.executors import free_memory
from steelyard.studies.parts import student_recipe
from steelyard.studies.run import Run
from steelyard.types import Floats, Split, Votes

KIND = "fold"
"""Kind of the stored results."""
VERSION = 1
"""Raised when predictions change without a change of settings."""


def fold_student_recipe(run: Run, seed: int, inputs: Mapping[str, str] | None = None) -> Recipe:
    """What the students of folds are made of, besides the examples that each is trained on."""
    study, task = run.study, run.task(seed)
    model = study.student.pretrained
    everything = {
        "model": "" if model is None else run.identity(model),
        "kind": fingerprint(study.task),
        "classes": fingerprint(task.classes),
        **(inputs or {}),
    }
    recipe = student_recipe(study.student, seed, None, everything)
    return replace(recipe, kind=KIND, version=recipe.version + VERSION)


def trusted_rows(run: Run, seed: int, num_classes: int) -> Split:
    """The rows of weak_train that have no more options than the votes' questions."""
    gold = run.task(seed).weak_train
    fits = [i for i, q in enumerate(gold.questions) if len(q.choices) <= num_classes]
    return take(gold, fits)


class FoldStudents:
    """Trains the student for each fold, on the cross-entropy and with its own number of steps.

    Args:
        run: the study.
        seed: of the study; also that of every training.
        votes: on strong_train.
        with_gold: whether rows from the number of examples on are those of `trusted_rows`.

    Attributes:
        steps: optimizer steps of each training that was asked for, by its name in the store.
        collapsed: names of those that collapsed.
    """

    def __init__(self, run: Run, seed: int, votes: Votes, with_gold: bool) -> None:
        self._run, self._seed, self._classes = run, seed, votes.num_classes
        gold = trusted_rows(run, seed, self._classes).questions if with_gold else ()
        self._questions = (*run.task(seed).strong_train.questions, *gold)
        self.steps: dict[str, int] = {}
        self.collapsed: list[str] = []

    def __call__(self, folds: Sequence[Fold], size: float) -> Sequence[Answers | None]:
        """Predictions of each fold; None where a training collapsed."""
        together = self._run.study.student.fits_together
        batches = [folds] if together else [[fold] for fold in folds]
        return [answers for batch in batches for answers in self._answers(batch)]

    def _answers(self, folds: Sequence[Fold]) -> list[Answers | None]:
        """Of folds whose students are trained in one call."""
        student, options = self._run.study.student, TrainingOptions(self._seed)
        steps = [student.planned_steps(len(fold.rows)) for fold in folds]
        data = [self._data(fold) for fold in folds]
        asked = [self._of(np.concatenate(fold.asked)) for fold in folds]
        parts = [(tuple(d.questions), d.targets, d.weights) for d in data]
        inputs = {"trained": fingerprint(tuple(parts)), "asked": fingerprint(tuple(asked))}
        recipe = fold_student_recipe(self._run, self._seed, inputs)

        def make(work: Path) -> dict[str, Any]:
            states = self._run.states(student)
            try:
                if student.fits_together:
                    trained = list(student.fit_all(data, states))
                else:
                    given = replace(
                        options, steps=steps[0], checkpoints=Checkpoints(work), states=states
                    )
                    trained = [student.fit(data[0], given)]
            except TrainingCollapsed as error:
                return {"collapsed": str(error)}
            probabilities = [
                self._predicted(model, questions)
                for model, questions in zip(trained, asked, strict=True)
            ]
            del trained
            if student.pretrained is not None:
                free_memory()
            return {"predictions": np.concatenate(probabilities)}

        kept = self._run.store.keep(recipe.name, recipe, make)
        self.steps[recipe.name] = sum(steps)
        if "collapsed" in kept:
            self.collapsed.append(recipe.name)
            return [None] * len(folds)
        ends = np.cumsum([len(rows) for fold in folds for rows in fold.asked])[:-1]
        probabilities = iter(np.split(np.asarray(kept["predictions"]), ends))
        return [tuple(next(probabilities) for _ in fold.asked) for fold in folds]

    def _data(self, fold: Fold) -> TrainingData:
        study, task = self._run.study, self._run.task(self._seed)
        questions = self._of(fold.rows)
        return TrainingData(study.task, task.classes, questions, fold.targets, fold.weights)

    def _of(self, rows: Any) -> tuple[Any, ...]:
        return tuple(self._questions[int(row)] for row in rows)

    def _predicted(self, model: TrainedModel, questions: Sequence[Any]) -> Floats:
        """Probabilities (n, K): without those of unreadable answers, 0 for options beyond."""
        if not questions:
            return np.zeros((0, self._classes))
        states = self._run.states(self._run.study.student)
        probs = model.predict(questions, states).probs
        assert probs is not None  # of closed questions
        probabilities = np.zeros((len(questions), self._classes))
        width = min(self._classes, probs.shape[1])
        probabilities[:, :width] = probs[:, :width]
        return probabilities
