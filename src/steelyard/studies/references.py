"""References: the student taught known truth, or nothing, to compare every arm with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from steelyard.data import take
from steelyard.prompts import spelling
from steelyard.studies.reference_names import CURVE, DESCRIPTIONS, GOLD_AND_WEAK, is_untrained
from steelyard.studies.run import Run
from steelyard.studies.selecting import selected_labels
from steelyard.studies.votes import collect_votes
from steelyard.types import Floats, Question, Selection, Split, one_hot
from steelyard.types.task_kinds import KINDS


class ReferenceRows(NamedTuple):
    """What a reference is trained on, or why it cannot be trained."""

    questions: tuple[Question, ...]
    targets: Floats
    weights: Floats
    reason: str = ""

    @property
    def selection(self) -> Selection:
        """The same as a selection."""
        ids = tuple(question.id for question in self.questions)
        return Selection(ids, self.targets, self.weights, ("",) * len(ids))


def reference_rows(run: Run, seed: int, name: str) -> ReferenceRows:
    """The rows of a reference, known truth and for `gold_and_weak` weak labels."""
    return run.once(("reference", seed, name), lambda: _rows(run, seed, name))


def _rows(run: Run, seed: int, name: str) -> ReferenceRows:
    task = run.task(seed)
    nothing = ReferenceRows((), np.zeros((0, max(task.num_classes, 1))), np.zeros(0))
    if is_untrained(name):
        is_open = KINDS[run.study.task].is_open and not run.study.student.answers_untrained
        return nothing._replace(reason="Open answers cannot be guessed." if is_open else "")
    if name in DESCRIPTIONS:
        gold = task.weak_train
        if not len(gold.truth):
            return nothing._replace(reason="`data.weak_train` is 0: no row has a known truth.")
    else:
        gold, wanted = _pool(run, seed), int(name.removeprefix(CURVE))
        if wanted > len(gold.truth):
            return nothing._replace(reason=f"There are only {len(gold.truth):,} train rows.")
        gold = take(gold, range(wanted))
    rows = known_rows(run, gold, max(task.num_classes, 1))
    if name == GOLD_AND_WEAK:
        return _with_weak(run, seed, rows)
    return rows._replace(reason=_one_class(run, gold))


def _pool(run: Run, seed: int) -> Split:
    """All train rows in random order, those of weak_train first: points of the curve are nested."""
    rng = np.random.default_rng([seed, 4])
    parts = (run.task(seed).weak_train, run.task(seed).strong_train)
    drawn = [take(part, rng.permutation(len(part.truth))) for part in parts]
    return Split(
        tuple(question for part in drawn for question in part.questions),
        np.concatenate([part.truth for part in drawn]),
        tuple(text for part in drawn for text in part.reference_texts),
    )


def known_rows(run: Run, gold: Split, num_classes: int) -> ReferenceRows:
    """Rows with their true answers; an open question has its answer as its only choice."""
    targets = one_hot(gold.truth, num_classes)
    texts = [(spelling(text, run.answer_format),) for text in gold.reference_texts]
    return ReferenceRows(with_choices(gold.questions, texts), targets, np.ones(len(targets)))


def with_choices(
    questions: Sequence[Question], texts: Sequence[tuple[str, ...]]
) -> tuple[Question, ...]:
    """Open questions with candidates as `choices`; closed ones, without `texts`, unchanged."""
    if not texts:
        return tuple(questions)
    return tuple(replace(q, choices=c) for q, c in zip(questions, texts, strict=True))


def _with_weak(run: Run, seed: int, gold: ReferenceRows) -> ReferenceRows:
    """The rows of known truth, and those of the arm `majority`, all with weight 1 on average."""
    selected = selected_labels(run, seed, run.study.arm("majority"))
    if selected.selection is None:
        return gold._replace(reason=selected.reason)
    weak, split = selected.selection, run.task(seed).strong_train
    texts = collect_votes(run, seed).strong_train.candidate_texts
    rows = ReferenceRows(with_choices(split.questions, texts), weak.targets, weak.weights)
    return join_rows(gold, rows)


def join_rows(first: ReferenceRows, second: ReferenceRows) -> ReferenceRows:
    """The rows of both, with targets as wide as the wider ones."""
    width = max(first.targets.shape[1], second.targets.shape[1])
    padded = [
        np.pad(rows.targets, ((0, 0), (0, width - rows.targets.shape[1])))
        for rows in (first, second)
    ]
    return ReferenceRows(
        (*first.questions, *second.questions),
        np.concatenate(padded),
        np.concatenate([first.weights, second.weights]),
    )


def with_rows(run: Run, rows: ReferenceRows, further: Split, weight: float) -> ReferenceRows:
    """Labelled rows, and behind them further ones with their true answers.

    Args:
        run: the study.
        rows: an arm's.
        further: such as weak_train.
        weight: of each further row, in units of the mean weight of the kept rows.
    """
    gold = known_rows(run, further, max(len(run.source.classes), 1))
    unit = rows.weights[rows.weights > 0].mean()
    return join_rows(rows, gold._replace(weights=weight * unit * gold.weights))


def _one_class(run: Run, gold: Split) -> str:
    """Why a student cannot learn from rows of one class; empty if it can."""
    kind = KINDS[run.study.task]
    if kind.is_open or kind.is_pair or len(np.unique(gold.truth)) > 1:
        return ""
    name = run.source.classes[gold.truth[0]]
    return f"All {len(gold.truth)} rows are of class {name!r}; a student needs two."
