"""What generated pages share: their note, and tables in Markdown."""

NOTE = "<!-- Written by docs/generate.py from the code; `make docs` writes it anew. -->"


def table_head(*names: str) -> list[str]:
    """The two rows that begin a table."""
    return [row_of(*names), row_of(*("---" for _ in names))]


def row_of(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def folded(text: str) -> str:
    """A text as one line."""
    return " ".join(text.split())
