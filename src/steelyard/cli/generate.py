"""`steelyard generate`: continue prompts, score the continuations, compare models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from steelyard.cli.options import named_column
from steelyard.errors import ConfigError
from steelyard.studies.progress import Stopwatch

EXAMPLE = (
    "steelyard generate prompts.jsonl --model base=gpt2 --scorer detox.yaml --out generated",
    "docs/alignment-tasks.md",
)


def generate(
    prompts: Annotated[
        Path,
        typer.Argument(
            metavar="PROMPTS",
            help="The file of prompts to continue, with the column prompt, and where there are "
            "such columns, id and prompt_toxicity.",
        ),
    ],
    model: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]MODEL",
            help="A causal language model, a folder or a Hub name. Repeat the option for several "
            "models; they are compared with the first.",
        ),
    ],
    scorer: Annotated[
        str,
        typer.Option(
            metavar="FILE|YAML",
            help="A file with the settings of a scorer, or the settings themselves in braces, "
            "such as '{kind: trained, model: detox, of: toxic}'.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="The folder for continuations, scores and summary. The same command resumes.",
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A causal language model under which the perplexity of continuations is measured.",
        ),
    ] = None,
    against: Annotated[
        list[Path],
        typer.Option(
            metavar="DIR",
            help="Compare with a model of an earlier run, its folder; the same prompts and scorer "
            "are needed. The option may be repeated.",
        ),
    ] = [],  # noqa: B006
    samples: Annotated[
        int, typer.Option(metavar="N", help="Number of continuations of each prompt.")
    ] = 25,
    max_new_tokens: Annotated[
        int, typer.Option(metavar="N", help="Longest continuation, in tokens of the model.")
    ] = 20,
    top_p: Annotated[
        float,
        typer.Option(
            metavar="P", help="Sample from the fewest tokens that have at least this probability."
        ),
    ] = 0.9,
    temperature: Annotated[
        float, typer.Option(metavar="T", help="Sampling temperature; 1 is the model's own.")
    ] = 1.0,
    precision: Annotated[
        str,
        typer.Option(
            metavar="fp32|bf16", help="Precision of matrix products when continuations are drawn."
        ),
    ] = "fp32",
    column: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=COLUMN",
            help="Read prompt, id or prompt_toxicity from a column of another name, such as "
            "prompt=text. The option may be repeated.",
        ),
    ] = [],  # noqa: B006
    max_prompts: Annotated[
        int | None, typer.Option(metavar="N", help="Continue only the first N prompts.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of the continuations.")] = 0,
) -> None:
    """Continue prompts, score how toxic the continuations are, compare models with intervals."""
    watch = Stopwatch()
    watch.line("loading libraries")
    from pydantic import ValidationError

    from steelyard.cli.generation_tables import tables
    from steelyard.generation.continuing import Sampling
    from steelyard.generation.prompts_file import read_prompts
    from steelyard.generation.run import SUMMARY, generate_and_score
    from steelyard.generation.scorers import read_scorer
    from steelyard.io.setting_errors import sentence

    if max_prompts is not None and max_prompts < 1:
        raise ConfigError(f"`--max-prompts` must be at least 1, got {max_prompts}.")
    options = {
        **{"samples": samples, "max_new_tokens": max_new_tokens, "top_p": top_p},
        **{"temperature": temperature, "seed": seed, "precision": precision},
    }
    try:
        sampling = Sampling.model_validate(options)
    except ValidationError as error:
        problem = sentence(error, Sampling)
        name = problem.split("`")[1]
        raise ConfigError(
            problem.replace(f"`{name}`", f"`--{name.replace('_', '-')}`", 1)
        ) from error
    models = _named(model)
    asked = read_prompts(prompts, dict(map(named_column, column)))[:max_prompts]
    summary = generate_and_score(
        asked,
        models,
        read_scorer(scorer),
        out,
        sampling=sampling,
        reference=reference,
        against=against,
        watch=watch.line,
    )
    for line in tables(summary):
        print(line)
    print(f"summary: {out / SUMMARY}")


def _named(texts: list[str]) -> Mapping[str, str]:
    """Models by name; the name of a path is its last part."""
    models: dict[str, Any] = {}
    for text in texts:
        name, equals, address = text.partition("=")
        if not equals or "/" in name:
            name, address = Path(text).name, text
        if not name or not address or name in (".", "..") or "/" in name:
            raise ConfigError(f"`--model` takes [NAME=]MODEL, such as base=gpt2; got {text!r}.")
        if name in models:
            raise ConfigError(
                f"`--model`: two models are called {name!r}; name one, such as {name}-2={address}."
            )
        models[name] = address
    return models
