"""Preference rows: the place of the chosen answer tells nothing, useless rows are counted."""

from pathlib import Path
from typing import Any

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
    assert (
        split.truth.tolist() == [0, 0, 1, 1, 1, 0] == [chosen_position(name) for name in "abcdef"]
    )
    for question, truth in zip(split.questions, split.truth, strict=True):
        assert question.text == "Why?"
        assert (question.choices[truth], question.choices[1 - truth]) == ("yes", "no")


def test_the_place_depends_on_the_id_alone() -> None:
    told = [read(pair(f"row {i}"), pair(f"row {i}b")).split.truth[0] for i in range(400)]
    turned = [read(pair(f"row {i}", chosen="no", rejected="yes")).split.truth[0] for i in range(9)]
    assert turned == told[:9]
    assert 160 < sum(told) < 240  # a fair coin: four standard deviations of 10 around 200


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
