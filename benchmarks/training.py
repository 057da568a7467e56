"""Training throughput of a MiniLM student on real text, all layers trained, one epoch.

python -m benchmarks training

Every side starts from the same weights, on the same rows, which are tokenised once before the
clock starts. GFLOP/s count useful work alone: three forward passes (one forward, two backward) over
tokens that are no padding.

Source of the loop over stacked logits: Burns et al. 2023, arXiv:2312.09390, and the code that
its authors published as openai/weak-to-strong; written anew from a description of it.
"""

import gzip
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.race import Way, claims, matrix_peak, race, write
from steelyard.models.batches import Batcher, plan_steps
from steelyard.models.encode import Encoded, encode
from steelyard.models.finetune import Finetuning
from steelyard.models.load import load_classifier, load_tokenizer, resolve_model
from steelyard.models.score import class_logits
from steelyard.models.train import train
from steelyard.objectives.one_label import cross_entropy
from steelyard.objectives.reduction import softmax
from steelyard.types import Floats, Ints, Question, one_hot

DATA = Path(__file__).parents[1].parent / "shared" / "data"
TOKENS, HELD_OUT, TURNS = 6_000, 200, 3
QUICK_TOKENS, QUICK_HELD_OUT = 800, 20
SETTINGS = Finetuning(epochs=1, max_tokens=256)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one set, tokenised."""

    name: str
    train: Encoded
    held_out: Encoded
    labels: Ints  # of the rows to train on
    truth: Ints  # of the rows held out

    @property
    def gigaflops(self) -> float:
        """Of one epoch: 24 d^2 a token and layer for the weights, 4 d per pair of tokens."""
        lengths, d, layers = self.train.lengths, 384, 6
        forward = layers * (24 * d * d * lengths + 4 * d * lengths**2)
        return 3 * float(forward.sum()) / 1e9


@dataclass(frozen=True, eq=False)
class Side:
    """One way to train."""

    name: str
    run: Callable[[Any, Rows], None]
    model: Any

    def do(self, start: dict[str, Any], rows: Rows) -> Any:
        self.model.load_state_dict(start)
        self.run(self.model, rows)
        return self.model


def main(quick: bool) -> None:
    """Throughput on four sets of texts against three other ways."""
    if not DATA.is_dir():
        print(f"training: no data in {DATA}; nothing was measured")
        return
    size = (QUICK_TOKENS, QUICK_HELD_OUT) if quick else (TOKENS, HELD_OUT)
    said, figures = [], {}
    for name in ("sst2", "wts_safety", "ethics_cm", "100 tokens"):
        rows = read(name, *size)
        found, figures[name] = measure(rows, 1 if quick else TURNS)
        said += found
    write("training", said, {"sets": figures}, quick)


def measure(rows: Rows, turns: int) -> tuple[list[Any], dict[str, Any]]:
    """Claims and figures of one set; equal losses are a condition of both."""
    difference = equal_losses(rows)
    ours = load_classifier(SETTINGS, 2, 0.0, 0)
    start = {name: value.clone() for name, value in ours.state_dict().items()}
    sides = [
        Side("ours", steelyard, ours),
        Side("Trainer, default arguments", trainer, plain_model()),
        Side("Trainer, batch 32, bf16", fair_trainer, plain_model()),
        Side("openai/weak-to-strong's loop", stacked, plain_model()),
    ]
    accuracy: dict[str, float] = {}

    def judge(models: Sequence[Any]) -> None:
        for side, model in zip(sides, models, strict=True):
            logits = class_logits(model, Batcher(rows.held_out), 2, "bf16")
            probs = softmax(logits).numpy()
            accuracy[side.name] = float((probs.argmax(axis=1) == rows.truth).mean())

    ways = [Way(s.name, lambda s=s: s.do(start, rows)) for s in sides]
    before = matrix_peak()
    timed = race(ways, turns, judge)
    peak = {name: max(rate, before[name]) for name, rate in matrix_peak().items()}
    count, work = len(rows.train), rows.gigaflops
    figures: dict[str, Any] = {
        "rows": count,
        "tokens": {
            "mean": float(rows.train.lengths.mean()),
            "longest": int(rows.train.lengths.max()),
        },
        "largest_difference_of_losses_fp32": difference,
        "matrix_peak_gflops": peak,
        "bound": {t.name: t.median * peak["bf16"] / work for t in timed[1:]},
    }
    print(
        f"{rows.name}: {count} rows, mean {figures['tokens']['mean']:.0f} tokens, "
        f"matrix peak {peak['bf16']:.0f} GFLOP/s in bf16, {peak['fp32']:.0f} in fp32",
        flush=True,
    )
    for t in timed:
        rate = work / t.median
        figures[t.name] = {
            "examples_per_second": count / t.median,
            "gflops": rate,
            "share_of_bf16_peak": rate / peak["bf16"],
            "accuracy_held_out": accuracy[t.name],
        }
        bound = "" if t is timed[0] else f"  at peak we would be {figures['bound'][t.name]:.1f} x"
        print(
            f"  {t.name:<30}{count / t.median:>7.1f} examples/s {rate:>6.0f} GFLOP/s"
            f" {rate / peak['bf16']:>5.0%} of peak  accuracy {accuracy[t.name]:.3f}{bound}",
            flush=True,
        )
    return claims(f"training, {rows.name}", timed, [5.0, None, 5.0]), figures


def read(name: str, tokens: int, held_out: int) -> Rows:
    """The first rows of a set that have so many tokens together, and some more to judge by.

    Hardly any row of these sets has about 100 tokens by itself: "100 tokens" are the rows of
    ethics_cm with 90 or more, cut to 100.
    """
    tokenizer = load_tokenizer(SETTINGS)
    source, limit, shortest = ("ethics_cm", 100, 90) if name == "100 tokens" else (name, 256, 0)
    lines = lines_of(DATA / source / "train.jsonl.gz")[:2000]
    lengths = encode(tokenizer, [question(r) for r in lines], limit).lengths
    picked = np.flatnonzero(lengths >= shortest)
    count = int(np.searchsorted(np.cumsum(lengths[picked]), tokens)) + 1
    parts = picked[:count], picked[count : count + held_out]
    train, apart = (encode(tokenizer, [question(lines[i]) for i in part], limit) for part in parts)
    labels, truth = (np.array([lines[i]["label"] for i in part]) for part in parts)
    return Rows(name, train, apart, labels, truth)


def lines_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def question(row: dict[str, Any]) -> Question:
    return Question(row["id"], row["text"])


def plain_model() -> Any:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(
        resolve_model("minilm"), num_labels=2, dtype=torch.float32
    )


def targets(rows: Rows) -> Floats:
    return one_hot(rows.labels, 2)


def steelyard(model: Any, rows: Rows) -> None:
    count = len(rows.train)
    train(
        model,
        Batcher(rows.train),
        targets(rows),
        np.ones(count),
        SETTINGS,
        steps=SETTINGS.steps(count),
        seed=0,
    )


def trainer(model: Any, rows: Rows, **arguments: Any) -> None:
    from transformers import PrinterCallback, Trainer, TrainingArguments

    data = [
        {"input_ids": ids.tolist(), "labels": int(label)}
        for ids, label in zip(sequences(rows.train), rows.labels, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            folder,
            num_train_epochs=1,
            save_strategy="no",
            disable_tqdm=True,
            report_to="none",
            logging_strategy="no",
            use_cpu=True,
            **arguments,
        )
        tokenizer = load_tokenizer(SETTINGS)
        loop = Trainer(model, settings, train_dataset=data, processing_class=tokenizer)
        loop.remove_callback(PrinterCallback)
        loop.train()


def fair_trainer(model: Any, rows: Rows) -> None:
    trainer(model, rows, per_device_train_batch_size=32, bf16=True)


def stacked(model: Any, rows: Rows) -> None:
    """Minibatches of 8 in a batch of 32, their logits stacked, one backward pass through all."""
    model.eval()  # no dropout
    order = np.random.default_rng(0).permutation(len(rows.train))
    batches = [order[i : i + 32] for i in range(0, len(order), 32)]
    optimizer = torch.optim.Adam(model.parameters(), lr=SETTINGS.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(batches))
    soft = torch.from_numpy(targets(rows)).float()
    for batch in batches:
        parts = [batch[i : i + 8] for i in range(0, len(batch), 8)]
        logits = torch.cat([model(**padded(rows.train, part)).logits for part in parts])
        loss = -(soft[batch] * logits.log_softmax(dim=-1)).sum(dim=-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def equal_losses(rows: Rows, steps: int = 2) -> float:
    """Largest difference of our losses and a plain padded loop's, both float32, same batches.

    Raises:
        AssertionError: it is above 1e-5.
    """
    exact = SETTINGS.model_copy(update={"precision": "fp32", "warmup": 0.0})
    ours, plain = load_classifier(SETTINGS, 2, 0.0, 0), plain_model().eval()
    plain.load_state_dict(ours.state_dict())
    hard, weights = targets(rows), np.ones(len(rows.train))
    log = train(ours, Batcher(rows.train), hard, weights, exact, steps=steps, seed=0)
    decay = [p for p in plain.parameters() if p.ndim > 1]
    rest = [p for p in plain.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": exact.weight_decay}, {"params": rest}], weight_decay=0.0
    )
    losses = []
    for batch, rate in zip(
        plan_steps(rows.train.costs, exact.batch_size, steps, 0), log.learning_rate, strict=True
    ):
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = plain(**padded(rows.train, batch)).logits
        value = cross_entropy(logits, torch.from_numpy(hard[batch]).float(), torch.ones(len(batch)))
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), exact.max_grad_norm)
        optimizer.step()
        losses.append(value.item())
    difference = float(np.abs(np.array(losses) - log.loss).max())
    assert difference < 1e-5, f"losses differ by {difference:.2e}: {losses} and {log.loss}"
    return difference


def sequences(encoded: Encoded) -> list[Any]:
    return np.split(encoded.tokens, encoded.starts[1:-1])


def padded(encoded: Encoded, rows: Ints) -> dict[str, Any]:
    """Inputs padded to the longest, by torch's own function and not by ours."""
    ids = [
        torch.from_numpy(encoded.tokens[encoded.starts[i] : encoded.starts[i + 1]]).long()
        for i in rows
    ]
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "input_ids": pad(ids, batch_first=True, padding_value=encoded.pad),
        "attention_mask": pad([torch.ones_like(one) for one in ids], batch_first=True),
    }
