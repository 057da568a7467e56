"""Reference pages of a study file, one for each kind of part, from the settings classes."""

import inspect
from functools import cache

from pydantic import BaseModel

from page_parts import NOTE, row_of, table_head
from settings_section import Section, models_in, public_bases, sentence


@cache
def settings_pages() -> dict[str, str]:
    """Name of each page and its text."""
    from steelyard.studies.arms import Arm
    from steelyard.studies.config import Study
    from steelyard.studies.grid_settings import GridLists

    models = list(dict.fromkeys([Study, *_below(Study), Arm, *_below(Arm), GridLists]))
    homes = {model: _page_of(model) for model in models}
    section = Section(homes)
    pages = {}
    for name, top in _TOPS.items():
        local = [model for model in models if homes[model] == name]
        kinds = [model for model in local if "kind" in model.model_fields]
        shared = [model for model in local if model not in kinds]
        parts = [top.format(note=NOTE)]
        if name == "study.md":
            data = models_in(Study.model_fields["data"].annotation)
            threshold = models_in(Study.model_fields["threshold"].annotation)
            off_task = models_in(Study.model_fields["off_task"].annotation)
            mix = models_in(Arm.model_fields["mix"].annotation)
            shown = (Study, *data, *threshold, *off_task, Arm, *mix)
            parts += [section.of(model) for model in shown]
            parts += [_presets(), section.of(GridLists), _GRID, _metrics()]
        else:
            parts += [_contents(kinds)] if kinds else []
            parts += [section.of(model) for model in kinds]
            parts += [section.of(model) for model in shared]
        pages[name] = "\n\n".join(parts) + "\n"
    return pages


_GRID = """```yaml
task: classification
data: {generated: errands}
grid:
  weak: [{kind: tfidf}, {name: small, kind: classifier, layers: 1}]
  student: [{kind: probe, layers: 2}, {kind: probe, layers: 6}]
  through_middle: true
arms: [naive, soft]
```

`steelyard study GRID.yaml --out DIR` (in Python `sy.grid`) runs every pair as a study in
`DIR/WEAK--STUDENT` with one store for all: votes of a weak supervisor, ceiling and references of a
student are made once. `DIR/report.html` compares the pairs, `DIR/grid.json` has the numbers
([formats.md](formats.md#gridjson)). Every other setting is that of a study."""

_ROOMS = {
    "supervision": "supervisors.md",
    "student": "students.md",
    "reliability": "estimators.md",
    "selection": "selections.md",
    "objectives": "objectives.md",
    "prompts": "prompts.md",
    "models": "training.md",
}
"""Folder of the package -> the page of its settings; all others are on study.md."""


def _page_of(model: type[BaseModel]) -> str:
    room = model.__module__.split(".")[1]
    if (
        room == "student"
        and "kind" not in model.model_fields
        and not model.__module__.endswith("preference_stage")
    ):
        return "training.md"
    return _ROOMS.get(room, "study.md")


_TOPS = {
    "study.md": """# The study file

{note}

A study is one YAML file. A setting that does not exist is refused, with the nearest one that does.
`steelyard study STUDY.yaml --set student.epochs=2` overrides a setting; an entry of a list is
named by its number from 0 (`--set supervisors.0.voters=3`). What was run, with every default, is
written to `study.lock.yaml` beside the results. Paths start from the study file's folder.

Settings of the parts: [supervisors](supervisors.md), [students](students.md),
[estimators](estimators.md), [selections](selections.md), [objectives](objectives.md),
[prompts](prompts.md), [training](training.md). What they mean for the method is in
[method.md](method.md), what the files look like in [formats.md](formats.md). An *arm* is one way
to train the student: an estimator, a selection and an objective under a name.""",
    "supervisors.md": """# Supervisors

{note}

A weak supervisor labels examples: each of its *voters* (annotators, models) gives one vote for each
example and query. An entry of `supervisors` in a [study file](study.md), or `--supervisor` of
`steelyard label`.""",
    "students.md": """# Students

{note}

The strong model that is trained on the selected labels: the value of `student` in a
[study file](study.md). Every arm, every control and the ceiling train the same student.""",
    "estimators.md": """# Estimators

{note}

An estimator turns votes into a posterior over the answers of each example and a score, how reliable
its label is (in the field: label aggregation, truth inference, label model). The value of
`reliability` of an [arm](study.md#arm), or `--method` of `steelyard weigh`.
[Which method for my data](which-method.md) helps to choose.""",
    "selections.md": """# Selections

{note}

A selection turns votes and reliability into targets and weights for the student. The value of
`selection` of an [arm](study.md#arm).""",
    "objectives.md": """# Objectives

{note}

What the student minimises: the value of `objective` of an [arm](study.md#arm). The ceiling always
minimises the cross-entropy with the truth.""",
    "prompts.md": """# Prompts

{note}

How language models are asked, as supervisors and as students. What a reply may look like is in
[label.md](label.md#how-replies-are-read).""",
    "training.md": """# Loading and training models

{note}

Settings that several supervisors and students share. Large language models: weights that are not
trained keep the type of their checkpoint (`dtype`), are loaded once per process, in 4 or 8 bits
with `quantization` (`pip install 'steelyard[quantize]'`), and over several GPUs with
`device_map: auto` and `--workers 1`; `gradient_checkpointing` and `token_budget` bound the memory
of training, and a step that runs out of it is repeated in smaller passes. With several `--workers`
each has its own GPU.

One model by several processes: run `steelyard study` or `train` under `torchrun --nproc-per-node 2
-m steelyard ...` or `accelerate launch -m steelyard ...`. The first process reads, asks, stores and
prints; all train each fine-tuned model together, by DDP, or by FSDP2 where `accelerate config` says
so (`--use_fsdp --fsdp_version 2`). The loss of a step is that of one process, (1/B) times the sum
over its B examples of weight times loss, so that weights act across processes, and checkpoints are
resumed by any number of them. Memory that runs out ends the run: lower `token_budget`. Under FSDP2
each process holds the whole model before and after training.""",
}


SETTINGS = tuple(_TOPS)
"""Names of the pages."""


def _below(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Settings that a settings' fields and public bases hold, depth first."""
    below: list[type[BaseModel]] = []
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            below += [inner, *_below(inner)]
    return below + [base for base in public_bases(model) if base not in below]


def _contents(kinds: list[type[BaseModel]]) -> str:
    """A table of the kinds, with the first sentence of each."""
    rows = []
    for model in kinds:
        kind = model.model_fields["kind"].default
        rows.append(row_of(f"[`{kind}`](#kind-{kind})", sentence(model)))
    return "\n".join([*table_head("kind", "in one sentence"), *rows])


def _presets() -> str:
    """The arms that have names."""
    from steelyard.studies.presets import ALWAYS, PRESETS

    rows = []
    for name, arm in PRESETS.items():
        always = " Always run." if name in ALWAYS else ""
        role = "Sees the truth: an oracle. " if arm.role == "oracle" else ""
        estimator, selection = arm.reliability.kind, arm.selection.kind
        cells = (
            f"[`{estimator}`](estimators.md#kind-{estimator})",
            f"[`{selection}`](selections.md#kind-{selection})",
        )
        rows.append(row_of(f"`{name}`", *cells, role + arm.description + always))
    head = table_head("arm", "reliability", "selection", "labels the student is trained on")
    return "## Arms that have names\n\n" + "\n".join([*head, *rows])


def _metrics() -> str:
    """What `metric` may be."""
    from steelyard.evaluation import LOWER_IS_BETTER, METRICS, SLOT_METRICS

    rows = []
    for name, function in {**METRICS, **SLOT_METRICS}.items():
        first = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        lower = " Lower is better." if name in LOWER_IS_BETTER and "lower" not in first else ""
        rows.append(row_of(f"`{name}`", first.replace(", (R,)", "") + lower))
    plain = "## Metrics\n\n" + "\n".join([*table_head("metric", "meaning"), *rows])
    return f"{plain}\n\n{_metrics_with_settings()}"


def _metrics_with_settings() -> str:
    """Metrics that are mappings: of a class, of costs, of groups."""
    from steelyard.evaluation import TASK_METRICS

    rows = []
    for metric in TASK_METRICS:
        fields = {n: f for n, f in metric.model_fields.items() if n != "kind"}
        settings = ", ".join(
            f"`{n}`" + ("" if f.is_required() or f.default_factory else f" ({f.default})")
            for n, f in fields.items()
        )
        meaning = " ".join((inspect.getdoc(metric) or "").split("Source:")[0].split())
        rows.append(row_of(f"`{metric.model_fields['kind'].default}`", settings or "none", meaning))
    head = table_head("`kind`", "settings (default)", "meaning")
    return (
        "Metrics with settings are mappings, `metric: {kind: f1, of: unsafe}`, and so in `metrics`."
        "\n\n" + "\n".join([*head, *rows])
    )
