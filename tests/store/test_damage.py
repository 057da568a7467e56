"""However a stored folder is damaged, it is set aside and made again; drafts of the dead go."""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steelyard.errors import StoreError
from steelyard.io.atomic import draft_folder, remove_stale_drafts, verify, write_manifest
from steelyard.store.store import Recipe, Store
from steelyard.types import Predictions, Selection

RECIPE = Recipe("thing", 1, {"a": 1}, {"data": "abc"}, {"numpy": "2"})
WRONG: list[Any] = [None, True, 7, 1.5, "text", [], [1, "a"], {}, {"a": [1]}]
"""A value of each JSON type, in place of what belongs there."""


def content(_: Path) -> dict[str, Any]:
    rows = np.array([[0.25, 0.75]])
    return {
        "p": Predictions("m", ("a",), rows),
        "s": Selection(("a",), rows, np.ones(1), ("",)),
        "log": {"loss": [0.5]},
        "x": rows,
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a JSON value, itself included."""
    parts: Any = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    return [path, *(found for key, part in parts for found in places(part, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value[path[0]] = replaced(value[path[0]], path[1:], new)
    return value


def stored(root: Path) -> Path:
    Store(root).keep("role", RECIPE, content)
    return root / RECIPE.name


def made_again(root: Path) -> bool:
    """Whether the stored result was set aside and made again; it is right in any case."""
    calls: list[Path] = []
    result = Store(root).keep("role", RECIPE, lambda path: calls.append(path) or content(path))
    assert result["x"].tolist() == [[0.25, 0.75]]
    assert result["log"] == {"loss": [0.5]}
    assert len(list(root.glob("damaged-*"))) == len(calls)
    return bool(calls)


FILES = ["manifest.json", "recipe.json", "content.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_type_at_any_level_is_found_and_made_again(tmp_path: Path, name: str) -> None:
    """7 to 20 places in each file, 9 values for each: none is a traceback, none is believed."""
    sound = json.loads((stored(tmp_path / "sound") / name).read_text())
    assert len(places(sound)) > 7
    for at in places(sound):
        for wrong in WRONG:
            with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
                file = stored(Path(folder)) / name
                before = file.read_text()
                file.write_text(json.dumps(replaced(json.loads(before), at, wrong)))
                changed = json.loads(file.read_text()) != json.loads(before)
                assert made_again(Path(folder)) or not changed, (name, at, wrong)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_below_a_matching_manifest_is_found_too(data: st.DataObject) -> None:
    """A folder that was sealed after it was damaged: read only if it is still a result."""
    with tempfile.TemporaryDirectory() as folder:
        file = stored(Path(folder)) / data.draw(st.sampled_from(["content.json", "recipe.json"]))
        record = json.loads(file.read_text())
        at = data.draw(st.sampled_from(places(record)))
        file.write_text(json.dumps(replaced(record, at, data.draw(st.sampled_from(WRONG)))))
        (file.parent / "manifest.json").unlink()
        write_manifest(file.parent)
        store = Store(Path(folder))
        store.keep("role", RECIPE, content)  # no traceback
        store.recipe(RECIPE.name)
        assert store.seconds(RECIPE.name) >= 0


@given(
    text=st.one_of(
        st.text(),
        st.builds(
            json.dumps,
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            ),
        ),
    )
)
def test_no_manifest_is_a_traceback(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.txt").write_text("a")
        (folder / "manifest.json").write_text(text, encoding="utf-8", errors="replace")
        with contextlib.suppress(StoreError):
            assert verify(folder) == frozenset()  # a manifest without files vouches for none


def test_a_record_that_cannot_be_read_is_none_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (stored(tmp_path) / "recipe.json").write_text("[1, 2]")
    store = Store(tmp_path, read_only=True)
    assert store.recipe(RECIPE.name) is None
    assert store.seconds(RECIPE.name) == 0.0
    assert "recipe.json is damaged" in caplog.text


DRAFTING = """
import sys, time
from pathlib import Path
from steelyard.io.atomic import publish
def write(draft):
    (draft / "half.txt").write_text("half")
    print("drafting", flush=True)
    time.sleep(600)
publish(Path(sys.argv[1]), write)
"""


def drafting(final: Path) -> subprocess.Popen[str]:
    """A process that is in the midst of publishing a folder."""
    child = subprocess.Popen(
        [sys.executable, "-c", DRAFTING, str(final)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "drafting\n"
    return child


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked")
@pytest.mark.parametrize("inside", ["", "unfinished/thing-1"])
def test_drafts_of_a_killed_process_go_at_the_next_start_and_those_of_a_live_one_stay(
    tmp_path: Path, inside: str
) -> None:
    folder = tmp_path / inside
    dead, alive = drafting(folder / "one"), drafting(folder / "two")
    try:
        assert len(list(folder.glob(".draft-*"))) == 2
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        Store(tmp_path, read_only=True)
        assert len(list(folder.glob(".draft-*"))) == 2  # a reader changes nothing
        Store(tmp_path)
        assert [path.name[:10] for path in folder.glob(".draft-*")] == [".draft-two"]
        assert [path.name for path in folder.glob(".draft-*/*")] == ["half.txt"]
    finally:
        for child in (dead, alive):
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()


def test_only_drafts_of_the_named_result_go(tmp_path: Path) -> None:
    for name in (".draft-a-1", ".draft-ab-1", ".draft-[a]-1", "draft-a-1"):
        (tmp_path / name).mkdir()
    remove_stale_drafts(tmp_path, "a-")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".draft-[a]-1",
        ".draft-ab-1",
        "draft-a-1",
    ]
    remove_stale_drafts(tmp_path / "is not there")


def test_a_draft_that_is_removed_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making and locking a draft another process may start and sweep it."""
    made: list[Path] = []

    def mkdtemp(prefix: str, dir: Path) -> str:
        draft = dir / f"{prefix}{len(made)}"
        made.append(draft)
        if len(made) > 1:  # the first is gone at once
            draft.mkdir()
        return str(draft)

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    with draft_folder(tmp_path / "x") as draft:
        assert draft == made[1]
        assert draft.is_dir()
    assert not list(tmp_path.iterdir())
