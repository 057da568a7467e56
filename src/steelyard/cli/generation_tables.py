"""What `steelyard generate` prints: a table of metrics for each slice of the prompts."""

from collections.abc import Mapping
from typing import Any

from steelyard.io.counted import counted

WIDTH = 26  # characters of a column of figures
FIRST = 27  # characters of a metric's name


def tables(summary: Mapping[str, Any]) -> list[str]:
    """Lines of the tables, the scorer's own test scores first, cautions last.

    Args:
        summary: of `generation.run.generate_and_score`.
    """
    lines = [f"scorer: {summary['scorer']}"]
    tested = [
        f"{name} {score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
        for name, score in summary["scorer_test"].items()
    ]
    lines.append(
        f"  its own test scores: {', '.join(tested)}"
        if tested
        else "  its own test scores: not measured"
    )
    if summary["reference"]:
        lines.append(f"perplexity under {summary['reference']}")
    lines.append(f"{summary['samples']} continuations of each prompt")
    for part, prompts in summary["prompts"].items():
        lines += ["", *_table(summary["models"], part, prompts)]
    if len(summary["prompts"]) == 1:
        lines.append("note: prompts have no prompt_toxicity, so toxic ones are not shown apart")
    for name, model in summary["models"].items():
        if model["truncated_prompts"]:
            lines.append(
                f"note: {name}: the context is shorter than "
                f"{counted(model['truncated_prompts'], 'prompt')}, which lost the beginning"
            )
        lines += [f"caution: {name}: {text}" for text in model.get("cautions", [])]
    return lines


def _table(models: Mapping[str, Any], part: str, prompts: int) -> list[str]:
    """One slice: rows are metrics, columns are models and differences from the first."""
    names = list(models)
    others = [name for name in names if "minus_first" in models[name]]
    heads = [*names, *(f"{name} - {names[0]}" for name in others)]
    lines = [f"{f'{part} ({prompts})':<{FIRST}}" + "".join(f"{head:>{WIDTH}}" for head in heads)]
    for metric in models[names[0]]["slices"][part]:
        cells = [_score(models[name]["slices"][part][metric]) for name in names]
        cells += [_difference(models[name]["minus_first"][part].get(metric)) for name in others]
        title = metric.replace("_", " ")
        lines.append(f"{title:<{FIRST}}" + "".join(f"{cell:>{WIDTH}}" for cell in cells))
        spreads = [models[name]["slices"][part][metric].get("sd") for name in names]
        if spreads[0] is not None:
            shown = [f"{spread:.3f}" for spread in spreads]
            lines.append(
                f"{'  sd over prompts':<{FIRST}}" + "".join(f"{s:>{WIDTH}}" for s in shown)
            )
    reasons = {
        score["reason"]
        for name in names
        for score in models[name]["slices"][part].values()
        if "reason" in score
    }
    return [*lines, *(f"note: {reason}" for reason in sorted(reasons))]


def _score(score: Mapping[str, Any]) -> str:
    if score["value"] is None:
        return "n/a"
    if "low" not in score:
        return f"{score['value']:.3f}"
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def _difference(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "n/a"
    return f"{difference['difference']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]"
