"""docs/speed.md and its figure, from what is in results/.

Only files with `claims` count; every number on these pages stands in one of them.
"""

import ast
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.__main__ import NAMES

HERE = Path(__file__).parent
FAST = "times as fast"
GROWN = (("weigh", "votes"), ("label", "questions"), ("study", "rows"))
TOP = """# Speed

{note}

Each pair was timed in the same run, in alternation and on the same data, after checking that the
outputs agree. Ratios are their time divided by ours: median [smallest, largest]. They hold for the
machine that is named; `python -m benchmarks NAME` measures on yours, `make bench` everything, and
`make docs` writes this page."""
WORDS = {
    "training": """The targets were five times a Trainer with default arguments and five times the
loop of openai/weak-to-strong, and half of the processor's bf16 matrix rate on texts of 100
tokens. Only the last is reached. `bound` is the ratio that the whole matrix rate would give:
below five on texts of 100 tokens, because this processor's bf16 is little more than twice its
float32 (matrix units such as AMX have more), and above it elsewhere, where we reach half of that
rate. The fourth way, a Trainer with our batch size and precision, shows what is left without
settings: shorter passes, little padding, and an embedding table of the tokens in use. Losses
agree with a plain padded loop in float32; accuracy after a few dozen rows says nothing, and a
Trainer with batches of 8 takes four times as many steps.""",
    "asking": """`bound` is what fewer tokens alone could give. `generate` was timed on one prompt
and scaled. Five new tokens are what the reference uses to test, 50 what it uses to label.""",
    "sampling": """Both sides stream the same weights for the same rows: with one short question
the only gain is what a step costs in Python. Long prompts are read once, finished replies leave
the batch.""",
    "estimators": """`the same 5 steps` takes crowd-kit's steps: labels and scores agree to 1e-6.
`each to its own stop` lets each side stop by its own rule. Memory is that of the whole
process, the table of votes included; crowd-kit's table is a data frame of strings, made before
its clock starts.""",
    "probes": """At 20,000 examples the neighbours cost as much either way, because both multiply
the same matrices; blocks of them take a fraction of the memory, which is why 100,000 examples
fit where the full matrix would take 40 GB.""",
    "startup": """`--help` loads neither numpy nor torch, `import steelyard` loads a name when it is
first used. `weigh` loads numpy, scipy and Arrow; a fifth of its second is pandas, which Arrow loads
where it is installed. `label` loads torch only for supervisors that need it.""",
    "growth": """![Time and peak memory by size, on logarithmic axes](growth.svg)

The exponent p is that of a + b n^p through three sizes in a row: what every run costs (a) is taken
out. Next to it stands what n log n would have. The benchmark fails where p is larger by more than
0.1, which is noise.""",
}
"""What the figures do not say themselves, after the table of a benchmark."""


def speed_page(note: str) -> str:
    """Every benchmark: how it is done, on what machine, ratios and figures, targets missed."""
    results = read_results()
    parts = [TOP.format(note=note), *_missed(results)]
    for name, result in results.items():
        parts += [f"## {name.capitalize()}", how(name), _machine(result["environment"])]
        if result["claims"]:
            parts.append(table(result["claims"]))
        parts += [WORDS[name]] if name in WORDS else []
        parts += _figures(result)
    return "\n\n".join(parts) + "\n"


def read_results() -> dict[str, dict[str, Any]]:
    """Results with claims by the benchmark's name, in the order in which they are run."""
    paths = {path.stem: path for path in sorted((HERE / "results").glob("*.json"))}
    order = [name for name in NAMES if name in paths]
    order += [name for name in paths if name not in NAMES]
    found = {name: json.loads(paths[name].read_text(encoding="utf-8")) for name in order}
    return {name: content for name, content in found.items() if "claims" in content}


def how(name: str) -> str:
    """What the benchmark says of itself: its docstring, indented formulas as code."""
    source = (HERE / f"{name}.py").read_text(encoding="utf-8")
    blocks = (ast.get_docstring(ast.parse(source)) or "").split("\n\n")
    return "\n\n".join(
        f"```text\n{block.strip()}\n```" if block.startswith("    ") else block for block in blocks
    )


def table(claims: Iterable[dict[str, Any]]) -> str:
    rows = [("what", "against", "ratio [lowest, highest]", "target")]
    rows += [("---",) * 4]
    for claim in claims:
        target = "" if claim["target"] is None else _number(claim["target"])
        rows.append((claim["what"], claim["against"], ratio(claim), target))
    return "\n".join(_row(cells) for cells in rows)


def ratio(claim: dict[str, Any]) -> str:
    value, low, high = (_number(claim[key]) for key in ("ratio", "low", "high"))
    unit = "" if claim["unit"] == FAST else f" {claim['unit']}"
    return f"{value} [{low}, {high}]{unit}"


def growth_figure() -> str:
    """Time and peak memory of the commands by size, an SVG file for light and dark pages."""
    from steelyard.report.charts import BROAD, PALETTE, Axes, Scale, Series, figure_svg, line, text

    costs = read_results()["growth"]["growth"]
    half, height = BROAD / 2, 260
    body = ""
    for i, ((command, unit), colour) in enumerate(zip(GROWN, PALETTE, strict=False)):
        left = 60 + 200 * i
        body += line((left, 14), (left + 26, 14), colour)
        body += text((left + 34, 18), f"{command}, {unit}")
    for i, (key, title) in enumerate((("seconds", "seconds"), ("peak_mb", "peak memory, MB"))):
        x_decades = _decades([cost["size"] for cost in costs])
        y_decades = _decades([cost[key] for cost in costs])
        axes = Axes(
            Scale(x_decades[0], x_decades[-1], i * half + 60, (i + 1) * half - 24, is_log=True),
            Scale(y_decades[0], y_decades[-1], height - 42, 40, is_log=True),
        )
        panel = axes.y_axis([(value, _short(value)) for value in y_decades], title)
        panel += axes.x_axis([(value, _short(value)) for value in x_decades], "size")
        for (command, _), colour in zip(GROWN, PALETTE, strict=False):
            points = [(cost["size"], cost[key]) for cost in costs if cost["command"] == command]
            panel += axes.polyline(Series((command,), tuple(points), colour, ""))
            panel += "".join(axes.dot(point, 3.5, colour) for point in points)
        body += panel
    drawn = figure_svg((BROAD, height), "Time and peak memory of commands by size", body)
    style = (
        "<style>svg{color:#24292f;font-family:sans-serif}"
        "@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
    )
    head, tag, rest = drawn.partition("<title>")
    return f"{head.replace('<svg ', f'<svg {XMLNS} ', 1)}{style}{tag}{rest}\n"


def _decades(values: Sequence[float]) -> list[float]:
    """Powers of ten, from at most the smallest value to at least the largest."""
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**power for power in range(first, last + 1)]


XMLNS = 'xmlns="http://www.w3.org/2000/svg"'


def _short(value: float) -> str:
    """100, 1k, 1M"""
    thousands = min(int(math.log10(max(value, 1)) / 3 + 1e-9), 2)
    return f"{value / 1000**thousands:g}{('', 'k', 'M')[thousands]}"


def _missed(results: dict[str, dict[str, Any]]) -> list[str]:
    missed = [
        f"* {name}: {claim['what']}, against {claim['against']}: {ratio(claim)}, aimed at "
        f"{_number(claim['target'])}"
        for name, result in results.items()
        for claim in result["claims"]
        if claim["target"] is not None
        and (claim["ratio"] < claim["target"]) == (claim["unit"] == FAST)
    ]
    return ["## Targets that are missed", "\n".join(missed)] if missed else []


def _machine(environment: dict[str, Any]) -> str:
    known = environment
    return (
        f"Measured {known['date']} on {known['cores']} cores of {known['processor']}, "
        f"torch {known['torch']}, numpy {known['numpy']}, Python {known['python']}."
    )


def _figures(result: dict[str, Any]) -> list[str]:
    """Lists of flat rows as tables; what is nested stays in the file."""
    found = []
    for name, rows in result.items():
        flat = isinstance(rows, list) and rows and all(map(_is_flat, rows))
        if flat and name != "claims":
            keys = list(dict.fromkeys(key for row in rows for key in row))
            cells = [[_cell(row.get(key)) for key in keys] for row in rows]
            heads = [key.replace("_", " ") for key in keys]
            found.append("\n".join(map(_row, [heads, ["---"] * len(keys), *cells])))
    return found


def _is_flat(row: Any) -> bool:
    return isinstance(row, dict) and not any(isinstance(x, list | dict) for x in row.values())


def _cell(value: Any) -> str:
    return "" if value is None else _number(value) if isinstance(value, float) else _count(value)


def _count(value: Any) -> str:
    return f"{value:,}" if type(value) is int else str(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
