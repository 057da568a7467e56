"""Hidden states of frozen layers for the texts of a study, computed once per text.

Arms, seeds and epochs that read the same text share its hidden states, and so do processes. Texts
are kept in blocks, so that two processes can compute them at the same time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steelyard.models.finetune import Compute, StatesCache
from steelyard.models.frozen import Rows
from steelyard.store.content import Content
from steelyard.store.store import Recipe, Store, fingerprint, library_versions
from steelyard.types import Ints, Question

BLOCK = 256  # texts of one stored result
KIND = "states"  # kind of the stored results, deleted when a study ends


class TextStates:
    """Hidden states, or features, of the texts of a study, kept in a store.

    Args:
        store: where they are kept.
        questions: every question that a student of the study is trained on or asked; equal
            questions are kept once.
    """

    def __init__(self, store: Store, questions: Sequence[Question]) -> None:
        self.store = store
        self.questions = tuple(dict.fromkeys(questions))
        self._position = {question: i for i, question in enumerate(self.questions)}
        self._read: dict[str, Content] = {}  # blocks that this process has verified

    def cache(self, settings: Mapping[str, Any], model: str) -> StatesCache:
        """A cache of the hidden states of one frozen model.

        Args:
            settings: everything but the weights that the states depend on.
            model: identity of the weights.
        """

        def recipe(block: int) -> Recipe:
            return Recipe(
                kind=KIND,
                version=2,
                settings=settings,
                inputs={"questions": fingerprint(self._texts(block)), "model": model},
                libraries=library_versions("torch", "transformers"),
            )

        def cached(questions: Sequence[Question], compute: Compute) -> Any:
            if not all(question in self._position for question in questions):
                return compute(questions)[0]
            position = np.array(
                [self._position[question] for question in questions], dtype=np.int64
            )
            blocks, of = np.unique(position // BLOCK, return_inverse=True)
            kept = self._keep({int(b): recipe(int(b)) for b in blocks}, compute)
            return pick(kept, of.astype(np.int64), position % BLOCK)

        return cached

    def _texts(self, block: int) -> tuple[Question, ...]:
        return self.questions[block * BLOCK : (block + 1) * BLOCK]

    def _keep(self, wanted: Mapping[int, Recipe], compute: Compute) -> list[Content]:
        def make(block: int) -> Content:
            states, starts = compute(self._texts(block))
            return {"states": states, "starts": starts}

        missing = {b: recipe for b, recipe in wanted.items() if recipe.name not in self._read}
        makers = [
            (recipe.name, recipe, lambda _, block=block: make(block))
            for block, recipe in missing.items()
        ]
        for recipe, content in zip(missing.values(), self.store.keep_all(makers), strict=True):
            self._read[recipe.name] = content
        return [self._read[recipe.name] for recipe in wanted.values()]


def pick(blocks: Sequence[Content], block: Ints, text: Ints) -> Rows:
    """The rows of texts, one text after another.

    Args:
        blocks: each with `states` (R, d) and `starts` (its texts + 1,).
        block: of each wanted text, (N,).
        text: its number in the block, (N,).
    """
    starts = np.concatenate([content["starts"] for content in blocks])
    offset = np.cumsum([0, *(len(content["starts"]) for content in blocks)])[block] + text
    first, counts = starts[offset], starts[offset + 1] - starts[offset]
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return Rows(
        arrays=[content["states"] for content in blocks],
        array=np.repeat(block, counts),
        row=np.repeat(first, counts) + inside,
    )
