"""The jobs of a study: what can be done side by side, and one after another."""

from typing import TypeAlias

from steelyard.data import take
from steelyard.errors import InputError
from steelyard.models.load import check_model
from steelyard.studies.ceiling import CHOICE, ceiling_length, has_choice
from steelyard.studies.conflicts import mixed_rows
from steelyard.studies.grading import bind_metric
from steelyard.studies.ladder import SEPARATOR, do_middle_job, middle_jobs, middle_students
from steelyard.studies.off_task import off_task_rows
from steelyard.studies.run import Run
from steelyard.studies.selecting import selected_labels
from steelyard.studies.single_supervisors import held_out_accuracy
from steelyard.studies.training import student_jobs, why_untrained

Jobs: TypeAlias = list[tuple[int, str]]
"""(seed, "votes"), (seed, name of a middle job) or (seed, name of the arm whose student is
trained)."""


def check_study(run: Run) -> None:
    """Refuse early, before anything is trained, data and models that cannot work.

    Raises:
        InputError: data or votes that do not fit.
        ConfigError: a model that is not there, or has fewer layers than asked for.
    """
    for seed in run.study.seed_list:
        task = run.task(seed)
        size = len(task.test.truth)
        for part in (task.strong_train, task.test):
            run.reference_texts(part)
    if size < 2:
        raise InputError(
            f"{run.source.name!r} has {size} test row; intervals need at least 2. Give more "
            "test rows, or raise `data.max_test`."
        )
    for arm in run.study.all_arms:
        if arm.mix is not None:
            mixed_rows(run, run.study.seed_list[0], arm.mix)
    off_task_rows(run)
    _check_metrics(run)
    if run.study.threshold is not None:
        run.study.threshold.check_classes(run.source.classes)
    models = [run.study.student.pretrained]
    models += [supervisor.pretrained for supervisor in run.study.supervisors]
    for arm in run.study.all_arms:
        models += [arm.reliability.feature_model]
        models += [student.pretrained for student in middle_students(run, arm)]
    for model in models:
        if model is not None:
            check_model(model)


def _check_metrics(run: Run) -> None:
    """Refuse a main metric that is not defined on the main test rows."""
    test = run.task(run.study.seed_list[0]).test
    rows = [i for i, name in enumerate(test.sets) if name == test.sets[0]]
    bind_metric(run, run.study.metric_name, take(test, rows) if rows else test)


def rounds(run: Run) -> tuple[Jobs, ...]:
    """Rounds of independent jobs (seed, name): votes and ceiling length, middle students, students.

    Of middle students there are as many rounds as the longest `through` of an arm has entries.
    """
    chooses = run.folds is None and has_choice(run)
    first = [(run.study.seed_list[0], CHOICE)] if chooses else []
    votes = [*first, *((seed, "votes") for seed in run.study.seed_list)]
    return votes, *middle_jobs(run), student_jobs(run)


def batches(run: Run, jobs: Jobs) -> list[Jobs]:
    """Jobs that one process should do: all probes, which are fitted in one solve."""
    alone = any(name == "votes" or SEPARATOR in name for _, name in jobs)
    if run.study.student.fits_together and not alone:
        return [jobs]
    return [[job] for job in jobs]


def do(run: Run, seed: int, name: str) -> None:
    """One job. Selections are made with the votes: one that cannot be made fails immediately.

    An arm that has nothing to learn in a seed is left untrained there, and reported with its
    reason; so is one whose training collapses.
    """
    if name == CHOICE:
        ceiling_length(run)
    elif name == "votes":
        if run.folds is None:
            held_out_accuracy(run, seed)
        for arm in run.study.all_arms:
            selected_labels(run, seed, arm)
    elif SEPARATOR in name:
        do_middle_job(run, seed, name)
    else:
        why_untrained(run, seed, name)  # which trains it, where it can be trained
