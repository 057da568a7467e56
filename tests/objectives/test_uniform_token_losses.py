"""Token objectives with a flat target, by hand and against sums over the vocabulary."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Dirichlet
from torch.nn.functional import kl_div

from steelyard.objectives.evidential import evidential
from steelyard.objectives.tokens import xent
from steelyard.objectives.uniform_tokens import dir_loss, edl_confer, soft_confer, uniform_kl

Z = torch.tensor([[1.0, 0.0, -1.0, 0.5]])  # ln p = -.746567, -1.746567, -2.746567, -1.246567
LABEL = torch.tensor([0])
STRENGTH = torch.tensor([0.6])
EVIDENCE = {"kl_weight": 0.1}

LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "uniform_kl": uniform_kl,
    "soft_confer": partial(soft_confer, coefficient=0.8),
    "edl_conf": partial(edl_confer, coefficient=0.0, kl_weight=0.1),
    "edl_confer": partial(edl_confer, coefficient=1.5, kl_weight=0.1),
    "dir": dir_loss,
}


def target_of(logits: Tensor, labels: Tensor, strengths: Tensor) -> Tensor:
    """t over the vocabulary, as the paper writes it."""
    rest = ((1 - strengths) / (logits.shape[1] - 1))[:, None].repeat(1, logits.shape[1])
    return rest.scatter(1, labels[:, None], strengths[:, None])


def drawn(seed: int, tokens: int = 5, words: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(tokens, words, generator=generator, dtype=torch.float64)
    labels = torch.randint(words, (tokens,), generator=generator)
    labels[0] = logits[0].argmax()  # label and argmax agree at times
    strengths = 0.01 + 0.98 * torch.rand(tokens, generator=generator, dtype=torch.float64)
    return logits.requires_grad_(), labels, strengths


def slope(losses: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(losses.sum(), logits, retain_graph=True)[0]


def test_the_divergence_by_hand() -> None:
    # t = (.6, .13333, .13333, .13333): .6 ln .6 + .4 ln .13333 + .6 * .746567
    # + .13333 * (1.746567 + 2.746567 + 1.246567) = -.306495 - .805961 + .447940 + .765294.
    # The gradient is p - t with p = (.47399, .17437, .06415, .28749).
    logits = Z.clone().requires_grad_()
    loss = uniform_kl(logits, LABEL, STRENGTH)
    assert loss.item() == pytest.approx(0.100778, abs=1e-5)
    expected = [-0.12601, 0.04104, -0.06918, 0.15416]
    assert slope(loss, logits)[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_confer_by_hand() -> None:
    # max p = .47399: surer than s = .4, not than s = .6. c * .746567 with c = .8; EDL at s = .7,
    # t = (.7, .1, .1, .1), is A + .1 KL = 1.158384 + .1 * .408082.
    assert soft_confer(Z, LABEL, STRENGTH, 0.8).item() == pytest.approx(0.100778, abs=1e-5)
    strengths = torch.tensor([0.7, 0.4])
    two, labels = Z.repeat(2, 1), LABEL.repeat(2)
    assert soft_confer(two, labels, strengths, 0.8)[1].item() == pytest.approx(0.597254, abs=1e-5)
    conf = edl_confer(two, labels, strengths, 0.0, **EVIDENCE).tolist()
    assert conf == pytest.approx([1.199192, 0.0], abs=1e-5)
    confer = edl_confer(two, labels, strengths, 1.5, **EVIDENCE).tolist()
    assert confer == pytest.approx([1.199192, 1.5 * 0.746567], abs=1e-5)


def test_the_density_by_hand() -> None:
    # alpha = (2.71828, 1, .36788, 1.64872), S = 5.73489, t = (.7, .1, .1, .1). ln G: 4.341653 of S;
    # .449463, 0, .882890, -.105445. (alpha - 1) ln t: -.612868, 0, 1.455509, -1.493738.
    # 4.341653 - 1.226908 - .651097 = 2.463646. KL(t || p) = .156119; less .01 of the density.
    s = torch.tensor([0.7])
    assert dir_loss(Z, LABEL, s).item() == pytest.approx(0.156119 - 0.02463646, abs=1e-5)
    assert dir_loss(Z, LABEL, s, density_weight=1).item() == pytest.approx(-2.307527, abs=1e-5)
    clamped = dir_loss(Z, LABEL, s, density_weight=1, clamp=2.0).item()
    assert clamped == pytest.approx(0.156119 - 2, abs=1e-5)


@given(st.integers(0, 10_000))
def test_losses_are_those_of_the_target_over_the_vocabulary(seed: int) -> None:
    logits, labels, s = drawn(seed)
    target, log_probs = target_of(logits, labels, s), torch.log_softmax(logits, dim=1)
    kl = kl_div(log_probs, target, reduction="none").sum(dim=1)
    learnt = torch.cat(
        [
            evidential(z[None], t[None], evidence="exp", soft_mode="target", **EVIDENCE)[None]
            for z, t in zip(logits, target, strict=True)
        ]
    )
    own, surer = -log_probs.amax(dim=1), log_probs.exp().amax(dim=1) > s
    density = Dirichlet(logits.exp() + 1e-6, validate_args=False).log_prob(target)
    expected = {
        "uniform_kl": kl,
        "soft_confer": torch.where(surer, 0.8 * own, kl),
        "edl_conf": torch.where(surer, 0.0, learnt),
        "edl_confer": torch.where(surer, 1.5 * own, learnt),
        "dir": kl - 0.01 * density,
    }
    for name, loss in LOSSES.items():
        found = loss(logits, labels, s)
        torch.testing.assert_close(found, expected[name])
        torch.testing.assert_close(slope(found, logits), slope(expected[name], logits))


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_small_steps(name: str) -> None:
    logits, labels, strengths = drawn(1)
    assert torch.autograd.gradcheck(lambda z: LOSSES[name](z, labels, strengths), logits)


def test_a_sure_label_is_learnt_whatever_the_student_thinks() -> None:
    """With s = 1 the divergence is the cross-entropy, even where max p rounds to 1."""
    logits, labels, _ = drawn(2)
    logits = torch.cat([logits, torch.eye(9, dtype=torch.float64)[:1] * 1e4]).float()
    labels, ones = torch.cat([labels, torch.tensor([3])]), torch.ones(6)
    torch.testing.assert_close(uniform_kl(logits, labels, ones), xent(logits, labels))
    torch.testing.assert_close(soft_confer(logits, labels, ones, 0.8), xent(logits, labels))
    assert (edl_confer(logits, labels, ones, 0.0, **EVIDENCE) > 0).all()


def test_a_student_that_is_surer_learns_nothing_of_the_supervisor() -> None:
    logits, labels, _ = drawn(3)
    own, nothing = -torch.log_softmax(logits, dim=1).amax(dim=1), torch.zeros(5)
    torch.testing.assert_close(soft_confer(logits, labels, nothing, 0.8), 0.8 * own)
    torch.testing.assert_close(edl_confer(logits, labels, nothing, 1.5, **EVIDENCE), 1.5 * own)
    assert (slope(edl_confer(logits, labels, nothing, 0.0, **EVIDENCE), logits) == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_finite_where_probabilities_round(name: str, dtype: torch.dtype) -> None:
    logits = torch.zeros(12, 4, dtype=dtype)
    logits[:3, 0], logits[3:6, 0], logits[6:9, 0], logits[9:] = 1e4, -1e4, 30.0, -1e4
    logits.requires_grad_()
    strengths = torch.tensor([0.0, 0.6, 1.0] * 4)
    losses = LOSSES[name](logits, torch.zeros(12, dtype=torch.long), strengths)
    assert losses.dtype == torch.float32
    assert torch.isfinite(losses).all()
    assert torch.isfinite(slope(losses, logits)).all()


def test_a_sure_student_is_not_pushed_by_a_density_beyond_its_clamp() -> None:
    """Its evidence is the whole of S: z = 30 has S * KL(m || t) of 1e13 ln 2 at s = 1/2."""
    logits = torch.tensor([[30.0, 0.0, 0.0, 0.0]], requires_grad=True)
    half = torch.tensor([0.5])
    found = dir_loss(logits, LABEL, half)
    plain = uniform_kl(logits, LABEL, half)
    torch.testing.assert_close(found, plain + 1e6)
    torch.testing.assert_close(slope(found, logits), slope(plain, logits))
