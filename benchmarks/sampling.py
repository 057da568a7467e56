"""n sampled answers to each question: `sample_replies` against `model.generate`.

Real GSM8K questions, temperature 1, every reply of the same length, so that tokens per second
compare; the same precision on both sides. `generate(num_return_sequences=n)` reads the prompt n
times and takes one question at a time; where there are several questions, it is also given all of
them at once, padded on the left, as many rows as ours. Before times are compared, greedy replies
must be equal, and the frequencies of first tokens must be the model's. One case has real ends:
replies of a model that was taught to end, of which the finished ones leave the batch.
"""

import functools
import gzip
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.asking import SHARED, loaded
from benchmarks.race import Claim, Way, claims, race, write
from steelyard.models.lm.prompt_tokens import prompt_tokens
from steelyard.models.lm.sampling import sample_replies
from steelyard.models.precision import Precision, autocast
from steelyard.prompts import PromptedQuestion

ANSWERS = 10  # to each question


@dataclass(frozen=True)
class Case:
    """Replies to questions by a model."""

    model: str
    questions: int
    new_tokens: int
    shots: int = 0  # worked examples before each question
    precision: Precision = "fp32"  # of matrix products, on every side
    ends: bool = False  # whether replies end where the model ends them

    @property
    def name(self) -> str:
        more = f", {self.shots} examples" if self.shots else ""
        more += ", real ends" if self.ends else ""
        return f"sampling, {self.questions} x {ANSWERS}, {self.model}, {self.precision}{more}"


CASES = (
    Case("gpt2-small", 1, 60),
    Case("gpt2-small", 1, 60, shots=4),
    Case("gpt2-small", 1, 60, precision="bf16"),
    Case("gpt2-small", 3, 60, precision="bf16"),
    Case("nlu-llama-base", 1, 100),
    Case("nlu-llama-base", 8, 100),
    Case("nlu-llama-base", 8, 100, ends=True),
)


def main(quick: bool, names: Sequence[str] = ()) -> None:
    if not (SHARED / "models").is_dir() or not (SHARED / "data").is_dir():
        print("sampling needs the shared models and data sets, which are not there")
        return
    found: list[Claim] = []
    figures = []
    for case in CASES:
        large = case.model == "gpt2-small"
        if all(name in case.name for name in names) and not (quick and large):
            made, figure = compare(case, quick)
            found += made
            figures.append(figure)
    write("sampling", found, {"cases": figures}, quick or bool(names))


def compare(case: Case, quick: bool) -> tuple[list[Claim], dict[str, Any]]:
    model, tokenizer = loaded(case.model)
    if not case.ends:
        model.generation_config.eos_token_id = tokenizer.eos_token = None
    new_tokens = 10 if quick else case.new_tokens
    prompts = gsm8k(case.questions, case.shots)
    greedy(model, tokenizer, prompts, new_tokens)
    first_tokens(model, tokenizer, prompts[0])
    run = (model, tokenizer, prompts, new_tokens, case.precision)
    ways = [
        Way("steelyard", functools.partial(ours, *run)),
        Way(f"generate, {ANSWERS} of one question", functools.partial(one_by_one, *run)),
        Way("generate, all questions at once", functools.partial(at_once, *run)),
    ][: 2 if case.questions == 1 else 3]
    timed = race(ways, 1 if quick else 3, lambda _: None)
    written = ANSWERS * case.questions * new_tokens
    speeds = {one.name: written / one.median for one in timed}
    said = ", ".join(f"{name} {speed:.0f}" for name, speed in speeds.items())
    print(f"{case.name}: {new_tokens} new tokens; per second: {said}", flush=True)
    targets = [2.0, None][: len(timed) - 1]
    return claims(case.name, timed, targets), {"case": case.name, "tokens_per_second": speeds}


def gsm8k(count: int, shots: int = 0) -> list[str]:
    """Questions, each behind the same `shots` others with their solutions."""
    with gzip.open(SHARED / "data" / "gsm8k" / "test.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in itertools.islice(lines, count + shots)]
    solved = [f"Question: {row['prompt']}\nAnswer: {row['rationale']}\n\n" for row in rows[count:]]
    return [f"{''.join(solved)}Question: {row['prompt']}\nAnswer:" for row in rows[:count]]


def ours(
    model: Any, tokenizer: Any, prompts: Sequence[str], new_tokens: int, precision: Precision
) -> Any:
    asked = [
        PromptedQuestion(str(q), str(n), prompt, seed=ANSWERS * q + n)
        for q, prompt in enumerate(prompts)
        for n in range(ANSWERS)
    ]
    return sample_replies(
        model, tokenizer, asked, max_new_tokens=new_tokens, temperature=1.0, precision=precision
    )


def one_by_one(
    model: Any, tokenizer: Any, prompts: Sequence[str], new_tokens: int, precision: Precision
) -> Any:
    return [
        text for one in prompts for text in at_once(model, tokenizer, [one], new_tokens, precision)
    ]


def at_once(
    model: Any, tokenizer: Any, prompts: Sequence[str], new_tokens: int, precision: Precision
) -> Any:
    rows = prompt_tokens(tokenizer, prompts)
    width = max(map(len, rows))
    ids, mask = torch.zeros(2, len(rows), width, dtype=torch.long)
    for row, tokens in enumerate(rows):
        ids[row, width - len(tokens) :] = torch.tensor(tokens)
        mask[row, width - len(tokens) :] = 1
    with autocast(model, precision):
        out = model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=new_tokens,
            num_return_sequences=ANSWERS,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            pad_token_id=0,
        )
    return tokenizer.batch_decode(out[:, width:], skip_special_tokens=True)


def greedy(model: Any, tokenizer: Any, prompts: Sequence[str], new_tokens: int) -> None:
    """Replies without a draw are those of `generate`."""
    asked = [PromptedQuestion(str(q), "0", prompt) for q, prompt in enumerate(prompts)]
    replies = sample_replies(model, tokenizer, asked, max_new_tokens=new_tokens)
    for reply, ids in zip(replies, prompt_tokens(tokenizer, prompts), strict=True):
        row = torch.tensor([ids])
        out = model.generate(
            row,
            attention_mask=torch.ones_like(row),
            max_new_tokens=new_tokens,
            do_sample=False,
            pad_token_id=0,
        )
        assert reply.text == tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True)


def first_tokens(model: Any, tokenizer: Any, prompt: str, draws: int = 300) -> None:
    """Frequencies of sampled first tokens: each text's within 5 standard errors of its P."""
    asked = [PromptedQuestion("q", "0", prompt, seed=n) for n in range(draws)]
    replies = sample_replies(model, tokenizer, asked, max_new_tokens=1, temperature=1.0)
    with torch.inference_mode():
        logits = model(torch.tensor(prompt_tokens(tokenizer, [prompt]))).logits[0, -1].double()
    probs = torch.softmax(logits, dim=-1).tolist()
    texts = tokenizer.batch_decode(torch.arange(len(probs))[:, None], skip_special_tokens=True)
    likely = sorted(zip(probs, texts, strict=True), reverse=True)[:20]
    for text in {text for _, text in likely}:
        p = sum(q for q, other in zip(probs, texts, strict=True) if other == text)
        share = sum(reply.text == text for reply in replies) / draws
        assert abs(share - p) <= 5 * (p * (1 - p) / draws) ** 0.5 + 1e-9
