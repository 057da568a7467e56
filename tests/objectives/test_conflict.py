"""The loss of an explicit conflict: by hand, against torch, and in a training."""

from math import log

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from classifier_fits import LABELS, QUESTIONS, WEIGHTS, fit, objective, weights_of
from requests_for_tests import fit as train
from steelyard.objectives import CROSS_ENTROPY, Conflict, ObjectiveState
from steelyard.objectives.conflict import explicit_conflict
from steelyard.student import Classifier
from steelyard.types import one_hot


def test_by_hand() -> None:
    # p = (1/4, 3/4) for the rows below; the label is class 1 in all.
    # Row 0: truth is class 0 and the student answers 1: -ln(3/4) and 1/2 of -ln(1 - 1/4).
    # Row 1: truth is class 1, as the student answers: -ln(3/4) alone, but it counts in the mean.
    # Row 2: no conflict: -ln(3/4) alone.
    logits = torch.tensor([[0.0, log(3)]] * 3)
    labels = torch.tensor([[0.0, 1.0]] * 3)
    truth = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    loss = explicit_conflict(logits, labels, truth)
    assert loss.item() == pytest.approx(-(3.5 / 3) * log(3 / 4), abs=1e-6)
    weighted = explicit_conflict(logits, labels, truth, weights=torch.tensor([2.0, 0.0, 1.0]))
    assert weighted.item() == pytest.approx(-(2 * 1.5 + 1) / 3 * log(3 / 4), abs=1e-6)


def drawn(classes: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(classes)
    logits = 2 * torch.randn((12, classes), generator=generator, dtype=torch.float64)
    label = torch.randint(classes, (12,), generator=generator)
    truth = torch.randint(classes, (12,), generator=generator)
    return logits.requires_grad_(), label, truth


def test_of_two_classes_it_is_the_binary_loss_of_the_source() -> None:
    """BCE(sigmoid(d), label) + .5 * mean of m * BCE(sigmoid(d), 1 - truth), with its gradient."""
    logits, label, truth = drawn(2)
    lead = logits[:, 1] - logits[:, 0]
    masked = ((lead > 0).long() != truth).double()
    second = functional.binary_cross_entropy_with_logits(lead, 1 - truth.double(), reduction="none")
    expected = functional.binary_cross_entropy_with_logits(lead, label.double())
    expected = expected + 0.5 * (masked * second).mean()
    loss = explicit_conflict(
        logits, functional.one_hot(label, 2).double(), functional.one_hot(truth, 2).double()
    )
    torch.testing.assert_close(loss, expected)
    slopes = [torch.autograd.grad(part, logits, retain_graph=True)[0] for part in (loss, expected)]
    torch.testing.assert_close(*slopes)


def test_of_more_classes_the_true_one_loses_to_all_others() -> None:
    logits, label, truth = drawn(4)
    every = torch.arange(12)
    probs = torch.softmax(logits, dim=1)
    masked = (probs.argmax(dim=1) != truth).double()
    second = -torch.log(1 - probs[every, truth])
    expected = functional.cross_entropy(logits, label) + 0.3 * (masked * second).mean()
    loss = explicit_conflict(
        logits,
        functional.one_hot(label, 4).double(),
        functional.one_hot(truth, 4).double(),
        strength=0.3,
    )
    torch.testing.assert_close(loss, expected)


def test_a_sure_wrong_answer_is_finite() -> None:
    """The true class at -1e9, as options that an example does not have, costs nothing more."""
    logits = torch.tensor([[-1e9, 0.0, 0.0]], requires_grad=True)
    truth = torch.tensor([[1.0, 0.0, 0.0]])
    loss = explicit_conflict(logits, torch.tensor([[0.0, 1.0, 0.0]]), truth)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(log(2), abs=1e-6)
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_the_objective_takes_labels_and_truth() -> None:
    logits, label, truth = drawn(3)
    tables = [functional.one_hot(part, 3).double() for part in (label, truth)]
    loss = Conflict().loss(logits, torch.stack(tables, dim=1), torch.ones(12), ObjectiveState())
    torch.testing.assert_close(loss, explicit_conflict(logits, *tables))


def test_a_classifier_trained_on_it_is_less_right(tiny_bert: str) -> None:
    """Without strength, or without opposed rows, it is the cross-entropy; else it follows less."""
    student = Classifier(
        model=tiny_bert, precision="fp32", learning_rate=1e-2, epochs=3, batch_size=4, warmup=0.0
    )
    truth = one_hot(1 - LABELS.argmax(axis=1), 2)  # every label is wrong

    def trained(kind: Conflict, opposed: np.ndarray) -> torch.Tensor:
        asked = (student, QUESTIONS, LABELS, WEIGHTS)
        return weights_of(train(*asked, seed=1, objective=kind, opposed=opposed))

    plain = weights_of(fit(tiny_bert, CROSS_ENTROPY))
    none = objective("conflict", strength=0)
    torch.testing.assert_close(trained(none, truth), plain)
    torch.testing.assert_close(trained(Conflict(), np.zeros_like(truth)), plain)
    assert not torch.allclose(trained(Conflict(), truth), plain)
