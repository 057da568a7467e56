"""Published data sets as they are, read, split and searched for leaks."""

from typing import Any

import pytest

from shared_data import DATA
from steelyard.data import Data, find_leaks, load, split

FOLDER = DATA

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no data sets in {FOLDER}")

SETS = [
    ("sst2", "classification", 2, 6920, 1821),
    ("trec", "classification", 6, 5452, 500),
    ("wts_safety", "classification", 2, 7700, 3000),
    ("piqa", "multiple_choice", 2, 1338, 500),
    ("arc_easy", "multiple_choice", 4, 1776, 600),
    ("siqa", "multiple_choice", 2, 1338, 600),
    ("winogrande", "multiple_choice", 2, 867, 400),
]


@pytest.mark.parametrize(("name", "kind", "answers", "train", "test"), SETS)
def test_a_published_data_set_is_read_and_split(
    name: str, kind: Any, answers: int, train: int, test: int
) -> None:
    data = Data(train=f"{name}/train.jsonl.gz", test=f"{name}/test.jsonl.gz")
    source = load(kind, data, FOLDER)
    assert source.name == name
    assert len(source.classes) == answers
    assert (len(source.train.truth), len(source.test.truth)) == (train, test)
    task = split(source, data, seed=0)
    assert (len(task.weak_train.ids), len(task.strong_train.ids)) == (300, train - 300)
    key = dict(zip(source.train.ids, source.groups, strict=True))
    assert not {key[i] for i in task.weak_train.ids} & {key[i] for i in task.strong_train.ids}


def test_trec_has_questions_that_are_in_train_and_in_test() -> None:
    data = Data(train="trec/train.jsonl.gz", test="trec/test.jsonl.gz")
    leaks = find_leaks(split(load("classification", data, FOLDER), data, seed=0))
    assert 5 <= len([leak for leak in leaks if leak.where.endswith("/test")]) <= 30
    assert 1.0 in {leak.similarity for leak in leaks}
