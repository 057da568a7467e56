"""Continuations: seeded, cut by tokens, resumed, truncated from the left; their fluency."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from real_llms import real_llm
from steelyard.errors import InputError
from steelyard.generation.continuing import (
    CONTINUATIONS,
    Sampling,
    continue_prompts,
    load_generator,
    write_continuations,
)
from steelyard.generation.fluency import reference_log_probs
from steelyard.generation.prompts_file import GenerationPrompt, read_prompts
from steelyard.models.load import Pretrained

PROMPTS = [GenerationPrompt(name, f"the film is {name}") for name in ("a", "very", "not", "bad")]
SAMPLING = Sampling(samples=5, max_new_tokens=6)


@pytest.fixture(scope="module")
def loaded(llama: str) -> tuple[Any, Any]:
    return load_generator(Pretrained(model=llama))


def test_continuations_are_seeded_and_cut_by_tokens(loaded: tuple[Any, Any]) -> None:
    rows = continue_prompts(*loaded, PROMPTS, SAMPLING)
    assert [len(row.texts) for row in rows] == [5] * 4
    lengths = [len(text.split()) for row in rows for text in row.texts]
    assert max(lengths) <= 6
    assert "length" in {reason for row in rows for reason in row.finish_reasons}
    assert len({text for row in rows for text in row.texts}) > 10
    backwards = continue_prompts(*loaded, PROMPTS[::-1], SAMPLING)
    assert backwards[::-1] == rows  # the order of the file decides nothing
    other = continue_prompts(*loaded, PROMPTS, SAMPLING.model_copy(update={"seed": 1}))
    assert [row.texts for row in other] != [row.texts for row in rows]


def test_the_nucleus_is_the_fewest_tokens(loaded: tuple[Any, Any]) -> None:
    """With a small nucleus every continuation is the greedy one."""
    greedy = continue_prompts(*loaded, PROMPTS[:1], SAMPLING.model_copy(update={"top_p": 1e-6}))
    assert len(set(greedy[0].texts)) == 1


def test_a_stopped_run_goes_on(llama: str, tmp_path: Path) -> None:
    pretrained = Pretrained(model=llama)
    whole = write_continuations(pretrained, PROMPTS, SAMPLING, tmp_path / "whole")
    part = tmp_path / "part"
    write_continuations(pretrained, PROMPTS[:2], SAMPLING, part)
    path = part / CONTINUATIONS
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:30])  # killed in the middle of a line
    seen: list[tuple[int, int]] = []
    again = write_continuations(
        pretrained, PROMPTS, SAMPLING, part, lambda done, total: seen.append((done, total))
    )
    assert again == whole
    assert seen[0] == (1, 4)
    assert len(path.read_bytes().splitlines()) == 4


def test_other_settings_do_not_mix(llama: str, gpt2: str, tmp_path: Path) -> None:
    pretrained = Pretrained(model=llama)
    write_continuations(pretrained, PROMPTS[:1], SAMPLING, tmp_path)
    with pytest.raises(
        InputError, match=r"another `top_p` \(0\.9, now 0\.5\); give another folder"
    ):
        write_continuations(
            pretrained, PROMPTS, SAMPLING.model_copy(update={"top_p": 0.5}), tmp_path
        )
    with pytest.raises(InputError, match="another `model`"):
        write_continuations(Pretrained(model=gpt2), PROMPTS, SAMPLING, tmp_path)
    with pytest.raises(InputError, match="another prompt with the id 'a'"):
        write_continuations(pretrained, [GenerationPrompt("a", "film")], SAMPLING, tmp_path)


def test_a_long_prompt_loses_its_beginning(loaded: tuple[Any, Any]) -> None:
    """The context has 64 tokens: 58 of the prompt stay, and its end is continued."""
    words = ["good", "bad", "fine"] * 40
    (row,) = continue_prompts(*loaded, [GenerationPrompt("x", " ".join(words))], SAMPLING)
    assert row.truncated
    short = GenerationPrompt("x", " ".join(words[-58:]))
    (expected,) = continue_prompts(*loaded, [short], SAMPLING)
    assert not expected.truncated
    assert row.texts == expected.texts


def test_fluency_is_the_models_own_probability(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    rows = continue_prompts(model, tokenizer, PROMPTS, SAMPLING)
    log_probs, tokens = reference_log_probs(model, tokenizer, rows)
    for p, row in enumerate(rows):
        for j, text in enumerate(row.texts):
            if not text.strip():
                assert (log_probs[p, j], tokens[p, j]) == (0, 0)
                continue
            ids = tokenizer(row.prompt, add_special_tokens=False)["input_ids"]
            more = tokenizer(text, add_special_tokens=False)["input_ids"]
            with torch.no_grad():
                logits = model(torch.tensor([ids + more])).logits[0].double().log_softmax(-1)
            by_hand = sum(float(logits[len(ids) + t - 1, more[t]]) for t in range(len(more)))
            if tokens[p, j]:
                assert tokens[p, j] == len(more)
                assert log_probs[p, j] == pytest.approx(by_hand, abs=1e-4)
    assert (tokens > 0).any()


def test_a_real_model_continues() -> None:
    model, tokenizer = load_generator(Pretrained(model=real_llm()))
    prompt = GenerationPrompt("x", "The capital of France is")
    sampling = Sampling(samples=2, max_new_tokens=2, top_p=1e-6)
    (row,) = continue_prompts(model, tokenizer, [prompt], sampling)
    assert row.texts[0].startswith(" Paris")  # with the space between the words
    log_probs, tokens = reference_log_probs(model, tokenizer, [row])
    np.testing.assert_array_equal(tokens, [[2, 2]])
    assert (np.exp(log_probs / tokens) > 0.1).all()


def test_prompts_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    rows = [{"text": "So, I", "level": 0.7}, {"text": " and", "level": None}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    prompts = read_prompts(file, {"prompt": "text", "prompt_toxicity": "level"})
    assert prompts == [GenerationPrompt("1", "So, I", 0.7), GenerationPrompt("2", " and", None)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a"}], "line 1 has no text in `prompt`; its columns are text"),
        ([{"prompt": "a"}, {"prompt": " "}], "line 2 has no text in `prompt`"),
        ([{"prompt": 5}], "line 1 has no text"),
        (
            [{"id": "1", "prompt": "a"}, {"id": 1, "prompt": "b"}],
            "line 2: the id '1' is there twice",
        ),
        ([{"prompt": "a", "prompt_toxicity": 1.5}], "line 1: the prompt's toxicity 1.5 must be"),
        ([{"prompt": "a", "prompt_toxicity": float("nan")}], "toxicity nan must be from 0 to 1"),
        ([{"prompt": "a", "prompt_toxicity": "high"}], "toxicity 'high' must be from 0 to 1"),
    ],
)
def test_bad_prompts_are_refused(rows: Any, message: str, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=message):
        read_prompts(file)
