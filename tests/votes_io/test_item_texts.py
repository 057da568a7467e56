"""The text of the items is kept from every layout, under every usual name, and never votes."""

import json
from pathlib import Path
from typing import Any

import pytest

from steelyard.votes_io.read_votes import read_votes

NESTED = [
    {"id": "q1", "text": "one", "votes": [{"annotator": "a", "label": "x"}]},
    {"id": "q2", "votes": [{"annotator": "a", "label": "y"}, {"annotator": "b", "label": "x"}]},
]
LONG = "id,voter,answer,Sentence\nq1,a,x,one\nq1,b,y,another\nq2,a,y,\n"
WIDE = "id,a,b,prompt,title\nq1,x,y,one,t\nq2,y,y,,t\n"
LABEL_STUDIO = [
    {
        "id": name,
        "data": {"text": text},
        "annotations": [
            {
                "completed_by": person,
                "result": [{"from_name": "l", "type": "choices", "value": {"choices": [label]}}],
            }
            for person, label in ((1, "x"), (2, "y"))
        ],
    }
    for name, text in (("q1", "one"), ("q2", ""))
]
DOCCANO = [{"id": "q1", "text": "one", "label": ["x"]}, {"id": "q2", "text": "", "label": ["y"]}]
FILES: dict[str, tuple[str, Any]] = {
    "nested": ("votes.jsonl", NESTED),
    "long": ("votes.csv", LONG),
    "wide": ("votes.csv", WIDE),
    "Label Studio": ("votes.json", LABEL_STUDIO),
    "doccano": ("ann.jsonl", DOCCANO),
}


def written(path: Path, content: Any) -> Path:
    if path.suffix == ".jsonl":
        content = "\n".join(map(json.dumps, content))
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("layout", FILES)
def test_texts_of_every_layout(tmp_path: Path, layout: str) -> None:
    name, content = FILES[layout]
    read = read_votes(written(tmp_path / name, content))
    assert read.texts == ("one", "")
    assert not {"text", "Sentence", "prompt"} & set(read.votes.voters)


def test_no_text_is_known(tmp_path: Path) -> None:
    assert read_votes(written(tmp_path / "v.csv", "id,a,b\nq1,x,y\n")).texts == ()


def test_texts_of_several_files(tmp_path: Path) -> None:
    ann = written(tmp_path / "ann.jsonl", DOCCANO)
    bob = written(tmp_path / "bob.jsonl", DOCCANO)
    bare = written(tmp_path / "cyd.jsonl", [{"id": "q1", "label": ["x"]}])
    assert read_votes([ann, bob]).texts == ("one", "")
    assert read_votes([ann, bare]).texts == ()


def test_a_named_column_is_not_the_text(tmp_path: Path) -> None:
    path = written(tmp_path / "v.csv", WIDE)
    read = read_votes(path, kept_columns=["prompt"])
    assert read.columns == {"prompt": ("one", "")}
    assert read.texts == ("t", "t")  # the next of the usual names
