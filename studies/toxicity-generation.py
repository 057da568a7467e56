"""A weak scorer chooses what a language model learns to write.

`STEELYARD_LLMS=MODELS python studies/toxicity-generation.py FOLDER [SEED...]`, where MODELS has
SmolLM2-135M-Instruct. Each seed continues the test prompts with the model as it is, with the model
fine-tuned on the least toxic of 25 continuations by a weak scorer (trained on 100 texts), and with
the control, fine-tuned on a random one. Another scorer, trained on about 3,000 other texts,
measures. All is kept in FOLDER, so that a stopped run resumes and seeds may run in several
processes; the last call writes studies/results/toxicity-generation.json of the seeds that are done.
Data: Gehman et al. 2020, RealToxicityPrompts (the selection of DecodingTrust). Offensive content.
"""

import datetime
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steelyard.data import read_labelled
from steelyard.generation.classifier_scorers import TrainedScorer
from steelyard.generation.continuing import Sampling, load_generator, write_continuations
from steelyard.generation.learning import CompletionRows, best_of_n, random_of_n
from steelyard.generation.prompts_file import GenerationPrompt
from steelyard.generation.scored import (
    SCORED,
    ScoredContinuations,
    read_scored,
    score_continuations,
    write_scored,
)
from steelyard.generation.summary import summarise
from steelyard.io.rows import read_rows
from steelyard.models.lm.finetune_lm import Tuning, finetune_lm
from steelyard.models.load import Pretrained
from steelyard.student import Classifier, TrainingData, TrainingOptions
from steelyard.student.saved import save_model
from steelyard.types import one_hot

DATA = Path(__file__).parent / "../../shared/data/real_toxicity_prompts"
KEPT = Path(__file__).parent / "results" / "toxicity-generation.json"
CLASSES = ("nontoxic", "toxic")
TRAIN_PROMPTS, TEST_PROMPTS = 24, 10  # half of them toxic
WEAK_ROWS = 100
ARMS = ("base", "best_of_25", "random_of_25")
TUNING = Tuning(epochs=4, learning_rate=5e-4, batch_size=8, max_tokens=96, precision="fp32")


def main(folder: Path, seeds: list[int]) -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    folder.mkdir(parents=True, exist_ok=True)
    prompts, texts = data(folder)
    weak = scorer(folder, "weak", texts[:WEAK_ROWS])
    strong = scorer(folder, "strong", texts[WEAK_ROWS:])
    base = Path(os.environ["STEELYARD_LLMS"]) / "SmolLM2-135M-Instruct"
    pretrained = Pretrained(model=str(base))
    for seed in seeds:
        tuned = {
            "base": pretrained,
            **tune(folder / f"seed{seed}", pretrained, prompts["train"], weak, seed),
        }
        reference = (base.name, *load_generator(pretrained))
        for arm in ARMS:
            target = folder / f"seed{seed}" / arm
            if (target / SCORED).exists():
                continue
            sampling = Sampling(seed=1000 + seed, precision="bf16")
            rows = write_continuations(tuned[arm], prompts["test"], sampling, target)
            for name, judge in (("weak", weak), (".", strong)):
                (target / name).mkdir(exist_ok=True)
                fluent = reference if judge is strong else None
                scored = score_continuations(judge, prompts["test"], rows, fluent)
                write_scored(scored, rows, target / name / SCORED)
            print(f"seed {seed}: {arm} is scored", flush=True)
    keep(folder, strong, weak)


def data(folder: Path) -> tuple[dict[str, list[GenerationPrompt]], list[tuple[str, float]]]:
    """Prompts to train and test on, and texts of other rows with their toxicity for scorers."""
    rng = np.random.default_rng(0)
    prompts: dict[str, list[GenerationPrompt]] = {}
    rest: list[tuple[str, float]] = []
    for part, size in (("train", TRAIN_PROMPTS), ("test", TEST_PROMPTS)):
        rows = [row for _, row in read_rows(DATA / f"{part}.jsonl.gz")]
        order = rng.permutation(len(rows)).tolist()
        toxic = [i for i in order if rows[i]["prompt_toxicity"] >= 0.5][: size // 2]
        other = [i for i in order if rows[i]["prompt_toxicity"] < 0.5][: size // 2]
        drawn = {*toxic, *other}
        prompts[part] = [
            GenerationPrompt(rows[i]["id"], rows[i]["text"], rows[i]["prompt_toxicity"])
            for i in sorted(drawn)
        ]
        pairs = [
            pair
            for i in order
            if i not in drawn
            for pair in (
                (rows[i]["text"], rows[i]["prompt_toxicity"]),
                (rows[i]["continuation"], rows[i]["continuation_toxicity"]),
            )
            if pair[0].strip() and pair[1] is not None
        ]
        if part == "train":
            rest = pairs
        else:
            write_labelled(folder / "scorer-test.jsonl", pairs)
    return prompts, rest


def write_labelled(path: Path, pairs: list[tuple[str, float]]) -> None:
    rows = [
        {"id": str(i), "text": text, "label": CLASSES[int(level >= 0.5)]}
        for i, (text, level) in enumerate(pairs)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def scorer(folder: Path, name: str, texts: list[tuple[str, float]]) -> TrainedScorer:
    """A MiniLM classifier trained on texts, kept as a folder of `steelyard train`."""
    target = folder / f"{name}-scorer"
    if not target.exists():
        write_labelled(folder / f"{name}-scorer.jsonl", texts)
        split = read_labelled("classification", folder / f"{name}-scorer.jsonl", CLASSES)
        settings = {"train_layers": 2, "learning_rate": 2e-4, "max_tokens": 64}
        student = Classifier(epochs=8 if len(texts) <= WEAK_ROWS else 2, **settings)
        targets = one_hot(split.truth, 2)
        training = TrainingData(
            "classification", CLASSES, split.questions, targets, np.ones(len(targets))
        )
        trained = student.fit(training, TrainingOptions(seed=0))
        save_model(trained, target, "classification", CLASSES)
    return TrainedScorer(model=str(target), of="toxic", test=folder / "scorer-test.jsonl")


def tune(
    folder: Path,
    pretrained: Pretrained,
    prompts: list[GenerationPrompt],
    weak: TrainedScorer,
    seed: int,
) -> dict[str, Pretrained]:
    """The models that learned continuations which the weak scorer, or chance, has chosen."""
    rows = write_continuations(pretrained, prompts, Sampling(seed=0), folder.parent / "train")
    scored = score_continuations(weak, prompts, rows)
    chosen: dict[str, CompletionRows] = {
        "best_of_25": best_of_n(scored),
        "random_of_25": random_of_n(scored, seed),
    }
    models = {}
    for name, completions in chosen.items():
        target = folder / f"{name}-model"
        if not (target / "config.json").exists():
            learned = (completions.prompted(), completions.targets, completions.weights)
            finetune_lm(pretrained, TUNING, *learned, seed=seed).save(target)
            print(f"seed {seed}: {name} is trained", flush=True)
        models[name] = Pretrained(model=str(target))
    return models


def keep(folder: Path, strong: TrainedScorer, weak: TrainedScorer) -> None:
    """Write the results of all seeds that are done, by both scorers."""
    done = [
        path
        for path in sorted(folder.glob("seed*"))
        if all((path / arm / SCORED).exists() for arm in ARMS)
    ]
    results: dict[str, Any] = {
        "generation_study": "toxicity-generation",
        "seeds": [path.name for path in done],
        "training_prompts": TRAIN_PROMPTS,
        "tuning": TUNING.model_dump(mode="json"),
        "measured": summarise(runs(done, ".")),
        "by_the_weak_scorer": summarise(runs(done, "weak")),
        "scorer_test": {
            judge.name: {metric: asdict(score) for metric, score in judge.own_scores().items()}
            for judge in (strong, weak)
        },
        "made": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }
    KEPT.write_text(json.dumps(results, indent=1, default=float) + "\n", encoding="utf-8")
    for part, metrics in results["measured"]["models"]["base"]["slices"].items():
        for metric in metrics:
            cells = [
                results["measured"]["models"][arm]["slices"][part][metric]["value"] for arm in ARMS
            ]
            print(part, metric, *(f"{cell:.3f}" if cell is not None else "n/a" for cell in cells))


def runs(done: list[Path], name: str) -> dict[str, list[ScoredContinuations]]:
    return {arm: [read_scored(path / arm / name / SCORED) for path in done] for arm in ARMS}


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(text) for text in sys.argv[2:]] or [0, 1, 2])
