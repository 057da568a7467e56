"""Groups: rows of one name are in one split, and resampled together."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.data import Data, LoadedData, load, row_groups, split
from steelyard.data.groups import block
from steelyard.errors import InputError
from steelyard.types import Question, Split

Rows = list[dict[str, Any]]


def rows(name: str, groups: list[object]) -> Rows:
    return [
        {"id": f"{name}{i}", "text": f"{name} {i}", "label": "no" if i % 2 else "yes", "doc": group}
        for i, group in enumerate(groups)
    ]


def loaded(folder: Path, train: Rows, test: Rows, **data: Any) -> LoadedData:
    for name, part in (("train", train), ("test", test)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    plain = {"train": "train.jsonl", "test": "test.jsonl", "group": "doc", "weak_train": 6}
    return load("classification", Data(**{**plain, **data}), folder)


@given(names=st.lists(st.integers(0, 12), min_size=30, max_size=60), seed=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_no_group_is_in_two_splits(
    tmp_path_factory: pytest.TempPathFactory, names: list[int], seed: int
) -> None:
    singles: list[object] = [*names, *range(100, 120)]
    folder = tmp_path_factory.mktemp("g")
    source = loaded(folder, rows("a", singles), rows("t", [7000] * 4), weak_train=10)
    task = split(source, Data(generated="errands", weak_train=10), seed)
    found = [set(part.groups) for part in (task.weak_train, task.strong_train, task.test)]
    assert all(part for part in found)
    assert not found[0] & found[1]
    assert not (found[0] | found[1]) & found[2]
    assert len(task.weak_train.ids) == 10


def test_rows_joined_through_a_third_are_one_group() -> None:
    texts = ("one", "two", "Two!", "three", "four")
    part = Split(
        tuple(Question(f"q{i}", text) for i, text in enumerate(texts)),
        np.zeros(5, dtype=np.int64),
        groups=("a", "a", "b", "b", "c"),
    )
    # q0 and q1 by group a, q1 and q2 by their text, q2 and q3 by group b
    numbers = row_groups(part).tolist()
    assert len({*numbers[:4]}) == 1
    assert numbers[4] != numbers[0]


def test_a_given_split_that_straddles_is_refused_or_its_train_rows_dropped(tmp_path: Path) -> None:
    train, test = rows("a", [0, 0, 1, 1, 2, 3, 4, 5]), rows("t", [1, 9])
    with pytest.raises(InputError) as error:
        loaded(tmp_path, train, test)
    assert str(error.value) == (
        f"Group '1' of {tmp_path.name!r} is in train and in test, with 2 train rows of such groups "
        "in all. Set `data.leaks: drop` to drop these train rows, or remove `data.group`."
    )
    source = loaded(tmp_path, train, test, leaks="drop")
    assert source.dropped == {"group in train and test": 2}
    assert source.train.ids == ("a0", "a1", "a4", "a5", "a6", "a7")
    assert source.test.ids == ("t0", "t1")
    with pytest.raises(InputError, match="Without the 8 rows of groups that are in test as well"):
        loaded(tmp_path, rows("a", [1] * 8), test, leaks="drop")


def test_a_group_larger_than_a_split_is_refused(tmp_path: Path) -> None:
    source = loaded(tmp_path, rows("a", [i // 10 for i in range(40)]), rows("t", [99] * 2))
    with pytest.raises(InputError, match=r"6 rows for `weak_train`.*smallest of 4 groups has 10"):
        split(source, Data(generated="errands", weak_train=6), 0)


def test_every_row_needs_a_group(tmp_path: Path) -> None:
    message = "line 2, id 'a1': `group` must be a name or a number; got None. Fill in column 'doc'"
    with pytest.raises(InputError, match=message):
        loaded(tmp_path, rows("a", [1, None]), rows("t", [2, 2]))
    with pytest.raises(InputError, match="column 'docs' is missing"):
        loaded(tmp_path, rows("a", [1, 2]), rows("t", [3, 4]), group="docs")


def test_blocks_of_consecutive_numbers_are_groups(tmp_path: Path) -> None:
    assert [block(f"row-{i}", 4) for i in (8, 11, 12)] == ["row-2", "row-2", "row-3"]
    source = loaded(tmp_path, rows("a", [1] * 8), rows("t", [1] * 4), group="id", group_size=4)
    assert source.train.groups == ("a0",) * 4 + ("a1",) * 4
    with pytest.raises(
        InputError, match=r"`data\.group_size: 4` needs groups that end in a number"
    ):
        block("x", 4)
    with pytest.raises(ValueError, match="`group_size` needs `group`"):
        Data(train="a", test="b", group_size=4)


def test_test_rows_are_drawn_in_whole_groups_from_all_rows(tmp_path: Path) -> None:
    train, test = rows("a", [i // 3 for i in range(30)]), rows("t", [50, 50])
    source = loaded(tmp_path, train, test, draw_test=5)  # 3 + 2
    assert len(source.test.ids) == 5
    assert not set(source.test.groups) & set(source.train.groups)
    assert len({*source.test.ids, *source.train.ids}) == 32
    again = loaded(tmp_path, train, test, draw_test=5)
    assert again.test.ids == source.test.ids
    torn = loaded(tmp_path, train, test, draw_test=5, group=None)
    assert len(torn.test.ids) == 5
    with pytest.raises(InputError, match=r"exactly 1 rows for `draw_test`"):
        loaded(tmp_path, train, test, draw_test=1)
    with pytest.raises(InputError, match="leaves less than 2 for training"):
        loaded(tmp_path, train, test, draw_test=31)
