"""A study of several generators that weigh each other's answers, end to end, on a tiny model."""

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from byte_models import save_byte_llama
from faulty_server import Body, FaultyServer, completion
from open_rows import lines
from steelyard.errors import ConfigError
from steelyard.selection import best_and_worst
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.study import STORE, study
from steelyard.studies.training import train_student
from steelyard.studies.votes import collect_votes, list_writers
from steelyard.supervision.nbest import score_answers

ASKED = {"one": "a", "two": "b", "three": "go a"}
WORDING = {"name": "s", "template": "{item}:"}
TUNING = {"lora": None, "learning_rate": 1e-2, "batch_size": 8, "precision": "fp32"}
STAGE = {"beams": 3, "lora": None, "learning_rate": 1e-3, "precision": "fp32", "batch_size": 8}
ARMS: list[Any] = [
    "naive",
    {"name": "several_soft", "selection": "apart", "objective": "soft"},
    {
        "name": "joint_soft",
        "reliability": "joint_decoding",
        "selection": "hard",
        "objective": "soft",
    },
    {"name": "bayesian", "selection": "apart", "objective": "edl_step"},
    {"name": "surer", "selection": "apart", "objective": "logconf_confer"},
    {
        "name": "joint_surer",
        "reliability": "joint_decoding",
        "selection": "hard",
        "objective": "edl_confer",
    },
    {
        **{"name": "preferred", "reliability": "joint_decoding", "selection": "hard"},
        **{"objective": "soft", "preference": STAGE},
    },
    {"name": "sure", "reliability": "beam_entropy", "selection": "keep"},
]


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    weak = {
        **{"kind": "language_model", "model": str(folder / "model"), "wordings": [WORDING]},
        **{"queries": 1, "beams": 3, "max_new_tokens": 6, "precision": "fp32"},
    }
    plain = {
        "name": "several",
        "task": "generation",
        "data": {
            "train": str(folder / "train.jsonl"),
            "test": str(folder / "test.jsonl"),
            "weak_train": 24,
        },
        "supervisors": [
            {**weak, "voters": 2, "finetune": {**TUNING, "epochs": 12}},
            {**weak, "finetune": {**TUNING, "epochs": 20}},
        ],
        "student": {
            **{"kind": "language_model", "model": str(folder / "model"), "wording": WORDING},
            **{"epochs": 15, "max_new_tokens": 6, **TUNING},
        },
        "arms": ARMS,
        "seeds": 1,
    }
    return {**plain, **changes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    save_byte_llama(folder / "model", context=128)
    for name, size in (("train", 48), ("test", 12)):
        words = list(ASKED)
        rows = [
            {"id": f"{name}-{i}", "prompt": f"{i} {words[i % 3]}", "answer": ASKED[words[i % 3]]}
            for i in range(size)
        ]
        (folder / f"{name}.jsonl").write_text(lines(rows))
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return Run(make_study(settings(folder)), Store(folder / "out" / STORE))


def test_supervisors_of_one_study_weigh_each_others_answers(run: Run) -> None:
    votes = collect_votes(run, 0).strong_train
    assert len(votes.voters) == 3
    assert votes.word_probs is not None
    assert votes.entropy is not None
    assert votes.probs is not None
    assert ((votes.probs > 0).sum(axis=1) == votes.candidates[votes.example]).all()
    stored = Run(run.study, Store(run.store.root, read_only=True))
    again = collect_votes(stored, 0).strong_train
    assert again.word_probs is not None
    np.testing.assert_array_equal(again.word_probs.log_probs, votes.word_probs.log_probs)


def test_every_arm_is_taught_and_the_stage_is_recorded(run: Run) -> None:
    scores = {}
    for arm in run.study.all_arms:
        taught = train_student(run, 0, arm.name)
        scores[arm.name] = float(taught.predictions.probs[:, 0].mean())
    assert scores["naive"] > 0.3, scores
    stage = train_student(run, 0, "preferred").record["preference"]
    assert stage["pairs"] > 0
    assert stage["dropped"]["too long"] == 0
    assert 0 <= stage["flip_probability"] <= 0.5
    assert stage["reward_margin"] > 0  # it learnt to prefer what the supervisors do
    assert "preference" not in train_student(run, 0, "joint_soft").record


def test_the_stage_starts_from_the_student_without_it(run: Run) -> None:
    """Up to the stage both are the same training: equal losses."""
    with_stage = train_student(run, 0, "preferred").record
    without = train_student(run, 0, "joint_soft").record
    assert with_stage["loss"] == without["loss"]


def test_results_and_report_know_the_arms(folder: Path, run: Run) -> None:
    found = study(run.study, folder / "out", workers=1)
    arms = found.results["arms"]
    assert {"joint_soft", "bayesian", "preferred", "random_keep"} <= set(arms)
    assert "preferred" in found.report.read_text()
    assert "pairs ranked correctly" in found.report.read_text()
    assert arms["preferred"]["seeds"][0]["preference"]["pairs"] > 0
    assert arms["joint_soft"]["seeds"][0]["preference"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"supervisors": [{"kind": "votes", "path": "votes.jsonl"}]},
        {
            "task": "classification",
            "student": {"kind": "classifier"},
            "supervisors": [{"kind": "tfidf"}],
        },
    ],
)
def test_a_stage_needs_supervisors_that_weigh_texts(folder: Path, change: Any) -> None:
    arms = [{"name": "preferred", "selection": "hard", "preference": STAGE}]
    with pytest.raises(ConfigError, match="`preference` of arm `preferred` needs"):
        make_study(settings(folder, arms=arms, **change))


def test_a_student_that_writes_nothing_readable_has_no_pairs(run: Run) -> None:
    """Its lists are empty: every voter has no answer to weigh, and no question has a pair."""
    weak, seeds = list_writers(run, 0)
    questions = run.task(0).strong_train.questions[:2]
    labelled = run.task(0).weak_train
    scores = score_answers(weak, labelled, questions, [(), ()], seeds=seeds)
    assert [table.shape for table in scores] == [(0, 3), (0, 3)]
    assert best_and_worst([(), ()], scores).dropped["fewer than two distinct answers"] == 2


def test_given_answers_are_weighed_by_every_voter_as_their_votes_were(run: Run) -> None:
    weak, seeds = list_writers(run, 0)
    votes, questions = collect_votes(run, 0).strong_train, run.task(0).strong_train.questions[:3]
    texts = votes.candidate_texts[:3]
    scores = score_answers(weak, run.task(0).weak_train, questions, texts, seeds=seeds)
    assert votes.probs is not None
    for i, table in enumerate(scores):
        said = votes.probs[votes.example == i, : len(texts[i])]
        np.testing.assert_allclose(softmax(table.T, axis=1), said, rtol=1e-4, atol=1e-6)


def test_a_server_and_models_that_write_lists_teach_together(folder: Path, tmp_path: Path) -> None:
    def solve(body: Body) -> Body:
        answer = ASKED[body["messages"][-1]["content"].removesuffix(":").split()[1]]
        words = [{"token": answer, "logprob": log(0.8)}]
        return completion(answer, body, logprobs={"content": words})

    with FaultyServer(solve) as server:
        api = {"kind": "api", "base_url": server.url, "model": "m", "words": True}
        weak = settings(folder)["supervisors"][1]
        asker = {**api, "wordings": [WORDING], "queries": 1}
        arm = {"name": "several_soft", "selection": "apart", "objective": "soft"}
        changed = settings(folder, supervisors=[asker, weak], arms=[arm])
        run = Run(make_study(changed), Store(tmp_path / "store"))
        votes, (selection, _) = (
            collect_votes(run, 0).strong_train,
            select_labels(run, 0, run.study.arm(arm["name"])),
        )
        assert votes.voters == ("m", "model/0")
        assert selection.token_targets is not None
        logs = selection.token_targets.words.log_probs
        served = np.abs(logs - log(0.8)) < 1e-12
        assert served.sum() == len(votes.ids)  # the server's answers are one token each
        assert (~served).any()
        assert np.isfinite(logs).all()
        found = study(changed, tmp_path / "run", workers=1).results
    assert found["arms"]["several_soft"]["score"]["value"] > 0.3
