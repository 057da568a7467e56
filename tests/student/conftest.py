"""Models for tests of students."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from tiny_models import llama_config, tokenizer


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(llama_config(layers=2)).save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)
