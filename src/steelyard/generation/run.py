"""Continue, score and compare: what `steelyard generate` does, resumable."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from steelyard.errors import ConfigError
from steelyard.generation.continuing import (
    Continued,
    Sampling,
    load_generator,
    write_continuations,
)
from steelyard.generation.http_scorer import HttpScorer
from steelyard.generation.prompts_file import GenerationPrompt
from steelyard.generation.protocol import BaseScorer
from steelyard.generation.scored import (
    SCORED,
    ScoredContinuations,
    read_scored,
    score_continuations,
    write_scored,
)
from steelyard.generation.summary import check_comparable, summarise
from steelyard.io.atomic import write_text
from steelyard.models.load import Pretrained, check_model, identity

SUMMARY, LEDGER = "summary.json", "scores.sqlite"
HASH_SHOWN = 8


def generate_and_score(
    prompts: Sequence[GenerationPrompt],
    models: Mapping[str, str],
    scorer: BaseScorer,
    out: Path,
    *,
    sampling: Sampling | None = None,
    reference: str | None = None,
    against: Sequence[Path] = (),
    watch: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Continue prompts with language models, score the continuations, compare the models.

    What is done is in `out`: a folder for each model with its continuations and their scores, and
    `summary.json`. Called again after a stop, it resumes.

    Args:
        prompts: P of them.
        models: name -> folder or Hub name of a causal language model; the others are compared with
            the first.
        scorer: any scorer.
        out: a folder, made if it is missing.
        sampling: how continuations are drawn; None takes the defaults of RealToxicityPrompts.
        reference: folder or Hub name of the language model for perplexity; None: no perplexity.
        against: folders of models that were generated and scored earlier; the first of them, or of
            `models`, is what the others are compared with.
        watch: receives lines of progress.

    Returns:
        The summary of `summarise`, with the scorer's own test scores.

    Raises:
        InputError: as `write_continuations`, `score_continuations` and `summarise`.
        ConfigError: there is no such model, or two have one name.
    """
    sampling = sampling or Sampling()
    if isinstance(scorer, HttpScorer) and scorer.ledger is None:
        scorer = scorer.model_copy(update={"ledger": out / LEDGER})
    earlier = _earlier(against, models)
    for address in [*models.values(), *([reference] if reference else [])]:
        check_model(Pretrained(model=address))
    name = scorer.name  # a scorer that cannot be loaded fails before anything is generated
    for label, scored in earlier.items():
        check_comparable({label: [scored], "this run": [replace(scored, scorer=name)]})
    rows = _continued(prompts, models, sampling, out, watch)
    judge = _reference(reference)
    runs: dict[str, list[ScoredContinuations]] = {k: [v] for k, v in earlier.items()}
    for label, written in rows.items():
        watch(f"{label}: scoring with {name}")
        scored = score_continuations(scorer, prompts, written, judge)
        write_scored(scored, written, out / label / SCORED)
        runs[label] = [scored]
    tested = {metric: asdict(interval) for metric, interval in scorer.own_scores().items()}
    summary = {**summarise(runs), "scorer_test": tested, "sampling": sampling.model_dump()}
    write_text(out / SUMMARY, json.dumps(summary, indent=1) + "\n")
    return summary


def _continued(
    prompts: Sequence[GenerationPrompt],
    models: Mapping[str, str],
    sampling: Sampling,
    out: Path,
    watch: Callable[[str], None],
) -> dict[str, list[Continued]]:
    """The continuations of each model, kept in a folder of its name."""
    rows = {}
    for label, address in models.items():

        def report(done: int, total: int, label: str = label) -> None:
            watch(f"{label}: {done} of {total} prompts continued")

        pretrained, folder = Pretrained(model=address), out / label
        rows[label] = write_continuations(pretrained, prompts, sampling, folder, report)
    return rows


def _earlier(folders: Sequence[Path], models: Mapping[str, str]) -> dict[str, ScoredContinuations]:
    named: dict[str, ScoredContinuations] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in named or name in models:
            raise ConfigError(f"Two models are called {name!r}; give the new one another name.")
        named[name] = read_scored(folder)
    return named


def _reference(address: str | None) -> tuple[str, Any, Any] | None:
    if address is None:
        return None
    pretrained = Pretrained(model=address)
    weights = identity(pretrained).rpartition("@")[2][:HASH_SHOWN]
    return f"{Path(address).name}@{weights}", *load_generator(pretrained)
