"""What a small instruct model knows, by how it is asked: our votes against an independent scorer.

The scorer is plain Transformers in float32, one text at a time: letters behind listed options and
cloze (the option behind the question alone), with and without the chat template, by sum, token and
character; for classes the label behind the text, raw and centred on the mean over the batch, and
divided by what it has behind "N/A". Ours is `answer: auto` with one query, chosen on rows of train.
Both see the same test rows. The ratio of a claim is our accuracy divided by the scorer's best
convention, which it chose with the truth of these rows and we without.

The model is a folder, `SmolLM2-135M-Instruct` in $STEELYARD_LLMS; without it nothing is done.
"""

import functools
import gzip
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.race import Claim, write
from steelyard.supervision import LanguageModelVoters, VoteRequest
from steelyard.types import Question, Split

SHARED = Path(__file__).parents[2] / "shared"
MODEL = "SmolLM2-135M-Instruct"
SETS = ("sst2", "arc_easy", "piqa", "trec", "hellaswag", "mmlu")
ITEMS, LABELLED = 80, 200
LETTERS = "ABCDEFGH"


def main(quick: bool, names: Sequence[str] = ()) -> None:
    folder = Path(os.environ.get("STEELYARD_LLMS", "")) / MODEL
    if not (folder / "config.json").is_file() or not (SHARED / "data").is_dir():
        print(f"conventions needs {MODEL} in $STEELYARD_LLMS and the shared data sets")
        return
    claims, figures = [], []
    for name in names or (SETS[:1] if quick else SETS):
        claim, figure = compare(
            str(folder), name, 10 if quick else ITEMS, 20 if quick else LABELLED
        )
        claims.append(claim)
        figures.append(figure)
        write("conventions", claims, {"sets": figures}, quick)


def compare(folder: str, name: str, items: int, labelled: int) -> tuple[Claim, dict[str, Any]]:
    kind, classes, questions, truth = read(name, "test", items)
    _, more, solved, right = read(name, "train", labelled)
    classes = max(classes, more, key=len)
    start = time.perf_counter()
    theirs = independent(folder, kind, classes, questions, truth)
    middle = time.perf_counter()
    voters = LanguageModelVoters(model=folder, queries=1)
    request = VoteRequest(kind, classes, (questions,), Split(tuple(solved), right))  # type: ignore[arg-type]
    (votes,) = voters.vote(request)
    ours = float((votes.answer == truth[votes.example]).mean())
    seconds = time.perf_counter() - middle
    best = max(theirs, key=lambda way: theirs[way])
    print(f"{name}: ours {ours:.3f}; independent, best {best} {theirs[best]:.3f}; {theirs}")
    print(f"  {' '.join(votes.notes)}", flush=True)
    ratio = ours / theirs[best]
    claim = Claim(
        f"accuracy, {name}", f"best of {len(theirs)} conventions", ratio, ratio, ratio, 1.0
    )
    figure = {
        "set": name,
        "items": items,
        "accuracy": ours,
        "asked": list(votes.notes),
        "warnings": list(votes.warnings),
        "independent": theirs,
        "majority_class": float(np.bincount(truth).max() / len(truth)),
        "seconds": {"steelyard, with its choice": seconds, "independent": middle - start},
    }
    return Claim(**{**vars(claim), "unit": "times as accurate"}), figure


def read(name: str, split: str, count: int) -> tuple[str, tuple[str, ...], list[Question], Any]:
    folder = SHARED / "data" / name
    with gzip.open(folder / f"{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    truth = np.array([row["label"] for row in rows])
    if "choices" in rows[0]:
        questions = [Question(str(r["id"]), r["question"], tuple(r["choices"])) for r in rows]
        classes = tuple(str(k) for k in range(max(len(q.choices) for q in questions)))
        return "multiple_choice", classes, questions, truth
    classes = tuple(json.loads((folder / "labels.json").read_text(encoding="utf-8")))
    return "classification", classes, [Question(str(r["id"]), r["text"]) for r in rows], truth


def independent(
    folder: str, kind: str, classes: Sequence[str], questions: Sequence[Question], truth: Any
) -> dict[str, float]:
    """Accuracy of each convention, by plain Transformers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    score = functools.cache(functools.partial(log_probs, model, tokenizer))
    found: dict[str, float] = {}
    for chat in (False, True):
        way = "chat" if chat else "plain"
        if kind == "multiple_choice":
            cloze = [score(f"Question: {q.text}\nAnswer:", q.choices, chat) for q in questions]
            for rule, sizes in rules(questions, tokenizer).items():
                scores = [np.divide(row, size) for row, size in zip(cloze, sizes, strict=True)]
                found[f"cloze, {way}, {rule}"] = right(scores, truth)
            letters = [tuple(LETTERS[: len(q.choices)]) for q in questions]
            pairs = zip(questions, letters, strict=True)
            found[f"letter, {way}"] = right(
                [score(listed(q), names, chat) for q, names in pairs], truth
            )
        else:
            raw = np.array([score(named(q.text, classes), tuple(classes), chat) for q in questions])
            empty = np.array(score(named("N/A", classes), tuple(classes), chat))
            found[f"label, {way}, raw"] = right(raw, truth)
            found[f"label, {way}, content-free"] = right(raw - empty, truth)
            found[f"label, {way}, centred"] = right(raw - raw.mean(axis=0), truth)
    return found


def rules(questions: Sequence[Question], tokenizer: Any) -> dict[str, list[list[int]]]:
    def sizes(size: Any) -> list[list[int]]:
        return [[max(1, size(text)) for text in question.choices] for question in questions]

    return {
        "sum": sizes(lambda text: 1),
        "token": sizes(lambda text: len(tokenizer(f" {text}")["input_ids"])),
        "character": sizes(len),
    }


def listed(question: Question) -> str:
    lines = [f"{LETTERS[k]}. {text}" for k, text in enumerate(question.choices)]
    return "\n".join([question.text, *lines, "Answer:"])


def named(text: str, classes: Sequence[str]) -> str:
    return f"{text}\nWhich of these fits the text: {', '.join(classes)}?\nAnswer:"


def log_probs(
    model: Any, tokenizer: Any, prompt: str, answers: tuple[str, ...], chat: bool
) -> list[float]:
    """ln P(answer | prompt) of each answer, a padded row of the whole text each."""
    if chat:
        turn = [{"role": "user", "content": prompt}]
        prompt = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    start = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    texts = [prompt + (answer if chat else f" {answer}") for answer in answers]
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    read = list(dict.fromkeys(tuple(tokens[:-1]) for tokens in rows))  # letters: the prompt alone
    ids = torch.zeros(len(read), max(map(len, read)), dtype=torch.long)
    for row, tokens in zip(ids, read, strict=True):
        row[: len(tokens)] = torch.tensor(tokens)
    with torch.inference_mode():  # padding behind a text changes nothing before it
        logs = torch.log_softmax(model(ids).logits[:, start - 1 :], dim=-1)
    return [
        sum(
            float(logs[read.index(tuple(tokens[:-1])), place, token])
            for place, token in enumerate(tokens[start:])
        )
        for tokens in rows
    ]


def right(scores: Any, truth: Any) -> float:
    best = [int(np.argmax(row)) for row in scores]
    return float(np.mean(np.array(best) == truth))


if __name__ == "__main__":
    main(False)
