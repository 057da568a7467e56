"""labels.csv: what it holds, and that a spreadsheet can open it and runs nothing in it."""

import csv
from pathlib import Path
from typing import Any

import pytest

import steelyard as sy
from steelyard.errors import InputError

ROWS = [
    {"id": "q1", "text": 'Ä, "quoted"\nand 日本', "lang": "de", "ann": "x", "bob": "y", "cyd": "x"},
    {"id": "=1+1", "text": "@SUM(A1)", "lang": "en", "ann": "y", "bob": "y", "cyd": ""},
    {"id": "q3", "text": None, "lang": "en", "ann": "", "bob": "", "cyd": ""},
]


def labels(out: Path) -> list[dict[str, str]]:
    with (out / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def weighed(tmp_path: Path, rows: list[dict[str, Any]] = ROWS, **options: Any) -> Any:
    options = {"voters": ["ann", "bob", "cyd"], "methods": ["majority"], **options}
    sy.weigh(rows, out=tmp_path / "out", **options)
    return labels(tmp_path / "out")


def test_a_row_for_each_item(tmp_path: Path) -> None:
    first, second, third = weighed(tmp_path, slices="lang")
    assert first == {
        "id": "q1",
        "label": "x",
        "score": str(round(2 / 3, 6)),
        "votes": "3",
        "disagreement": str(round(1 / 3, 6)),
        "slice": "de",
        "text": 'Ä, "quoted"\nand 日本',
    }
    assert (second["id"], second["text"], second["disagreement"]) == ("'=1+1", "'@SUM(A1)", "0.0")
    assert (third["label"], third["votes"], third["disagreement"]) == ("", "0", "")
    raw = (tmp_path / "out" / "labels.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")  # by which Excel knows UTF-8


def test_columns_that_are_not_known_are_not_there(tmp_path: Path) -> None:
    rows = [{key: row[key] for key in ("id", "ann", "bob", "cyd")} for row in ROWS]
    assert list(weighed(tmp_path, rows)[0]) == ["id", "label", "score", "votes", "disagreement"]


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    rows = [{"id": f"-{i}", "ann": "-1", "bob": "-1", "cyd": "0"} for i in (1, 2)]
    first = weighed(tmp_path, rows, classes=["-1", "0"])[0]
    assert (first["id"], first["label"]) == ("-1", "-1")


@pytest.mark.parametrize(
    "texts",
    ["lang", {"q1": "de", "=1+1": "en", "q3": "en"}, ["de", "en", "en"]],
    ids=["column", "mapping", "list"],
)
def test_texts_come_from_anywhere(tmp_path: Path, texts: Any) -> None:
    assert [row["text"] for row in weighed(tmp_path, texts=texts)] == ["de", "en", "en"]


def test_texts_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text,id,other\nfirst,q1,1\nelsewhere,q9,2\n")
    assert [row["text"] for row in weighed(tmp_path, texts=path)] == ["first", "", ""]
    path.write_text("id,a,b\nq1,1,2\n")
    with pytest.raises(
        InputError, match="must have a column `id` and a column `text`; found id, a"
    ):
        weighed(tmp_path, texts=path)


def test_texts_must_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`texts` must have one entry per item, 3; got 1"):
        weighed(tmp_path, texts=["one"])
    with pytest.raises(InputError, match="no column 'wrong'"):
        weighed(tmp_path, texts="wrong")


def test_label_scores_and_accuracy_are_in_the_summary(tmp_path: Path) -> None:
    truth = {"q1": "x", "=1+1": "x"}
    found = sy.weigh(ROWS, ["majority"], voters=["ann", "bob", "cyd"], truth=truth).summary
    assert found["label_scores"] == {
        "labels": 2,
        "none": 1,
        "mean": pytest.approx((2 / 3 + 1) / 2),
        "sure": 1,
        "unsure": 1,
    }
    # Wilson's interval of 1 of 2: (1/2 + z^2/4) / (1 + z^2/2) -+ ..., z = 1.96
    assert found["label_accuracy"] == pytest.approx(
        {"value": 0.5, "low": 0.0945, "high": 0.9055}, abs=1e-4
    )
