"""The `api` supervisor against a real server: `transformers serve` on loopback, real weights."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from requests_for_tests import vote
from steelyard.errors import ConfigError
from steelyard.labelling import Items, label
from steelyard.store.reply_ledger import Ledger
from steelyard.supervision import Api
from steelyard.types import ABSTAIN, Question

TEMPLATE = "{%- for message in messages -%}{{ message['content'] }}{%- endfor -%}"
BEGINNINGS = ("Once upon a time", "The little dog", "Lily wanted to", "One day, Tim")
ITEMS = Items("generation", tuple(Question(f"q{i}", text) for i, text in enumerate(BEGINNINGS)), ())
WORDING = {"name": "raw", "template": "{item}"}


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, shared_data: Path
) -> Iterator[tuple[str, Path]]:
    """Address and folder of a served story teller; it has no chat template of its own."""
    pytest.importorskip("fastapi", reason="transformers[serving] is not installed")
    pytest.importorskip("uvicorn", reason="transformers[serving] is not installed")
    weights = shared_data.parent / "models" / "stories260K"
    if not weights.is_dir():
        pytest.skip(f"the model is not there: {weights}")
    folder = tmp_path_factory.mktemp("served") / "stories260K"
    shutil.copytree(weights, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder.parent / "server.log"
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)),
                *("--host", "127.0.0.1", "--port", str(port)),
                *("--device", "cpu", "--dtype", "float32"),
            ],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )
    try:
        for _ in range(600):
            if server.poll() is not None:
                pytest.fail(f"the server ended: {log.read_text()[-2000:]}")
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", folder
    finally:
        server.terminate()
        server.wait(timeout=30)


def api(served: tuple[str, Path], **changes: Any) -> Api:
    url, folder = served
    settings: dict[str, Any] = {"base_url": url, "model": str(folder), "wordings": [WORDING]}
    return Api(**{**settings, "queries": 1, "max_new_tokens": 12, "concurrency": 2, **changes})


def test_replies_are_what_the_model_writes_here(served: tuple[str, Path], tmp_path: Path) -> None:
    """Greedy continuations through the server and through `generate` are the same texts."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    result = label(ITEMS, [api(served)], tmp_path / "votes.jsonl")
    with Ledger(result.ledger) as ledger:
        asked = api(served).ask_all(ITEMS.questions, "generation", (), 0)
        queries = [api(served).query_of(one) for one in asked]
        kept = ledger.get([query.key for query in queries])
    tokenizer = AutoTokenizer.from_pretrained(served[1])
    model = AutoModelForCausalLM.from_pretrained(served[1], dtype=torch.float32)
    for query, beginning in zip(queries, BEGINNINGS, strict=True):
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": beginning}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        out = model.generate(**ids, max_new_tokens=12, do_sample=False)
        text = tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        assert kept[query.key]["text"] == text
        assert kept[query.key]["finish_reason"] == "length"
        assert kept[query.key]["completion_tokens"] == 12
        assert kept[query.key]["prompt_tokens"] == ids["input_ids"].shape[1]
    assert result.abstained == {"cut off": 4}
    assert len(result.models) == 1


def test_options_without_log_probabilities_are_read_from_the_text(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    """It tells stories and does not choose: it abstains, and says why."""
    questions = (Question("a", "Who is a girl?", ("Lily", "Tim")),)
    items = Items("multiple_choice", questions, ("0", "1"))
    settings = api(served, wordings=None, queries=4)
    result = label(items, [settings], tmp_path / "votes.jsonl")
    assert result.votes == 4
    votes = vote(settings, None, [questions], ("0", "1"), seed=0)[0]  # type: ignore[arg-type]
    assert votes.probs is None  # the server says that it ignores `logprobs`
    assert all((a == ABSTAIN) == bool(r) for a, r in zip(votes.answer, votes.reasons, strict=True))
    np.testing.assert_array_equal(votes.candidates, [2])


def test_a_model_that_it_does_not_serve_is_one_line(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"refuses the request \(400 Server is pinned to"):
        label(ITEMS, [api(served, model="nope")], tmp_path / "votes.jsonl")
