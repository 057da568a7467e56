"""A study of preferences, end to end: pairs of words, every kind of weak supervisor, DPO."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import steelyard as sy
from byte_models import save_byte_llama
from steelyard.cli.models import evaluate_model, train_model
from steelyard.config import make_study
from steelyard.errors import ConfigError
from steelyard.reliability import GraphDenoising
from steelyard.run import Run
from steelyard.store import Store
from steelyard.types import PAIR, chosen_place
from tiny_models import llama_config, tokenizer

GOOD = ["good", "very good", "fine", "not bad"]
BAD = ["bad", "awful", "very bad", "not good"]
Rows = list[dict[str, Any]]


def rows(name: str, size: int) -> Rows:
    return [
        {
            "id": f"{name}-{i}",
            "prompt": f"the {'film' if i % 3 else 'plot'} {i} is",
            "chosen": GOOD[i % 4],
            "rejected": BAD[(i // 2) % 4],
        }
        for i in range(size)
    ]


USELESS: Rows = [
    {"id": "same", "prompt": "the film is", "chosen": "good", "rejected": "good "},
    {"id": "empty", "prompt": "the film is", "chosen": "good", "rejected": None},
]
LONG: Rows = [
    {"id": "long", "prompt": "the film is", "chosen": "very " * 70 + "good", "rejected": "bad"},
    {"id": "prompt", "prompt": "the plot is " * 40, "chosen": "good", "rejected": "bad"},
]


def lines(some: Rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in some)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(llama_config(layers=2)).save_pretrained(folder / "llama")
    tokenizer(pairs=False).save_pretrained(folder / "llama")
    train, test = rows("train", 60), rows("test", 40)
    (folder / "train.jsonl").write_text(lines([*train, *USELESS]))
    (folder / "test.jsonl").write_text(lines(test))
    rng = np.random.default_rng(0)
    votes = [
        {"id": row["id"], "voter": voter, "answer": ("chosen", "rejected")[rng.random() > 0.7]}
        for row in [*train, *test]
        for voter in ("ann", "bob", "cat")
    ]
    (folder / "votes.jsonl").write_text(lines(votes))
    return folder


def settings(files: Path, **changes: Any) -> dict[str, Any]:
    plain = {
        "name": "pairs",
        "task": "preference",
        "data": {
            "train": str(files / "train.jsonl"),
            "test": str(files / "test.jsonl"),
            "weak_train": 12,
        },
        "supervisors": [{"kind": "votes", "path": str(files / "votes.jsonl")}],
        "student": {
            "kind": "preference",
            "model": str(files / "llama"),
            "lora": None,
            "learning_rate": 1e-2,
            "batch_size": 8,
            "epochs": 6,
            "precision": "fp32",
        },
        "arms": ["soft", "filter", "reweigh_margin"],
        "match": "steps",
        "seeds": 1,
    }
    return {**plain, **changes}


def prepared(files: Path, folder: Path, **changes: Any) -> Run:
    return Run(make_study(settings(files, **changes)), Store(folder))


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
    assert set(found["metrics"]) == {"ece", "reward_margin"}


def test_the_reward_margin_is_that_of_the_test_pairs(files: Path, finished: Path) -> None:
    found = results(finished)["metrics"]["reward_margin"]
    run = prepared(files, finished / "store")
    task = run.task(0)
    asked, selection = run.lesson(0, "majority")
    fitted = run.study.student.fit(asked, selection.targets, selection.weights, seed=0, steps=36)
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
    assert found["data"]["left_out"] == {"empty answer": 1, "equal answers": 1}
    assert found["data"]["strong_train"] == 48  # 60 of 62 rows, less weak_train
    assert any("1 (empty answer), 1 (equal answers)" in text for text in found["warnings"])


def test_a_soft_arm_teaches_each_pair_s_doubt_and_cw_po_weighs_by_it(
    files: Path, finished: Path
) -> None:
    # Two voters for the first answer and one for the second: P = 2/3, eps = 1/3 of the more
    # probable one; CW-PO's C = 2 max(P, 1 - P) - 1 = 1/3 against 1 where all three agree.
    run = prepared(files, finished / "store")
    votes = run.votes(0).strong_train
    first = votes.shares()[:, 0]
    soft, _ = run.selection(0, run.study.arm("soft"))
    np.testing.assert_allclose(soft.targets[:, 0], first)
    weighed, reliability = run.selection(0, run.study.arm("reweigh_margin"))
    c = np.where(np.isin(first, [0, 1]), 1, 1 / 3)
    np.testing.assert_allclose(reliability.score, c)
    np.testing.assert_allclose(weighed.weights, c / c.mean())
    assert weighed.targets.argmax(axis=1).tolist() == (first < 0.5).astype(int).tolist()


def test_annotators_votes_name_the_side_or_the_place(files: Path, tmp_path: Path) -> None:
    said = [
        {"id": f"train-{i}", "voter": "ann", "answer": ("chosen", "rejected")[i % 2]}
        for i in range(60)
    ]
    placed = [
        {**row, "answer": PAIR[chosen_place(row["id"]) ^ (row["answer"] == "rejected")]}
        for row in said
    ]
    tables = []
    for name, some in (("sides", said), ("places", placed)):
        (tmp_path / f"{name}.jsonl").write_text(lines(some))
        file = [{"kind": "votes", "path": str(tmp_path / f"{name}.jsonl")}]
        run = prepared(files, tmp_path / "store", supervisors=file)
        tables.append(run.votes(0).strong_train)
        right = tables[-1].answer == run.task(0).strong_train.truth[tables[-1].example]
        even = [int(tables[-1].ids[i].split("-")[1]) % 2 == 0 for i in tables[-1].example]
        assert right.tolist() == even
    assert tables[0].answer.tolist() == tables[1].answer.tolist()


SUPERVISORS: dict[str, dict[str, Any]] = {
    "tfidf": {"voters": 2},
    "chooser": {
        **{"voters": 2, "epochs": 20, "learning_rate": 1e-2, "batch_size": 4},
        "precision": "fp32",
    },
    "preference": {
        **{"voters": 2, "epochs": 15, "learning_rate": 1e-2, "lora": None, "batch_size": 4},
        "precision": "fp32",
    },
    "language_model": {"answer": "text", "queries": 1},
}


@pytest.mark.parametrize("kind", SUPERVISORS)
def test_weak_supervisors_compare_answers(
    kind: str, files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    model = {"chooser": tiny_bert, "tfidf": None}.get(kind, str(files / "llama"))
    weak = {"kind": kind, **SUPERVISORS[kind], **({"model": model} if model else {})}
    run = prepared(files, tmp_path, supervisors=[weak])
    votes, truth = run.votes(0).test, run.task(0).test.truth
    assert votes.probs is not None
    assert votes.classes == PAIR
    np.testing.assert_allclose(votes.probs.sum(axis=1), 1)
    assert len(votes.voters) == weak.get("voters", 1)
    if kind != "language_model":  # the others have learnt from twelve pairs
        assert (votes.answer == truth[votes.example]).mean() > 0.75


def test_the_reward_model_student_has_a_margin_too(
    files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    learning = {"epochs": 15, "learning_rate": 1e-2, "batch_size": 8}
    chooser = {"kind": "chooser", "model": tiny_bert, **learning}
    found = sy.study(settings(files, student=chooser, arms=["soft"]), tmp_path, workers=1).results
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
    assert "Up to 1 training answers were left out" in said
    assert "1 training texts were longer than `max_tokens` and were cut" in said
    assert said.count("2.4% of the test pairs do not fit into `max_tokens`") == 1  # 1 of 42
    margin = found["metrics"]["reward_margin"]["ceiling"]["value"]
    assert margin is not None
    assert np.isfinite(margin)


def test_graph_denoising_hears_of_other_pairs_of_a_prompt(files: Path, tmp_path: Path) -> None:
    # One prompt has three answers: a > b by 3 votes of 3, b > c by 3, and c > a by 2 of 3. The
    # cycle's weakest edge goes: a > c.
    trio = {"prompt": "which", "chosen": "", "rejected": ""}
    pairs = [("a", "b", 3), ("b", "c", 3), ("a", "c", 1)]
    train = rows("train", 20)
    votes = [{"id": row["id"], "voter": v, "answer": "chosen"} for row in train for v in "uvw"]
    for one, other, ahead in pairs:
        name = f"{one}{other}"
        train.append({**trio, "id": name, "chosen": one, "rejected": other})
        answers = ["chosen"] * ahead + ["rejected"] * (3 - ahead)
        votes += [
            {"id": name, "voter": v, "answer": a} for v, a in zip("uvw", answers, strict=True)
        ]
    (tmp_path / "train.jsonl").write_text(lines(train))
    (tmp_path / "votes.jsonl").write_text(lines(votes))
    run = prepared(
        files,
        tmp_path / "store",
        data={
            "train": str(tmp_path / "train.jsonl"),
            "test": str(files / "test.jsonl"),
            "weak_train": 0,
        },
        supervisors=[{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}],
        arms=[{"name": "ged", "reliability": "graph_denoising", "selection": "soft"}],
    )
    ids, truth = run.task(0).strong_train.ids, run.truth(0)
    posterior = run.selection(0, run.study.arm("ged"))[0].targets
    alone = run.selection(0, run.study.arm("majority"))[0].targets
    i = ids.index("ac")
    assert alone[i, truth[i]] == 0  # two of three are wrong about it
    assert posterior[i, truth[i]] == pytest.approx(1.0)  # min(3/3, 3/3) along a > b > c
    others = [row for row, name in enumerate(ids) if name.startswith("train")]
    np.testing.assert_allclose(posterior[others, truth[others]], 1.0)


def test_a_student_is_trained_saved_and_evaluated(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = rows("train", 60)
    chosen = [{"id": row["id"], "label": PAIR[chosen_place(row["id"])]} for row in train]
    (tmp_path / "selection.jsonl").write_text(lines(chosen))
    student = json.dumps(settings(files)["student"])
    train_model(
        files / "train.jsonl", str(tmp_path / "selection.jsonl"), tmp_path / "m", student, 0, []
    )
    evaluate_model(tmp_path / "m", files / "test.jsonl", tmp_path / "scores.json")
    printed = capsys.readouterr().out
    assert "training on 60 of 60 examples, 2 answers" in printed
    metrics = json.loads((tmp_path / "scores.json").read_text())["metrics"]
    assert metrics["accuracy"]["value"] == 1.0
    assert metrics["reward_margin"]["low"] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "macro_f1"}, "the two answers of a preference are none; use `accuracy`"),
        ({"student": {"kind": "classifier"}}, "A classifier answers classification"),
        ({"student": {"kind": "probe"}}, "A probe answers classification"),
        ({"arms": ["confidence"]}, "a preference student minimises its `loss`"),
        ({"task": "generation"}, "A preference student learns from pairs"),
        ({"supervisors": [{"kind": "classifier"}]}, "A classifier supervisor answers"),
        (
            {"supervisors": [{"kind": "language_model", "model": "m", "answer": "text"}]},
            "`queries: 5` are more than the 1 different ways of asking",
        ),
        (
            {
                "supervisors": [
                    {"kind": "api", "base_url": "http://x", "model": "m", "queries": 1}
                    | {"answer": "text"}
                ]
            },
            "A server judges which of two answers is better, by letter",
        ),
    ],
)
def test_what_preferences_cannot_have_is_refused(
    files: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_study(settings(files, **changes))


def test_graph_denoising_needs_pairs() -> None:
    with pytest.raises(ConfigError, match="judges pairs of answers, and the task is multiple_choi"):
        GraphDenoising().check_task("multiple_choice")


@pytest.mark.parametrize("answer", ["letter", "text"])
def test_a_language_model_learns_to_judge_or_to_answer(
    answer: str, files: Path, tmp_path: Path
) -> None:
    student = {"kind": "language_model", "model": save_byte_llama(tmp_path / "bytes"), "lora": None}
    student |= {"answer": answer, "epochs": 8, "learning_rate": 5e-3, "batch_size": 8}
    run = prepared(files, tmp_path / "store", student=student, arms=["soft"])
    probs = run.teach(0, "ceiling").predictions.probs
    assert probs.shape == (40, 2)
    if answer == "text":  # "good" after "is" is soon likelier than "bad"; to compare is harder
        assert (probs.argmax(axis=1) == run.task(0).test.truth).mean() > 0.7


def test_the_place_of_the_better_answer_is_no_class(files: Path, tmp_path: Path) -> None:
    # All votes for the first answer would be one class of a classification, which teaches nothing.
    first = [{"id": row["id"], "voter": "ann", "answer": "first"} for row in rows("train", 60)]
    (tmp_path / "votes.jsonl").write_text(lines(first))
    file = [{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}]
    run = prepared(files, tmp_path / "store", supervisors=file)
    selection, _ = run.selection(0, run.study.arm("majority"))
    assert selection.targets.argmax(axis=1).tolist() == [0] * 48
