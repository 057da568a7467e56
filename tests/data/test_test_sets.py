"""Several test sets, pairs of texts, slices."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelyard.data import Data, load, split
from steelyard.errors import ConfigError, InputError
from steelyard.types import PairQuestion

TWO = {"own": "test.jsonl", "other": "more.jsonl"}


def written(folder: Path, **sizes: int) -> Path:
    for name, size in {"train": 40, "test": 10, "more": 6, **sizes}.items():
        rows = [
            {"text": f"{name} {i}", "clause": f"clause {i}", "label": i % 2, "kind": f"k{i % 3}"}
            for i in range(size)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def data(**changes: Any) -> Data:
    return Data.model_validate({"train": "train.jsonl", "test": TWO, "weak_train": 10, **changes})


def test_rows_of_each_test_set_are_named_and_limited(tmp_path: Path) -> None:
    source = load("classification", data(max_test=4), written(tmp_path))
    task = split(source, data(max_test=4), 0)
    assert task.test.sets == ("own",) * 4 + ("other",) * 4
    alone = load("classification", data(test="test.jsonl"), tmp_path)
    first = split(alone, data(test="test.jsonl", max_test=4), 0).test
    assert first.ids == task.test.ids[:4]  # the main set has the rows that it has alone
    assert first.sets == ()


def test_ids_of_files_with_one_name_are_made_of_the_set(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    written(tmp_path)
    written(tmp_path / "sub")
    two = {"own": "test.jsonl", "other": "sub/test.jsonl"}
    source = load("classification", data(test=two), tmp_path)
    assert (source.test.ids[0], source.test.ids[-1]) == ("own-1", "other-10")


def test_a_test_set_with_a_new_class_or_without_a_file_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "more.jsonl").write_text('{"text": "x", "label": 7}\n')
    with pytest.raises(InputError, match=r"more\.jsonl line 1.*got 7"):
        load("classification", data(), tmp_path)
    (tmp_path / "more.jsonl").unlink()
    with pytest.raises(InputError, match=r"`data\.test\.other` names this file"):
        load("classification", data(), tmp_path)
    with pytest.raises(ValueError, match="`train` and `test` must differ"):
        data(test={"own": "train.jsonl"})
    with pytest.raises(ValueError, match="`draw_test` draws one test set"):
        data(draw_test=3)


def test_two_texts_are_one_question(tmp_path: Path) -> None:
    settings = data(pair="clause", instruction="Does the clause answer the question?", slice="kind")
    question = load("classification", settings, written(tmp_path)).train.questions[3]
    assert isinstance(question, PairQuestion)
    assert question.texts == ("train 3", "clause 3")
    assert question.text == "train 3\nclause 3"
    assert question.context == "Does the clause answer the question?"
    by_columns = data(columns={"text": "text", "pair": "clause", "slice": "kind"})
    source = load("classification", by_columns, tmp_path)
    assert source.train.questions[3].text == question.text
    assert source.test.slices[:4] == ("k0", "k1", "k2", "k0")
    assert split(source, by_columns, 0).strong_train.slices != ()
    assert np.unique(source.test.sets).tolist() == ["other", "own"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair": "none"}, "column 'none' is missing"),
        ({"slice": "none"}, "No test row of .* has the column 'none' that `data.slice` names"),
    ],
)
def test_a_column_that_is_not_there_is_named(
    changes: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load("classification", data(**changes), written(tmp_path))


def test_pairs_of_texts_are_for_classification(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text('{"prompt": "p", "answer": "a"}\n' * 2)
    with pytest.raises(ConfigError, match=r"`data\.pair` does not suit `task: generation`"):
        load("generation", data(test="test.jsonl", pair="clause"), tmp_path)
