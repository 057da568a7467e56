"""Results are whole or absent, verified on read, and made once."""

import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import StoreError
from steelyard.io import atomic
from steelyard.store.store import Missing, Recipe, Store, fingerprint
from steelyard.types import Predictions, Question, Votes


def recipe(**settings: Any) -> Recipe:
    return Recipe("thing", 1, settings, {"data": "abc"}, {"numpy": "2"})


def content(_: Path) -> dict[str, Any]:
    probs = np.array([[0.25, 0.75]])
    votes = Votes(
        ids=("a",),
        voters=("v",),
        queries=("q",),
        example=np.zeros(1, dtype=np.int64),
        voter=np.zeros(1, dtype=np.int64),
        query=np.zeros(1, dtype=np.int64),
        answer=np.ones(1, dtype=np.int64),
        candidates=np.array([2]),
        classes=("no", "yes"),
        candidate_texts=(("x", "y"),),
    )
    return {
        "p": Predictions("m", ("a",), probs),
        "votes": votes,
        "log": {"loss": [0.5]},
        "x": probs,
    }


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    made = Store(tmp_path).keep("role", recipe(a=1), content)
    read = Store(tmp_path).keep("role", recipe(a=1), lambda _: pytest.fail("made twice"))
    assert fingerprint(read["p"]) == fingerprint(made["p"]) == fingerprint(content(tmp_path)["p"])
    assert fingerprint(read["votes"]) == fingerprint(content(tmp_path)["votes"])
    assert read["log"] == {"loss": [0.5]}
    assert read["x"].tolist() == [[0.25, 0.75]]


def test_other_settings_are_another_result(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for a in (1, 2):
        store.keep("role", recipe(a=a), lambda _, a=a: {"a": a})
    assert store.keep("role", recipe(a=1), content) == {"a": 1}
    assert store.keep("role", recipe(a=2), content) == {"a": 2}


@pytest.mark.parametrize("name", ["content.json", "x.npy", "p.npz", "recipe.json", "manifest.json"])
@pytest.mark.parametrize("how", ["remove", "empty", "cut", "zero the tail", "flip a bit"])
def test_a_damaged_result_is_set_aside_and_made_again(
    tmp_path: Path, name: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path)
    store.keep("role", recipe(), content)
    path = tmp_path / recipe().name / name
    raw = path.read_bytes()
    half = len(raw) // 2
    damaged = {
        "remove": None,
        "empty": b"",
        "cut": raw[:half],
        "zero the tail": raw[:half] + bytes(len(raw) - half),
        "flip a bit": raw[:half] + bytes([raw[half] ^ 1]) + raw[half + 1 :],
    }[how]
    path.unlink() if damaged is None else path.write_bytes(damaged)
    again = store.keep("role", recipe(), content)
    assert again["x"].tolist() == [[0.25, 0.75]]
    assert "damaged" in caplog.text
    assert list(tmp_path.glob("damaged-*"))


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(_: Path) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Store(tmp_path).keep("role", recipe(), fail)
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


@pytest.mark.parametrize("call", ["write_manifest", "rename", "_flush"])
def test_a_stop_between_any_two_writes_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    target = Path if call == "rename" else atomic
    with monkeypatch.context() as patch:
        patch.setattr(target, call, stop)
        with pytest.raises(KeyboardInterrupt):
            Store(tmp_path).keep("role", recipe(), content)
    again = Store(tmp_path).keep("role", recipe(), content)
    assert again["log"] == {"loss": [0.5]}


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "x.npy")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(OSError, match="No space left"):
            Store(tmp_path).keep("role", recipe(), content)
    assert not (tmp_path / recipe().name).exists()
    assert not list(tmp_path.glob(".draft*"))


def test_a_store_that_only_reads_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="seed-0/votes is not stored"):
        Store(tmp_path, read_only=True).keep("seed-0/votes", recipe(), content)
    assert not list(tmp_path.iterdir())


def test_why_names_the_change() -> None:
    old = recipe(epochs=3, model="minilm")
    new = Recipe("thing", 2, {"epochs": 2, "model": "minilm"}, {"data": "xyz"}, {"numpy": "2"})
    assert new.differences(old) == [
        "inputs.data: abc -> xyz",
        "settings.epochs: 3 -> 2",
        "version: 1 -> 2",
    ]


def keep_slowly(root: str, marks: str) -> None:
    def make(_: Path) -> dict[str, Any]:
        time.sleep(0.3)
        with Path(marks).open("a") as file:
            file.write("made\n")
        return {"a": 1}

    assert Store(Path(root)).keep("role", recipe(), make) == {"a": 1}


def test_two_processes_do_a_job_once(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    context = multiprocessing.get_context("fork")
    jobs = [
        context.Process(target=keep_slowly, args=(str(tmp_path / "store"), str(marks)))
        for _ in range(4)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * 4
    assert marks.read_text() == "made\n"


def keep_three(root: str, first: int) -> None:
    def make(number: int) -> dict[str, Any]:
        time.sleep(0.3)
        return {"by": first}

    order = [(first + n) % 3 for n in range(3)]
    wanted = [(f"{n}", recipe(n=n), lambda _, n=n: make(n)) for n in order]
    assert len(Store(Path(root)).keep_all(wanted)) == 3


def test_two_that_want_the_same_results_share_the_work(tmp_path: Path) -> None:
    # Both start with result 0; who finds it being made goes on with 1, and reads 0 in the end.
    context = multiprocessing.get_context("fork")
    jobs = [context.Process(target=keep_three, args=(str(tmp_path), first)) for first in (0, 3)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0, 0]
    makers = {Store(tmp_path).keep("", recipe(n=n), content)["by"] for n in range(3)}
    assert makers == {0, 3}


def test_keep_all_keeps_the_order(tmp_path: Path) -> None:
    wanted = [(f"{n}", recipe(n=n), lambda _, n=n: {"n": n}) for n in (2, 0, 1)]
    assert [found["n"] for found in Store(tmp_path).keep_all(wanted)] == [2, 0, 1]


def test_locks_that_lie_cost_time_and_not_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)

    def make(_: Path) -> dict[str, Any]:
        if not (tmp_path / recipe().name).exists():  # another process publishes meanwhile
            atomic.publish(
                tmp_path / recipe().name,
                lambda draft: _write_other(draft),
            )
        return {"a": "mine"}

    assert store.keep("role", recipe(), make) == {"a": "theirs"}


def _write_other(draft: Path) -> None:
    (draft / "content.json").write_text(json.dumps({"a": {"type": "json", "value": "theirs"}}))
    (draft / "recipe.json").write_text("{}")


def test_a_file_beyond_the_manifest_is_not_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep("role", recipe(), content)
    (tmp_path / recipe().name / "evil.pkl").write_bytes(b"cos\nsystem\n")
    assert store.keep("role", recipe(), content)["log"] == {"loss": [0.5]}


def test_check_names_the_first_bad_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    atomic.write_manifest(tmp_path)
    atomic.verify(tmp_path)
    (tmp_path / "a.txt").write_text("hellO")
    with pytest.raises(StoreError, match=r"the content of a\.txt has changed"):
        atomic.verify(tmp_path)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(plain, plain)
def test_fingerprints_tell_values_apart(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (fingerprint(one) == fingerprint(other)) == same


def test_fingerprints_see_where_one_string_ends() -> None:
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
    assert fingerprint([1, "1"]) != fingerprint(["1", 1])
    assert fingerprint(Question("a", "b")) != fingerprint(Question("a", "b", ("c",)))
    assert fingerprint(np.zeros(2)) != fingerprint(np.zeros((2, 1)))
