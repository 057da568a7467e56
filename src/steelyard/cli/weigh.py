"""`steelyard weigh`: merge several labels per item into one, and rate labels and voters."""

import csv
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from steelyard.cli.options import (
    Abstain,
    Separator,
    Voters,
    VotesColumns,
    VotesFiles,
    Without,
    named_column,
)
from steelyard.cli.terminal import print_text, terminal_columns
from steelyard.errors import ConfigError, printable
from steelyard.extras import require
from steelyard.io.counted import counted

EXAMPLE = ("steelyard weigh votes.csv --truth gold.csv --out weighed", "docs/weigh.md")
SHOWN_VOTERS = 5
SHOWN_STEPS = 4
NARROWEST = 24  # columns that a cut text keeps at least
UNCUT = 500  # columns of output that is no terminal


def weigh(
    votes: VotesFiles,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder for labels, voters, summary and report. The default is "
            "runs/weigh-NAME, where NAME is the name of the votes file.",
        ),
    ] = None,
    method: Annotated[
        list[str],
        typer.Option(
            metavar="METHOD",
            help="How votes are merged: the name of an estimator such as robust, majority or "
            "dawid_skene, or its settings as YAML. Repeat the option to compare methods; the "
            "first one is reported. An unknown name lists all of them.",
        ),
    ] = ["robust"],  # noqa: B006
    truth: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|COLUMN",
            help="True labels that are used for evaluation only: a file with id and truth, or a "
            "column of the votes file.",
        ),
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|COLUMN",
            help="True labels that the methods may use for fitting, in the same form as --truth. "
            "These items are not evaluated.",
        ),
    ] = None,
    duplicates: Annotated[
        str,
        typer.Option(
            metavar="error|last|mean",
            help="What to do when a voter has several votes on an item: stop, keep the last one, "
            "or average them.",
        ),
    ] = "error",
    answers: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="Which answers the votes hold: closed (one of the classes), or open answers that "
            "are read as number, text, json, slots or set (several labels in any order).",
        ),
    ] = "closed",
    classes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A JSON list of class names. The default is labels.json beside the votes, or "
            "else the answers that occur.",
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Keep the largest set of labels with at most this share of wrong labels. "
            "This needs --truth.",
        ),
    ] = None,
    delta: Annotated[
        float | None,
        typer.Option(
            metavar="PROBABILITY",
            help="The allowed probability that the labels kept have a larger share of wrong labels "
            "than --alpha. The default is 0.1.",
        ),
    ] = None,
    column: VotesColumns = [],  # noqa: B006
    voters: Voters = None,
    without: Without = [],  # noqa: B006
    abstain: Abstain = [],  # noqa: B006
    sep: Separator = None,
    by_query: Annotated[
        bool,
        typer.Option(
            "--by-query",
            help="Treat each prompt variant of a voter as a separate voter.",
        ),
    ] = False,
    scale: Annotated[
        str,
        typer.Option(
            metavar="nominal|ordinal|interval",
            help="Whether agreement and kappa count the order or the distance of the classes, "
            "for ratings. Labels do not depend on it.",
        ),
    ] = "nominal",
    slice_by: Annotated[
        str | None,
        typer.Option(
            "--slice",
            metavar="COLUMN",
            help="A column of the votes file, such as a language: agreement and accuracy are shown "
            "for each of its values.",
        ),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VOTER",
            help="A voter that is a model: a test shows whether it may replace the other voters, "
            "who are people. Repeat the option for several models.",
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|COLUMN",
            help="The text of each item, for labels.csv and the report: a file with id and text, "
            "or a column of the votes file. The default is the column text, sentence, question, "
            "prompt or another usual name.",
        ),
    ] = None,
    goal: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="The share of right labels for which the number of further votes is forecast. The "
            "default is the next one of 0.9, 0.95 and 0.99.",
        ),
    ] = None,
    push_to_hub: Annotated[
        str,
        typer.Option(
            metavar="REPO",
            help="Also upload labels, texts, votes and the table of voters as a data set of the "
            "Hugging Face Hub, such as NAME/LABELS; made if it is missing.",
        ),
    ] = "",
) -> None:
    """Merge several labels per item into one, and rate each label and each voter. No training."""
    from steelyard.io.rows import stem
    from steelyard.weighing import weigh

    if push_to_hub:
        require("`--push-to-hub`", "huggingface_hub")
    name = "stdin" if str(votes[0]) == "-" else stem(votes[0])
    result = weigh(
        votes[0] if len(votes) == 1 else votes,
        [_method(text) for text in method],
        truth=truth,
        gold=gold,
        out=out or Path("runs") / f"weigh-{name}",
        duplicates=duplicates,  # type: ignore[arg-type]
        answers=answers,  # type: ignore[arg-type]
        classes=classes,
        alpha=alpha,
        delta=delta,
        by_query=by_query,
        scale=scale,  # type: ignore[arg-type]
        slices=slice_by,
        texts=text,
        judges=judge or (),
        goal=goal,
        columns=dict(map(named_column, column)),
        voters=[] if voters is None else next(csv.reader([voters], skipinitialspace=True), []),
        without=without,
        abstain=abstain,
        separator={"tab": "\t", "\\t": "\t"}.get(sep or "", sep),
    )
    for line in table(result.summary, terminal_columns(), result.report):
        print_text(line)
    print(f"report: {result.report}")
    if push_to_hub:
        print(f"hub: {result.push_to_hub(push_to_hub)}")


def _method(text: str) -> str | dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return text
    import yaml

    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"`--method {text}` is not YAML: {problem}.") from error
    return dict(settings)


def table(
    summary: dict[str, Any], columns: int | None = None, report: Path | None = None
) -> list[str]:
    """The lines that `weigh` prints; text from the votes is made printable.

    Args:
        summary: as `sy.weigh(...).summary` has it.
        columns: width of the terminal; None where the output is no terminal, and nothing is cut.
        report: the page, beside which the other files are.
    """
    voters = counted(summary["voters"], "voter")
    classes = summary["classes"]
    shown = ", ".join(_text(name, 16) for name in classes[:8]) + (", ..." if classes[8:] else "")
    kinds = "1 class" if len(classes) == 1 else f"{len(classes):,} classes"
    duplicates = summary["duplicates"]
    lines = [
        f"{_text(summary['source'])}, read as {summary['format']}: "
        f"{counted(summary['items'], 'item')}, {counted(summary['votes'], 'vote')}, {voters}",
        f"answers: {f'{kinds}: {shown}' if classes else 'open'}",
        f"{summary['coverage']:.1%} of the items have a readable vote; "
        f"{counted(summary['abstained'], 'abstention')}, "
        + (
            f"{counted(duplicates['found'], 'duplicate vote')} ({duplicates['policy']})"
            if duplicates["found"]
            else "no duplicate votes"
        ),
        "",
        *_limits(summary, report),
        *_methods(summary),
        *_risk_control(summary["risk_control"]),
        *_voters(summary, columns),
    ]
    later = summary["warnings"][len(summary.get("limits", ())) :]
    lines += [f"note: {_text(text, 400)}" for text in later]
    return lines


def _limits(summary: dict[str, Any], report: Path | None) -> list[str]:
    """What limits all labels, and what to do where the votes alone cannot decide."""
    lines = [f"caution: {_text(text, 400)}" for text in summary.get("limits", ())]
    dependence = summary["dependence"]
    if not dependence["decided"]:
        lines.insert(0, "VOTES ALONE CANNOT DECIDE which labels are right.")
    if dependence["label_first"] and not dependence["decided"]:
        shown = ", ".join(_text(name) for name in dependence["label_first"])
        path = "label_first.csv" if report is None else report.parent / "label_first.csv"
        lines += [
            f"label these items first: {shown}",
            f"fill in `truth` in {path} and run again with --gold {shlex.quote(str(path))}",
        ]
    return [*lines, *([""] if lines else [])]


def _methods(summary: dict[str, Any]) -> list[str]:
    items = summary["truth"]["items"]
    if not items:
        return [
            f"method: {summary['method']} (no true labels given: accuracy is estimated, not "
            "measured)",
            "",
        ]
    lines = [
        f"measured on {counted(items, 'item')} with true labels:",
        f"{'method':<16}{'accuracy':>9}{'AUROC':>7}{'ECE':>7}",
    ]
    for name, scores in summary["methods"].items():
        accuracy, auroc, ece = (_number(scores[key]) for key in ("accuracy", "auroc", "ece"))
        lines.append(f"{name:<16}{accuracy:>9}{auroc:>7}{ece:>7}")
    return [*lines, ""]


def _risk_control(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return []
    if result["threshold"] is None:
        return [result["reason"], ""]
    return [
        f"keep {result['kept']:,} labels ({result['share']:.1%}; score >= "
        f"{result['threshold']:.4g}): at most {result['alpha']:.1%} are wrong, with "
        f"{1 - result['delta']:.0%} confidence ({result['wrong']} of {result['gold']} labels with "
        "known truth are wrong)",
        "",
    ]


def _voters(summary: dict[str, Any], columns: int | None) -> list[str]:
    ranked = [voter for voter in summary["by_voter"] if voter["accuracy"] is not None]
    worst = sorted(ranked, key=lambda voter: (not voter["flags"], voter["accuracy"]["value"]))
    flagged = sum(bool(voter["flags"]) for voter in summary["by_voter"])
    lines = _voter_table(worst[:SHOWN_VOTERS], columns) if worst else []
    counts = (
        f"{flagged:,} of {counted(summary['voters'], 'voter')} flagged",
        f"{counted(_copying_pairs(summary), 'pair')} of voters who may copy each other",
    )
    return [*lines, *([""] if worst else []), "; ".join(counts), *_next_steps(summary)]


def _next_steps(summary: dict[str, Any]) -> list[str]:
    from steelyard.report.weigh_next_steps import next_steps

    return [_text(f"next: {sentence}", UNCUT) for sentence in next_steps(summary)[:SHOWN_STEPS]]


def _copying_pairs(summary: dict[str, Any]) -> int:
    """Pairs that share mistakes, and pairs that give nearly the same answers."""
    nearly_equal = [pair for pair in summary["dependence"]["pairs"] if pair["copies"]]
    pairs = [*summary["copies"], *nearly_equal]
    return len({frozenset((pair["left"], pair["right"])) for pair in pairs})


def _voter_table(voters: list[dict[str, Any]], columns: int | None) -> list[str]:
    """One line per voter; on a narrow terminal the interval and the flags go below it."""
    columns = UNCUT if columns is None else columns
    wide = columns >= 90
    name_width = 28 if wide else max(min(columns - 18, 28), 12)
    title = "least reliable voter" if name_width > 20 else "voter"
    header = f"{title:<{name_width}}{'votes':>8}{'accuracy':>10}"
    lines = [f"{header}  likely range    flags" if wide else header]
    for voter in voters:
        value, low, high = (voter["accuracy"][name] for name in ("value", "low", "high"))
        flags = ", ".join(voter["flags"])
        name = _text(voter["voter"], name_width - 2)
        cells = f"{name:<{name_width}}{voter['votes']:>8,}{value:>10.3f}"
        span = f"[{low:.3f}, {high:.3f}]"
        if wide:
            width = max(columns - len(cells) - len(span) - 4, NARROWEST)
            lines.append(f"{cells}  {span}  {_text(flags, width)}".rstrip())
        else:
            lines += [cells, f"  {span}"]
            lines += [f"  {_text(flags, columns - 2)}"] if flags else []
    return lines


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _text(text: str, limit: int = 60) -> str:
    safe = printable(text)
    return safe if len(safe) <= limit else f"{safe[: limit - 3]}..."
