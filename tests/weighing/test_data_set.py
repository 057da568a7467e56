"""Labels as a data set on the Hub: a fake on this machine, read back by `datasets`."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import steelyard as sy
from fake_hub import fake_hub
from steelyard.weighing.data_set import card

ROWS = [
    {"id": "a", "voter": "ann", "answer": "yes", "text": "=1|2"},
    {"id": "a", "voter": "bob", "answer": "no", "text": "=1|2"},
    {"id": "a", "voter": "cyd", "answer": "yes", "text": "=1|2"},
    {"id": "b", "voter": "ann", "answer": "no", "text": "second"},
    {"id": "b", "voter": "bob", "answer": "", "text": "second"},
]


def pushed(votes: Path, hub: str, home: Path, token: str = "hf_test") -> Any:
    names = {"HF_ENDPOINT": hub, "HF_TOKEN": token, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home)}
    command = [sys.executable, "-m", "steelyard", "weigh", str(votes), "--method", "majority"]
    command += ["--out", str(home / "out"), "--push-to-hub", "me/labels"]
    environment = {**os.environ, **names}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(autouse=True)
def _no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` keeps tables by the names of files, also those of an earlier run."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    lines = ["id,voter,answer,text", *(",".join(row.values()) for row in ROWS)]
    (tmp_path / "votes.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "votes.csv"


def test_labels_are_pushed_and_load_in_three_lines(votes: Path, tmp_path: Path) -> None:
    """The card's own lines, with the folder of what was uploaded as the name."""
    with fake_hub() as (hub, files):
        done = pushed(votes, hub, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"hub: {hub}/datasets/me/labels"
    assert {"README.md", "labels.parquet", "voters.parquet"} <= files.keys()
    folder = tmp_path / "uploaded"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    text = files["README.md"].decode()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) == 3
    names: dict[str, Any] = {}
    exec(code.replace("me/labels", str(folder)), names)
    first, second = names["labels"]
    assert (first["id"], first["text"], first["label"]) == ("a", "=1|2", "yes")
    assert first["score"] == pytest.approx(2 / 3)  # two votes of three
    assert [(vote["voter"], vote["answer"]) for vote in first["votes"]] == [
        *(("ann", "yes"), ("bob", "no"), ("cyd", "yes")),
    ]
    assert (second["label"], second["votes"][1]["answer"]) == ("no", None)  # bob abstained
    table = {row["voter"]: row for row in names["voters"]}
    assert (table["ann"]["votes"], table["bob"]["abstained"]) == (2, 1)
    for words in ("votes.csv: 2 items", "majority", "not measured", "not the truth"):
        assert words in text


@pytest.mark.parametrize("token", ["hf_test", ""])
def test_a_hub_that_refuses_is_one_line(votes: Path, token: str, tmp_path: Path) -> None:
    with fake_hub(refuse=True) as (hub, files):
        done = pushed(votes, hub, tmp_path / "home", token)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: The Hub did not take 'me/labels':")
    assert "`hf auth login`" in done.stderr
    assert not files
    assert (tmp_path / "home" / "out" / "labels.csv").is_file()  # weighed all the same


def test_without_the_package_nothing_is_weighed(
    votes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelyard.extras._installed", lambda module: False)
    from steelyard.cli.weigh import weigh as weigh_command

    with pytest.raises(sy.ConfigError, match=r"needs the extra `hub`: pip install") as error:
        weigh_command([votes], out=tmp_path / "out", push_to_hub="me/labels")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_open_answers_and_measured_labels_are_in_the_data_set(tmp_path: Path) -> None:
    rows = [{"id": f"q{i}", "voter": v, "answer": str(i)} for i in range(3) for v in ("a", "b")]
    truth = {"q0": "0", "q1": "1", "q2": "7"}
    result = sy.weigh(rows, ["majority"], answers="number", truth=truth)
    from datasets import load_dataset

    from steelyard.weighing.data_set import write_data_set

    write_data_set(result, tmp_path, "me/numbers")
    labels = load_dataset(str(tmp_path), "labels", split="train")
    assert labels["label"] == ["0", "1", "2"]
    assert [vote["answer"] for vote in labels[2]["votes"]] == ["2", "2"]
    assert "text" not in labels.column_names
    text = card(result.summary, "me/numbers")
    assert "open answers" in text
    assert "right labels: 0.667" in text
    assert 'load_dataset("me/numbers", "labels", split="train")' in text


def test_texts_from_data_cannot_become_markup() -> None:
    rows = [{"id": str(i), "voter": "<b>|x|", "answer": "[y](z)"} for i in range(2)]
    text = card(sy.weigh(rows, ["majority"]).summary, "me/labels")
    assert "<b>" not in text
    assert "&lt;b&gt;\\|x\\|" in text
    assert "[y](z)" not in text
