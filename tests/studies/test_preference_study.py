"""A study of preferences, end to end: pairs of words, annotators, DPO."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from byte_models import save_byte_llama
from pair_files import Rows, lines, prepared, rows, settings, write_pairs
from requests_for_tests import fit as train
from steelyard.cli.evaluate import evaluate as evaluate_model
from steelyard.cli.train import train as train_model
from steelyard.data import read_labelled
from steelyard.errors import ConfigError
from steelyard.studies.config import make_study
from steelyard.studies.selecting import select_labels
from steelyard.studies.training import train_student, training_set
from steelyard.studies.votes import collect_votes
from steelyard.types import PAIR, chosen_position

LONG: Rows = [
    {"id": "long", "prompt": "the film is", "chosen": "very " * 70 + "good", "rejected": "bad"},
    {"id": "prompt", "prompt": "the plot is " * 40, "chosen": "good", "rejected": "bad"},
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def finished(files: Path) -> Path:
    sy.study(settings(files), files / "run", workers=1)
    return files / "run"


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def test_the_ceiling_learns_and_every_arm_is_judged(files: Path, finished: Path) -> None:
    found = results(finished)
    assert found["ceiling"]["value"] == 1.0
    assert 0.6 < found["weak"]["value"] < 0.8  # voters that are right in 70 % of cases
    assert set(found["arms"]) == {
        *("naive", "majority", "soft", "filter", "reweigh_margin"),
        *("random_keep", "shuffled_weights"),
    }
    assert {seed["steps"] for arm in found["arms"].values() for seed in arm["seeds"]} == {36}
    assert found["data"]["classes"] == list(PAIR)
    assert set(found["metrics"]) == {
        *("ece", "calibration_error", "brier", "log_loss", "reward_margin"),
    }


def test_the_reward_margin_is_that_of_the_test_pairs(files: Path, finished: Path) -> None:
    found = results(finished)["metrics"]["reward_margin"]
    run = prepared(files, finished / "store")
    task = run.task(0)
    data, selection = training_set(run, 0, "majority")
    asked = data.questions
    fitted = train(run.study.student, asked, selection.targets, selection.weights, seed=0, steps=36)
    rewards = fitted.rewards(task.test.questions)
    right = np.arange(40), task.test.truth
    margin = (rewards[right] - rewards[np.arange(40), 1 - task.test.truth]).mean()
    assert found["arms"]["majority"]["value"] == pytest.approx(margin, rel=1e-5)
    assert found["ceiling"]["value"] > found["arms"]["majority"]["value"]
    assert found["weak"] is None
    assert set(found["pgr"].values()) == {None}  # rewards of two models have other units
    text = (finished / "report.md").read_text()
    assert "reward_margin" in text


def test_pairs_that_say_nothing_are_said(finished: Path) -> None:
    found = results(finished)
    assert found["data"]["dropped"] == {"empty answer": 1, "equal answers": 1}
    assert found["data"]["strong_train"] == 48  # 60 of 62 rows, less weak_train
    assert any("1 (empty answer), 1 (equal answers)" in text for text in found["warnings"])


def test_a_soft_arm_teaches_each_pair_s_doubt_and_cw_po_weighs_by_it(
    files: Path, finished: Path
) -> None:
    # Two voters for the first answer and one for the second: P = 2/3, eps = 1/3 of the more
    # probable one; CW-PO's C = 2 max(P, 1 - P) - 1 = 1/3 against 1 where all three agree.
    run = prepared(files, finished / "store")
    votes = collect_votes(run, 0).strong_train
    first = votes.shares()[:, 0]
    soft, _ = select_labels(run, 0, run.study.arm("soft"))
    np.testing.assert_allclose(soft.targets[:, 0], first)
    weighed, reliability = select_labels(run, 0, run.study.arm("reweigh_margin"))
    c = np.where(np.isin(first, [0, 1]), 1, 1 / 3)
    np.testing.assert_allclose(reliability.score, c)
    np.testing.assert_allclose(weighed.weights, c / c.mean())
    assert weighed.targets.argmax(axis=1).tolist() == (first < 0.5).astype(int).tolist()


def test_the_reward_model_student_has_a_margin_too(
    files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    learning = {"epochs": 15, "learning_rate": 1e-2, "batch_size": 8}
    chooser = {"kind": "chooser", "model": tiny_bert, **learning}
    study = settings(files, student=chooser, arms=["soft"], ceiling_epochs=[])
    found = sy.study(study, tmp_path, workers=1).results
    assert found["ceiling"]["value"] > 0.75
    assert found["metrics"]["reward_margin"]["ceiling"]["value"] > 0


def test_pairs_that_do_not_fit_are_counted(files: Path, tmp_path: Path) -> None:
    for name in ("train", "test"):
        some = [{**row, "id": f"{name}-{row['id']}"} for row in LONG]
        (tmp_path / f"{name}.jsonl").write_text((files / f"{name}.jsonl").read_text() + lines(some))
    (tmp_path / "votes.jsonl").write_text(
        (files / "votes.jsonl").read_text()
        + lines([{"id": f"train-{row['id']}", "voter": "ann", "answer": 0} for row in LONG])
    )
    study = settings(
        files,
        data={"train": "train.jsonl", "test": "test.jsonl", "weak_train": 0},
        supervisors=[{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}],
        arms=["soft"],
    )
    study["student"] = {**study["student"], "epochs": 1}
    (tmp_path / "study.yaml").write_text(json.dumps(study))
    found = sy.study(tmp_path / "study.yaml", tmp_path / "run", workers=1).results
    said = "\n".join(found["warnings"])
    assert "Dropped: up to 1 training answer longer than `max_tokens`" in said
    assert "Truncated to `max_tokens`: 1 training text." in said
    assert said.count("2.4% of the test pairs exceed `max_tokens`") == 1  # 1 of 42
    margin = found["metrics"]["reward_margin"]["ceiling"]["value"]
    assert margin is not None
    assert np.isfinite(margin)


def test_a_student_is_trained_saved_and_evaluated(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = rows("train", 60)
    split = read_labelled("preference", files / "train.jsonl", PAIR)
    chosen = [
        {"id": row["id"], "label": PAIR[chosen_position(row["id"], split.salt)]} for row in train
    ]
    (tmp_path / "selection.jsonl").write_text(lines(chosen))
    student = json.dumps(settings(files)["student"])
    chosen_file = str(tmp_path / "selection.jsonl")
    train_model(files / "train.jsonl", chosen_file, tmp_path / "m", student, 0, set_=[])
    evaluate_model(tmp_path / "m", files / "test.jsonl", tmp_path / "scores.json")
    printed = capsys.readouterr().out
    assert "training on 60 of 60 examples, 2 answers" in printed
    metrics = json.loads((tmp_path / "scores.json").read_text())["metrics"]
    assert metrics["accuracy"]["value"] == 1.0
    assert metrics["reward_margin"]["low"] > 0


@pytest.mark.parametrize("answer", ["letter", "text"])
def test_a_language_model_learns_to_judge_or_to_answer(
    answer: str, files: Path, tmp_path: Path
) -> None:
    student = {"kind": "language_model", "model": save_byte_llama(tmp_path / "bytes"), "lora": None}
    student |= {"answer": answer, "epochs": 8, "learning_rate": 5e-3, "batch_size": 8}
    run = prepared(files, tmp_path / "store", student=student, arms=["soft"], ceiling_epochs=[8])
    probs = train_student(run, 0, "ceiling").predictions.probs
    assert probs.shape == (40, 2)
    if answer == "text":  # "good" after "is" is soon likelier than "bad"; to compare is harder
        assert (probs.argmax(axis=1) == run.task(0).test.truth).mean() > 0.7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "macro_f1"}, "the two answers of a preference are not classes; use `accuracy`"),
        ({"student": {"kind": "classifier"}}, "A classifier answers classification"),
        ({"student": {"kind": "probe"}}, "A probe answers classification"),
        ({"arms": ["confidence"]}, "a preference student minimises its `loss`"),
        ({"task": "generation"}, "A preference student learns from pairs"),
        ({"supervisors": [{"kind": "classifier"}]}, "A classifier supervisor answers"),
        (
            {"supervisors": [{"kind": "language_model", "model": "m", "answer": "text"}]},
            "`queries: 5` is more than the number of different prompt variants, 1",
        ),
        (
            {
                "supervisors": [
                    {"kind": "api", "base_url": "http://x", "model": "m", "queries": 1}
                    | {"answer": "text"}
                ]
            },
            "A server chooses the better of two answers by letter",
        ),
    ],
)
def test_what_preferences_cannot_have_is_refused(
    files: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_study(settings(files, **changes))
