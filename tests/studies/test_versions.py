"""Same content, same name: a raised version of anything that computes gives results other names."""

import itertools
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import steelyard as sy
from steelyard.objectives import ObjectiveSettings
from steelyard.prompts import parse_answer, templates
from steelyard.reliability import EstimatorSettings, VoteEntropy
from steelyard.selection import KeepMostReliable, SelectorSettings, class_balance, controls, truth
from steelyard.store.store import Missing, Store, fingerprint
from steelyard.student import StudentSettings, TrainingData
from steelyard.student.preference_stage import PreferenceStage
from steelyard.studies import jobs
from steelyard.studies.config import make_study
from steelyard.studies.preferring import stage_fingerprint
from steelyard.studies.presets import PRESETS
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.training import _objective_inputs
from steelyard.supervision import Tfidf, nbest
from steelyard.supervision.kinds import SupervisorSettings

SETTINGS: dict[str, Any] = {
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 40, "strong_train": 60, "max_test": 40},
    "supervisors": [{"kind": "tfidf", "voters": 2}],
    "student": {
        **{"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32},
        "regularization": 1.0,
    },
    "arms": ["filter", "balanced", "truth_filter"],
    "seeds": 1,
}


def kinds(union: Any) -> list[Any]:
    return list(get_args(get_args(union)[0]))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions")
    sy.study(SETTINGS, folder, workers=1)
    return folder / "store"


def made_again(store: Path) -> set[str]:
    """Roles of the results that a run would make again first."""
    run = Run(make_study(SETTINGS), Store(store, read_only=True))
    roles = set()
    for seed, name in itertools.chain(*jobs.rounds(run)):
        try:
            jobs.do(run, seed, name)
        except Missing as missing:
            roles.add(missing.role)
    for arm in run.study.all_arms:
        try:
            select_labels(run, 0, arm)
        except Missing as missing:
            roles.add(missing.role)
    return roles


@pytest.mark.parametrize(
    ("owner", "name", "roles"),
    [
        (Tfidf, "version", {"seed-0/votes-0"}),
        (VoteEntropy, "version", {"seed-0/filter/selection", "seed-0/random_keep/selection"}),
        (KeepMostReliable, "version", {"seed-0/filter/selection", "seed-0/random_keep/selection"}),
        (class_balance, "VERSION", {"seed-0/balanced/selection"}),
        (controls, "VERSION", {"seed-0/random_keep/selection"}),
        (truth, "VERSION", {"seed-0/truth_filter/selection"}),
        (sy.Probe, "version", {"seed-0/ceiling/student", "seed-0/filter/student"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_raised_version_makes_its_results_again(
    finished: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, roles: set[str]
) -> None:
    assert made_again(finished) == set()
    monkeypatch.setattr(owner, name, getattr(owner, name) + 1)
    assert made_again(finished) >= roles
    if name == "VERSION":
        assert {role for role in made_again(finished) if role.endswith("selection")} == roles


@pytest.mark.parametrize("cls", [*kinds(SupervisorSettings), *kinds(StudentSettings)])
def test_the_version_of_a_supervisor_or_student_counts(
    cls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cls.model_construct().versions()
    monkeypatch.setattr(cls, "version", cls.version + 1)
    assert cls.model_construct().versions() == before + 1


@pytest.mark.parametrize("cls", [*kinds(EstimatorSettings), *kinds(SelectorSettings)])
def test_the_version_of_an_estimator_or_selection_counts(
    cls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = "reliability" if hasattr(cls, "estimate_from") else "selection"
    arm = PRESETS["majority"].model_copy(update={part: cls.model_construct()})
    before = arm.versions()
    monkeypatch.setattr(cls, "version", cls.version + 1)
    assert arm.versions() == before + 1


@pytest.mark.parametrize("cls", kinds(ObjectiveSettings)[1:])
def test_the_version_of_an_objective_counts(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ones = np.ones((1, 1))
    questions = (sy.Question("q", "where?"),)
    data = TrainingData("classification", ("a",), questions, ones, ones[0], cls.model_construct())
    before = _objective_inputs(data)["objective"]
    monkeypatch.setattr(cls, "version", cls.version + 1)
    assert _objective_inputs(data)["objective"] != before


@pytest.mark.parametrize("module", [templates, parse_answer])
@pytest.mark.parametrize("kind", ["api", "language_model", "student"])
def test_changed_prompts_and_parsers_mean_other_results(
    module: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    union = StudentSettings if kind == "student" else SupervisorSettings
    named = {cls.model_fields["kind"].default: cls for cls in kinds(union)}
    part = named["language_model" if kind == "student" else kind].model_construct()
    before = part.versions()
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    assert part.versions() == before + 1


def test_changed_lists_mean_other_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {cls.model_fields["kind"].default: cls for cls in kinds(SupervisorSettings)}
    plain, lists = (named["language_model"].model_construct(beams=beams) for beams in (None, 4))
    before = (plain.versions(), lists.versions())
    monkeypatch.setattr(nbest, "VERSION", nbest.VERSION + 1)
    assert (plain.versions(), lists.versions()) == (before[0], before[1] + 1)


def test_the_version_of_the_preference_stage_counts(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(make_study(SETTINGS), Store(finished))
    before = stage_fingerprint(run, 0, PreferenceStage())
    monkeypatch.setattr(PreferenceStage, "version", PreferenceStage.version + 1)
    assert stage_fingerprint(run, 0, PreferenceStage()) != before


def test_default_templates_are_those_of_their_version() -> None:
    """A changed template needs a higher `templates.VERSION`, and then another sum here."""
    texts = {kind: list(by_name.items()) for kind, by_name in templates.DEFAULTS.items()}
    assert (templates.VERSION, fingerprint(texts)) == (0, "c58d5207b0e3d49e")
