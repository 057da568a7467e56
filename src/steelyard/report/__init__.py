"""7. The report: what a study showed, as a page, as Markdown and as a table for the terminal."""

from steelyard.report.markdown import study_markdown
from steelyard.report.study_html import study_page
from steelyard.report.tables import terminal_table
from steelyard.report.weigh_html import weigh_page
from steelyard.report.weigh_items import LabelledItems
from steelyard.report.write import write_grid_report, write_study_report, write_weigh_report

__all__ = [
    "LabelledItems",
    "study_markdown",
    "study_page",
    "terminal_table",
    "weigh_page",
    "write_grid_report",
    "write_study_report",
    "write_weigh_report",
]
