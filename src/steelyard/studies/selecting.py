"""What an arm's student is trained on: reliability and selection of one seed, kept in the store."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from steelyard.errors import ConfigError, InputError
from steelyard.models.features import read_features
from steelyard.models.load import Pretrained
from steelyard.reliability import BaseEstimator, EstimationData, TrustedExamples, TrustedVotes
from steelyard.selection import NothingToLearn
from steelyard.store.store import Recipe, fingerprint, library_versions
from steelyard.student import Probe
from steelyard.studies.arms import Arm
from steelyard.studies.fold_students import FoldStudents, fold_student_recipe, trusted_rows
from steelyard.studies.gold_votes import gold_votes
from steelyard.studies.run import Run
from steelyard.studies.single_supervisors import arm_votes
from steelyard.studies.votes import true_answers
from steelyard.types import Reliability, Selection, Votes
from steelyard.types.task_kinds import KINDS

NO_PART_OF_SELECTION = {
    *("name", "description", "control_of", "objective", "preference", "votes", "slice_balance"),
    *("gold_weight", "mix", "order", "levels", "through", "through_labels"),
}
"""Settings of an arm that are not in the recipe of its selection, or only where they are used."""


class Selected(NamedTuple):
    """What an arm's student is trained on, or why it cannot be trained."""

    reliability: Reliability
    selection: Selection | None
    reason: str  # empty if there is a selection
    folds: dict[str, Any]  # of students of folds: `steps` by name in the store, and `collapsed`


def select_labels(run: Run, seed: int, arm: Arm) -> tuple[Selection, Reliability]:
    """Labels and weights of an arm, and the reliability that they come from.

    Raises:
        NothingToLearn: nothing is kept, or one class alone.
    """
    selected = selected_labels(run, seed, arm)
    if selected.selection is None:
        raise NothingToLearn(f"arm `{arm.name}`, seed {seed}: {selected.reason}")
    return selected.selection, selected.reliability


def selected_labels(run: Run, seed: int, arm: Arm) -> Selected:
    """The same without an error: an arm may have nothing to learn in one seed."""
    return run.once(("selection", seed, arm.name), lambda: _select(run, seed, arm))


def selection_inputs(run: Run, seed: int, arm: Arm) -> dict[str, str]:
    """Fingerprints of everything but its settings that an arm's selection depends on."""
    votes = arm_votes(run, seed, arm).strong_train
    inputs = {"votes": fingerprint(votes)}
    if arm.role == "oracle":
        inputs["truth"] = fingerprint(true_answers(run, seed, votes))
    if arm.slice_balance:
        inputs["slices"] = fingerprint(run.task(seed).strong_train.slices)
    method = arm.reliability
    if method.needs_questions:
        inputs["questions"] = run.questions(seed, "strong_train")
    if method.needs_features:
        inputs["encoder"] = run.identity(_feature_model(run, method))
    if method.needs_student:
        inputs["student"] = fold_student_recipe(run, seed).name
    if method.uses_gold:
        gold = run.task(seed).weak_train
        inputs["gold"] = fingerprint((gold.questions, gold.truth))
    if method.needs_gold_votes:
        inputs["gold_votes"] = fingerprint(gold_votes(run, seed, arm))
    return inputs


def _select(run: Run, seed: int, arm: Arm) -> Selected:
    votes, method = arm_votes(run, seed, arm).strong_train, arm.reliability
    recipe = Recipe(
        kind="selection",
        version=arm.versions(),
        settings={
            **arm.model_dump(exclude=NO_PART_OF_SELECTION),
            **({"slice_balance": arm.slice_balance} if arm.slice_balance else {}),
            **arm.classes(),
            "seed": seed,
        },
        inputs=selection_inputs(run, seed, arm),
        libraries=library_versions(*method.libraries),
    )

    def make(_: Path) -> dict[str, Any]:
        students = FoldStudents(run, seed, votes, method.uses_gold)
        reliability = method.estimate_from(_data(run, seed, arm, votes, students))
        steps, collapsed = students.steps, students.collapsed
        record = {"folds": {"steps": steps, "collapsed": collapsed}} if steps else {}
        try:
            truth = true_answers(run, seed, votes)
            slices = run.task(seed).strong_train.slices
            selection = arm.select(votes, reliability, truth, seed, slices)
        except NothingToLearn as error:
            return {"reliability": reliability, "reason": str(error), **record}
        except InputError as error:
            raise InputError(f"arm `{arm.name}`, seed {seed}: {error}") from error
        return {"selection": selection, "reliability": reliability, **record}

    kept = run.store.keep(f"seed-{seed}/{arm.name}/selection", recipe, make)
    folds = kept.get("folds", {"steps": {}, "collapsed": []})
    return Selected(kept["reliability"], kept.get("selection"), kept.get("reason", ""), folds)


def _data(run: Run, seed: int, arm: Arm, votes: Votes, students: FoldStudents) -> EstimationData:
    """What an estimator sees: of features those that a probe of the model would see."""
    method, gold = arm.reliability, run.task(seed).weak_train
    questions = run.task(seed).strong_train.questions
    features, trusted = None, None
    if method.needs_student and method.uses_gold:
        truth = trusted_rows(run, seed, votes.num_classes).truth
        trusted = TrustedExamples(np.zeros((len(truth), 0), np.float32), truth)
    if method.needs_features:
        model = _feature_model(run, method)
        probe = Probe(**model.model_dump(), max_tokens=method.feature_tokens)
        features = read_features(model, questions, method.feature_tokens, run.states(probe))
        if method.uses_gold and len(gold.ids):
            of_gold = read_features(model, gold.questions, method.feature_tokens, run.states(probe))
            trusted = TrustedExamples(of_gold, gold.truth)
    trusted_votes = None
    if method.needs_gold_votes:
        trusted_votes = TrustedVotes(gold_votes(run, seed, arm), gold.truth)
    return EstimationData(
        votes,
        questions=questions,
        features=features,
        trusted=trusted,
        predictor=students,
        has_classes=KINDS[run.study.task].has_classes,
        trusted_votes=trusted_votes,
    )


def _feature_model(run: Run, method: BaseEstimator) -> Pretrained:
    model = method.feature_model or run.study.student.pretrained
    if model is None:
        raise ConfigError(
            f"`{method.kind}` looks at hidden states, and the student has no pretrained model; "
            "give it an `encoder`, such as `{model: minilm}`."
        )
    return model
