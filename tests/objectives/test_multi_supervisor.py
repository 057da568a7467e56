"""Objectives of several supervisors: they hear each of them, and survive a stop."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from classifier_fits import (
    LABELS,
    OTHER,
    QUESTIONS,
    Stopping,
    apart,
    fit,
    objective,
    weights_of,
)
from steelyard.models.checkpoints import Checkpoints
from steelyard.objectives.dirichlet import dirichlet_mean
from steelyard.studies.arms import Arm

SEVERAL = ["naive_multi_weak", "joint", "bayesian"]


@pytest.mark.parametrize("settings", [{"kind": "naive_multi_weak"}, {"kind": "joint"}])
def test_one_supervisor_is_the_single_weak_label(tiny_bert: str, settings: dict[str, Any]) -> None:
    plain = fit(tiny_bert, objective("cross_entropy"))
    alone = fit(tiny_bert, objective(**settings), apart(LABELS))
    torch.testing.assert_close(weights_of(plain), weights_of(alone), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", SEVERAL)
def test_a_silent_supervisor_is_as_if_it_were_not_there(tiny_bert: str, kind: str) -> None:
    alone = fit(tiny_bert, objective(kind), apart(LABELS))
    silent = fit(tiny_bert, objective(kind), apart(LABELS, 0 * OTHER))
    torch.testing.assert_close(weights_of(alone), weights_of(silent), atol=1e-5, rtol=0)
    heard = fit(tiny_bert, objective(kind), apart(LABELS, OTHER))
    assert not torch.allclose(weights_of(alone), weights_of(heard), atol=1e-3)


@pytest.mark.parametrize("kind", [*SEVERAL, "learnt"])
def test_the_parts_of_a_step_change_nothing(tiny_bert: str, kind: str) -> None:
    labels = apart(LABELS, OTHER)
    settings = {"learn_weights": True} if kind == "learnt" else {}
    goal = objective("naive_multi_weak" if kind == "learnt" else kind, **settings)
    whole = fit(tiny_bert, goal, labels)
    parts = fit(tiny_bert, goal, labels, settings={"token_budget": 64})
    small = {"token_budget": 64, "batch_size": 4}
    assert torch.equal(weights_of(parts), weights_of(fit(tiny_bert, goal, labels, settings=small)))
    torch.testing.assert_close(weights_of(whole), weights_of(parts), atol=2e-4, rtol=0)


@pytest.mark.parametrize("kind", ["bayesian", "learnt"])
def test_a_killed_run_remembers_what_its_objective_saw(
    tiny_bert: str, tmp_path: Path, kind: str
) -> None:
    settings = {"learn_weights": True} if kind == "learnt" else {}
    goal = objective("naive_multi_weak" if kind == "learnt" else kind, **settings)
    labels, steps = apart(LABELS, OTHER), {"settings": {"checkpoint_steps": 1}}
    undisturbed = fit(tiny_bert, goal, labels, **steps)
    fit(tiny_bert, goal, labels, checkpoints=Stopping(tmp_path), **steps)
    resumed = fit(tiny_bert, goal, labels, checkpoints=Checkpoints(tmp_path), **steps)
    assert torch.equal(weights_of(undisturbed), weights_of(resumed))
    assert undisturbed.log == resumed.log


def test_an_evidential_student_answers_with_the_mean_of_its_dirichlet(tiny_bert: str) -> None:
    # logits (2, 0) with softplus evidence: alpha = (ln(1 + e^2) + 1, ln 2 + 1) = (3.127, 1.693)
    fitted = fit(tiny_bert, objective("bayesian", evidence="softplus"), apart(LABELS))
    means = fitted.objective.probabilities(torch.tensor([[2.0, 0.0]]))[0]
    assert means.tolist() == pytest.approx([3.126928 / 4.820075, 1.693147 / 4.820075], abs=1e-6)
    plain = fit(tiny_bert, objective("cross_entropy"))
    probs = plain.objective.probabilities(torch.tensor([[2.0, 0.0]]))
    assert probs[0, 0] == pytest.approx(0.880797, abs=1e-6)
    torch.testing.assert_close(
        fitted.objective.probabilities(torch.tensor([[0.3, -1.0]])),
        dirichlet_mean(torch.tensor([[0.3, -1.0]]).double(), "softplus"),
    )


def test_an_evidential_student_says_how_little_evidence_it_has(tiny_bert: str) -> None:
    # z = (1, 0, -1, .5), exp evidence: alpha = e^z + 1 = 3.7183, 2, 1.3679, 2.6487; S = 9.7349.
    # K / S = .4109. psi(S + 1) - sum_k alpha_k / S psi(alpha_k + 1) = 2.32620 - .38195 x 1.44175
    # - .20545 x .92278 - .14051 x .63622 - .27209 x 1.15113 = 1.1833 (psi from scipy).
    goal = objective("bayesian", evidence="exp")
    found = goal.uncertainties(torch.tensor([[1.0, 0.0, -1.0, 0.5]]))
    assert found["vacuity"].item() == pytest.approx(0.4109, abs=1e-4)
    assert found["expected_entropy"].item() == pytest.approx(1.1833, abs=1e-4)
    fitted = fit(tiny_bert, objective("bayesian"), apart(LABELS, OTHER))
    answers = fitted.predict(QUESTIONS)
    probs, measures = answers.probs, answers.uncertainty
    np.testing.assert_array_equal(probs, fitted.probabilities(QUESTIONS))
    # every alpha is at least 1, so that P >= 1 / S = u / K
    assert (probs >= measures["vacuity"][:, None] / 2 - 1e-12).all()
    assert ((measures["vacuity"] > 0) & (measures["vacuity"] < 1)).all()
    entropy = -(probs * np.log(probs)).sum(axis=1)
    assert ((measures["expected_entropy"] > 0) & (measures["expected_entropy"] < entropy)).all()


@pytest.mark.parametrize(("threshold", "own"), [("prior", 0), ("argmax", 1)])
def test_the_self_term_hardens_by_the_shares_of_the_pooled_labels(threshold: str, own: int) -> None:
    # Supervisors say 0 and silence, 0 and 0, 1 and 0: pooled (1, 0), (1, 0), (1/2, 1/2). Of a step
    # with logits (0, z), z = 1, 2, 3, all favour 1; 5/6 of them belong to 0: 2 of 3, rounded. The
    # threshold is the middle of 2 and 3, and the answer to z = 2 is 0.
    labels = torch.tensor([[[1, 0], [0, 0]], [[1, 0], [1, 0]], [[0, 1], [1, 0]]], dtype=torch.float)
    settings = {"evidence": "exp", "kl_weight": 0.0, "self_weight": 1.0, "warmup": 0.0}
    goal = objective("bayesian", threshold=threshold, **settings)
    state = goal.start(labels.double().numpy(), np.array([0.5, 0.5]))
    logits = torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])
    state.recent.add(logits, goal.single_labels(labels, state))
    state.begin_step(0.5)
    # -ln of the Dirichlet's mean: alpha = (2, e^2 + 1)
    loss = goal.loss(logits[1:2], labels[1:2], torch.ones(1), state)
    alpha = (2.0, np.exp(2) + 1)
    assert loss.item() == pytest.approx(-np.log(alpha[own] / sum(alpha)), abs=1e-5)


def test_an_objective_of_several_needs_their_labels_apart() -> None:
    with pytest.raises(ValueError, match="needs `selection: per_supervisor`"):
        Arm(name="wrong", selection={"kind": "hard"}, objective="bayesian")  # type: ignore[arg-type]
