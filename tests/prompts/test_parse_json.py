"""Numerals of any length and exponent in a reply are read or abstain; none is a traceback."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steelyard.prompts.parse_answer import AnswerFormat, canonical

REPLIES = (
    *("{n}", "#### {n}", "The answer is {n}", "[{n}]", "[1, {n}]", "```json\n[{n}]\n```"),
    *('{{"answer": {n}}}', '{{"date": {n}}}', '[{{"type": "date", "filler": {n}}}]'),
)
digits = st.text("0123456789", min_size=1, max_size=90)
numerals = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    digits.map(lambda text: text.lstrip("0") or "0"),
    st.just("") | digits.map(".{}".format),
    st.just("")
    | st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from("+-"), digits)
    | st.builds("e{}".format, digits),
)


@example("1e99999999999")
@example("1e999999999999999999999")
@example("-1E+99999999999999999999")
@example("0e999999999999999999999")
@example("1e-999999999999999999999")
@example("1" * 79 + "e5")  # its exponent begins at the 80th character
@example("1." + "2" * 77 + "e5")
@given(numeral=numerals)
def test_any_numeral_is_read_or_abstains(numeral: str) -> None:
    formats: tuple[AnswerFormat, ...] = ("number", "json", "slots", "text")
    for reply in REPLIES:
        for answer_format in formats:
            text = canonical(reply.format(n=numeral), answer_format)
            assert text is None or isinstance(text, str)


@given(numeral=numerals.filter(lambda text: len(text) <= 30))
def test_a_numeral_of_json_keeps_its_value_or_abstains(numeral: str) -> None:
    text = canonical(f"[{numeral}]", "json")
    if text is not None:
        assert Decimal(str(json.loads(text)[0])) == Decimal(numeral)


@pytest.mark.parametrize(
    ("numeral", "value"),
    [("12", 12), ("1.50", "1.5"), ("1e2", 100), ("1e40", 10**40), ("1e41", None), ("1e-41", None)],
)
def test_the_limit_is_forty_digits(numeral: str, value: int | str | None) -> None:
    text = canonical(f"[{numeral}]", "json")
    assert text == (None if value is None else json.dumps([value]))
