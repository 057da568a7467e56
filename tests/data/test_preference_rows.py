"""Preference rows: the place of the chosen answer tells nothing, useless rows are counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelyard.data.preference_rows import PairRows, read_pairs
from steelyard.data.row_fields import RowParser
from steelyard.errors import InputError
from steelyard.io.rows import read_rows
from steelyard.types import chosen_position


def read(*rows: dict[str, Any], **options: Any) -> PairRows:
    reader = RowParser("preference", "pairs", options.get("columns", {}), 1000)
    return read_pairs([(f"pairs.jsonl line {i}", row) for i, row in enumerate(rows, 1)], reader)


def pair(name: str = "a", **changes: Any) -> dict[str, Any]:
    return {"id": name, "prompt": "Why?", "chosen": "yes", "rejected": "no", **changes}


def test_a_pair_is_a_question_with_two_choices() -> None:
    rows = [pair(name) for name in "abcdef"]
    split = read(*rows).split
    assert split.truth.tolist() == [chosen_position(name, split.salt) for name in "abcdef"]
    for question, truth in zip(split.questions, split.truth, strict=True):
        assert question.text == "Why?"
        assert (question.choices[truth], question.choices[1 - truth]) == ("yes", "no")


def test_the_place_is_a_fair_coin_that_nobody_without_all_the_truth_can_compute() -> None:
    truth = read(*(pair(f"row {i}") for i in range(400))).split.truth
    assert 160 < truth.sum() < 240  # a fair coin: four standard deviations of 10 around 200
    # the same ids and the same two answers, with another truth in one row only
    other = read(
        pair("row 0", chosen="no", rejected="yes"), *(pair(f"row {i}") for i in range(1, 400))
    )
    same = (other.split.truth == truth)[1:].mean()
    assert 0.4 < same < 0.6  # four standard deviations of .025 around a half
    assert read(*(pair(f"row {i}") for i in range(400))).split.truth.tolist() == truth.tolist()


def test_ids_do_not_tell_the_place() -> None:
    """A hash of the id alone, as the position once was, is right no more often than a coin."""
    split = read(*(pair(f"row {i}") for i in range(400))).split
    guess = np.array([chosen_position(f"row {i}", "") for i in range(400)])
    assert 0.4 < (guess == split.truth).mean() < 0.6


def test_rows_that_say_nothing_are_counted() -> None:
    useless = [
        pair("b", rejected=" yes "),
        pair("c", chosen=""),
        pair("d", rejected=None),
    ]
    found = read(pair(), *useless)
    assert [question.id for question in found.split.questions] == ["a"]
    assert found.dropped == {"empty answer": 2, "equal answers": 1}
    with pytest.raises(InputError, match=r"No pair remains up to pairs\.jsonl line 3"):
        read(*useless)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (pair(chosen=7), "line 1, id 'a': `chosen` must be a text; got 7"),
        (pair(prompt=" "), "line 1, id 'a': `prompt` must be a text that is not empty"),
        ({"id": "a", "prompt": "x", "chosen": "y"}, "column 'rejected' is missing"),
        (pair(rejected="n" * 1000), "`rejected` has 1,000 characters"),
    ],
)
def test_a_row_that_does_not_fit_is_named(row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(row)


def test_columns_can_have_other_names() -> None:
    row = {"prompt": "Why?", "better": "yes", "rejected": "no"}
    split = read(row, columns={"chosen": "better"}).split
    assert split.questions[0].id == "pairs-1"
    assert set(split.questions[0].choices) == {"yes", "no"}


def test_real_pairs(shared_data: Path) -> None:
    rows = read_rows(shared_data / "hh_harmless_single" / "test.jsonl.gz")
    found = read_pairs(rows, RowParser("preference", "test", {}, 1_000_000))
    assert len(found.split.questions) == 3000
    assert sum(found.dropped.values()) == 0
    assert 0.45 < found.split.truth.mean() < 0.55
