"""Printing that works on any terminal: narrow ones, pipes, and encodings other than UTF-8."""

import io
import shutil
import sys
from textwrap import fill
from typing import Any

PIPE_WIDTH = 100  # columns of a table that is not printed to a terminal


def replace_unprintable() -> None:
    """Print `?` for a character that the encoding of stdout or stderr lacks; never fail on it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def terminal_columns() -> int | None:
    """Columns of the terminal that stdout is; None where it is a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_text(line: str) -> None:
    """Print a line; on a terminal it is broken between words, elsewhere not at all."""
    columns = terminal_columns()
    print(line if columns is None else fill(line, columns, break_on_hyphens=False))


def print_grid(results: Any) -> None:
    """Print the gap recovered of each pair of a grid, as many columns as the terminal has."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from steelyard.report.grid_html import gaps_grid

    grid = gaps_grid(results)
    if grid is None:
        return
    table = Table(title="Gap recovered", title_justify="left")
    for title in grid.header:
        table.add_column(Text(title))
    for row in grid.rows:
        table.add_row(*map(Text, row))
    Console(width=terminal_columns() or PIPE_WIDTH).print(table)


def print_results(results: Any) -> None:
    """Print the table of a study, the arm that is recommended, and its warnings.

    The table has as many columns as the terminal.
    """
    from rich.console import Console

    from steelyard.report import terminal_table
    from steelyard.report.recommendation import recommendation_reasons, recommendation_sentence

    columns = terminal_columns() or PIPE_WIDTH
    Console(width=columns).print(terminal_table(results, columns))
    for text in (recommendation_sentence(results), recommendation_reasons(results)):
        if text:
            print_text(text)
    for warning in results.get("warnings") or ():
        print_text(f"note: {warning}")
