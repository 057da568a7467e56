"""`steelyard study --dry-run`: what would run, with numbers that can be checked by hand."""

from pathlib import Path
from typing import Any

import pytest

from steelyard.cli.study import study as run_command
from steelyard.models.load import Pretrained
from steelyard.studies.plan import parameters
from steelyard.studies.study import planned


def settings(model: str) -> dict[str, Any]:
    taught = {"kind": "classifier", "model": model, "voters": 2, "epochs": 3, "batch_size": 8}
    return {
        "task": "classification",
        "data": {"generated": "errands", "weak_train": 20, "strong_train": 50, "max_test": 30},
        "supervisors": [taught],
        "student": {"kind": "classifier", "model": model, "epochs": 2, "batch_size": 8},
        "arms": ["soft"],
        "references": ["gold_only"],
        "seeds": 4,
    }


def test_numbers_of_a_plan(tiny_bert: str) -> None:
    data, supervisor, students = planned(settings(tiny_bert))
    assert data == "data: 20 weak_train, 50 strong_train, 30 test, 4 seeds"
    # (50 + 30) questions x 2 voters x 4 seeds; ceil(20 / 8) = 3 steps x 3 epochs x 2 x 4
    assert "640 answers, 8 voters taught in 72 steps" in supervisor
    # ceil(50 / 8) = 7 steps x 2 epochs
    assert "up to 14 steps each" in students
    assert "GB in training" in students


def test_parameters_are_counted_without_weights(tiny_bert: str) -> None:
    # embeddings (32 + 64 + 2) x 16 + norm 32; 3 blocks of 4 x (16^2 + 16) + norm 32
    # + 16 x 32 + 32 + 32 x 16 + 16 + norm 32; pooler 16^2 + 16
    block = 4 * (16 * 16 + 16) + 32 + 16 * 32 + 32 + 32 * 16 + 16 + 32
    assert parameters(Pretrained(model=tiny_bert)) == 98 * 16 + 32 + 3 * block + 16 * 16 + 16


def test_a_dry_run_writes_nothing(
    tiny_bert: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import yaml

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(settings(tiny_bert)))
    run_command(path, set_=["seeds=1"], dry_run=True)
    assert "1 seeds" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]
