"""Causal models for tests: drawn ones of every family, and a small pretrained one."""

from typing import Any

import pytest

from drawn_models import CONFIGS, built
from shared_data import MODELS
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.load import Pretrained, load_tokenizer


@pytest.fixture(scope="module", params=list(CONFIGS))
def tiny(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A model with random weights, large enough that answers differ, and its tokenizer."""
    return built(request.param)


@pytest.fixture(scope="module")
def llama() -> tuple[Any, Any]:
    return built("llama")


@pytest.fixture(scope="module")
def stories() -> tuple[Any, Any]:
    folder = MODELS / "stories260K"
    if not folder.is_dir():
        pytest.skip(f"the pretrained model is not there: {folder}")
    pretrained = Pretrained(model=str(folder))
    return load_causal(pretrained, precision="fp32"), load_tokenizer(pretrained)
