"""A few thousand damaged replies and files; `benchmarks/mutated.py` makes any number of them."""

from pathlib import Path

import pytest

import mutated
import mutated_files

pytest.importorskip("openpyxl")
SEED = 20261128


def test_damaged_replies_are_read_or_abstain_with_a_reason() -> None:
    for number in range(3_000):
        mutated.check_reply(number, SEED)


def test_damaged_files_are_read_or_refused_in_a_line(tmp_path: Path) -> None:
    files = mutated_files.whole_files()
    was_read = sum(mutated_files.check_file(n, SEED, files, tmp_path) for n in range(1, 300))
    assert 50 < was_read < 250  # the damage is neither fatal nor without effect
