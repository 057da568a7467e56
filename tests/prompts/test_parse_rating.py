"""A rating is the number of points where a word or a scale says so; other fractions stay."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asked_texts import OPEN
from steelyard.prompts import canonical, read
from steelyard.prompts.parse_number import spelled

RATINGS: list[tuple[str, str | None]] = [
    ("4 out of 5", "4"),
    ("4 out of 5 stars", "4"),
    ("**4** out of 5.", "4"),
    ("4 (out of 5)", "4"),
    ("4/5 stars", "4"),
    ("4.5/5 stars", "4.5"),
    ("4 stars", "4"),
    ("\u2605\u2605\u2605\u2605\u2606", "4"),
    ("Rating: 4", "4"),
    ("Rating: 4/5", "4"),
    ("**Score:** 8 out of 10", "8"),
    ("Rating (1-5): 4", "4"),
    ("Overall rating: 3 - the text is long", "3"),
    ("Score: 2, because the 3 sources disagree", "2"),
    ("Score: 4\n\nIt has 2 errors and 30 words.", "4"),
    ("It is fine but has 2 errors.\n\nRating: 4/5", "4"),
    ("I would rate this 4/5.", "4"),
    ("I would give it 3 out of 5.", "3"),
    ("7 on a scale of 1 to 10", "7"),
    ("On a scale of 1-10: 7", "7"),
    ('{"score": 4}', "4"),
    ('{"score": "4/5"}', "4"),
    ('{"score": 4, "max": 5}', "4"),
    ('{"final_rating": 4.0, "reason": "it has 2 errors"}', "4"),
    ('{"reason": "2 errors", "stars": 3}', "3"),
    ('Sure:\n```json\n{"rating": 2, "confidence": 0.9}\n```', "2"),
    # fractions, counts, and what is no single rating
    ("4/5", "0.8"),
    ("3/4 cup", "0.75"),
    ("The probability is 3/4.", "0.75"),
    ("#### 4/5", "0.8"),
    ('{"answer": "4/5"}', "0.8"),
    ("12 points", "12"),
    ("3 out of 4 dentists", None),
    ("So 3 out of 4 are red.", None),
    ("Score: 6/5", None),
    ("Score: 4 or 5", None),
    ("Score: not 4", None),
    ("Rating: 3-4", None),
    ("Rating: 4\nRating: 5", None),
    ('{"score": true}', None),
    ('{"score": 6, "max": 5}', None),
    ('{"score": 3, "rating": 4}', None),
    ("The score was 21 to 14.", None),
]


@pytest.mark.parametrize(("reply", "number"), RATINGS)
def test_ratings(reply: str, number: str | None) -> None:
    assert canonical(reply, "number") == number


STATED = ["{}/{} stars", "Score: {}/{}", "{} out of {}", "Rating: {} out of {}", "I rate it {}/{}.",
          "Grade: {} of {}", '{{"rating": "{}/{}"}}', "**Final score:** {}/{}"]  # fmt: skip
FRACTIONS = ["{}/{}", "#### {}/{}", "The answer is {}/{}.", "{}/{} cup", "x = {}/{}"]


@given(st.integers(0, 100), st.integers(1, 100), st.sampled_from(STATED))
def test_a_stated_rating_is_its_points(points: int, scale: int, shown: str) -> None:
    expected = str(points) if points <= scale else None
    assert canonical(shown.format(points, scale), "number") == expected


@given(st.integers(0, 100), st.integers(1, 100), st.sampled_from(FRACTIONS))
def test_a_fraction_without_such_a_word_stays_one(above: int, below: int, shown: str) -> None:
    assert canonical(shown.format(above, below), "number") == spelled(Fraction(above, below))


def test_a_rating_at_the_cut_abstains() -> None:
    assert read("Score: 1", OPEN, "number", "length").reason == "cut off"  # of 10
    assert read("Score: 1\nIt", OPEN, "number", "length").text == "1"
    assert read('{"score": 1}', OPEN, "number", "length").text == "1"
