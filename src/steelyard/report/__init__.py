"""7. The report: what a study showed, as a page, as Markdown and as a table for the terminal."""

from steelyard.report.markdown import markdown
from steelyard.report.page import page
from steelyard.report.tables import terminal_table
from steelyard.report.weighing import write_weighing
from steelyard.report.write import write

__all__ = [
    "markdown",
    "page",
    "terminal_table",
    "write",
    "write_weighing",
]
