"""Arms whose labels need the student: two stages, what it knows, and who teaches it what."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from byte_models import save_byte_llama
from counting_student import CALLS, COLLAPSE, STOP, Counting, write_options, write_words
from steelyard.errors import ConfigError, InputError
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels, selected_labels
from steelyard.studies.study import planned
from steelyard.studies.training import train_student, training_set
from steelyard.studies.votes import collect_votes

FILES: dict[str, str] = {}
"""Paths of the data files of this module."""


@pytest.fixture(autouse=True, scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> None:
    FILES.update(write_words(tmp_path_factory.mktemp("words")))


@pytest.fixture(autouse=True)
def _nothing_trained() -> None:
    for notes in (CALLS, STOP, COLLAPSE):
        notes.clear()


def settings(**changes: Any) -> dict[str, Any]:
    data = {"train": FILES["train"], "test": FILES["test"], "weak_train": 40, "strong_train": 150}
    plain = {
        "task": "classification",
        "data": data,
        "supervisors": [{"kind": "votes", "path": FILES["votes"]}],
        "student": Counting(),
        "references": [],
        "seeds": 1,
    }
    return {**plain, **changes}


def test_a_student_of_agreed_labels_answers_the_rest(tmp_path: Path) -> None:
    result = sy.study(settings(arms=["two_stage"]), tmp_path, workers=1).results
    arm, control = result["arms"]["two_stage"], result["arms"]["random_choice"]
    # shares of three votes are 1/3, 2/3 and 1: A is what all three agree on
    assert arm["seeds"][0]["rows"] == control["seeds"][0]["rows"]
    assert arm["label_accuracy"]["value"] > control["label_accuracy"]["value"]
    assert arm["vs_control"]["control"] == "random_choice"
    # stage I once, shared with the control; then the ceiling, naive, majority, arm and control
    assert len(CALLS) == 1 + 5
    assert result["costs"]["folds"] == {"trainings": 1, "steps": CALLS[0] // 10}
    assert CALLS[0] < arm["seeds"][0]["rows"] < 150
    again = sy.study(settings(arms=["two_stage"]), tmp_path, workers=1).results
    assert len(CALLS) == 6  # everything is read
    assert again["artifacts"] == result["artifacts"]


def test_a_collapsed_stage_one_leaves_what_voters_agree_on(tmp_path: Path) -> None:
    COLLAPSE.append(1)
    run = Run(make_study(settings(arms=["two_stage"])), Store(tmp_path))
    found = selected_labels(run, 0, run.study.arm("two_stage"))
    assert len(found.folds["collapsed"]) == 1
    assert found.selection is not None
    agreed = collect_votes(run, 0).strong_train.shares().max(axis=1) == 1
    np.testing.assert_array_equal(found.selection.weights > 0, agreed)


TUNING = {"precision": "fp32", "learning_rate": 1e-2, "batch_size": 8, "max_tokens": 64}


def test_a_chooser_answers_what_voters_disagree_on(tmp_path: Path, tiny_bert: str) -> None:
    student = {"kind": "chooser", "model": tiny_bert, "epochs": 4, **TUNING}
    voters = {"kind": "co_supervised", "rounds": 1, "folds": 2}
    arms = ["two_stage", {"name": "mine", "reliability": voters, "selection": "above"}]
    plain = {**write_options(tmp_path), "student": student, "arms": arms}
    plain["ceiling_epochs"] = []
    run = Run(make_study(plain), Store(tmp_path / "store"))
    for name, trainings in (("two_stage", 1), ("mine", 2)):
        arms = [run.study.arm(arm) for arm in (name, f"random_choice.{name}")]
        selected = [selected_labels(run, 0, arm) for arm in arms]
        assert len(selected[0].folds["steps"]) == trainings
        assert selected[0].folds == selected[1].folds
        kept = [part.selection.kept for part in selected if part.selection is not None]
        assert kept[0] == kept[1] <= 40


PROBE = {"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32, "regularization": 1.0}
"""The student of an arm that looks at the student's features."""


def test_a_student_answers_what_it_knows(tmp_path: Path) -> None:
    plain = settings(student=PROBE, arms=["selective"], ceiling_epochs=[])
    result = sy.study(plain, tmp_path, workers=1).results
    arms = result["arms"]
    assert arms["selective"]["uses_gold"]
    assert arms["selective"]["vs_control"]["control"] == "random_choice"
    # the probe of all true answers and those of five folds are solved together, once for both arms
    assert result["costs"]["folds"]["trainings"] == 1
    accuracy = {name: arm["label_accuracy"]["value"] for name, arm in arms.items()}
    assert accuracy["selective"] != accuracy["random_choice"]
    assert accuracy["selective"] > accuracy["majority"]


def test_what_a_student_knows_needs_true_answers() -> None:
    plain = settings(student=PROBE, arms=["selective"])
    plain["data"]["weak_train"] = 0
    with pytest.raises(ConfigError, match="`selective` of arm `selective` learns from true answer"):
        make_study(plain)


def test_each_question_has_the_voter_that_the_student_agrees_with(tmp_path: Path) -> None:
    result = sy.study(settings(arms=["co_supervised"]), tmp_path, workers=1).results
    arms = result["arms"]
    accuracy = {name: arm["label_accuracy"]["value"] for name, arm in arms.items()}
    assert accuracy["co_supervised"] > accuracy["majority"] + 0.05
    assert accuracy["co_supervised"] > accuracy["random_choice"] + 0.05
    rows = [arms[name]["seeds"][0]["rows"] for name in ("co_supervised", "random_choice")]
    assert rows[0] == rows[1] < 150
    # two rounds of five folds, shared with the control
    assert result["costs"]["folds"]["trainings"] == 10
    assert len(CALLS) == 10 + 5


def test_a_single_voter_cannot_share_the_teaching(tmp_path: Path) -> None:
    supervisors = [{"kind": "tfidf", "voters": 1}]
    plain = settings(arms=["co_supervised"], supervisors=supervisors)
    with pytest.raises(InputError, match="`co_supervised` assigns each example to one of several"):
        sy.study(plain, tmp_path, workers=1)


def test_a_stopped_study_goes_on_with_the_next_training(tmp_path: Path) -> None:
    study = make_study(settings(arms=["co_supervised"]))
    arm = study.arm("co_supervised")
    calm = selected_labels(Run(study, Store(tmp_path / "calm")), 0, arm)
    sizes = list(CALLS)
    CALLS.clear()
    STOP.append(7)
    with pytest.raises(KeyboardInterrupt):
        selected_labels(Run(study, Store(tmp_path / "stopped")), 0, arm)
    STOP.clear()
    first = list(CALLS)
    CALLS.clear()
    resumed = selected_labels(Run(study, Store(tmp_path / "stopped")), 0, arm)
    assert first[:6] + CALLS == sizes
    np.testing.assert_array_equal(resumed.reliability.score, calm.reliability.score)


@pytest.fixture
def classifier(tiny_bert: str) -> dict[str, Any]:
    return {"kind": "classifier", "model": tiny_bert, "epochs": 2, **TUNING}


def test_the_surest_labels_come_first(tmp_path: Path, classifier: dict[str, Any]) -> None:
    plain = settings(student=classifier, arms=["easy_to_hard"], ceiling_epochs=[])
    result = sy.study(plain, tmp_path, workers=1).results
    arms = result["arms"]
    assert arms["easy_to_hard"]["vs_control"]["control"] == "hard_to_easy"
    steps = [arms[n]["seeds"][0]["steps"] for n in ("majority", "easy_to_hard", "hard_to_easy")]
    assert steps == [38, 38, 38]  # two epochs of 150 rows in batches of 8
    run = Run(make_study(plain), Store(tmp_path / "store"))
    data = {n: training_set(run, 0, n)[0] for n in ("majority", "easy_to_hard", "hard_to_easy")}
    np.testing.assert_array_equal(data["easy_to_hard"].targets, data["majority"].targets)
    assert data["majority"].levels is None
    share = select_labels(run, 0, run.study.arm("easy_to_hard"))[1].score
    mean = [
        [share[d.levels == level].mean() for level in range(4)]
        for d in (data["easy_to_hard"], data["hard_to_easy"])
        if d.levels is not None
    ]
    assert mean[0] == sorted(mean[0], reverse=True)
    assert mean[1] == sorted(mean[1])
    students = [train_student(run, 0, n).predictions.probs for n in data]
    assert not np.allclose(students[0], students[1])
    assert not np.allclose(students[1], students[2])


def test_a_language_model_follows_an_order(tmp_path: Path) -> None:
    save_byte_llama(tmp_path / "llama")
    model = {"kind": "language_model", "model": str(tmp_path / "llama"), "chat": False}
    student = {**model, "lora": None, "epochs": 1, **TUNING, "max_tokens": 256}
    plain = settings(student=student, arms=["easy_to_hard"])
    run = Run(make_study(plain), Store(tmp_path / "store"))
    losses = [train_student(run, 0, n).record["loss"] for n in ("majority", "easy_to_hard")]
    assert len(losses[0]) == len(losses[1]) == 19
    assert losses[0] != losses[1]


def test_a_probe_has_no_order() -> None:
    with pytest.raises(ConfigError, match="`order` of arm `easy_to_hard` is for students that are"):
        make_study(settings(student=PROBE, arms=["easy_to_hard"]))
    arm = {"name": "mine", "selection": "hard", "order": "hard_to_easy", "gold_weight": 2}
    with pytest.raises(ConfigError, match="`order` ranks rows by the score of their votes"):
        make_study(settings(arms=[arm]))


def test_a_dry_run_counts_the_trainings() -> None:
    # the control shares all of them; 150 rows are at most 15 steps, four fifths of them 12
    for arm, trainings, steps in (("two_stage", 2, 30), ("co_supervised", 20, 20 * 12)):
        assert planned(settings(arms=[arm], seeds=2))[-1] == (
            f"folds to refine labels: {trainings} more trainings of the student, about {steps} "
            "steps in all"
        )
