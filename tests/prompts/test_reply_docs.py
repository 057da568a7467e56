"""The table of replies in docs/label.md says what the reader does."""

import re
from pathlib import Path

from reply_corpus import by_letter, by_name
from steelyard.prompts import read

PAGE = Path(__file__).parents[2] / "docs" / "label.md"
ASKED = {
    "options red, blue, green": by_letter("red", "blue", "green"),
    "classes spam, not spam": by_name("spam", "not spam"),
    "classes 1 to 5": by_name("1", "2", "3", "4", "5"),
}


def test_closed_answers_are_read_as_the_page_says() -> None:
    rows = re.findall(r"^\| ([^|]*)\| (`.*`[^|]*)\| ([^|]*) \|$", PAGE.read_text("utf-8"), re.M)
    asked, seen = None, 0
    for cell, replies, meaning in rows:
        asked = ASKED.get(cell.strip()) if cell.strip() else asked
        for reply in re.findall(r"`([^`]+)`", replies) if asked else ():
            result = read(reply, asked)
            seen += 1
            if meaning.startswith("abstains"):
                assert result.reason, reply
                assert result.reason in meaning, reply
            else:
                assert result.text == meaning.split(",")[0], reply
    assert seen >= 40
