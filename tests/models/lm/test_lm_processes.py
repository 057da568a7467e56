"""Two processes teach the language model that one would teach."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from steelyard.models.lm.finetune_lm import Adapters, Tuning, finetune_lm
from steelyard.models.load import Pretrained
from steelyard.prompts import PromptedQuestion
from steelyard.types import one_hot
from tiny_models import llama_config, tokenizer
from two_processes import in_two_processes

ITEMS = ["the film is fine", "a film was awful", "is very bad", "the plot was bad", "fine plot"]
WEIGHTS = np.array([8.0, 0.1, 0.2, 4, 0.1, 0.3, 9, 0.1, 0.5])
Outcome = tuple[list[float], dict[str, torch.Tensor]]


TIED = pytest.param(True, marks=pytest.mark.slow, id="tied")


@pytest.fixture(scope="module", params=[pytest.param(False, id="untied"), TIED])
def causal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    config = llama_config(layers=2)
    config.tie_word_embeddings = request.param
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)


def taught(model: str, changes: dict[str, Any]) -> Outcome:
    """Losses and parameters after teaching nine answers."""
    plain = {"precision": "fp32", "learning_rate": 1e-2, "epochs": 2, "batch_size": 4}
    tuning = Tuning(**{**plain, "warmup": 0.0, **changes})
    asked = [
        PromptedQuestion(str(i), "plain", f"a plot {ITEMS[i % 5]} is", (" good", " very bad"))
        for i in range(9)
    ]
    targets = one_hot(np.array([0, 1, 1, 1, 0, 0, 1, 0, 1]), 2)
    made = finetune_lm(Pretrained(model=model), tuning, asked, targets, WEIGHTS, seed=1)
    assert all(type(p) is torch.nn.Parameter for p in made.model.parameters())
    return made.log.loss, {name: p.detach() for name, p in made.model.named_parameters()}


ALL = {"lora": None}
ADAPTERS = {"lora": Adapters(rank=2, dropout=0.0), "learning_rate": 1e-3}
CHECKPOINTED = {**ALL, "gradient_checkpointing": True, "token_budget": 64, "batch_size": 9}


@pytest.mark.parametrize(
    ("changes", "sharded"),
    [
        (ALL, False),
        (ADAPTERS, False),
        pytest.param(CHECKPOINTED, False, marks=pytest.mark.slow),
        *(pytest.param(of, True, marks=pytest.mark.slow) for of in (ALL, ADAPTERS, CHECKPOINTED)),
    ],
    ids=[f"{of} {by}" for by in ("ddp", "fsdp2") for of in ("all", "adapters", "checkpointed")],
)
def test_two_processes_follow_the_loss_of_one(
    causal: str, tmp_path: Path, changes: dict[str, Any], sharded: bool
) -> None:
    first, second = in_two_processes(taught, causal, changes, folder=tmp_path, sharded=sharded)
    alone = taught(causal, changes)
    np.testing.assert_allclose(first[0], second[0], atol=0)
    np.testing.assert_allclose(alone[0], first[0], atol=2e-5)
    assert alone[1].keys() == first[1].keys()
    for name, value in alone[1].items():
        torch.testing.assert_close(value, first[1][name], atol=1e-3, rtol=0, msg=name)
