"""Arms whose labels the student itself refines: every kind of student, resumed, shared, counted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from byte_models import save_byte_llama
from counting_student import (
    CALLS,
    COLLAPSE,
    STOP,
    Counting,
    asked,
    bayes,
    write_options,
    write_words,
)
from steelyard.errors import ConfigError
from steelyard.reliability import StudentSelfTraining
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels, selected_labels
from steelyard.studies.study import planned

FILES: dict[str, str] = {}
"""Paths of the data files of this module."""


@pytest.fixture(autouse=True, scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> None:
    FILES.update(write_words(tmp_path_factory.mktemp("words")))


def settings(**changes: Any) -> dict[str, Any]:
    plain = {
        "task": "classification",
        "data": {
            **{"train": FILES["train"], "test": FILES["test"]},
            **{"weak_train": 40, "strong_train": 150},
        },
        "supervisors": [{"kind": "votes", "path": FILES["votes"]}],
        "student": Counting(),
        "arms": ["refine_student"],
        "references": [],
        "seeds": 1,
    }
    return {**plain, **changes}


@pytest.fixture(autouse=True)
def _nothing_trained() -> None:
    for notes in (CALLS, STOP, COLLAPSE):
        notes.clear()


def test_it_equals_the_rounds_written_again(tmp_path: Path) -> None:
    """One round of two folds: start, weights of classes, naive Bayes, mean with the start."""
    method = StudentSelfTraining(rounds=1, folds=2, votes_share=0.4, seed=7)
    arm = {"name": "mine", "reliability": method, "selection": "hard"}
    run = Run(make_study(settings(arms=[arm])), Store(tmp_path))
    found = select_labels(run, 0, run.study.arm("mine"))[1]

    from steelyard.studies.votes import collect_votes

    mean = collect_votes(run, 0).strong_train.means()
    texts = [question.text for question in run.task(0).strong_train.questions]
    share = mean.mean(axis=0)
    start = mean / share
    start /= start.sum(axis=1, keepdims=True)
    label = start.argmax(axis=1)
    weight = np.sqrt(share)[label] / np.bincount(label, minlength=len(share))[label]
    clear = (start >= start.max(axis=1, keepdims=True) - 1e-9).sum(axis=1) == 1
    assert clear.all()
    weight /= weight.mean()
    fold = np.random.default_rng(7).permutation(len(texts)) % 2
    prediction = np.empty_like(mean)
    for number in range(2):
        used = np.flatnonzero(fold != number)
        targets = np.eye(len(share))[label[used]]
        model = bayes([texts[i] for i in used], targets, weight[used])
        rest = np.flatnonzero(fold == number)
        prediction[rest] = asked(model, [texts[i] for i in rest], len(share))
    logs = 0.6 * np.log(np.maximum(prediction, 1e-3)) + 0.4 * np.log(np.maximum(start, 1e-3))
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.posterior, expected, atol=1e-9)
    assert CALLS == [75, 75]


def test_labels_of_the_study_are_better_and_its_costs_are_told(tmp_path: Path) -> None:
    result = sy.study(settings(arms=["refine_student"]), tmp_path, workers=1)
    found = result.results
    accuracy = {name: arm["label_accuracy"]["value"] for name, arm in found["arms"].items()}
    assert accuracy["refine_student"] > accuracy["majority"] + 0.05
    assert found["arms"]["refine_student"]["vs_control"]["control"] == "random_keep"
    # three rounds of five folds, shared with the control; then five students: the ceiling, naive,
    # majority, the arm and its control
    assert found["costs"]["folds"].keys() == {"trainings", "steps"}
    assert found["costs"]["folds"]["trainings"] == 15
    assert found["costs"]["trainings"] == 5
    assert len(CALLS) == 20
    assert found["costs"]["folds"]["steps"] == sum(size // 10 for size in CALLS[:15])
    assert "15 trainings of folds to refine labels of" in (tmp_path / "report.md").read_text()
    again = sy.study(settings(arms=["refine_student"]), tmp_path, workers=1).results
    assert len(CALLS) == 20  # everything is read
    assert again["costs"]["folds"] == found["costs"]["folds"]
    assert again["artifacts"] == found["artifacts"]


def test_a_dry_run_tells_the_trainings_of_folds() -> None:
    arms = ["refine_student", "refine_student_gold", "shuffled_votes.refine_student"]
    line = planned(settings(arms=arms, seeds=2))[-1]
    # 15 and 15 shuffled; 1 + 5 on gold rows alone and 15; two seeds. Steps are size // 10:
    # 5 x (12 + 6 + 6) without gold, twice; with: 4 + 5 x 3 + 15 x ((60 + 40) // 10)
    assert line.startswith("folds to refine labels: 102 more trainings of the student, ")
    assert line.endswith(f"about {2 * (2 * 5 * (12 + 6 + 6) + 4 + 15 + 150)} steps in all")
    assert len(planned(settings(arms=["filter"]))) == 3


def test_a_stopped_study_trains_no_fold_twice(tmp_path: Path) -> None:
    STOP.append(9)
    with pytest.raises(KeyboardInterrupt):
        sy.study(settings(), tmp_path / "stopped", workers=1)
    first = list(CALLS)
    CALLS.clear()
    STOP.clear()
    resumed = sy.study(settings(), tmp_path / "stopped", workers=1).results
    second = list(CALLS)
    CALLS.clear()
    calm = sy.study(settings(), tmp_path / "calm", workers=1).results
    assert first[:8] + second == CALLS
    for key in ("arms", "artifacts", "warnings", "reliability"):
        assert resumed[key] == calm[key]
    assert resumed["costs"]["folds"] == calm["costs"]["folds"]


def test_a_collapsed_fold_is_left_to_the_votes_and_named(tmp_path: Path) -> None:
    COLLAPSE.append(2)
    found = sy.study(settings(), tmp_path, workers=1).results
    named = "`refine_student`: 1 of 15 trainings of folds collapsed"
    assert any(text.startswith(named) for text in found["warnings"])
    assert found["arms"]["refine_student"]["score"] is not None


def test_the_truth_of_weak_train_has_a_part_in_gold_alone(tmp_path: Path) -> None:
    run = Run(make_study(settings(arms=["refine_student", "refine_student_gold"])), Store(tmp_path))
    plain = selected_labels(run, 0, run.study.arm("refine_student"))
    assert len(plain.folds["steps"]) == len(CALLS) == 15
    gold = selected_labels(run, 0, run.study.arm("refine_student_gold"))
    assert len(gold.folds["steps"]) == len(CALLS) - 15 == 21
    assert CALLS[15] == 40  # the gold rows alone
    assert max(CALLS[:15]) == 120
    assert CALLS[21] > 40 + 50


def test_a_probe_solves_its_folds_together(tmp_path: Path) -> None:
    probe = {"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32}
    probe["regularization"] = 1.0
    run = Run(make_study(settings(student=probe)), Store(tmp_path))
    arm = run.study.arm("refine_student")
    found = selected_labels(run, 0, arm)
    assert len(found.folds["steps"]) == 3  # one solve a round


TUNING = {"precision": "fp32", "learning_rate": 1e-2, "batch_size": 8, "max_tokens": 64}
ONE_ROUND = {"kind": "student_self_training", "rounds": 1, "folds": 2, "gold": "use"}


@pytest.mark.parametrize("kind", ["chooser", "language_model"])
def test_students_of_options_refine_labels(tmp_path: Path, tiny_bert: str, kind: str) -> None:
    if kind == "chooser":
        student = {"kind": kind, "model": tiny_bert, "epochs": 4, **TUNING}
    else:
        save_byte_llama(tmp_path / "llama")
        model = str(tmp_path / "llama")
        student = {"kind": kind, "model": model, "lora": None, "answer": "text", **TUNING}
        student |= {"epochs": 1, "max_tokens": 256, "chat": False}
    arm = {"name": "mine", "reliability": ONE_ROUND, "selection": {"kind": "keep", "fraction": 0.7}}
    plain = {**write_options(tmp_path), "student": student, "arms": [arm]}
    run = Run(make_study(plain), Store(tmp_path / "store"))
    found = selected_labels(run, 0, run.study.arm("mine"))
    assert len(found.folds["steps"]) == 1 + 2 + 2
    questions = run.task(0).strong_train.questions
    sizes = np.array([len(question.choices) for question in questions])
    beyond = np.arange(3) >= sizes[:, None]
    assert (found.reliability.posterior[beyond] == 0).all()
    np.testing.assert_allclose(found.reliability.posterior.sum(axis=1), 1)
    truth = run.task(0).strong_train.truth
    right = found.reliability.posterior[np.arange(len(truth)), truth]
    assert right.mean() > 1 / sizes.mean()


def test_a_classifier_refines_labels(tmp_path: Path, tiny_bert: str) -> None:
    student = {"kind": "classifier", "model": tiny_bert, "epochs": 1, **TUNING}
    arm = {"name": "mine", "reliability": {**ONE_ROUND, "gold": "ignore"}, "selection": "hard"}
    plain = settings(student={**student, "train_layers": 1}, arms=[arm])
    run = Run(make_study(plain), Store(tmp_path))
    found = selected_labels(run, 0, run.study.arm("mine"))
    # 75 of 150 rows in batches of 8: 10 steps in one epoch
    assert list(found.folds["steps"].values()) == [10, 10]


def test_classes_of_options_are_not_balanced_in_an_arm(tmp_path: Path, tiny_bert: str) -> None:
    student = {"kind": "chooser", "model": tiny_bert}
    plain = {**write_options(tmp_path), "student": student, "arms": ["refine_student"]}
    with pytest.raises(ConfigError, match="`balance` of arm `refine_student` weighs classes"):
        make_study(plain)


STUDY = """
name: killed
task: classification
data: {generated: errands, weak_train: 60, strong_train: 60, max_test: 20}
supervisors: [{kind: tfidf, voters: 3}]
student:
  kind: classifier
  model: minilm
  layers: 2
  train_layers: 1
  epochs: 2
  max_tokens: 16
  precision: fp32
  checkpoint_steps: 2
arms: [refine_student]
references: []
ceiling_epochs: [1]
seeds: 1
"""


@pytest.mark.slow
def test_a_study_killed_among_its_folds_goes_on_where_it_was(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    call = "from steelyard.cli.main import run; run()"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def command(out: Path) -> list[str]:
        return [*(sys.executable, "-c", call, "study", str(study)), "--out", str(out)]

    subprocess.run([*command(tmp_path / "calm"), "--workers", "1"], check=True, **quiet)
    store = tmp_path / "wild" / "store"
    made: dict[str, int] = {}
    for wanted in (2, 7):
        process = subprocess.Popen(
            [*command(tmp_path / "wild"), "--workers", "1"], start_new_session=True, **quiet
        )
        while process.poll() is None and len(list(store.glob("fold-*"))) < wanted:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        folds = {path.name: path.stat().st_mtime_ns for path in store.glob("fold-*")}
        assert 0 < len(folds) < 15
        assert made.items() <= folds.items()  # none is made again
        made = folds
    subprocess.run([*command(tmp_path / "wild"), "--workers", "1"], check=True, **quiet)
    after = {path.name: path.stat().st_mtime_ns for path in store.glob("fold-*")}
    assert len(after) == 15
    assert made.items() <= after.items()
    found, calm = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("wild", "calm")
    )
    for key in ("arms", "ceiling", "artifacts", "reliability"):
        assert found[key] == calm[key]
    assert found["costs"]["folds"] == calm["costs"]["folds"]
