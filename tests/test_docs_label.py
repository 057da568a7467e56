"""The transcript of docs/label.md is what `label` prints, but for its numbers."""

import json
import re
import subprocess
import sys
from pathlib import Path

from faulty_server import Body, FaultyServer, completion

PAGE = (Path(__file__).parents[1] / "docs" / "label.md").read_text(encoding="utf-8")


def shape(line: str) -> str:
    """A line without its numbers, whose nouns may be singular."""
    return re.sub(r"[0-9][0-9,]*(?:\.[0-9]+)?", "#", line)


def test_the_transcript_is_what_the_commands_print(tmp_path: Path) -> None:
    settings, transcript = re.findall(r"```(?:yaml|text)\n(.*?)```", PAGE, re.DOTALL)[:2]
    commands = re.split(r"^\$ steelyard ", transcript, flags=re.MULTILINE)[1:]
    assert len(commands) == 3
    rows = [{"id": f"q{i}", "text": f"Text {i} is fine."} for i in range(100)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "questions.jsonl").write_text(lines, encoding="utf-8")

    def answer(body: Body) -> Body:
        """Replies to some texts are cut off before their answer. The others are of two classes,
        whatever the order of the requests, or the votes would be reported to be of one or to follow
        the position of the option shown."""
        found = re.search(r"Text (\d+) is", json.dumps(body))
        assert found
        number = int(found[1])
        if number % 15:
            return completion(("negative", "positive")[number % 2], body)
        return completion("The sentiment of", body, finish_reason="length")

    with FaultyServer(answer) as server:
        with_url = settings.replace("http://localhost:8000/v1", server.url)
        (tmp_path / "judge.yaml").write_text(with_url, encoding="utf-8")
        for command in commands:
            typed, *shown = command.splitlines()
            words = typed.replace("max-requests 300", "max-requests 60").split()
            done = subprocess.run(
                [sys.executable, "-m", "steelyard", *words],
                cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
            lines_printed = (*done.stdout.splitlines(), *done.stderr.splitlines())
            printed = [line for line in lines_printed if line[:1] != " "]  # no progress
            assert [shape(line) for line in printed] == [shape(line) for line in shown if line]
