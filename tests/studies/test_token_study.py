"""A study whose arm teaches words: they reach the student and are part of the result's name."""

from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byte_models import save_byte_llama
from open_rows import ANSWERS, WORDS, lines
from steelyard.errors import InputError
from steelyard.models.lm.words_across_tokenizers import words_of
from steelyard.objectives import Logconf, Objective, Soft
from steelyard.store.store import Store, fingerprint
from steelyard.student import TrainedLanguageModel, TrainingData
from steelyard.studies.arms import Arm
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.training import _objective_inputs, train_student
from steelyard.studies.votes import collect_votes
from steelyard.types import Question, TokenTargets, WordProbabilities


@pytest.fixture
def run(tmp_path: Path) -> Run:
    save_byte_llama(tmp_path / "model", context=128)
    for name, size in (("train", 24), ("test", 8)):
        rows = [
            {"id": f"{name}-{i}", "prompt": WORDS[i % 4], "answer": ANSWERS[i % 4]}
            for i in range(size)
        ]
        (tmp_path / f"{name}.jsonl").write_text(lines(rows))
        votes = [{"id": r["id"], "voter": "ann", "answer": str(r["answer"])} for r in rows]
        with (tmp_path / "votes.jsonl").open("a") as file:
            file.write(lines(votes))
    settings: dict[str, Any] = {
        "name": "words",
        "task": "generation",
        "data": {
            "train": str(tmp_path / "train.jsonl"),
            "test": str(tmp_path / "test.jsonl"),
            "weak_train": 0,
        },
        "supervisors": [{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}],
        "student": {
            "kind": "language_model",
            "model": str(tmp_path / "model"),
            "wording": {"name": "s", "template": "<q>{item}</q>="},
            "lora": None,
            "learning_rate": 5e-3,
            "batch_size": 8,
            "epochs": 2,
            "precision": "fp32",
            "max_new_tokens": 6,
        },
        "arms": [{"name": "words", "selection": "hard", "objective": "soft"}],
        "seeds": 1,
    }
    return Run(make_study(settings), Store(tmp_path / "store"))


def with_words(run: Run, monkeypatch: pytest.MonkeyPatch, ln_p: float) -> None:
    """Every selection has each example's first candidate, all words equally probable."""
    plain = select_labels

    def selection(self: Run, seed: int, arm: Arm) -> Any:
        chosen, reliability = plain(run, seed, arm)
        texts = [own[0] for own in collect_votes(run, seed).strong_train.candidate_texts]
        spans = words_of(texts)
        rows, zeros = np.arange(len(texts)), np.zeros(len(texts), dtype=np.int64)
        words = WordProbabilities(spans, np.full(len(spans.begin), ln_p))
        written = TokenTargets(rows, zeros, np.ones(len(texts)), words)
        return replace(chosen, token_targets=written), reliability

    monkeypatch.setattr("steelyard.studies.ladder.select_labels", selection)


def test_words_reach_the_student_and_name_its_result(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_words(run, monkeypatch, log(0.9))
    first = train_student(run, 0, "words").record
    assert first["dropped"] == 0
    assert len(first["answers"]) == 8
    assert first["loss"] != train_student(run, 0, "naive").record["loss"]
    again = Run(run.study, run.store)
    assert train_student(again, 0, "words").record == first
    monkeypatch.undo()
    other = Run(run.study, run.store)
    with_words(other, monkeypatch, log(0.5))
    assert train_student(other, 0, "words").record["loss"] != first["loss"]


def test_records_of_a_former_version_are_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with_words(run, monkeypatch, log(0.9))
    former = {"cut": 3, "left_out": 2}
    monkeypatch.setattr(TrainedLanguageModel, "training_record", lambda self: former)
    train_student(run, 0, "words")
    record = train_student(Run(run.study, run.store), 0, "words").record
    assert (record["truncated"], record["dropped"]) == (3, 2)


def test_entropies_name_results_of_the_objectives_that_ask_for_them() -> None:
    words = WordProbabilities(words_of(["go"]), np.array([log(0.9)]))
    zero = np.zeros(1, dtype=np.int64)
    plain = TokenTargets(zero, zero, np.ones(1), words)
    listed = replace(plain, entropy=np.array([0.2]))
    same = [_objective_inputs(training(Soft(), targets)) for targets in (plain, listed)]
    assert same[0] == same[1]
    assert same[0]["written"] == fingerprint(
        {name: getattr(plain, name) for name in ("example", "candidate", "share", "words")}
    )
    other = [_objective_inputs(training(Logconf(), targets)) for targets in (plain, listed)]
    assert other[0]["written"] != other[1]["written"]


def training(objective: Objective, targets: TokenTargets) -> TrainingData:
    ones = np.ones((1, 1))
    questions = (Question("q", "where?"),)
    data = TrainingData("generation", (), questions, ones, ones[0], objective)
    return replace(data, token_targets=targets)


def test_a_study_without_words_says_what_is_needed(run: Run) -> None:
    with pytest.raises(InputError, match="`language_model` supervisors with `beams`"):
        train_student(run, 0, "words")
