"""Open questions that are words and answers that are numbers, as rows of a file."""

import json
from typing import Any

WORDS = ("x", "o", "xx", "oo")
ANSWERS = (4, 5, 6, 7)


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
