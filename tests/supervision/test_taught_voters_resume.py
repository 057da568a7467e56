"""Killed while voters are taught, a supervisor goes on; finished ones are not taught again."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from steelyard.progress import steps_reported_to
from steelyard.supervision import VoteRequest
from steelyard.supervision.finetuned import ClassifierVoters
from steelyard.supervision.language_model import LanguageModelVoters
from steelyard.types import Question, Split
from tiny_models import llama_config, tokenizer

TEXTS = ["good film", "the plot is awful", "a fine film", "bad", "very good", "not fine"]
FAST = {"precision": "fp32", "epochs": 2, "batch_size": 2, "learning_rate": 1e-2}
STEPS = 6  # of each voter: 6 rows, 2 epochs


def request(work: Path | None) -> VoteRequest:
    questions = tuple(Question(str(i), text) for i, text in enumerate(TEXTS))
    labelled = Split(questions, np.array([0, 1, 0, 1, 0, 1]))
    return VoteRequest("classification", ("good", "bad"), (questions,), labelled, 3, work=work)


def classifiers(model: str) -> ClassifierVoters:
    return ClassifierVoters(model=model, voters=3, checkpoint_steps=1, **FAST)


def language_models(model: str) -> LanguageModelVoters:
    taught: Any = {**FAST, "checkpoint_steps": 1, "lora": {"rank": 2}}
    return LanguageModelVoters(model=model, voters=3, queries=1, finetune=taught, precision="fp32")


def killed_while_voting(kind: str, model: str, work: Path) -> int:
    """Vote in another process, which is killed behind the second voter's third step."""
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from supervision.test_taught_voters_resume import {kind}, request
from steelyard.models.checkpoints import Checkpoints
save = Checkpoints.save
def kill(self, step, *rest, **more):
    save(self, step, *rest, **more)
    if self.folder.name == "voter-1" and step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoints.save = kill
{kind}({model!r}).vote(request(Path({str(work)!r})))
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.run([sys.executable, "-c", code], env=environment, timeout=120).returncode


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("causal")
    torch.manual_seed(0)
    LlamaForCausalLM(llama_config(layers=2)).save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("kind", [classifiers, language_models])
def test_a_killed_supervisor_goes_on(
    kind: Callable[[str], Any], tiny_bert: str, causal: str, tmp_path: Path
) -> None:
    model = tiny_bert if kind is classifiers else causal
    calm = kind(model).vote(request(None))[0]
    assert killed_while_voting(kind.__name__, model, tmp_path) == -signal.SIGKILL
    steps: list[int] = []
    with steps_reported_to(lambda done, total: steps.append(done)):
        resumed = kind(model).vote(request(tmp_path))[0]
    assert steps == [4, 5, 6, 1, 2, 3, 4, 5, 6]  # nothing of voter 0, the rest of 1, all of 2
    np.testing.assert_array_equal(resumed.probs, calm.probs)
    steps.clear()
    with steps_reported_to(lambda done, total: steps.append(done)):
        kind(model).vote(request(tmp_path))
    assert steps == []
    kept = sorted(path.parent.name for path in tmp_path.rglob(f"step-{STEPS:08d}"))
    assert kept == ["voter-0", "voter-1", "voter-2"]


def test_a_study_gives_its_supervisors_a_folder(
    tiny_bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import steelyard as sy

    given: list[Path | None] = []
    plain = ClassifierVoters.vote

    def vote(self: Any, what: VoteRequest) -> Any:
        given.append(what.work)
        return plain(self, what)

    monkeypatch.setattr(ClassifierVoters, "vote", vote)
    data = {"generated": "errands", "weak_train": 20, "strong_train": 20, "max_test": 20}
    taught = {"kind": "classifier", "model": tiny_bert, "voters": 2, "epochs": 1, "max_tokens": 16}
    probe = {"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 16}
    study = {"task": "classification", "data": data, "supervisors": [taught], "student": probe}
    sy.study({**study, "arms": ["soft"], "seeds": 1}, tmp_path, workers=1)
    assert given
    assert all(work is not None and "unfinished" in work.parts for work in given)
    assert not list((tmp_path / "store" / "unfinished").glob("votes-*"))  # no longer needed
