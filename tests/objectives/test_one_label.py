"""Objectives of one label: they reach training, are the cross-entropy at zero, survive a stop."""

from pathlib import Path
from typing import Any

import pytest
import torch

from classifier_fits import QUESTIONS, Stopping, fit, objective, weights_of
from steelyard.errors import ConfigError
from steelyard.models.checkpoints import Checkpoints
from steelyard.studies.config import make_study

ONE_LABEL = ["confidence", "product", "window", "entropy", "reverse_kl", "gce", "elr"]


@pytest.mark.parametrize("kind", ONE_LABEL)
def test_each_objective_teaches_something_of_its_own(tiny_bert: str, kind: str) -> None:
    plain = fit(tiny_bert, objective("cross_entropy"))
    settings = {"radius": 1e-6} if kind == "window" else {}
    other = fit(tiny_bert, objective(kind, **settings))
    assert not torch.equal(weights_of(plain), weights_of(other))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("confidence", {"maximum": 0.0}),
        ("entropy", {"maximum": 0.0}),
        ("product", {"student_power": 0.0}),
        ("gce", {"q": 1e-6}),
        ("elr", {"strength": 0.0}),
        ("window", {"radius": 0.5}),
    ],
)
def test_at_its_zero_an_objective_is_the_cross_entropy(
    tiny_bert: str, kind: str, settings: dict[str, Any]
) -> None:
    plain = fit(tiny_bert, objective("cross_entropy"))
    other = fit(tiny_bert, objective(kind, **settings))
    torch.testing.assert_close(weights_of(plain), weights_of(other), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ONE_LABEL)
def test_the_parts_of_a_step_change_nothing(tiny_bert: str, kind: str) -> None:
    goal = objective(kind)
    whole = fit(tiny_bert, goal)
    parts = fit(tiny_bert, goal, settings={"token_budget": 64})
    small = {"token_budget": 64, "batch_size": 4}
    assert torch.equal(weights_of(parts), weights_of(fit(tiny_bert, goal, settings=small)))
    torch.testing.assert_close(weights_of(whole), weights_of(parts), atol=2e-4, rtol=0)


@pytest.mark.parametrize("kind", ["confidence", "elr"])
def test_a_killed_run_remembers_what_its_objective_saw(
    tiny_bert: str, tmp_path: Path, kind: str
) -> None:
    goal, steps = objective(kind), {"settings": {"checkpoint_steps": 1}}
    undisturbed = fit(tiny_bert, goal, **steps)
    fit(tiny_bert, goal, checkpoints=Stopping(tmp_path), **steps)
    resumed = fit(tiny_bert, goal, checkpoints=Checkpoints(tmp_path), **steps)
    assert torch.equal(weights_of(undisturbed), weights_of(resumed))
    assert undisturbed.log == resumed.log


def test_other_students_have_no_doubt_but_their_probabilities(tiny_bert: str) -> None:
    assert fit(tiny_bert, objective("cross_entropy")).predict(QUESTIONS).uncertainty == {}


@pytest.mark.parametrize(
    ("task", "student", "said"),
    [
        ("classification", {"kind": "probe"}, "is for a classifier or chooser"),
        ("multiple_choice", {"kind": "chooser"}, "set `threshold: argmax`"),
    ],
)
@pytest.mark.parametrize("arm", ["confidence", "bayesian"])
def test_a_student_that_cannot_have_it_says_so(
    task: str, student: dict[str, str], said: str, arm: str
) -> None:
    supervisor = {"kind": "chooser" if task == "multiple_choice" else "tfidf"}
    study = {
        "task": task,
        "data": {"train": "a.jsonl", "test": "b.jsonl"},
        "supervisors": [supervisor],
        "student": student,
        "arms": [arm],
    }
    with pytest.raises(ConfigError, match=said):
        make_study(study)
