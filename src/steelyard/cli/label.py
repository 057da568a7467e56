"""`steelyard label`: collect labels from language models and other supervisors."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelyard.cli.options import named_column
from steelyard.errors import ConfigError, SteelyardError

if TYPE_CHECKING:
    from steelyard.labelling import LabellingResult

EXAMPLE = ("steelyard label items.jsonl --supervisor judge.yaml --out votes.jsonl", "docs/label.md")


def label(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="The file of items to label (CSV, JSON lines). Labels in it are not read.",
        ),
    ],
    supervisor: Annotated[
        list[str],
        typer.Option(
            metavar="FILE|YAML",
            help="A file with the settings of a supervisor (such as a server and its model), or "
            "the settings themselves in braces. Repeat the option for several supervisors.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="The file to write the votes to: .jsonl, .csv or .parquet."
        ),
    ],
    labelled: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Other rows with their true labels, for supervisors that are trained.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="What the items ask: classification, multiple_choice, preference or generation. "
            "The default follows from the columns of DATA.",
        ),
    ] = None,
    column: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=COLUMN",
            help="Read a field from a column of another name, such as text=sentence. "
            "The option may be repeated.",
        ),
    ] = [],  # noqa: B006
    seed: Annotated[
        int,
        typer.Option(metavar="N", help="Random seed for option order, sampling and training."),
    ] = 0,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file that keeps every answer a server gave, so that none is paid for twice. "
            "The default is a file beside the votes.",
        ),
    ] = None,
    max_requests: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Stop after this many requests, counting those that are retried."
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            metavar="COST",
            help="Stop before the cost of all answers, those of earlier runs included, exceeds "
            "this amount.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Send nothing; print the number of queries, an estimate of tokens, and the "
            "highest price.",
        ),
    ] = False,
    adaptive: Annotated[
        bool,
        typer.Option(
            "--adaptive",
            help="Ask more often about the items whose answers disagree. This needs --budget.",
        ),
    ] = False,
    budget: Annotated[
        int | None,
        typer.Option(metavar="N", help="The total number of queries, with --adaptive."),
    ] = None,
    again: Annotated[
        list[str],
        typer.Option(
            metavar="REASON",
            help="Ask again where the answer given so far abstains for this reason, such as "
            "'cut off', empty, refused, 'not an answer', 'two answers' or 'tool call'. The option "
            "may be repeated.",
        ),
    ] = [],  # noqa: B006
    batch: Annotated[
        bool,
        typer.Option(
            "--batch",
            help="Send the requests as batches: about half the price, answers within a day. Stop "
            "at any time; the same command collects the answers.",
        ),
    ] = False,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going",
            help="Do not stop when the first answers of a model all abstain.",
        ),
    ] = False,
) -> None:
    """Collect labels from language models: resumable, and no answer is paid for twice."""
    _check_options(seed, max_requests, max_cost, adaptive, budget)
    reasons = tuple(" ".join(re.split(r"[\s_-]+", text.strip().lower())) for text in again)
    _check_files(data, out, labelled, ledger)
    columns = dict(map(named_column, column))
    from steelyard.cli.label_summary import plan_lines, summary_lines
    from steelyard.cli.request_progress import StderrRequestProgress
    from steelyard.cli.supervisor_file import read_supervisor, same_classes
    from steelyard.labelling import check_output, label, plan_queries, read_items
    from steelyard.supervision.api.first_abstentions import UselessRepliesError
    from steelyard.supervision.api.request import Limits

    check_output(out)
    specs = [read_supervisor(text) for text in supervisor]
    changes: dict[str, Any] = {"batch": True} if batch else {}
    changes |= {"first_abstentions": None} if keep_going else {}
    supervisors = [_changed(settings, changes) for settings, _ in specs]
    if batch and all(settings.server is None for settings in supervisors):
        raise ConfigError("`--batch` is for supervisors of kind `api`; remove it.")
    classes = same_classes([names for _, names in specs])
    items = read_items(data, task=task, classes=classes, labelled=labelled, columns=columns)
    if dry_run:
        plans = plan_queries(items, supervisors, out, seed, ledger, reasons)
        for line in plan_lines(plans, len(items.questions)):
            print(line)
        return
    try:
        with StderrRequestProgress() as watch:
            result = label(
                items,
                supervisors,
                out,
                seed=seed,
                ledger=ledger,
                limits=Limits(max_requests, max_cost),
                budget=budget,
                watch=watch,
                again=reasons,
            )
    except UselessRepliesError as error:
        raise ConfigError(f"{error}, or give `--keep-going`.") from error
    for line in [*_asked_again(result, reasons), *summary_lines(result, supervisors)]:
        print(line)
    if result.stopped_by:
        higher = " with a higher limit" if "cost" in result.stopped_by else ""
        limit = result.stopped_by.replace("max_", "--max-").replace("=", " ")
        raise SteelyardError(
            f"{limit} is reached: {result.votes:,} votes are in {out}, and the "
            f"remaining queries were not sent. Run the same command{higher} to continue; "
            "answers already paid for are reused."
        )


def _check_options(
    seed: int, max_requests: int | None, max_cost: float | None, adaptive: bool, budget: int | None
) -> None:
    from steelyard.io.yaml_file import MAX_SEED

    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"`--seed` must be from 0 to {MAX_SEED}, got {seed}.")
    if max_requests is not None and max_requests < 1:
        raise ConfigError(f"`--max-requests` must be at least 1, got {max_requests}.")
    if max_cost is not None and not 0 < max_cost < float("inf"):
        raise ConfigError(f"`--max-cost` must be a number above 0, got {max_cost}.")
    if adaptive != (budget is not None):
        raise ConfigError(
            "`--adaptive` and `--budget N` (the total number of queries) go together; give both."
        )
    if budget is not None and budget < 1:
        raise ConfigError(f"`--budget` must be at least 1 query, got {budget}.")


def _check_files(data: Path, out: Path, labelled: Path | None, ledger: Path | None) -> None:
    for name, path in (("DATA", data), ("--labelled", labelled), ("--ledger", ledger)):
        if path is not None and path.resolve() == out.resolve():
            raise ConfigError(f"`--out` and {name} are the same file, {out}; give another --out.")
    if labelled is not None and labelled.resolve() == data.resolve():
        raise ConfigError(
            f"--labelled and DATA are the same file, {data}; a supervisor that was trained on the "
            "answers would only repeat them. Give other rows with --labelled."
        )


def _changed(supervisor: Any, changes: dict[str, Any]) -> Any:
    """A supervisor with other settings, where it asks a server."""
    return supervisor.model_copy(update=changes) if supervisor.server is not None else supervisor


def _asked_again(result: "LabellingResult", reasons: tuple[str, ...]) -> list[str]:
    from steelyard.supervision.parsed_replies import counted_reasons

    lines = []
    if result.asked_again:
        lines.append(f"asked again: {counted_reasons(result.asked_again)}")
    unused = [repr(reason) for reason in reasons if reason not in result.asked_again]
    if unused:
        left = counted_reasons(result.abstained) or "none abstains"
        lines.append(
            f"note: no stored answer abstains because of {', '.join(unused)} (now: {left})"
        )
    return lines
