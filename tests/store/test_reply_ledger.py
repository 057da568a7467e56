"""The ledger: nothing lost, nothing paid twice, and no stack trace of SQLite."""

import contextlib
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from steelyard.errors import StoreError
from steelyard.store.reply_ledger import FORMAT, Ledger


def test_an_answer_comes_back_as_it_was_put_and_the_first_one_stays(tmp_path: Path) -> None:
    answer: dict[str, Any] = {
        **{"engine": "http://x/v1", "model": "m", "request": {"messages": [{"content": "é\0"}]}},
        **{"text": "A\0\n", "finish_reason": "stop", "logprobs": [["A", -0.1], ["B", None]]},
        **{"prompt_tokens": 3, "price": 0.1 + 0.2, "time": "2026-01-01T00:00:00Z"},
    }
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.put({"k": answer, "l": {"text": "other"}}) == 2
        assert ledger.put({"k": {"text": "later"}}) == 0
    with Ledger(tmp_path / "l.sqlite") as ledger:
        found = ledger.get(["k", "missing"])
        assert ledger.count() == 2
    assert set(found) == {"k"}
    kept = {name: value for name, value in answer.items() if name != "request"}
    assert {name: found["k"][name] for name in kept} == kept
    assert found["k"]["seconds"] is None
    with contextlib.closing(sqlite3.connect(tmp_path / "l.sqlite")) as database:
        rows = database.execute("SELECT request, time FROM answers").fetchall()
    assert rows[0][0] == '{"messages": [{"content": "\\u00e9\\u0000"}]}'  # plain JSON


def test_more_keys_than_sqlite_takes_at_once(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.put({f"k{i}": {"text": str(i)} for i in range(1700)})
        found = ledger.get([f"k{i}" for i in range(1600, 40_000)])
    assert {key: answer["text"] for key, answer in found.items()} == {
        f"k{i}": str(i) for i in range(1600, 1700)
    }


def test_one_ledger_asks_at_a_time(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as one, Ledger(tmp_path / "l.sqlite") as two:
        assert one.claim("a")
        assert one.claim("a")  # its own
        assert not two.claim("a")
        one.release("a")
        assert two.claim("a")
        one.release("a")  # not its to give up
        assert not one.claim("a")
        two.put({"a": {"text": "A"}})
        assert not one.claim("a")
        assert not two.claim("a")  # there is an answer
        assert one.claim("b")
        one.close()
        assert two.claim("b")


def test_claims_of_the_dead_and_lapsed_claims_bind_nobody(tmp_path: Path) -> None:
    code = (
        "import os, pathlib; from steelyard.store.reply_ledger import Ledger\n"
        f"assert Ledger(pathlib.Path({str(tmp_path / 'l.sqlite')!r})).claim('a'); os._exit(1)"
    )
    dead = subprocess.Popen([sys.executable, "-c", code])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is a zombie
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.claim("a")
        ledger.release("a")
    assert dead.wait() == 1
    with Ledger(tmp_path / "l.sqlite", lease=-1) as ledger:
        assert ledger.claim("a")
        assert ledger.claim("b")  # lapsed at once
        with Ledger(tmp_path / "l.sqlite") as other:
            assert other.claim("b")


def write_all(path: str, number: int, keys: int) -> int:
    """Claim and put every key, each writer in another order; how many it was first with."""
    paid = 0
    with Ledger(Path(path)) as ledger:
        for i in range(keys):
            key = f"k{(i * 7 + number * keys // 4) % keys}"
            if ledger.claim(key):
                paid += 1
                assert ledger.put({key: {"text": str(number)}}) == 1
    return paid


@pytest.mark.parametrize("keys", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_four_writers_pay_once_for_each_key_and_are_never_locked_out(
    tmp_path: Path, keys: int
) -> None:
    path = str(tmp_path / "l.sqlite")  # all four make the file at the same moment
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        paid = pool.starmap(write_all, [(path, number, keys) for number in range(4)])
    assert sum(paid) == keys
    with Ledger(Path(path)) as ledger:
        assert ledger.count() == keys
        assert len(ledger.get([f"k{i}" for i in range(keys)])) == keys


def test_many_may_make_the_file_at_the_same_moment(tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def make(path: Path, start: threading.Barrier) -> None:
        start.wait()
        try:
            Ledger(path).close()
        except BaseException as error:
            failed.append(error)

    for turn in range(15):
        start = threading.Barrier(8)
        made = [
            threading.Thread(target=make, args=(tmp_path / f"{turn}.sqlite", start))
            for _ in range(8)
        ]
        for thread in made:
            thread.start()
        for thread in made:
            thread.join()
    assert failed == []


def test_what_was_put_survives_kill_9(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from steelyard.store.reply_ledger import Ledger\n"
        f"ledger = Ledger(pathlib.Path({str(tmp_path / 'l.sqlite')!r}))\n"
        "for i in range(10**6): ledger.put({f'k{i}': {'text': 'A'}}); print(i, flush=True)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    for line in run.stdout:
        if int(line) >= 40:
            os.kill(run.pid, signal.SIGKILL)
            break
    last = int(([line, *run.stdout.read().split()])[-1])
    run.stdout.close()
    assert run.wait() == -signal.SIGKILL
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert last + 1 <= ledger.count() <= last + 2
        assert len(ledger.get([f"k{i}" for i in range(last + 1)])) == last + 1


def other_program(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE bookmarks (url TEXT)")
    database.commit()
    database.close()


def later_version(path: Path) -> None:
    Ledger(path).close()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    database.close()


def cut_to(share: float) -> Any:
    def cut(path: Path) -> None:
        with Ledger(path) as ledger:
            ledger.put({f"k{i}": {"text": "A" * 500} for i in range(300)})
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])

    return cut


def garbled(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.put({f"k{i}": {"text": "A" * 500} for i in range(300)})
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : 4096 * 5] = b"\xff" * 8192
    path.write_bytes(raw)


def row_of_no_json(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.put({"k0": {"text": "A", "logprobs": [["A", -1]]}})
    database = sqlite3.connect(path)
    database.execute("UPDATE answers SET logprobs = '[['")
    database.commit()
    database.close()


REFUSED = {
    "text": (lambda p: p.write_text("id,voter\n" * 200), "is not a ledger (no SQLite file)"),
    "other program": (other_program, "is a SQLite file of another program"),
    "later version": (later_version, f"format {FORMAT + 1}, this one reads {FORMAT}"),
    "cut in half": (cut_to(0.5), "is damaged"),
    "cut in the header": (cut_to(0.0005), "is damaged"),
    "cut by a little": (cut_to(0.99), "is damaged"),
    "garbled": (garbled, "is damaged"),
    "a row that is no JSON": (row_of_no_json, "is damaged (a row is not JSON"),
    "a folder": (lambda p: p.mkdir(), "cannot be written"),
}


@pytest.mark.parametrize(("spoil", "said"), REFUSED.values(), ids=REFUSED)
def test_files_that_are_no_sound_ledger_are_refused_in_a_sentence(
    tmp_path: Path, spoil: Any, said: str
) -> None:
    path = tmp_path / "l.sqlite"
    spoil(path)
    with pytest.raises(StoreError) as error, Ledger(path) as ledger:
        ledger.get([f"k{i}" for i in range(300)])
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_folder_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        Ledger(tmp_path / "no" / "l.sqlite")
    (tmp_path / "empty").touch()  # a process was killed before it wrote the first page
    with Ledger(tmp_path / "empty") as ledger:
        assert ledger.count() == 0
