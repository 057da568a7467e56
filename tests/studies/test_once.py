"""A study does each thing once, however many seeds it has, and leaves nothing behind."""

import gc
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import steelyard as sy
from steelyard.store.store import Store
from steelyard.studies import run as run_module
from steelyard.studies import study as study_module
from steelyard.studies.run import Run

SEEDS = 17
SETTINGS: dict[str, Any] = {
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 40, "strong_train": 60, "max_test": 40},
    "supervisors": [{"kind": "tfidf", "voters": 2}],
    "student": {
        **{"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32},
        "regularization": 1.0,
    },
    "arms": ["filter", "soft"],
    "seeds": SEEDS,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("once")
    sy.study(SETTINGS, folder, workers=1)
    return folder


def test_seventeen_seeds_read_each_thing_once(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def count(module: Any, name: str, tell: Any = None) -> None:
        function = getattr(module, name)

        def counted(*args: Any, **options: Any) -> Any:
            calls[tell(*args) if tell else name] += 1
            return function(*args, **options)

        monkeypatch.setattr(module, name, counted)

    count(run_module, "split")
    count(run_module, "find_leaks")
    count(run_module, "identity")
    count(Store, "keep", lambda _, role, *__: role.rpartition("/")[2])
    sy.study(SETTINGS, finished, workers=1)
    assert calls["split"] == calls["find_leaks"] == calls["votes-0"] == SEEDS
    assert calls["selection"] == 5 * SEEDS  # naive, majority, filter, soft, random_keep
    assert calls["student"] == 8 * SEEDS  # those, the ceiling and two references
    assert calls["identity"] == 1


def test_nothing_of_a_study_is_alive_after_it(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Run]] = []

    def run(*args: Any) -> Run:
        new = Run(*args)
        made.append(weakref.ref(new))
        return new

    monkeypatch.setattr(study_module, "Run", run)
    sy.study(SETTINGS, finished, workers=1)
    sy.study({**SETTINGS, "seeds": 1}, tmp_path, workers=1)
    gc.collect()
    assert len(made) == 2
    assert all(reference() is None for reference in made)
