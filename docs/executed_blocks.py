"""Blocks of a page that show commands and what they print: run anew when the page is generated.

    <!-- file: votes.csv -->      the code block below is written to a file of that name
    <!-- run -->                  the block below begins with lines `$ command`; each is run in the
    <!-- /run -->                 folder of the files, and its output is written below it

Commands are run by a shell, `steelyard` with the program of this checkout.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = re.compile(r"<!-- file: (\S+) -->\n+```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
COPY = re.compile(r"<!-- copy: (\S+) -->")
RUN = re.compile(r"(?<=<!-- run -->\n).*?(?=<!-- /run -->)", re.DOTALL)
COLUMNS = "90"


def execute(page: str) -> str:
    """The page with the output of its commands."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in FILE.findall(page):
            (folder / file).write_text(content, encoding="utf-8")
        for source in COPY.findall(page):
            shutil.copy(ROOT / "docs" / source, folder)
        return RUN.sub(lambda match: _block(match[0], folder), page)


def _block(shown: str, folder: Path) -> str:
    commands = re.findall(r"^\$ (.+)$", shown, re.MULTILINE)
    parts = [f"$ {command}\n{output(command, folder)}".rstrip() for command in commands]
    return "```text\n" + "\n".join(parts) + "\n```\n"


def output(command: str, folder: Path) -> str:
    """What a command prints, without spaces at the ends of lines; also an error's one line."""
    program = f"{shlex.quote(sys.executable)} -m steelyard"
    done = subprocess.run(
        re.sub(r"^steelyard\b", program, command),
        shell=True,
        cwd=folder,
        env={
            **os.environ,
            **{"COLUMNS": COLUMNS, "NO_COLOR": "1", "OMP_NUM_THREADS": "1"},
            "PYTHONPATH": str(ROOT / "src"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 2):
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
    lines = [line.rstrip() for line in (done.stdout + done.stderr).splitlines()]
    return "\n".join(lines)
