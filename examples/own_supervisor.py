"""A weak supervisor of your own: labelling functions that look for words.

The class needs no change of the package: give `sy.study` an object of it. To name it in study files
(`supervisors: [{kind: keywords, ...}]`), put the class into an installed package with

    [project.entry-points."steelyard.plugins"]
    keywords = "my_package.keywords:Keywords"
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Literal

import numpy as np

import steelyard as sy

DATA = {"generated": "errands", "weak_train": 0, "strong_train": 120, "max_test": 120}
LISTS: dict[str, dict[str, tuple[str, ...]]] = {
    "list A": {
        "cooking": ("oven", "sauce", "bread", "cake", "soup"),
        "health": ("doctor", "clinic", "blood", "pain", "ache"),
        "money": ("bank", "tax", "loan", "credit", "bill"),
        "travel": ("flight", "hotel", "train", "beach", "tour"),
    },
    "list B": {
        "cooking": ("salad", "cheese", "rice", "pan", "cream"),
        "health": ("fever", "cough", "allergy", "pill", "surge"),
        "money": ("insurance", "fee", "pay", "fund", "cash"),
        "travel": ("trip", "ticket", "luggage", "road", "island"),
    },
}


class Keywords(sy.BaseSupervisor):
    """A voter that gives the class of which a text has the most words, and abstains without any."""

    version: ClassVar[int] = 1  # raise it when votes change without a change of settings

    kind: Literal["keywords"] = "keywords"
    name: str
    """Of the voter."""
    words: dict[str, tuple[str, ...]]
    """Class name -> parts of words that speak for it."""

    def vote(self, request: sy.VoteRequest) -> list[sy.Votes]:
        return [self._table(questions, request.classes) for questions in request.questions]

    def _table(self, questions: Sequence[sy.Question], classes: tuple[str, ...]) -> sy.Votes:
        hits = np.zeros((len(questions), len(classes)))
        for name, words in self.words.items():
            for i, question in enumerate(questions):
                hits[i, classes.index(name)] = sum(word in question.text for word in words)
        nothing = np.zeros(len(questions), dtype=np.int64)
        return sy.Votes(
            ids=tuple(question.id for question in questions),
            voters=(self.name,),
            queries=("rule",),
            example=np.arange(len(questions)),
            voter=nothing,
            query=nothing,
            answer=np.where(hits.any(axis=1), hits.argmax(axis=1), sy.ABSTAIN),
            candidates=np.full(len(questions), len(classes)),
            classes=classes,
        )


def main() -> None:
    study = {
        "name": "own-supervisor",
        "task": "classification",
        "data": DATA,
        "supervisors": [Keywords(name=name, words=words) for name, words in LISTS.items()],
        "student": {"kind": "probe", "model": "minilm", "layers": 3},
        "arms": ["majority"],
        "seeds": 2,
    }
    with TemporaryDirectory() as folder:
        result = sy.study(study, Path(folder) / "run", workers=1)
        print(result)
        floor, ceiling = result.results["weak"]["value"], result.results["ceiling"]["value"]
        assert floor < result.results["arms"]["majority"]["score"]["value"] < ceiling


if __name__ == "__main__":
    main()
