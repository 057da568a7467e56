"""Hub data sets, tested on local folders in the same form: no network."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steelyard.data import Data, load
from steelyard.data.hub import open_hub, table_rows
from steelyard.errors import InputError


@pytest.fixture(autouse=True)
def _cache_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def folder_of(base: Path, ending: str) -> Data:
    folder = base / "films"
    folder.mkdir()
    for split, start in (("train", 0), ("test", 10)):
        rows = [{"text": f"text {i}", "label": i % 2} for i in range(start, start + 4)]
        if ending == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}.parquet")
        else:
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{split}.jsonl").write_text(lines)
    return Data(hub="films", train="train", test="test")


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_folder_is_read_as_a_hub_data_set(tmp_path: Path, ending: str) -> None:
    data = folder_of(tmp_path, ending)
    assert list(table_rows(open_hub(data, "train", tmp_path), "films train"))[1] == (
        "films train row 2",
        {"text": "text 1", "label": 1},
    )
    source = load("classification", data, tmp_path)
    assert source.name == "films"
    assert source.train.ids == ("train-1", "train-2", "train-3", "train-4")
    assert source.test.truth.tolist() == [0, 1, 0, 1]


def test_class_names_come_with_the_data_set(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    (tmp_path / "named").mkdir()
    for split in ("train", "test"):
        rows = {"text": [f"{split} a", f"{split} b"], "label": [1, 0]}
        table = datasets.Dataset.from_dict(rows, features=features)
        table.to_parquet(tmp_path / "named" / f"{split}.parquet")
    source = load("classification", Data(hub="named", train="train", test="test"), tmp_path)
    assert source.classes == ("no", "yes")
    assert source.train.truth.tolist() == [1, 0]


def test_a_missing_split_or_data_set_is_refused(tmp_path: Path) -> None:
    data = folder_of(tmp_path, "jsonl")
    with pytest.raises(InputError, match=r"split 'validation' of 'films' cannot be loaded: .*test"):
        open_hub(data, "validation", tmp_path)
    gone = Data(hub=str(tmp_path / "gone"), train="train", test="test")
    with pytest.raises(InputError, match=r"split 'train' of '.*gone' cannot be loaded: .*data.hub"):
        open_hub(gone, "train", tmp_path)
