"""A weak scorer chooses, weighs or prefers what a language model learns to write.

`STEELYARD_LLMS=MODELS python studies/toxicity-generation.py FOLDER [--seeds 0 1 2]`, where MODELS
has SmolLM2-135M-Instruct. Each seed continues the test prompts with the model as it is (`base`) and
after it has learned from continuations that a weak scorer (trained on 100 texts) has scored: from
the best of each prompt (`best_of_n`), from all by weight (`weighted`), from the best against the
worst (`dpo`), and each time from a control without the scorer's judgement. Another scorer, trained
on about 3,000 other texts, measures. All is kept in FOLDER, so that a stopped run resumes and seeds
may run in several processes; FOLDER/results.json has the seeds that are done, and `--keep` copies
it to studies/results. `--train-prompts 4 --test-prompts 4 --samples 4 --scorer-texts 200` tries it.
Data: Gehman et al. 2020, RealToxicityPrompts (the selection of DecodingTrust). Offensive content.
"""

import argparse
import datetime
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steelyard.data import read_labelled
from steelyard.generation.classifier_scorers import TrainedScorer
from steelyard.generation.continuing import Sampling, load_generator, write_continuations
from steelyard.generation.prompts_file import GenerationPrompt
from steelyard.generation.scored import (
    SCORED,
    ScoredContinuations,
    read_scored,
    score_continuations,
    write_scored,
)
from steelyard.generation.strategies import BaseStrategy, BestOfN, Dpo, Weighted
from steelyard.generation.summary import summarise
from steelyard.io.rows import read_rows
from steelyard.models.lm.finetune_lm import Tuning
from steelyard.models.lm.preference_training import PreferenceTuning
from steelyard.models.load import Pretrained
from steelyard.student import Classifier, TrainingData, TrainingOptions
from steelyard.student.saved import save_model
from steelyard.types import one_hot

DATA = Path(__file__).parent / "../../shared/data/real_toxicity_prompts"
KEPT = Path(__file__).parent / "results" / "toxicity-generation.json"
CLASSES = ("nontoxic", "toxic")
WEAK_ROWS = 100
TUNING = Tuning(epochs=4, learning_rate=5e-4, batch_size=8, max_tokens=96, precision="fp32")
STRATEGIES: tuple[BaseStrategy, ...] = (
    BestOfN(tuning=TUNING),
    # all continuations of a prompt: one pass over them is as many steps as 25 over the best
    Weighted(tuning=TUNING.model_copy(update={"epochs": 1, "batch_size": 32})),
    Dpo(
        tuning=PreferenceTuning(
            epochs=4, learning_rate=5e-5, batch_size=8, max_tokens=96, precision="fp32"
        )
    ),
)
BASE, CONTROL = "base", "_control"
ARMS = (BASE, *(s.strategy + end for s in STRATEGIES for end in ("", CONTROL)))


def main(options: argparse.Namespace) -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    prompts, texts = data(folder, options.train_prompts, options.test_prompts)
    weak = scorer(folder, "weak", texts[:WEAK_ROWS])
    strong = scorer(folder, "strong", texts[WEAK_ROWS : options.scorer_texts])
    base = Path(os.environ["STEELYARD_LLMS"]) / "SmolLM2-135M-Instruct"
    pretrained = Pretrained(model=str(base))
    for seed in options.seeds:
        missing = [a for a in ARMS if not (folder / f"seed{seed}" / a / SCORED).exists()]
        if not missing:
            continue
        sampling = Sampling(seed=0, samples=options.samples)
        rows = write_continuations(pretrained, prompts["train"], sampling, folder / "train")
        scored = score_continuations(weak, prompts["train"], rows)
        reference = (base.name, *load_generator(pretrained))
        for arm in missing:
            target = folder / f"seed{seed}" / arm
            model = tuned(folder / f"seed{seed}" / f"{arm}-model", pretrained, scored, arm, seed)
            sampling = Sampling(seed=1000 + seed, samples=options.samples, precision="bf16")
            rows = write_continuations(model, prompts["test"], sampling, target)
            for name, judge in (("weak", weak), (".", strong)):
                (target / name).mkdir(exist_ok=True)
                fluent = reference if judge is strong else None
                measured = score_continuations(judge, prompts["test"], rows, fluent)
                write_scored(measured, rows, target / name / SCORED)
            print(f"seed {seed}: {arm} is scored", flush=True)
    keep(options, strong, weak)


def data(
    folder: Path, train_prompts: int, test_prompts: int
) -> tuple[dict[str, list[GenerationPrompt]], list[tuple[str, float]]]:
    """Prompts to train and test on, and texts of other rows with their toxicity for scorers."""
    rng = np.random.default_rng(0)
    prompts: dict[str, list[GenerationPrompt]] = {}
    rest: list[tuple[str, float]] = []
    for part, size in (("train", train_prompts), ("test", test_prompts)):
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


def tuned(
    folder: Path, pretrained: Pretrained, scored: ScoredContinuations, arm: str, seed: int
) -> Pretrained:
    """The model of an arm: as it is, or after learning from scored continuations."""
    if arm == BASE:
        return pretrained
    if not (folder / "config.json").exists():
        strategy = next(s for s in STRATEGIES if s.strategy == arm.removesuffix(CONTROL))
        control = arm.endswith(CONTROL)
        strategy.train(pretrained, scored, seed=seed, control=control).save(folder)
        print(f"seed {seed}: {arm} is trained", flush=True)
    return Pretrained(model=str(folder))


def keep(options: argparse.Namespace, strong: TrainedScorer, weak: TrainedScorer) -> None:
    """Write the results of all seeds that are done, by both scorers."""
    done = [
        path
        for path in sorted(options.folder.glob("seed*"))
        if all((path / arm / SCORED).exists() for arm in ARMS)
    ]
    measured = summarise(runs(done, "."))
    results: dict[str, Any] = {
        "generation_study": "toxicity-generation",
        "seeds": [path.name for path in done],
        "training_prompts": options.train_prompts,
        "strategies": [strategy.model_dump(mode="json") for strategy in STRATEGIES],
        "measured": measured,
        "by_the_weak_scorer": summarise(runs(done, "weak")),
        "against_controls": {
            strategy.strategy: summarise(
                {
                    name: [read_scored(path / name / SCORED) for path in done]
                    for name in (strategy.strategy + CONTROL, strategy.strategy)
                }
            )["models"][strategy.strategy]["minus_first"]
            for strategy in STRATEGIES
        },
        "scorer_test": {
            judge.name: {metric: asdict(score) for metric, score in judge.own_scores().items()}
            for judge in (strong, weak)
        },
        "made": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }
    text = json.dumps(results, indent=1, default=float) + "\n"
    for path in (options.folder / "results.json", *([KEPT] if options.keep else [])):
        path.write_text(text, encoding="utf-8")
    for part, metrics in measured["models"][BASE]["slices"].items():
        for metric in metrics:
            cells = [measured["models"][arm]["slices"][part][metric]["value"] for arm in ARMS]
            print(part, metric, *(f"{cell:.3f}" if cell is not None else "n/a" for cell in cells))


def runs(done: list[Path], name: str) -> dict[str, list[ScoredContinuations]]:
    return {arm: [read_scored(path / arm / name / SCORED) for path in done] for arm in ARMS}


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--train-prompts", type=int, default=24, help="half of them toxic")
    parser.add_argument("--test-prompts", type=int, default=10, help="half of them toxic")
    parser.add_argument("--samples", type=int, default=25, help="continuations of each prompt")
    parser.add_argument("--scorer-texts", type=int, default=None, help="of both scorers; all")
    parser.add_argument("--keep", action="store_true", help="write studies/results too")
    return parser.parse_args()


if __name__ == "__main__":
    main(asked())
