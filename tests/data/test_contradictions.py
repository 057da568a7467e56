"""Texts that a file holds twice, with one label or with several."""

from pathlib import Path

import numpy as np
import pytest

from steelyard.data import Data, load
from steelyard.data.contradictions import Policy, resolve
from steelyard.errors import ConfigError
from steelyard.types import Question, Split

ROWS = (
    ("same", 0),
    ("Same!", 0),  # a duplicate: only case and punctuation differ
    ("split", 0),
    ("split", 1),  # a tie
    ("most", 1),
    ("most", 0),
    ("most", 1),
    ("alone", 1),
)
PART = Split(
    tuple(Question(f"r{i}", text) for i, (text, _) in enumerate(ROWS)),
    np.array([label for _, label in ROWS]),
    groups=tuple("abcdefgh"),
)


@pytest.mark.parametrize(
    ("policy", "kept", "duplicates", "contradictory"),
    [
        ("keep", "r0 r1 r2 r3 r4 r5 r6 r7", 0, 0),
        ("drop", "r0 r7", 1, 5),
        ("majority", "r0 r4 r7", 1, 4),  # "most": its first row of label 1; "split" has no majority
    ],
)
def test_policies_by_hand(policy: Policy, kept: str, duplicates: int, contradictory: int) -> None:
    part, counts = resolve(PART, policy)
    assert " ".join(part.ids) == kept
    assert counts["contradictory texts"] == 2
    assert counts.get("duplicate text", 0) == duplicates
    assert counts.get("contradictory labels", 0) == contradictory
    assert len(part.groups) == len(part.ids)


def test_counts_are_of_train_and_of_every_test_set(tmp_path: Path) -> None:
    lines = [f'{{"text": "{text}", "label": {label}}}\n' for text, label in ROWS]
    for name in ("train", "test", "more"):
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    files = {"train": "train.jsonl", "test": {"own": "test.jsonl", "more": "more.jsonl"}}
    source = load(
        "classification", Data.model_validate({**files, "contradictions": "drop"}), tmp_path
    )
    assert source.dropped == {"duplicate text": 3, "contradictory labels": 15}
    assert source.contradictory == 6
    assert source.test.sets == ("own", "own", "more", "more")
    kept = load("classification", Data.model_validate(files), tmp_path)
    assert (len(kept.train.ids), kept.dropped, kept.contradictory) == (8, {}, 6)


def test_open_answers_have_no_contradictions(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text('{"prompt": "1 + 1", "answer": "2"}\n' * 3)
    data = Data(train="train.jsonl", test="test.jsonl", contradictions="drop")
    with pytest.raises(
        ConfigError, match=r"`data\.contradictions` does not suit `task: generation`"
    ):
        load("generation", data, tmp_path)
