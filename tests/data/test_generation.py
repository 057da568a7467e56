"""Open questions: a prompt and the text of the true answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from steelyard.data import Data, apply_leak_policy, find_leaks, load, read_labelled, split
from steelyard.errors import ConfigError, InputError

SUMS: list[dict[str, Any]] = [
    {"id": f"s{i}", "prompt": f"What is {i} plus {i * i}?", "answer": i + i * i} for i in range(9)
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sums(folder: Path, **changes: Any) -> Data:
    write(folder / "train.jsonl", SUMS[:6])
    write(folder / "test.jsonl", SUMS[6:])
    return Data(**{"train": "train.jsonl", "test": "test.jsonl", "weak_train": 2, **changes})


def test_rows_have_a_prompt_and_the_text_of_the_answer(tmp_path: Path) -> None:
    source = load("generation", sums(tmp_path), tmp_path)
    assert source.classes == ()
    assert source.train.questions[2].text == "What is 2 plus 4?"
    assert source.train.reference_texts == ("0", "2", "6", "12", "20", "30")
    assert source.train.truth.tolist() == [0] * 6


def test_splits_keep_each_answer_with_its_question(tmp_path: Path) -> None:
    task = split(load("generation", sums(tmp_path), tmp_path), sums(tmp_path), seed=3)
    assert [len(part.questions) for part in (task.weak_train, task.strong_train)] == [2, 4]
    right = {row["id"]: str(row["answer"]) for row in SUMS}
    for part in (task.weak_train, task.strong_train, task.test):
        assert part.reference_texts == tuple(right[name] for name in part.ids)


def test_leaking_rows_are_dropped_with_their_answers(tmp_path: Path) -> None:
    data = sums(tmp_path, weak_train=0)
    write(tmp_path / "test.jsonl", [*SUMS[6:], {**SUMS[1], "id": "again"}])
    task = split(load("generation", data, tmp_path), data, seed=0)
    leaks = find_leaks(task)
    assert [leak.left for leak in leaks if leak.similarity == 1] == ["s1"]
    kept = apply_leak_policy(task, [leak for leak in leaks if leak.similarity == 1], "drop")
    assert "s1" not in kept.strong_train.ids
    assert len(kept.strong_train.reference_texts) == 5


def test_a_file_to_be_scored_is_read_alike(tmp_path: Path) -> None:
    rows = [{"prompt": "How much?", "answer": "$1,200.50"}, {"prompt": "And now?", "answer": 0.5}]
    found = read_labelled("generation", write(tmp_path / "more.jsonl", rows), ())
    assert found.reference_texts == ("$1,200.50", "0.5")
    assert found.ids == ("more-1", "more-2")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a?"}, r"line 1, id 'train-1': column 'answer' is missing"),
        ({"prompt": "a?", "answer": ""}, r"`answer` must be a text that is not empty; got ''"),
        ({"prompt": "a?", "answer": None}, r"`answer` must be a text that is not empty; got None"),
        ({"prompt": "a?", "answer": True}, r"`answer` must be a text .* got True"),
        ({"prompt": "a?", "answer": float("nan")}, r"`answer` must be a text .* got nan"),
        ({"prompt": "a?", "answer": [1]}, r"`answer` must be a text .* got \[1\]"),
        ({"prompt": " ", "answer": "b"}, r"`prompt` must be a text that is not empty"),
        ({"question": "a?", "answer": "b"}, r"column 'prompt' is missing; found .*'question'"),
    ],
)
def test_rows_that_cannot_be_are_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    data = sums(tmp_path)
    write(tmp_path / "train.jsonl", [row, *SUMS[1:6]])
    with pytest.raises(InputError, match=message):
        load("generation", data, tmp_path)


def test_columns_can_be_renamed(tmp_path: Path) -> None:
    data = sums(tmp_path, columns={"prompt": "ask", "answer": "gold"})
    for name, rows in (("train", SUMS[:6]), ("test", SUMS[6:])):
        renamed = [{"ask": row["prompt"], "gold": row["answer"]} for row in rows]
        write(tmp_path / f"{name}.jsonl", renamed)
    assert load("generation", data, tmp_path).test.reference_texts == ("42", "56", "72")


def test_the_embedded_task_is_no_open_one() -> None:
    with pytest.raises(ConfigError, match="is a classification task; got kind 'generation'"):
        load("generation", Data(generated="errands"))


def test_gsm8k_is_read(shared_data: Path) -> None:
    data = Data(
        train=str(shared_data / "gsm8k" / "train.jsonl.gz"),
        test=str(shared_data / "gsm8k" / "test.jsonl.gz"),
    )
    source = load("generation", data)
    assert (len(source.train.questions), len(source.test.questions)) == (7473, 1319)
    assert source.test.reference_texts[0] == "18"
