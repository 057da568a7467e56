"""Continuations with their scores: made, kept as JSON lines, read again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.evaluation.continuations import (
    TOXIC,
    PromptSums,
    diversity_metrics,
    fluency_metrics,
    toxicity_metrics,
)
from steelyard.generation.continuing import Continued
from steelyard.generation.fluency import reference_log_probs
from steelyard.generation.prompts_file import GenerationPrompt
from steelyard.generation.protocol import BaseScorer, score_all
from steelyard.io.atomic import write_parts
from steelyard.io.rows import read_rows
from steelyard.types import Floats

SCORED = "scored.jsonl"


@dataclass(frozen=True, eq=False)
class ScoredContinuations:
    """The continuations of one model, with their scores."""

    scorer: str  # name of the scorer
    prompts: tuple[GenerationPrompt, ...]  # P
    texts: tuple[tuple[str, ...], ...]  # (P, n)
    scores: Floats  # (P, n), from 0 to 1; 0 for empty continuations
    truncated: int = 0  # prompts that lost their beginning
    reference: str = ""  # name of the model behind the next two; empty: there is none
    log_probs: Floats | None = None  # (P, n), ln P(continuation | prompt)
    tokens: Floats | None = None  # (P, n), the reference's tokens

    def metrics(self) -> dict[str, PromptSums]:
        """Every metric of the continuations, by name."""
        fluency: dict[str, PromptSums] = {}
        if self.log_probs is not None and self.tokens is not None:
            fluency = fluency_metrics(self.log_probs, self.tokens)
        return {**toxicity_metrics(self.scores), **diversity_metrics(self.texts), **fluency}

    def slices(self) -> dict[str, npt.NDArray[np.bool_]]:
        """All prompts, and apart those that are toxic themselves and those that are not, (P,)."""
        levels = np.array([np.nan if p.toxicity is None else p.toxicity for p in self.prompts])
        toxic, other = levels >= TOXIC, levels < TOXIC
        parts = {"toxic prompts": toxic, "non-toxic prompts": other}
        every = {"all prompts": np.ones(len(levels), dtype=bool)}
        return every | {name: rows for name, rows in parts.items() if rows.any()}


def score_continuations(
    scorer: BaseScorer,
    prompts: Sequence[GenerationPrompt],
    rows: Sequence[Continued],
    reference: tuple[str, Any, Any] | None = None,
) -> ScoredContinuations:
    """Score each continuation, without its prompt.

    Args:
        scorer: any scorer.
        prompts: P of them.
        rows: their continuations, n each, in the same order.
        reference: name, model and tokenizer of the language model for fluency.

    Raises:
        InputError: prompts have different numbers of continuations, or as `score_all`.
        SteelyardError: as `score_all`.
    """
    counts = sorted({len(row.texts) for row in rows})
    if len(counts) != 1 or [row.id for row in rows] != [prompt.id for prompt in prompts]:
        raise InputError(
            f"Each prompt must have the same number of continuations, got {counts} for "
            f"{len(prompts)} prompts; continue them all with the same settings."
        )
    places = [
        f"continuation {j + 1} of prompt {row.id!r}" for row in rows for j in range(counts[0])
    ]
    scores = score_all(scorer, [text for row in rows for text in row.texts], places)
    scored = ScoredContinuations(
        scorer=scorer.name,
        prompts=tuple(prompts),
        texts=tuple(row.texts for row in rows),
        scores=scores.reshape(len(rows), counts[0]),
        truncated=sum(row.truncated for row in rows),
    )
    if reference is None:
        return scored
    name, model, tokenizer = reference
    log_probs, tokens = reference_log_probs(model, tokenizer, rows)
    return replace(scored, reference=name, log_probs=log_probs, tokens=tokens)


def write_scored(scored: ScoredContinuations, rows: Sequence[Continued], path: Path) -> None:
    """Write one prompt a line, with the scorer's name in each."""
    lines = []
    for p, (prompt, row) in enumerate(zip(scored.prompts, rows, strict=True)):
        continuations = [
            {"text": text, "finish_reason": reason, "score": float(scored.scores[p, j])}
            for j, (text, reason) in enumerate(zip(row.texts, row.finish_reasons, strict=True))
        ]
        if scored.log_probs is not None and scored.tokens is not None:
            for j, cell in enumerate(continuations):
                cell["log_prob"] = float(scored.log_probs[p, j])
                cell["tokens"] = int(scored.tokens[p, j])
        line = {
            **{"id": prompt.id, "prompt": prompt.text, "prompt_toxicity": prompt.toxicity},
            **{"truncated": row.truncated, "scorer": scored.scorer, "reference": scored.reference},
            "continuations": continuations,
        }
        lines.append(json.dumps(line) + "\n")
    write_parts(path, lines)


def read_scored(path: Path) -> ScoredContinuations:
    """What `write_scored` wrote.

    Args:
        path: the file, or its folder.

    Raises:
        InputError: there is no such file, or it is another one.
    """
    path = path / SCORED if path.is_dir() else path
    prompts, texts, cells, truncated = [], [], [], 0
    names = set()
    for location, row in read_rows(path):
        try:
            prompts.append(GenerationPrompt(row["id"], row["prompt"], row["prompt_toxicity"]))
            texts.append(tuple(cell["text"] for cell in row["continuations"]))
            cells.append(
                [
                    (cell["score"], cell.get("log_prob", np.nan), cell.get("tokens", 0))
                    for cell in row["continuations"]
                ]
            )
            truncated += bool(row["truncated"])
            names.add((row["scorer"], row["reference"]))
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{location} is no line of scored continuations ({error!r} is missing or wrong); "
                f"give a folder with the {SCORED} that `steelyard generate` wrote."
            ) from error
    if len(names) > 1 or len({len(row) for row in cells}) > 1:
        raise InputError(
            f"{path} mixes scorers or numbers of continuations; give the file of one run."
        )
    scorer, reference = names.pop()
    values = np.array(cells, dtype=np.float64)  # (P, n, 3)
    fluent = (values[..., 1], values[..., 2]) if reference else (None, None)
    whole = (scorer, tuple(prompts), tuple(texts), values[..., 0], truncated, reference)
    return ScoredContinuations(*whole, *fluent)
