"""A distribution from the first token's log-probabilities, by hand."""

from math import log

import numpy as np
import pytest

from steelyard.supervision.api.option_probabilities import begins, option_probabilities

LETTERS = (" A", " B", " C")


def test_all_tokens_of_one_option_are_added_up() -> None:
    top = (("A", log(0.5)), (" A", log(0.1)), ("**B", log(0.2)), ("C)", log(0.1)))
    found = option_probabilities(top, LETTERS)
    np.testing.assert_allclose(found, [6 / 9, 2 / 9, 1 / 9])  # 0.6, 0.2, 0.1 of 0.9


def test_words_are_told_by_their_first_piece() -> None:
    top = (("Sp", log(0.6)), ("ham", log(0.3)), ("The", log(0.1)))
    np.testing.assert_allclose(option_probabilities(top, (" spam", " ham")), [2 / 3, 1 / 3])


def test_an_option_that_is_not_listed_has_at_most_the_smallest_that_is() -> None:
    # 0.1 is not listed, two options are missing: 0.05 each, as much as the smallest listed one
    top = (("A", log(0.85)), ("x", log(0.05)))
    found = option_probabilities(top, LETTERS)
    np.testing.assert_allclose(found, np.array([0.85, 0.05, 0.05]) / 0.95)
    # 0.4 is not listed, but each of the two has at most 0.1
    top = (("A", log(0.5)), ("x", log(0.1)))
    found = option_probabilities(top, LETTERS)
    np.testing.assert_allclose(found, np.array([0.5, 0.1, 0.1]) / 0.7)


NOTHING = {
    "no log-probabilities": (),
    "NaN": (("A", None), ("B", log(0.9))),
    "above 0": (("A", 0.5),),
    "-inf for all options": (("A", -9999.0), ("B", -9999.0), ("C", -9999.0)),
    "other words": (("The", log(0.7)), ("A", log(0.3))),
    "an English sentence": (("An", log(0.9)), ("a", log(0.1))),
    "blanks": ((" ", log(0.8)), ("\n", log(0.2))),
}


@pytest.mark.parametrize("top", NOTHING.values(), ids=NOTHING)
def test_what_says_nothing_is_none(top: tuple[tuple[str, float | None], ...]) -> None:
    assert option_probabilities(top, LETTERS) is None


def test_a_token_that_begins_two_options_speaks_for_neither() -> None:
    answers = (" not so", " not yet", " yes")
    assert option_probabilities((("not", log(0.2)), ("yes", log(0.8))), answers) is None
    found = option_probabilities((("not", log(0.04)), ("yes", log(0.96))), answers)
    np.testing.assert_allclose(found, [0, 0, 1])
    assert option_probabilities((("1", log(0.9)), ("2", log(0.1))), (" 1", " 2", " 10")) is None


@pytest.mark.parametrize(
    ("token", "answer", "expected"),
    [
        *(("A", " A", True), (" A.", " A", True), ("**A**", " A", True), ("(A)", " A", True)),
        *(("a", " A", False), ("An", " A", False), ("A1", " A", False), ("", " A", False)),
        *(("YES", " yes", True), ("ye", " yes", True), ("yes!", " yes", True)),
        *(("yesterday", " yes", False), ("no", " yes", False), ("ß", " SS", True)),
    ],
)
def test_what_a_token_begins(token: str, answer: str, expected: bool) -> None:
    assert begins(token, answer) is expected


def test_minus_infinity_is_zero() -> None:
    found = option_probabilities((("A", log(0.9)), ("B", -9999.0), ("C", -9999.0)), LETTERS)
    np.testing.assert_allclose(found, [1, 0, 0])
