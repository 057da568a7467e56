"""The number that a solution ends in is read right, or not at all."""

import gzip
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asked_texts import OPEN
from steelyard.prompts import canonical, read
from steelyard.prompts.parse_number import spelled

NUMBERS: list[tuple[str, str | None]] = [
    ("42", "42"),
    ("#### 42", "42"),
    ("48/2 = <<48/2=24>>24\n#### 1,200", "1200"),
    ("A: 26", "26"),
    ("The answer is $1,200.00.", "1200"),
    ("The answer is:\n42", "42"),
    ("**Answer:** 42 apples", "42"),
    ('{"answer": 42, "unit": "5 km"}', "42"),
    ("So 5 + 7 = 12 \\boxed{12}", "12"),
    ("\\boxed{\\$1{,}200}", None),
    ("\\boxed{\\frac{3}{4}}", "0.75"),
    ("\\boxed{\\text{about } 7}", "7"),
    ("$5", "5"),
    ("-$5", "-5"),
    ("$-5", "-5"),
    ("\u20ac5.50", "5.5"),
    ("-5", "-5"),
    ("\u22125", "-5"),
    ("minus 5", "-5"),
    ("negative 5 degrees", "-5"),
    ("50%", "50"),
    ("0.50", "0.5"),
    (".5", "0.5"),
    ("007", "7"),
    ("3/4", "0.75"),
    ("1/3", "1/3"),
    ("2/6", "1/3"),
    ("1 1/2", "1.5"),
    ("2\u00bd", "2.5"),
    ("\u00bd", "0.5"),
    ("1e3", "1000"),
    ("1.2 x 10^3", "1200"),
    ("2 million", "2000000"),
    ("3 dozen eggs", "36"),
    ("$5k", "5000"),
    ("5 km", "5"),
    ("5km", "5"),
    ("5 m^2", "5"),
    ("5 m\u00b2", "5"),
    ("12-inch", "12"),
    ("48 + 24 = 72 clips", "72"),
    ("So she has 12 apples left.", "12"),
    ("She buys 3 bags of 4.\nTherefore she has 12 apples.", "12"),
    ("<think>maybe 5</think>42", "42"),
    ("It is 42", "42"),
    # no number, or not surely one
    ("", None),
    ("twelve", None),
    ("5 or 6", None),
    ("5-6", None),
    ("10-5", None),
    ("not 5", None),
    ("half of 12", None),
    ("5 and a half", None),
    ("more than 5", None),
    ("#### 64,82", None),
    ("1,2", None),
    ("1.200,50", None),
    ("1.2.3", None),
    ("12:30", None),
    ("3/4/2020", None),
    ("1/0", None),
    ("10\u00b2", None),
    ("\u221a5", None),
    ("5x", None),
    ("$5m", None),
    ("x-8 years", None),
    ("192+", None),
    ("COVID-19", None),
    ("1e999999999", None),
    ("9" * 5000, None),
    ("#### 42\n#### 43", None),
    ("The answer is 5. The answer is 6.", None),
    ("I don't know if the answer is 5", None),
    ("She has 5 apples. He eats them all and is happy about it for the rest of the day.", None),
    ("I'm sorry, I cannot answer.", None),
]


@pytest.mark.parametrize(("reply", "number"), NUMBERS)
def test_numbers(reply: str, number: str | None) -> None:
    assert canonical(reply, "number") == number


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("#### 12", "cut off"),  # of 120
        ("The answer is 12", "cut off"),
        ("So she has 12", "cut off"),
        ("#### 12\nNext", ""),
        ("The answer is 12. Next", ""),
        ("\\boxed{12}", ""),
    ],
)
def test_numbers_at_the_cut(reply: str, reason: str) -> None:
    assert read(reply, OPEN, "number", "length").reason == reason


@given(st.fractions(-(10**12), 10**12, max_denominator=1000))
def test_a_number_keeps_its_value(value: Fraction) -> None:
    """However it is spelled it is read as the same, and its spelling is read as itself."""
    text = spelled(value)
    for shown in (text, f"#### {text}", f"The answer is {text} apples.", f"\\boxed{{{text}}}"):
        assert canonical(shown, "number") == text
    assert Fraction(text) == value


@given(st.integers(-(10**15), 10**15), st.integers(0, 3))
def test_thousands_and_zeros_make_no_difference(number: int, zeros: int) -> None:
    shown = f"{number:,}" + ("." + "0" * zeros if zeros else "")
    assert canonical(f"${shown}" if number >= 0 else shown, "number") == str(number)


@pytest.mark.parametrize("name", ["gsm8k_weak_generations", "gsm8k_openai_solutions"])
def test_real_solutions(shared_data: Path, name: str) -> None:
    """Numbers of real solutions agree with what the data sets' own authors read.

    Counted 2026-11-21 with this reader: of 20,000 weak solutions whose final number can be read,
    19,995 agree and 5 abstain, all of the kind "#### 64,82", two numbers that the source joined to
    6482; none differs. Of 5,276 OpenAI solutions all have the correctness that the data set says.
    """
    split = "train" if name == "gsm8k_weak_generations" else "test"
    counts: Counter[str] = Counter()
    with gzip.open(shared_data / name / f"{split}.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            gold = canonical(row["answer"], "number")
            for solution in row["solutions"]:
                reading = read(solution["solution"], OPEN, "number")
                if "final" not in solution:
                    right = reading.text == gold
                    counts["agree" if right == solution["correct"] else "differ"] += 1
                    continue
                final = canonical(solution["final"] and str(solution["final"]), "number")
                if final is not None:
                    same = "agree" if reading.text == final else "differ"
                    counts[reading.reason or same] += 1
    if name == "gsm8k_weak_generations":
        assert counts == {"agree": 19_995, "not an answer": 5}
    else:
        assert counts == {"agree": 5_276}
