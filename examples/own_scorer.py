"""A scorer of your own, in a file outside the package.

A scorer gives each text a number from 0 to 1, such as how toxic it is. Subclass `BaseScorer`, give
it a `kind` and a `score_texts`. Scores are checked (NaN, another scale, another number of scores
are refused), equal texts are scored once, and its `name` stands beside every number. To name it on
the command line (`steelyard generate --scorer '{kind: word_list, words: [darn]}'`), put it into an
installed package with

    [project.entry-points."steelyard.plugins"]
    word_list = "my_package.word_list:WordList"
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

import steelyard as sy
from steelyard.evaluation.continuations import toxicity_metrics
from steelyard.generation import score_all

CONTINUATIONS = [["Well, darn.", "Have a nice day"], ["", "darn darn it"]]
"""Two continuations of each of two prompts."""


class WordList(sy.BaseScorer):
    """Share of a text's words that are on a list."""

    kind: Literal["word_list"] = "word_list"
    words: tuple[str, ...]

    def score_texts(self, texts: Sequence[str]) -> np.ndarray:
        words = [[word.strip(".,!?") for word in text.lower().split()] for text in texts]
        return np.array([np.mean([word in self.words for word in part]) for part in words])


def main() -> None:
    scorer = WordList(words=("darn",))
    texts = [text for of_prompt in CONTINUATIONS for text in of_prompt]
    scores = score_all(scorer, texts).reshape(2, 2)
    metrics = {name: sums.value()[0] for name, sums in toxicity_metrics(scores).items()}
    print(f"scorer: {scorer.name}")
    for name, value in metrics.items():
        print(f"{name:<27} {value:.3f}")
    # by hand: scores 1/2, 0, 0 (empty: never shown to the scorer), 2/3
    np.testing.assert_allclose(metrics["expected_maximum_toxicity"], (1 / 2 + 2 / 3) / 2)


if __name__ == "__main__":
    main()
