"""Losses of answers that a language model learns, and their mean, by hand."""

import pytest
import torch

from answer_rows import cross_entropies
from steelyard.objectives.answers import mean_over_answers


def test_the_loss_of_an_answer_is_of_its_tokens_alone() -> None:
    # Two words of probability 1/4, 3/4. Row 0: answer tokens 1, 0: -ln 3/4 - ln 1/4 = 1.673976.
    logits = torch.tensor([0.25, 0.75]).log().expand(2, 3, 2)
    tokens = torch.tensor([[0, 1, 0], [1, 1, 1]])
    is_answer = torch.tensor([[False, True, True], [False, False, True]])
    sums = cross_entropies(logits, tokens, is_answer, torch.tensor([2.0, 1.0]))
    assert sums.tolist() == pytest.approx([1.673976 / 2, 0.287682], abs=1e-6)


def test_the_loss_weighs_examples_and_answers() -> None:
    # (2 * (.3 * 1 + .7 * 2) + 1 * 3) / 2.
    losses = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    targets = torch.tensor([[0.3, 0.7], [1.0, 0.0]])
    loss = mean_over_answers(losses, targets, torch.tensor([2.0, 1.0]))
    assert loss.item() == pytest.approx((2 * 1.7 + 3) / 2)
