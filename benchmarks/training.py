"""Training throughput of MiniLM on generated text: our loop and a plain Trainer, by turns."""

import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from steelyard.data import generate
from steelyard.models.finetune import Finetuning, finetune
from steelyard.models.load import find
from steelyard.types import Question, one_hot

ROWS, REPEATS = 512, 3


def compare() -> list[dict[str, Any]]:
    """Medians of examples per second over repeats that alternate; ratios to the plain Trainer."""
    classes, rows = generate(ROWS, seed=1)
    texts, labels = [text for text, _ in rows], np.array([label for _, label in rows])
    sides: dict[str, Callable[[], None]] = {
        "Trainer, default arguments": lambda: plain_trainer(texts, labels, len(classes)),
        "steelyard, all layers": lambda: ours(texts, labels, len(classes), None),
        "steelyard, top 2 of 6, states cached": lambda: ours(texts, labels, len(classes), 2),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():  # imports and first-use costs are nobody's
        side()
    for _ in range(REPEATS):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    base = medians["Trainer, default arguments"]
    return [
        {"side": name, "examples_per_second": ROWS / median, "ratio": base / median}
        for name, median in medians.items()
    ]


def ours(texts: list[str], labels: Any, classes: int, top: int | None) -> None:
    questions = [Question(str(i), text) for i, text in enumerate(texts)]
    settings = Finetuning(epochs=1, train_layers=top)
    finetune(settings, questions, one_hot(labels, classes), np.ones(len(labels)), seed=0)


def plain_trainer(texts: list[str], labels: Any, classes: int) -> None:
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        Trainer,
        TrainingArguments,
    )

    place = find("minilm")
    tokenizer = AutoTokenizer.from_pretrained(place)
    model = AutoModelForSequenceClassification.from_pretrained(
        place, num_labels=classes, dtype=torch.float32
    )
    encoded = tokenizer(texts, truncation=True, max_length=128)
    rows = [
        {"input_ids": ids, "labels": int(label)}
        for ids, label in zip(encoded["input_ids"], labels, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=1, save_strategy="no", disable_tqdm=True, report_to="none"
        )
        Trainer(model, arguments, train_dataset=rows, processing_class=tokenizer).train()
