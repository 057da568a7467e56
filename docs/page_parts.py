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


def span(value: dict[str, float]) -> str:
    """An estimate with its interval."""
    return "{value:.3f} [{low:.3f}, {high:.3f}]".format(**value)


def percent(gap: dict[str, float]) -> str:
    """A share of the gap as a percentage."""
    return f"{100 * gap['value']:.0f}"


def bounds(gap: dict[str, float]) -> str:
    """Its interval, as percentages."""
    return f"{100 * gap['low']:.0f}, {100 * gap['high']:.0f}"


def number(value: float | None) -> str:
    """A number with three decimals; nothing where there is none."""
    return "" if value is None else f"{value:.3f}"
