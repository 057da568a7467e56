"""An objective that stands outside the package: an instance of it is all that is needed."""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from pydantic import Field, ValidationError
from torch import Tensor

from byte_models import save_byte_llama
from classifier_fits import LABELS, OTHER, Stopping, apart, fit, objective, weights_of
from requests_for_tests import fit as fit_student
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.lm.words_across_tokenizers import words_of
from steelyard.objectives import BaseObjective, ObjectiveState, TokenObjective
from steelyard.objectives.hardening import RecentPredictions
from steelyard.objectives.one_label import cross_entropy
from steelyard.objectives.tokens import xent
from steelyard.student import LanguageModelStudent
from steelyard.studies.arms import Arm
from steelyard.types import Floats, Question, TokenTargets, WordProbabilities


class GeneralizedCrossEntropy(BaseObjective):
    """(1 - p^q) / q of the label: Zhang and Sabuncu 2018, arXiv:1805.07836."""

    kind: Literal["generalized_cross_entropy"] = "generalized_cross_entropy"
    q: float = Field(0.7, gt=0, le=1)

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        powers = (self.q * torch.log_softmax(logits.float(), dim=-1)).exp()
        return (weights * (targets * (1 - powers) / self.q).sum(dim=-1)).mean()


class Stateful(BaseObjective):
    """Uses all of the state: progress, offsets of recent predictions, and a learned weight."""

    per_supervisor: ClassVar[bool] = True
    kind: Literal["stateful"] = "stateful"

    def start(self, targets: Floats, supervisor_weights: Floats | None = None) -> ObjectiveState:
        scale = torch.zeros(1, requires_grad=True)
        return ObjectiveState(learned={"scale": scale}, recent=RecentPredictions())

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        shift = 0.0 if state.offsets is None else state.offsets.to(logits)
        scaled = (logits + state.progress * shift) * state.learned["scale"].exp()
        return cross_entropy(scaled, targets.mean(dim=1), weights)

    def single_labels(self, targets: Tensor, state: ObjectiveState) -> Tensor:
        return targets.mean(dim=1)


class Tempered(TokenObjective):
    """Cross-entropy of tokens with logits over a temperature."""

    kind: Literal["tempered"] = "tempered"

    def token_losses(
        self, logits: Tensor, labels: Tensor, confidences: Tensor, progress: float
    ) -> Tensor:
        return xent(logits / 2, labels)


def test_a_classifier_minimises_it(tiny_bert: str) -> None:
    # With q near 0 it is the cross-entropy: (1 - p^q) / q -> -ln p.
    robust = fit(tiny_bert, GeneralizedCrossEntropy(), settings={"epochs": 20})
    assert robust.log.loss[-1] < robust.log.loss[0]
    near = fit(tiny_bert, GeneralizedCrossEntropy(q=1e-4))
    plain = fit(tiny_bert, objective("cross_entropy"))
    torch.testing.assert_close(weights_of(near), weights_of(plain), atol=2e-3, rtol=0)
    assert not torch.allclose(
        weights_of(fit(tiny_bert, GeneralizedCrossEntropy())), weights_of(plain)
    )


def test_a_killed_run_with_it_ends_bit_identical(tiny_bert: str, tmp_path: Path) -> None:
    labels, steps = apart(LABELS, OTHER), {"settings": {"checkpoint_steps": 1}}
    undisturbed = fit(tiny_bert, Stateful(), labels, **steps)
    fit(tiny_bert, Stateful(), labels, checkpoints=Stopping(tmp_path), **steps)
    resumed = fit(tiny_bert, Stateful(), labels, checkpoints=Checkpoints(tmp_path), **steps)
    assert torch.equal(weights_of(undisturbed), weights_of(resumed))
    assert undisturbed.log == resumed.log


def test_a_language_model_minimises_it(tmp_path: Path) -> None:
    answers = ("6 up", "7 down")
    questions = [Question(f"q{i}", "xo"[i % 2], answers) for i in range(8)]
    spans = words_of([answers[i % 2] for i in range(8)])
    words = WordProbabilities(spans, np.full(len(spans.begin), -0.1))
    targets = TokenTargets(np.arange(8), np.arange(8) % 2, np.ones(8), words)
    student = LanguageModelStudent(
        model=save_byte_llama(tmp_path / "bytes"),
        template={"name": "s", "template": "<q>{item}</q>="},  # type: ignore[arg-type]
        lora=None,
        learning_rate=5e-3,
        batch_size=8,
        epochs=10,
        precision="fp32",
    )
    fitted = fit_student(
        student,
        questions,
        np.eye(2)[np.arange(8) % 2],
        np.ones(8),
        seed=0,
        kind="generation",
        classes=(),
        objective=Tempered(),
        token_targets=targets,
    )
    assert fitted.log.loss[-1] < fitted.log.loss[0]


def test_an_arm_takes_an_instance_and_keeps_its_settings() -> None:
    arm = Arm(name="gce", selection={"kind": "hard"}, objective=GeneralizedCrossEntropy(q=0.5))  # type: ignore[arg-type]
    assert arm.model_dump(mode="json")["objective"] == {
        "kind": "generalized_cross_entropy",
        "q": 0.5,
    }
    with pytest.raises(ValidationError, match="generalized_cross_entropy"):
        Arm(name="gce", selection={"kind": "hard"}, objective={"kind": "generalized_cross_entropy"})  # type: ignore[arg-type]
