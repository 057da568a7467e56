"""What frozen layers make of a text is computed once, whoever asks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.store.store import Store
from steelyard.studies.hidden_states import BLOCK, KIND, TextStates
from steelyard.types import Ints, Question


def question(number: int) -> Question:
    return Question(str(number), "x" * (number % 5 + 1))


class Frozen:
    """A model whose state of token j of a text is (number of the text, j)."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, questions: Sequence[Question]) -> tuple[Any, Ints]:
        self.read += [question.id for question in questions]
        rows = [(float(q.id), float(j)) for q in questions for j in range(len(q.text))]
        starts = np.cumsum([0, *(len(question.text) for question in questions)])
        return np.array(rows, dtype=np.float32), starts


def test_a_text_is_read_once_whoever_asks(tmp_path: Path) -> None:
    frozen, asked = Frozen(), [question(i) for i in range(2 * BLOCK + 10)]
    first = TextStates(Store(tmp_path), asked).cache({"layers": 2}, "model")
    again = TextStates(Store(tmp_path), asked).cache({"layers": 2}, "model")  # another process
    rng = np.random.default_rng(0)
    for cache in (first, first, again):
        some = [asked[i] for i in rng.permutation(len(asked))[:300]]
        assert np.array_equal(np.asarray(cache(some, frozen)), frozen.__class__()(some)[0])
    assert sorted(frozen.read, key=int) == [q.id for q in asked]


def test_only_blocks_that_are_needed_are_read(tmp_path: Path) -> None:
    frozen, asked = Frozen(), [question(i) for i in range(3 * BLOCK)]
    TextStates(Store(tmp_path), asked).cache({}, "model")(asked[BLOCK : BLOCK + 5], frozen)
    assert frozen.read == [q.id for q in asked[BLOCK : 2 * BLOCK]]


def test_other_settings_and_other_weights_are_other_states(tmp_path: Path) -> None:
    frozen, asked = Frozen(), [question(i) for i in range(3)]
    states = TextStates(Store(tmp_path), asked)
    for settings, model in (({"layers": 1}, "a"), ({"layers": 2}, "a"), ({"layers": 1}, "b")):
        states.cache(settings, model)(asked, frozen)
    assert len(frozen.read) == 9
    assert len(list(tmp_path.glob(f"{KIND}-*"))) == 3


def test_a_text_of_no_study_is_computed_and_not_kept(tmp_path: Path) -> None:
    frozen = Frozen()
    cache = TextStates(Store(tmp_path), [question(1)]).cache({}, "model")
    assert np.array_equal(cache([question(9)], frozen), Frozen()([question(9)])[0])
    assert not list(tmp_path.glob("*"))
