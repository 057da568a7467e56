"""What an arm's student is trained on: reliability and selection of one seed, kept in the store."""

from pathlib import Path
from typing import Any

from steelyard.errors import InputError
from steelyard.models.features import read_features
from steelyard.reliability import GraphDenoising, OnFeatures, Pairs
from steelyard.store.store import Recipe, fingerprint, library_versions
from steelyard.student import Probe
from steelyard.studies.arms import Arm
from steelyard.studies.run import Run
from steelyard.studies.votes import collect_votes, true_answers
from steelyard.types import Reliability, Selection


def select_labels(run: Run, seed: int, arm: Arm) -> tuple[Selection, Reliability]:
    """Labels and weights of an arm, and the reliability that they come from.

    Raises:
        InputError: nothing is kept, or one class alone.
    """
    return run.once(("selection", seed, arm.name), lambda: _select(run, seed, arm))


def _select(run: Run, seed: int, arm: Arm) -> tuple[Selection, Reliability]:
    votes = collect_votes(run, seed).strong_train
    inputs = {"votes": fingerprint(votes)}
    if arm.role == "oracle":
        inputs["truth"] = fingerprint(true_answers(run, seed))
    method = arm.reliability
    if isinstance(method, OnFeatures | GraphDenoising):
        inputs["questions"] = run.questions(seed, "strong_train")
    if isinstance(method, OnFeatures):
        inputs["encoder"] = run.identity((method.encoder or run.study.student).pretrained)
    recipe = Recipe(
        kind="selection",
        version=100 * type(arm.reliability).version + type(arm.selection).version,
        settings={
            **arm.model_dump(
                exclude={"name", "description", "control_of", "objective", "preference"}
            ),
            "seed": seed,
        },
        inputs=inputs,
        libraries=library_versions(*getattr(method, "libraries", ("numpy",))),
    )

    def make(_: Path) -> dict[str, Any]:
        if isinstance(method, OnFeatures):
            reliability = method.estimate(votes, _features(run, seed, method))
        elif isinstance(method, GraphDenoising):
            pairs = Pairs.of(run.task(seed).strong_train.questions)
            reliability = method.estimate(votes, pairs=pairs)
        else:
            reliability = method.estimate(votes)
        try:
            selection = arm.select(votes, reliability, true_answers(run, seed), seed)
        except InputError as error:
            raise InputError(f"arm `{arm.name}`, seed {seed}: {error}") from error
        return {"selection": selection, "reliability": reliability}

    kept = run.store.keep(f"seed-{seed}/{arm.name}/selection", recipe, make)
    return kept["selection"], kept["reliability"]


def _features(run: Run, seed: int, method: OnFeatures) -> Any:
    """What an estimator looks at: the strong_train texts as a probe of the model sees them."""
    pretrained = (method.encoder or run.study.student).pretrained
    probe = Probe(**pretrained.model_dump(), max_tokens=method.max_tokens)
    questions = run.task(seed).strong_train.questions
    return read_features(pretrained, questions, method.max_tokens, run.states(probe))
