"""A last block that is computed for the first token alone gives the same logits and gradients."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from steelyard.models.first_token import FIRST_TOKEN_CLASSIFIERS, first_token_only

SIZES = {
    "vocab_size": 32,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
FAMILIES = {
    BertForSequenceClassification: BertConfig,
    RobertaForSequenceClassification: RobertaConfig,
    XLMRobertaForSequenceClassification: XLMRobertaConfig,
    ElectraForSequenceClassification: ElectraConfig,
}


def blocks(model: Any) -> Any:
    return model.base_model.encoder.layer


def logits_and_gradients(model: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(5, 32, (4, 9)))
    mask = torch.from_numpy((np.arange(9) < np.array([[9], [4], [1], [7]])).astype(np.int64))
    model.zero_grad()
    logits = model(input_ids=ids, attention_mask=mask).logits
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 1, 0])).backward()
    return logits.detach(), {
        name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
    }


def test_all_readers_are_tested() -> None:
    assert {family.__name__ for family in FAMILIES} == set(FIRST_TOKEN_CLASSIFIERS)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_gradients_are_those_of_the_whole_block(family: Any, attention: str) -> None:
    torch.manual_seed(0)
    config = FAMILIES[family](**SIZES, attn_implementation=attention)
    model = family(config).eval()
    logits, gradients = logits_and_gradients(model)
    with first_token_only(model, blocks(model)[-1]):
        narrow, narrow_gradients = logits_and_gradients(model)
        width = blocks(model)[-1](torch.zeros(2, 5, 16)).shape
    assert width == (2, 1, 16)
    torch.testing.assert_close(narrow, logits, atol=1e-6, rtol=1e-5)
    assert set(narrow_gradients) == set(gradients)
    for name, gradient in gradients.items():
        torch.testing.assert_close(narrow_gradients[name], gradient, atol=1e-6, rtol=1e-4)
    again, _ = logits_and_gradients(model)
    assert torch.equal(again, logits)  # outside, the block is what it was


def test_a_model_that_reads_elsewhere_keeps_its_block(tiny_llama: str) -> None:
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tiny_llama)
    last = model.base_model.layers[-1]
    with first_token_only(model, last):
        assert "forward" not in vars(last)
