"""README.md of a saved student: its labels, its scores, its prompt, and how to load it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.models.load import Pretrained

LOADED_BY = {
    "classifier": """from transformers import pipeline
classify = pipeline("text-classification", model="{folder}")
print(classify("TEXT", top_k=None))""",
    "chooser": """from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained("{folder}")
tokenizer = AutoTokenizer.from_pretrained("{folder}")""",
    "merged": """from transformers import pipeline
answer = pipeline("text-generation", model="{folder}")
print(answer("PROMPT", max_new_tokens=32, return_full_text=False)[0]["generated_text"])""",
    "chat": """from transformers import pipeline
answer, turns = pipeline("text-generation", model="{folder}"), [dict(role="user", content="PROMPT")]
print(answer(turns, max_new_tokens=32, return_full_text=False)[0]["generated_text"])""",
    "adapter": """from peft import AutoPeftModelForCausalLM as Model
from transformers import AutoTokenizer as Tokenizer
model, tokenizer = Model.from_pretrained("{folder}"), Tokenizer.from_pretrained("{folder}")""",
}
"""Lines that load a folder in plain Transformers."""


@dataclass(frozen=True)
class PromptText:
    """A prompt with {placeholders}, as a language model was trained on it."""

    prompt: str  # the exact text before an answer
    answer: str  # one such answer
    message: str | None = None  # the user message in its chat template; None for plain text


@dataclass(frozen=True)
class LabelSource:
    """Where the labels of a student come from, and what is known about it; for its card."""

    description: str  # such as "arm `filter` of the study `sst2`"
    settings: Mapping[str, Any] | None = None  # reliability, selection and objective of an arm
    rows: int = 0  # questions
    kept: int = 0  # those with a weight
    results: Path | None = None  # results.json of the study, where it was run
    arm: str = ""  # its entry there


def model_card(
    folder: str,
    kind: str,
    base: Pretrained | None,
    task: str,
    classes: Sequence[str],
    source: LabelSource | None,
    prompt: PromptText | None,
) -> str:
    """The text of README.md.

    Args:
        folder: the name that the loading lines use.
        kind: key of LOADED_BY, or another kind of student, which has no such lines.
        base: the model that it was made from.
        task: of the study.
        classes: names of the answers.
        source: of the labels.
        prompt: with {placeholders}; None without prompts.
    """
    in_chat = prompt is not None and prompt.message is not None
    lines = LOADED_BY.get("chat" if in_chat and kind == "merged" else kind)
    parts = [
        _front(kind, base),
        "# A student of weak labels",
        f"Trained with [Steelyard](https://pypi.org/project/steelyard/) on the task `{task}`"
        + (f", from `{base.model}`" if base else "")
        + (f", answers {', '.join(f'`{name}`' for name in classes)}." if classes else "."),
        "## Labels\n\n" + _labels(source),
        "## Results\n\n" + _results(source),
    ]
    if prompt is not None:
        parts.append(_prompt(prompt))
    if lines is not None:
        loading = lines.format(folder=folder)
        parts.append(f"## Load it\n\n```python\n{loading}\n```")
    parts.append("`steelyard evaluate` reads this folder by its steelyard.json.")
    return "\n\n".join(parts) + "\n"


def _prompt(prompt: PromptText) -> str:
    text = (
        "## Prompt\n\nIt is trained on exactly this text, the answer behind it (such as "
        f"`{prompt.answer}`) and the end token.\n\n````text\n{prompt.prompt}\n````"
    )
    if prompt.message is None:
        return f"{text}\n\nThere is no chat template: its prompts are plain text."
    return (
        f"{text}\n\nThe chat template in this folder makes it of this user message:\n\n"
        f"````text\n{prompt.message}\n````"
    )


def _front(kind: str, base: Pretrained | None) -> str:
    tag = "text-generation" if kind in ("merged", "adapter") else "text-classification"
    lines = [
        "---",
        f"library_name: {'peft' if kind == 'adapter' else 'transformers'}",
        f"pipeline_tag: {tag}",
    ]
    if base is not None and not Path(base.model).exists() and base.model != "minilm":
        lines.append(f"base_model: {base.model}")
    return "\n".join([*lines, "tags: [steelyard, weak-to-strong]", "---"])


def _labels(source: LabelSource | None) -> str:
    if source is None:
        return "Not known."
    text = f"{source.description}: {source.kept} of {source.rows} rows."
    if not source.settings:
        return text
    rows = [f"* {name}: `{json.dumps(value)}`" for name, value in source.settings.items()]
    return "\n".join([text, "", *rows])


def _results(source: LabelSource | None) -> str:
    """Score and PGR of the arm with intervals, and `gold_only`, where the study was run."""
    results = _read(source)
    if source is None or results is None:
        return "Not known: the study of these labels was not run, or elsewhere."
    arm, metric = results["arms"].get(source.arm), results["metric"]
    lines = []
    if arm is not None:
        lines.append(f"* {metric} on test, over seeds: {_span(arm['score'], arm['reason'])}")
        lines.append(f"* performance gap recovered: {_span(arm['pgr'], arm['pgr_reason'])}")
    for name, part in (results.get("references") or {}).items():
        lines.append(f"* `{name}`, for comparison: {_span(part.get('score'), part.get('reason'))}")
    lines.append(f"* ceiling, taught the truth: {_span(results.get('ceiling'), None)}")
    return "\n".join(lines)


def _read(source: LabelSource | None) -> dict[str, Any] | None:
    try:
        if source is None or source.results is None:
            return None
        content: dict[str, Any] = json.loads(source.results.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if "arms" in content and "metric" in content else None


def _span(span: Mapping[str, Any] | None, reason: str | None) -> str:
    if not span or span.get("value") is None:
        return f"n/a ({reason})" if reason else "n/a"
    if span.get("low") is None:
        return f"{span['value']:.3f}"
    return f"{span['value']:.3f} [{span['low']:.3f}, {span['high']:.3f}]"
