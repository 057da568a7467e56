"""`steelyard weigh`: whom to trust, in a minute."""

from pathlib import Path
from typing import Any

import yaml

from steelyard.errors import ConfigError
from steelyard.weighing import weigh

LEAST = 5  # voters shown


def weigh_votes(votes: Path, methods: list[str], **options: Any) -> None:
    """Weigh a file of votes, write the files and print what matters most."""
    result = weigh(votes, [_method(text) for text in methods], **options)
    for line in table(result.summary):
        print(line)
    print(f"report: {result.report}")


def _method(text: str) -> str | dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return text
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"`--method {text}` is not YAML: {problem}.") from error
    return dict(settings)


def table(summary: dict[str, Any]) -> list[str]:
    """The lines that `weigh` prints. Text from the votes is printable and cut."""
    many = f"{summary['voters']:,} voter" + ("s" if summary["voters"] != 1 else "")
    classes = summary["classes"]
    shown = ", ".join(_text(name, 16) for name in classes[:8]) + (", ..." if classes[8:] else "")
    lines = [
        f"{_text(summary['source'])}, read as {summary['format']}: {summary['items']:,} items, "
        f"{summary['votes']:,} votes, {many}",
        f"answers: {f'{len(classes)} classes: {shown}' if classes else 'open'}",
        f"{summary['coverage']:.1%} of the items have a readable vote; "
        f"{summary['abstained']:,} votes abstain, {summary['duplicates']['found']:,} are "
        f"duplicates ({summary['duplicates']['policy']})",
        "",
        *_methods(summary),
        *_risk_control(summary["risk_control"]),
        *_voters(summary),
    ]
    lines += [f"note: {_text(text, 400)}" for text in summary["warnings"]]
    return lines


def _methods(summary: dict[str, Any]) -> list[str]:
    items = summary["truth"]["items"]
    if not items:
        return [f"method: {summary['method']} (no truth: nothing is judged)", ""]
    header = f"{'method':<24}{'accuracy':>9}{'AUROC':>8}{'ECE':>8}"
    lines = [f"{header}   on {items:,} items of known truth"]
    for name, one in summary["methods"].items():
        cells = f"{_number(one['accuracy']):>9}{_number(one['auroc']):>8}{_number(one['ece']):>8}"
        lines.append(f"{name:<24}{cells}")
    return [*lines, ""]


def _risk_control(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    if found["threshold"] is None:
        return [found["reason"], ""]
    return [
        f"{found['kept']:,} labels ({found['share']:.1%}) with score >= {found['threshold']:.4g} "
        f"have an error of at most {found['alpha']:g}, with confidence {1 - found['delta']:g} "
        f"({found['wrong']} of {found['gold']} known ones are wrong)",
        "",
    ]


def _voters(summary: dict[str, Any]) -> list[str]:
    ranked = [one for one in summary["by_voter"] if one["accuracy"] is not None]
    worst = sorted(ranked, key=lambda one: (not one["flags"], one["accuracy"]["value"]))[:LEAST]
    flagged = sum(bool(one["flags"]) for one in summary["by_voter"])
    header = f"{'least trustworthy voter':<28}{'votes':>8}{'accuracy':>10}  95 % interval   flags"
    lines = [header] if worst else []
    for one in worst:
        value, low, high = (one["accuracy"][name] for name in ("value", "low", "high"))
        span = f"[{low:.3f}, {high:.3f}]"
        name, flags = _text(one["voter"], 26), _text(", ".join(one["flags"]))
        cells = f"{name:<28}{one['votes']:>8,}{value:>10.3f}  {span}"
        lines.append(f"{cells}  {flags}".rstrip())
    relabel = len(summary["relabel"])
    lines += [
        *([""] if worst else []),
        f"voters flagged: {flagged:,} of {summary['voters']:,}; pairs that copy each other: "
        f"{len(summary['copies']):,}; items to label again first: {relabel:,}",
    ]
    return lines


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _text(text: str, limit: int = 60) -> str:
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return safe if len(safe) <= limit else f"{safe[: limit - 3]}..."
