"""Losses in chunks: the same numbers, and no float32 logits of all tokens."""

import pytest
import torch
from torch import Tensor

from answer_rows import cross_entropies
from steelyard.objectives import chunks
from steelyard.objectives.chunks import in_chunks
from steelyard.objectives.evidential_tokens import edl_step
from steelyard.objectives.tokens import soft, xent
from steelyard.objectives.uniform_tokens import dir_loss

TOKENS, WORDS = 50, 32_000


def drawn(tokens: int = TOKENS, words: int = WORDS) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(tokens, words, generator=generator).bfloat16().requires_grad_()
    labels = torch.randint(words, (tokens,), generator=generator)
    return logits, labels, torch.rand(tokens, generator=generator)


def saved_floats(entries: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """float32 numbers over the vocabulary that the graph of a loss holds."""
    monkeypatch.setattr(chunks, "CPU_ENTRIES", entries)
    held = []

    def pack(tensor: Tensor) -> Tensor:
        if tensor.dtype == torch.float32 and tensor.shape[-1:] == (WORDS,):
            held.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        in_chunks(soft, *drawn())
    return sum(held)


def test_no_float32_logits_of_all_tokens_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert saved_floats(TOKENS * WORDS, monkeypatch) >= TOKENS * WORDS  # in one piece they are
    assert saved_floats(8 * WORDS, monkeypatch) == 0


def test_each_chunk_is_computed_twice_and_none_is_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CPU_ENTRIES", 8 * 100)
    sizes = []

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        sizes.append(len(logits))
        return xent(logits, labels)

    logits, labels, _ = drawn(words=100)
    in_chunks(loss, logits, labels).sum().backward()
    assert sizes == [*[8] * 6, 2, 2, *[8] * 6]  # there, and back
    sizes.clear()
    with torch.inference_mode():
        in_chunks(loss, logits, labels)
    assert sizes == [*[8] * 6, 2]


@pytest.mark.parametrize("size", [1, 7, 50])
def test_chunks_change_no_loss_and_no_gradient(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    logits, labels, strengths = drawn(words=30)
    for loss in (soft, dir_loss, lambda *three: edl_step(*three, 0.3, kl_weight=0.1)):
        whole = loss(logits, labels, strengths)
        (gradient,) = torch.autograd.grad(whole.sum(), logits)
        monkeypatch.setattr(chunks, "CPU_ENTRIES", size * 30)
        parts = in_chunks(loss, logits, labels, strengths)
        torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-6)
        (again,) = torch.autograd.grad(parts.sum(), logits)
        assert torch.equal(again, gradient)


def test_answers_are_read_in_chunks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = drawn(words=30)[0].detach().reshape(5, 10, 30).requires_grad_()
    tokens = torch.arange(50).reshape(5, 10) % 30
    is_answer = (torch.arange(10) >= torch.arange(5)[:, None]) & (torch.arange(10) < 9)
    found = []
    for entries in (2**21, 90):
        monkeypatch.setattr(chunks, "CPU_ENTRIES", entries)
        losses = cross_entropies(logits, tokens, is_answer, is_answer.sum(dim=1))
        found.append((losses, *torch.autograd.grad(losses.sum(), logits)))
    for whole, parts in zip(*found, strict=True):
        assert torch.equal(whole, parts)


def test_it_is_finite_in_half_precision_where_the_label_is_certain() -> None:
    # z_l = 30 above 31,999 others: ln(1 - p_l) = ln 31999 - 30 = -19.63, and p_l rounds to 1.
    logits = torch.zeros(2, WORDS, dtype=torch.bfloat16)
    logits[:, 5] = 30
    logits.requires_grad_()
    labels, strengths = torch.tensor([5, 5]), torch.tensor([1.0, 0.5])
    losses = in_chunks(soft, logits, labels, strengths)
    losses.sum().backward()
    # s = 1: -ln p_l = 2.99e-9; s = .5: .5 ln .5 + .5 (ln .5 + 19.6265) = 9.1201
    assert losses.tolist() == pytest.approx([0, 9.1201], abs=1e-3)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[:, 5].tolist() == pytest.approx([0, 0.5], abs=1e-2)  # p - t
