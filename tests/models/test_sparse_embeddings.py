"""Rows that no text uses are left out of training, and nothing else changes."""

import numpy as np
import pytest
import torch

from steelyard.models.batches import Batcher, plan_steps
from steelyard.models.encode import encode
from steelyard.models.finetune import Finetuning, Lora, with_adapters
from steelyard.models.load import load_classifier, load_tokenizer
from steelyard.models.sparse_embeddings import only_rows_in_use
from steelyard.models.train import train
from steelyard.objectives.one_label import cross_entropy
from steelyard.types import Question, one_hot

TEXTS = ["good film", "the plot is awful", "a fine film", "very good", "not fine", "a"]
LABELS = one_hot(np.array([0, 1, 0, 0, 1, 1]), 2)
WEIGHTS = np.array([1.0, 0.5, 2.0, 1.0, 1.0, 0.5])
FAMILIES = ("tiny_bert", "tiny_llama", "tiny_gpt2")


def settings(model: str) -> Finetuning:
    return Finetuning(
        model=model, precision="fp32", batch_size=4, learning_rate=1e-2, weight_decay=0.1
    )


def questions() -> list[Question]:
    return [Question(str(i), text) for i, text in enumerate(TEXTS)]


@pytest.mark.parametrize("family", FAMILIES)
def test_three_steps_are_those_of_a_plain_padded_loop(
    family: str, request: pytest.FixtureRequest
) -> None:
    chosen = settings(request.getfixturevalue(family)).model_copy(update={"token_budget": 6})
    tokenizer = load_tokenizer(chosen)
    encoded = encode(tokenizer, questions(), 32)
    ours, plain = (load_classifier(chosen, 2, 0.0, 1) for _ in range(2))
    log = train(ours, Batcher(encoded), LABELS, WEIGHTS, chosen, steps=3, seed=0)

    # Every example alone and unpadded, the whole embedding table, torch's plain AdamW.
    groups = [
        {"params": [p for p in plain.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in plain.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, fused=False)
    losses = []
    for rate, rows in zip(log.learning_rate, plan_steps(encoded.costs, 4, 3, 0), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        alone = [
            plain_logits(plain, encoded.tokens[encoded.starts[i] :][: encoded.lengths[i]])
            for i in rows
        ]
        labels, weights = (torch.from_numpy(v[rows]).float() for v in (LABELS, WEIGHTS))
        loss = cross_entropy(torch.cat(alone), labels, weights)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), chosen.max_grad_norm)
        optimizer.step()
        losses.append(loss.item())

    np.testing.assert_allclose(log.loss, losses, atol=1e-5)
    expected = dict(plain.named_parameters())
    for name, value in ours.named_parameters():
        torch.testing.assert_close(value, expected[name], atol=2e-5, rtol=0, msg=name)


def plain_logits(model: torch.nn.Module, tokens: np.ndarray) -> torch.Tensor:
    ids = torch.from_numpy(tokens.astype(np.int64))[None]
    inner = model.base_model(input_ids=ids)
    if hasattr(model, "score"):  # a decoder reads its last token
        return model.score(inner.last_hidden_state[:, -1])
    return model(input_ids=ids).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_inside_only_rows_in_use_exist_and_outside_all_are_back(
    family: str, request: pytest.FixtureRequest
) -> None:
    chosen = settings(request.getfixturevalue(family))
    encoded = encode(load_tokenizer(chosen), questions(), 32)
    model = load_classifier(chosen, 2, 0.0, 1)
    table = model.get_input_embeddings()
    before, pad, inputs = table.weight.detach().clone(), table.padding_idx, Batcher(encoded).inputs
    logits = model.base_model(**inputs(np.arange(6))).last_hidden_state
    used = np.union1d(encoded.tokens, [encoded.pad, 0 if pad is None else pad])
    with only_rows_in_use(model, encoded, [0.5, 0.25], 0.1):
        assert table.weight.shape == (len(used), before.shape[1])
        torch.testing.assert_close(
            model.base_model(**inputs(np.arange(6))).last_hidden_state, logits, atol=0, rtol=0
        )
        with pytest.raises(IndexError):
            table(torch.tensor([31]))  # no text has this token
    assert (table.padding_idx, len(table._forward_pre_hooks)) == (pad, 0)
    # Learning rates .5 and .25, decay .1: (1 - .05) (1 - .025) = .92625 for rows not in use.
    unused = np.setdiff1d(np.arange(len(before)), used)
    assert len(unused)
    torch.testing.assert_close(table.weight[unused], before[unused] * 0.92625)
    assert torch.equal(table.weight[used], before[used])


def test_an_error_inside_leaves_the_table_whole(tiny_bert: str) -> None:
    chosen = settings(tiny_bert)
    encoded = encode(load_tokenizer(chosen), questions(), 32)
    model = load_classifier(chosen, 2, 0.0, 1)
    before = model.get_input_embeddings().weight
    with pytest.raises(KeyboardInterrupt), only_rows_in_use(model, encoded, [], 0.1):
        raise KeyboardInterrupt
    assert model.get_input_embeddings().weight is before


def test_a_table_that_is_frozen_or_shared_is_left_alone(tiny_bert: str, tiny_gpt2: str) -> None:
    from transformers import AutoModelForCausalLM

    encoded = encode(load_tokenizer(settings(tiny_bert)), questions(), 32)
    frozen = with_adapters(
        load_classifier(settings(tiny_bert), 2, 0.0, 1), Lora(rank=2), "SEQ_CLS", 0
    )
    shared = AutoModelForCausalLM.from_pretrained(tiny_gpt2)  # its output layer is its table
    for model in (frozen, shared):
        table = model.get_input_embeddings()
        with only_rows_in_use(model, encoded, [0.5], 0.1):
            assert len(table.weight) == 32
            assert not table._forward_pre_hooks
