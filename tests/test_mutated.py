"""A few thousand damaged replies and files; `benchmarks/mutated.py` makes any number of them."""

import pickle
from pathlib import Path

import pytest

import mutated
import mutated_files
from steelyard.errors import ConfigError, InputError, SteelyardError, StoreError, TrainingError

pytest.importorskip("openpyxl")
SEED = 20261128


def test_damaged_replies_are_read_or_abstain_with_a_reason() -> None:
    for number in range(3_000):
        mutated.check_reply(number, SEED)


def test_damaged_files_are_read_or_refused_in_a_line(tmp_path: Path) -> None:
    files = mutated_files.whole_files()
    was_read = sum(mutated_files.check_file(n, SEED, files, tmp_path) for n in range(1, 300))
    assert 50 < was_read < 250  # the damage is neither fatal nor without effect


def test_a_column_that_is_called_a_line_break_is_refused_in_a_line(tmp_path: Path) -> None:
    """The one of 100,000 files of seed 0 whose message had two lines."""
    assert not mutated_files.check_file(82443, 0, mutated_files.whole_files(), tmp_path)


@pytest.mark.parametrize("kind", [InputError, ConfigError, StoreError, TrainingError])
def test_every_message_is_one_line_without_control_characters(kind: type[SteelyardError]) -> None:
    text = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0x9B, 0x2028, 0x2029])) + "é 語"
    error = kind(f"column {text}")
    assert len(str(error).splitlines()) == 1
    assert str(error).isprintable()
    assert str(error).endswith("é 語")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # workers send errors
