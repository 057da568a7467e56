"""The result of a study in a shell and in a notebook."""

import json
from pathlib import Path

from steelyard import Result


def test_a_result_is_two_lines_and_its_table_is_one_command_away(done: Path) -> None:
    folder = done / "run"
    result = Result(folder, json.loads((folder / "results.json").read_text()))
    assert repr(result) == (
        "<Result of study study: naive, majority, filter, random_keep\n"
        f"  report: {folder / 'report.html'}>"
    )
    assert "majority" in str(result)
    assert result._repr_html_().startswith("<pre>")
    assert str(result).splitlines()[0].strip() in result._repr_html_()
