"""Labelling that is killed loses nothing and asks nothing again."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from faulty_server import FaultyServer
from steelyard.store.reply_ledger import Ledger
from texts_to_label import answer, rows_in

RUN = """
import sys
from pathlib import Path
from steelyard.labelling import label, read_items
from steelyard.supervision.api.supervisor import Api
data, url, out = sys.argv[1:]
label(read_items(Path(data), classes=("ham", "spam")), [Api(base_url=url, model="m", queries=1,
      timeout=1, first_wait=0.01, longest_wait=0.2, tries=8)], Path(out))
"""
FAULTS = (
    *("500", "503", "429", "429 seconds", "reset", "reset in the body", "empty", "HTML"),
    *("half JSON", "no choices", "error in 200", "not UTF-8", "502", "wrong types", "timeout"),
)
ENDS = ("cut off", "withheld", "refusal", "null", "too long")


def misbehave(prompt: str, before: int) -> str:
    """15 % of the prompts meet a fault, one or two times; some end without a label."""
    draw = zlib.crc32(prompt.encode())
    if draw % 1000 < 150 and before <= draw // 1000 % 2:
        return FAULTS[draw // 2000 % len(FAULTS)]
    return ENDS[draw // 3 % len(ENDS)] if draw % 50 == 7 else "answer"


def asked_in(ledger: Path) -> set[str]:
    """Prompts whose answers are kept."""
    database = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    rows = database.execute("SELECT request FROM answers").fetchall()
    database.close()
    return {json.loads(request)["messages"][-1]["content"] for (request,) in rows}


@pytest.mark.parametrize("size", [150, pytest.param(2000, marks=pytest.mark.slow)])
def test_killed_three_times_nothing_is_lost_and_nothing_asked_again(
    tmp_path: Path, size: int
) -> None:
    data = tmp_path / "data.jsonl"
    lines = [{"id": f"q{i}", "text": f"text {i} ."} for i in range(size)]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "votes.jsonl"
    ledger = tmp_path / "votes.ledger.sqlite"

    def command(out: Path) -> list[str]:
        return [sys.executable, "-c", RUN, str(data), server.url, str(out)]

    before: set[str] = set()
    asked: list[dict[str, int]] = []
    with FaultyServer(answer, misbehave, slow=3) as server:
        for part in (0.2, 0.45, 0.7):
            run = subprocess.Popen(command(out), start_new_session=True)
            server.wait_for(int(part * size))
            os.kill(run.pid, signal.SIGKILL)
            assert run.wait() == -signal.SIGKILL
            assert not out.exists()
            kept = asked_in(ledger)
            with server.lock:
                asked.append({prompt: server.asked[prompt] for prompt in kept})
            assert kept >= before  # nothing that was stored is lost
            before = kept
        subprocess.run(command(out), check=True)
        for counts in asked:  # none was asked again after it was stored
            assert counts == {prompt: server.asked[prompt] for prompt in counts}
        share = sum(misbehave(prompt, 0) in FAULTS for prompt in server.asked) / size
        assert 0.10 < share < 0.20
        lost = server.answered.total() - len(asked_in(ledger))
        assert 0 <= lost <= 3 * 8  # those under way at a kill
        # a calm run, from a ledger of its own
        server.script = lambda prompt, before: misbehave(prompt, 2)
        subprocess.run(command(tmp_path / "calm.jsonl"), check=True)
    assert out.read_bytes() == (tmp_path / "calm.jsonl").read_bytes()
    assert len(rows_in(out)) == size
    with Ledger(ledger) as book:
        assert book.count() == sum(row["reason"] != "too long" for row in rows_in(out))
