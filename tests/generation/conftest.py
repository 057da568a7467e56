"""Small generators as folders."""

from pathlib import Path

import pytest

from drawn_models import built


def saved(family: str, folder: Path) -> str:
    model, tokenizer = built(family)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved("llama", tmp_path_factory.mktemp("generators") / "llama")


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved("gpt2", tmp_path_factory.mktemp("generators") / "gpt2")
