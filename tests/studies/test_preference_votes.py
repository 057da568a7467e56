"""Every kind of weak supervisor compares two answers, and the places of the answers say nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pair_files import lines, prepared, rows, settings, write_pairs
from steelyard.data import read_labelled
from steelyard.errors import ConfigError
from steelyard.reliability import GraphDenoising
from steelyard.studies.selecting import select_labels
from steelyard.studies.votes import collect_votes, true_answers
from steelyard.types import PAIR, chosen_position


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs"))


def test_annotators_votes_name_the_side_or_the_place(files: Path, tmp_path: Path) -> None:
    said = [
        {"id": f"train-{i}", "voter": "ann", "answer": ("chosen", "rejected")[i % 2]}
        for i in range(60)
    ]
    salt = read_labelled("preference", files / "train.jsonl", PAIR).salt
    placed = [
        {**row, "answer": PAIR[chosen_position(row["id"], salt) ^ (row["answer"] == "rejected")]}
        for row in said
    ]
    tables = []
    for name, some in (("sides", said), ("places", placed)):
        (tmp_path / f"{name}.jsonl").write_text(lines(some))
        file = [{"kind": "votes", "path": str(tmp_path / f"{name}.jsonl")}]
        run = prepared(files, tmp_path / "store", supervisors=file)
        tables.append(collect_votes(run, 0).strong_train)
        right = tables[-1].answer == run.task(0).strong_train.truth[tables[-1].example]
        even = [int(tables[-1].ids[i].split("-")[1]) % 2 == 0 for i in tables[-1].example]
        assert right.tolist() == even
    assert tables[0].answer.tolist() == tables[1].answer.tolist()


SUPERVISORS: dict[str, dict[str, Any]] = {
    "tfidf": {"voters": 2},
    "chooser": {
        **{"voters": 2, "epochs": 20, "learning_rate": 1e-2, "batch_size": 4},
        "precision": "fp32",
    },
    "preference": {
        **{"voters": 2, "epochs": 15, "learning_rate": 1e-2, "lora": None, "batch_size": 4},
        "precision": "fp32",
    },
    "language_model": {"answer": "text", "queries": 1},
}


@pytest.mark.parametrize("kind", SUPERVISORS)
def test_weak_supervisors_compare_answers(
    kind: str, files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    model = {"chooser": tiny_bert, "tfidf": None}.get(kind, str(files / "llama"))
    weak = {"kind": kind, **SUPERVISORS[kind], **({"model": model} if model else {})}
    data = {**settings(files)["data"], "weak_train": 24}
    run = prepared(files, tmp_path, supervisors=[weak], data=data)
    votes, truth = collect_votes(run, 0).test, run.task(0).test.truth
    assert votes.probs is not None
    assert votes.classes == PAIR
    np.testing.assert_allclose(votes.probs.sum(axis=1), 1)
    assert len(votes.voters) == weak.get("voters", 1)
    if kind != "language_model":  # the others have learnt from 24 pairs
        assert (votes.answer == truth[votes.example]).mean() > 0.75


def test_graph_denoising_hears_of_other_pairs_of_a_prompt(files: Path, tmp_path: Path) -> None:
    # One prompt has three answers: a > b by 3 votes of 3, b > c by 3, and c > a by 2 of 3. The
    # cycle's weakest edge goes: a > c.
    trio = {"prompt": "which", "chosen": "", "rejected": ""}
    pairs = [("a", "b", 3), ("b", "c", 3), ("a", "c", 1)]
    train = rows("train", 20)
    votes = [{"id": row["id"], "voter": v, "answer": "chosen"} for row in train for v in "uvw"]
    for one, other, ahead in pairs:
        name = f"{one}{other}"
        train.append({**trio, "id": name, "chosen": one, "rejected": other})
        answers = ["chosen"] * ahead + ["rejected"] * (3 - ahead)
        votes += [
            {"id": name, "voter": v, "answer": a} for v, a in zip("uvw", answers, strict=True)
        ]
    (tmp_path / "train.jsonl").write_text(lines(train))
    (tmp_path / "votes.jsonl").write_text(lines(votes))
    run = prepared(
        files,
        tmp_path / "store",
        data={
            "train": str(tmp_path / "train.jsonl"),
            "test": str(files / "test.jsonl"),
            "weak_train": 0,
        },
        supervisors=[{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}],
        arms=[{"name": "ged", "reliability": "graph_denoising", "selection": "soft"}],
    )
    ids, truth = run.task(0).strong_train.ids, true_answers(run, 0)
    posterior = select_labels(run, 0, run.study.arm("ged"))[0].targets
    alone = select_labels(run, 0, run.study.arm("majority"))[0].targets
    i = ids.index("ac")
    assert alone[i, truth[i]] == 0  # two of three are wrong about it
    assert posterior[i, truth[i]] == pytest.approx(1.0)  # min(3/3, 3/3) along a > b > c
    others = [row for row, name in enumerate(ids) if name.startswith("train")]
    np.testing.assert_allclose(posterior[others, truth[others]], 1.0)


def test_graph_denoising_needs_pairs() -> None:
    with pytest.raises(ConfigError, match="judges pairs of answers, and the task is multiple_choi"):
        GraphDenoising().check_task("multiple_choice")


def test_the_place_of_the_better_answer_is_no_class(files: Path, tmp_path: Path) -> None:
    # All votes for the first answer would be one class of a classification, which teaches nothing.
    first = [{"id": row["id"], "voter": "ann", "answer": "first"} for row in rows("train", 60)]
    (tmp_path / "votes.jsonl").write_text(lines(first))
    file = [{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}]
    run = prepared(files, tmp_path / "store", supervisors=file)
    selection, _ = select_labels(run, 0, run.study.arm("majority"))
    assert selection.targets.argmax(axis=1).tolist() == [0] * 48
