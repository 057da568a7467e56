"""Closed questions put to a language model in K ways: trees of prompts against one by one.

Ours is `score_options`: what a question's prompts share is read once. Against it, on the same
prompts and the same weights, in float32:

- every option with its whole prompt, a row each, sorted by length, padded on the right, in batches
  of as many tokens as ours; the output layer at the options' tokens only. Scores must be equal.
- `model.generate`, one prompt at a time, greedy, 50 or 5 new tokens, as reference implementations
  of weak supervision do. One prompt is timed and scaled up to all. The probabilities behind
  the first token it writes must be ours, where options are single tokens.

A GPT-2 of the small shape (124 M parameters) has random weights and a tokenizer of 4,096 tokens.
"""

import functools
import gzip
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.race import Claim, Timed, Way, claims, race, write
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.option_scores import BATCH_TOKENS, score_options
from steelyard.models.lm.prompt_tokens import answer_tokens, prompt_tokens
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.prompts import PromptedQuestion, PromptSettings
from steelyard.types import Question

SHARED = Path(__file__).parents[2] / "shared"
QUERIES = 5  # prompts of each question: wordings and option orders vary
GENERATED = 1  # prompts that `generate` is timed on, for each model and data set


@dataclass(frozen=True)
class Case:
    """Questions of a data set to a model."""

    model: str
    data: str
    items: int
    few: int  # items of a quick run, none to leave it out
    answer: str | None = None  # "letter" or "text"

    @property
    def name(self) -> str:
        return f"asking, {self.data}, {self.model}"


CASES = (
    Case("gpt2-small", "mmlu", 1, 0, "letter"),
    Case("gpt2-small", "hellaswag", 1, 0, "text"),
    Case("gpt2-small", "sst2", 2, 1),
    Case("gpt2-small", "ethics_cm", 1, 0),
    Case("nlu-llama-base", "mmlu", 40, 4, "letter"),
    Case("nlu-llama-base", "sst2", 60, 4),
    Case("stories260K", "sst2", 60, 0),
)


def main(quick: bool, names: Sequence[str] = ()) -> None:
    if not (SHARED / "models").is_dir() or not (SHARED / "data").is_dir():
        print("asking needs the shared models and data sets, which are not there")
        return
    found: list[Claim] = []
    figures = []
    for case in CASES:
        if all(name in case.name for name in names) and (case.few or not quick):
            made, figure = compare(case, quick)
            found += made
            figures.append(figure)
    write("asking", found, {"cases": figures}, quick or bool(names))


def compare(case: Case, quick: bool) -> tuple[list[Claim], dict[str, Any]]:
    model, tokenizer = loaded(case.model)
    limit = min(model.config.max_position_embeddings, tokenizer.model_max_length) - 64
    asked = questions(case, tokenizer, limit, case.few if quick else case.items)
    some = asked[:: max(1, len(asked) // GENERATED)][: 1 if quick else GENERATED]
    ways = [
        Way("steelyard", functools.partial(tree_scores, model, tokenizer, asked)),
        Way("whole prompts", functools.partial(whole_prompts, model, tokenizer, asked)),
        Way("generate, 5 tokens", functools.partial(one_by_one, model, tokenizer, some, 5)),
        Way("generate, 50 tokens", functools.partial(one_by_one, model, tokenizer, some, 50)),
    ]
    rows = [asked.index(one) for one in some]
    timed = race(ways, 1 if quick else 3, functools.partial(agree, rows))
    timed[2:] = [scaled(one, len(asked) / len(some)) for one in timed[2:]]
    items = len(asked) // QUERIES
    ours, theirs, generated = tokens(model, tokenizer, asked)
    figure = {
        "case": case.name,
        "prompts": len(asked),
        "tokens": {"steelyard": ours, "whole prompts": theirs, "generate": generated},
        "items_per_second": {one.name: items / one.median for one in timed},
    }
    speeds = ", ".join(f"{one.name} {items / one.median:.2f}" for one in timed)
    print(f"{case.name}: {items} questions x {QUERIES}; per second: {speeds}")
    print(
        f"  tokens read: {ours} ours, {theirs} whole prompts: bound {theirs / ours:.2f} x",
        flush=True,
    )
    return claims(case.name, timed, [3.0, None, 20.0]), figure


def scaled(timed: Timed, factor: float) -> Timed:
    return replace(timed, seconds=tuple(factor * one for one in timed.seconds))


def loaded(name: str) -> tuple[Any, Any]:
    if name != "gpt2-small":
        pretrained = Pretrained(model=str(SHARED / "models" / name))
        return load_causal(pretrained, precision="fp32"), load_tokenizer(pretrained)
    tokenizer = load_tokenizer(Pretrained(model=str(SHARED / "models" / "nlu-llama-base")))
    tokenizer.model_max_length = 1024
    return gpt2_small(), tokenizer


def gpt2_small() -> Any:
    """124 M random parameters, and an attention as `load_causal` chooses it."""
    from transformers import AutoModelForCausalLM, GPT2Config

    torch.manual_seed(0)
    config = GPT2Config(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


def questions(case: Case, tokenizer: Any, limit: int, count: int) -> list[PromptedQuestion]:
    """Prompts of the first `count` questions that fit without a cut."""
    kind = "multiple_choice" if case.answer else "classification"
    folder = SHARED / "data" / case.data
    classes = () if case.answer else tuple(json.loads((folder / "labels.json").read_text()))
    asking = PromptSettings(queries=QUERIES, answer=case.answer)
    found: list[PromptedQuestion] = []
    with gzip.open(folder / "test.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            text = row.get("question") or row["text"]
            question = Question(row["id"], text, tuple(row.get("choices", ())))
            asked = [asking.ask(question, kind, classes, query, 0) for query in range(QUERIES)]
            texts = [one.prompt + max(one.answers, key=len) for one in asked]
            if max(map(len, prompt_tokens(tokenizer, texts))) <= limit:
                found += asked
            if len(found) == count * QUERIES:
                break
    return found


def tree_scores(model: Any, tokenizer: Any, asked: Sequence[PromptedQuestion]) -> Any:
    return score_options(model, tokenizer, asked).log_probs


def whole_prompts(model: Any, tokenizer: Any, asked: Sequence[PromptedQuestion]) -> Any:
    """ln P of every answer, (N, K), each read with all of its prompt."""
    sums = np.full((len(asked), max(len(one.answers) for one in asked)), -np.inf)
    texts = []
    prompts = prompt_tokens(tokenizer, [one.prompt for one in asked])
    for i, (one, prompt) in enumerate(zip(asked, prompts, strict=True)):
        for k, answer in enumerate(answer_tokens(tokenizer, one.prompt, one.answers)):
            texts.append((i, k, prompt, answer))
    texts.sort(key=lambda text: -len(text[2]) - len(text[3]))
    while texts:
        size = max(1, BATCH_TOKENS // (len(texts[0][2]) + len(texts[0][3])))
        part, texts = texts[:size], texts[size:]
        width = len(part[0][2]) + len(part[0][3]) - 1
        ids, mask = torch.zeros(2, len(part), width, dtype=torch.long)
        at: list[tuple[int, int, int]] = []  # row, place and token of every answer's token
        for row, (_, _, prompt, answer) in enumerate(part):
            whole = [*prompt, *answer[:-1]]
            ids[row, : len(whole)] = torch.tensor(whole)
            mask[row, : len(whole)] = 1
            at += [(row, len(prompt) - 1 + j, token) for j, token in enumerate(answer)]
        rows, places, following = torch.tensor(at).T
        with torch.inference_mode():
            hidden = model.base_model(ids, attention_mask=mask, use_cache=False)[0]
            logits = model.lm_head(hidden[rows, places]).float()
            logs = torch.log_softmax(logits, dim=-1)[torch.arange(len(at)), following].double()
        total = torch.zeros(len(part), dtype=torch.float64).index_add_(0, rows, logs)
        for (i, k, _, _), log in zip(part, total.tolist(), strict=True):
            sums[i, k] = log
    return sums


def one_by_one(
    model: Any, tokenizer: Any, asked: Sequence[PromptedQuestion], new_tokens: int
) -> Any:
    """ln P of each answer's first token, (N, K), after a whole reply was written and decoded."""
    found = []
    for one in asked:
        ids = torch.tensor(prompt_tokens(tokenizer, [one.prompt]))
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
        tokenizer.decode(out.sequences[0, ids.shape[1] :], skip_special_tokens=True)
        answers = answer_tokens(tokenizer, one.prompt, one.answers)
        logs = torch.log_softmax(out.logits[0][0].float(), dim=-1)
        found.append([float(logs[a[0]]) if len(a) == 1 else np.nan for a in answers])
    return np.array(found)


def agree(rows: Sequence[int], results: Sequence[Any]) -> None:
    ours, whole, *written = results
    np.testing.assert_allclose(ours, whole, rtol=0, atol=1e-4)
    for first in written:
        single = np.isfinite(first)
        np.testing.assert_allclose(ours[rows][single], first[single], rtol=0, atol=1e-4)


def tokens(model: Any, tokenizer: Any, asked: Sequence[PromptedQuestion]) -> tuple[int, int, int]:
    """How many each way reads: distinct beginnings, whole texts, prompts."""
    prompts = prompt_tokens(tokenizer, [one.prompt for one in asked])
    ours = whole = 0
    for _, group in itertools.groupby(range(len(asked)), key=lambda i: asked[i].id):
        beginnings = set()
        for i in group:
            for answer in answer_tokens(tokenizer, asked[i].prompt, asked[i].answers):
                text = tuple(prompts[i] + answer[:-1])
                beginnings |= {text[: end + 1] for end in range(len(text))}
                whole += len(text)
        ours += len(beginnings)
    return ours, whole, sum(map(len, prompts))
