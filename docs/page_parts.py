"""What generated pages share: their note, tables in Markdown, blocks between two marks."""

import re

NOTE = "<!-- Generated from the code by docs/generate.py: run `make docs`, do not edit. -->"


def table_head(*names: str) -> list[str]:
    """The two rows that begin a table."""
    return [row_of(*names), row_of(*("---" for _ in names))]


def row_of(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def folded(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def fill(page: str, name: str, block: str) -> str:
    """The page with the text between `<!-- NAME -->` and `<!-- /NAME -->` replaced.

    Raises:
        ValueError: the page has no such marks.
    """
    marks = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    if not marks.search(page):
        raise ValueError(f"no block <!-- {name} --> ... <!-- /{name} --> in the page")
    return marks.sub(lambda _: block + "\n", page)
