"""Replies are read right or not at all: never as a wrong class, whatever a model writes."""

import gzip
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steelyard.prompts import Asked, ReaderName, canonical, read
from steelyard.prompts.number import spelled
from steelyard.types import ABSTAIN

OPEN = Asked("q", "0-plain", "?")
MOOD = Asked("q", "0", "?", (" negative", " positive"), (0, 1), ("negative", "positive"))
MAIL = Asked("q", "0", "?", (" spam", " not spam"), (0, 1), ("spam", "not spam"))
MORAL = Asked("q", "0", "?", (" acceptable", " unacceptable"), (), ("acceptable", "unacceptable"))
# shown as A. blue, B. red, C. a dog, D. green sea
SKY = Asked(
    "q", "0", "?", (" B", " A", " D", " C"), (1, 0, 3, 2), ("red", "blue", "green sea", "a dog")
)
SUM = Asked("q", "0", "?", (" A", " B", " C"), (0, 1, 2), ("3", "30", "3.5"))
NO = ABSTAIN

CLOSED: list[tuple[Asked, str | None, int, str]] = [
    # a label's name
    (MOOD, "positive", 1, ""),
    (MOOD, " Positive.\n", 1, ""),
    (MOOD, "**Positive**", 1, ""),
    (MOOD, '"positive"', 1, ""),
    (MOOD, "```\npositive\n```", 1, ""),
    (MOOD, '```json\n{"label": "positive"}\n```', 1, ""),
    (MOOD, '{"reason": "not negative", "answer": "Positive", "confidence": 0.9}', 1, ""),
    (MOOD, "Answer: positive", 1, ""),
    (MOOD, "The answer is:\npositive", 1, ""),
    (MOOD, "It is positive", 1, ""),
    (MOOD, "The sentiment is positive.", 1, ""),
    (MOOD, "Positive, because nothing in it is negative.", 1, ""),
    (MOOD, "positive\n\nThere are few negative words.", 1, ""),
    (MOOD, "<think>negative? No, positive. Or negative.</think>\npositive", 1, ""),
    (MOOD, "the template opened it, negative</think> positive", 1, ""),
    (MOOD, "positive<|im_end|>\n<|im_start|>user\nnegative", 1, ""),
    (MOOD, "\uff30\uff2f\uff33\uff29\uff34\uff29\uff36\uff25", 1, ""),  # full width
    (MOOD, "pos\u200bitive", 1, ""),  # a zero-width space
    (MOOD, "p\u043esitive", NO, "not an answer"),  # a Cyrillic o
    (MOOD, "positif", NO, "not an answer"),
    (MOOD, "positively", NO, "not an answer"),
    (MOOD, "nonpositive", NO, "not an answer"),
    (MOOD, "non-positive", NO, "not an answer"),
    (MOOD, "not positive", NO, "not an answer"),
    (MOOD, "It isn't positive.", NO, "not an answer"),
    (MOOD, "I don't think the answer is positive.", NO, "not an answer"),
    (MOOD, "If the answer is positive then so be it.", NO, "not an answer"),
    (MOOD, "positive or negative", NO, "two answers"),
    (MOOD, "positive/negative", NO, "two answers"),
    (MOOD, "positive, negative", NO, "two answers"),
    (MOOD, "both positive and negative", NO, "two answers"),
    (MOOD, "Positive. Actually, negative.", NO, "two answers"),
    (MOOD, "The answer is positive. The answer is negative.", NO, "two answers"),
    (MOOD, "neutral", NO, "not an answer"),
    (MOOD, "positive?", NO, "not an answer"),
    (MOOD, "", NO, "empty"),
    (MOOD, None, NO, "empty"),
    (MOOD, "\u200b \n", NO, "empty"),
    (MOOD, "<think>it is positive", NO, "cut off"),
    (MOOD, "I'm sorry, I can't help with that.", NO, "refused"),
    (MOOD, "As an AI, I have no opinion.", NO, "refused"),
    (MOOD, "__import__('os').system('touch canary')", NO, "not an answer"),
    (MOOD, "!!python/object:os.system positive negative", NO, "two answers"),
    # labels inside each other
    (MAIL, "spam", 0, ""),
    (MAIL, "not spam", 1, ""),
    (MAIL, "This is not spam.", 1, ""),
    (MAIL, "Not_Spam", 1, ""),
    (MAIL, "antispam", NO, "not an answer"),
    (MAIL, "spam-free", NO, "not an answer"),
    (MORAL, "unacceptable", 1, ""),
    (MORAL, "acceptable", 0, ""),
    (MORAL, "I find it acceptable", 0, ""),
    (MORAL, "not acceptable", NO, "not an answer"),
    # letters and options
    (SKY, "B", 0, ""),
    (SKY, "b", 0, ""),
    (SKY, "\nB.", 0, ""),
    (SKY, "(B)", 0, ""),
    (SKY, "**B**", 0, ""),
    (SKY, "B) red", 0, ""),
    (SKY, "B: Red, since the sun sets.", 0, ""),
    (SKY, "Option B", 0, ""),
    (SKY, "The correct answer is (B).", 0, ""),
    (SKY, "I'd choose B", 0, ""),
    (SKY, "\U0001d401", 0, ""),  # a mathematical bold B
    (SKY, "red", 0, ""),
    (SKY, "A dog", 3, ""),
    (SKY, "A. blue", 1, ""),
    (SKY, "green sea", 2, ""),
    (SKY, "A dog is an animal", 3, ""),
    (SKY, "A cat", NO, "not an answer"),
    (SKY, "B. blue", NO, "two answers"),
    (SKY, "A and B", NO, "two answers"),
    (SKY, "A, B", NO, "two answers"),
    (SKY, "A or B", NO, "two answers"),
    (SKY, "A\n\nThe answer is B", NO, "two answers"),
    (SKY, "A. No, wait: B.", NO, "two answers"),
    (SKY, "E", NO, "not an answer"),
    (SKY, "\u0412", NO, "not an answer"),  # a Cyrillic letter, third of its alphabet
    (SKY, "Because vitamin B", NO, "not an answer"),
    (SKY, "None of them", NO, "not an answer"),
    (SKY, "The previous answer is B", NO, "not an answer"),
    # options that are numbers
    (SUM, "3", 0, ""),
    (SUM, "30", 1, ""),
    (SUM, "3.5", 2, ""),
    (SUM, "The answer is 3.", 0, ""),
    (SUM, "3.55", NO, "not an answer"),
    (SUM, "-3", NO, "not an answer"),
    (SUM, "3/4", NO, "not an answer"),
    (SUM, "3%", NO, "not an answer"),
    (SUM, "33", NO, "not an answer"),
    (SUM, "3 x 10", NO, "not an answer"),
]


@pytest.mark.parametrize(("asked", "reply", "answer", "reason"), CLOSED)
def test_closed_answers(asked: Asked, reply: str | None, answer: int, reason: str) -> None:
    reading = read(reply, asked)
    assert (reading.answer, reading.reason) == (answer, reason)
    assert reading.text == ("" if answer == ABSTAIN else asked.options[answer])


@pytest.mark.parametrize(
    ("asked", "reply", "answer", "reason"),
    [
        (MOOD, "The review says that", NO, "cut off"),
        (MOOD, "positive\nThe review", 1, ""),
        (MOOD, "The answer is positive. The rev", 1, ""),
        (SKY, "B", NO, "cut off"),  # "Because" has the same beginning
        (SKY, "B.\nThe", 0, ""),
        (SKY, "A dog", NO, "cut off"),
        (MAIL, "", NO, "cut off"),
        (MOOD, "positive", NO, "cut off"),  # or negative
    ],
)
def test_replies_that_were_cut(asked: Asked, reply: str, answer: int, reason: str) -> None:
    """max_new_tokens was reached: what may have gone on is no answer yet."""
    reading = read(reply, asked, finish_reason="length")
    assert (reading.answer, reading.reason) == (answer, reason)


def test_withheld_replies_are_refusals() -> None:
    assert read("positive", MOOD, finish_reason="content_filter").reason == "refused"
    assert read("", MOOD, finish_reason="too long").reason == "too long"


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


TEXTS: list[tuple[str, ReaderName, str | None]] = [
    ("The answer is Paris.", "text", "paris"),
    ("  PARIS \n", "text", "paris"),
    ("'New   York'", "text", "new york"),
    ("...", "text", None),
    ("I cannot answer that.", "text", None),
    ('{"b": 1.0, "a": ["x"]}', "json", '{"a":["x"],"b":1}'),
    ('Here: [{"type": "date", "filler": "May"}, {"type": "city", "filler": "Rome "}] ok?', "json",
     '[{"filler":"may","type":"date"},{"filler":"rome","type":"city"}]'),
    ('[{"filler": "rome", "type": "city"}, {"filler": "may", "type": "date"}]', "json",
     '[{"filler":"may","type":"date"},{"filler":"rome","type":"city"}]'),
    ("```json\n[]\n```", "json", "[]"),
    ('{"a": 1} {"a": 2}', "json", None),
    ('{"a": 1, "a": 2}', "json", None),
    ('{"a": NaN}', "json", None),
    ('{"a": 1', "json", None),
    ("{'a': 1}", "json", None),
    ("[" * 100_000, "json", None),
    ('{"a": 1e999999999}', "json", None),
    ("__import__('os')", "json", None),
    ('{"a": "\\ud800x"}', "json", '{"a":"x"}'),  # half a character
]  # fmt: skip


@pytest.mark.parametrize(("reply", "reader", "answer"), TEXTS)
def test_texts_and_json(reply: str, reader: ReaderName, answer: str | None) -> None:
    assert canonical(reply, reader) == answer


@given(st.lists(st.sampled_from(["date", "city"]), max_size=4), st.randoms())
def test_slots_have_no_order(types: list[str], random: object) -> None:
    slots = [{"type": name, "filler": f"f{i}"} for i, name in enumerate(types)]
    mixed = [dict(reversed(slot.items())) for slot in slots]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert canonical(json.dumps(slots), "json") == canonical(json.dumps(mixed), "json")


WORDS = st.sampled_from(
    [
        *(
            "positive",
            "negative",
            "not",
            "is",
            "the answer is",
            "A",
            "B.",
            "red",
            "blue",
            "or",
            ",",
        ),
        *(
            ".",
            "\n",
            "3",
            "3.5",
            "-",
            "$",
            "####",
            "\\boxed{",
            "}",
            "{",
            '"',
            "<think>",
            "</think>",
        ),
        *(
            "I cannot",
            "unacceptable",
            "spam",
            "x10^",
            "/",
            "\u00bd",
            "\u200b",
            "=",
            "1,000",
            "[",
            "%",
        ),
    ]
)
REPLIES = st.one_of(st.text(), st.lists(WORDS, max_size=12).map(" ".join))
ASKED = st.sampled_from([MOOD, MAIL, MORAL, SKY, SUM, OPEN])
READERS: st.SearchStrategy[ReaderName] = st.sampled_from(["number", "json", "slots", "text"])


@given(REPLIES, ASKED, READERS, st.sampled_from([None, "stop", "length"]))
@example("\u0130 answer is \u0130", MOOD, "number", None)  # lower case has another length
def test_any_reply_is_read_or_abstains(
    reply: str, asked: Asked, reader: ReaderName, finish: str | None
) -> None:
    reading = read(reply, asked, reader, finish)
    assert (reading.answer == ABSTAIN) == bool(reading.reason)
    if asked.answers and reading.answer != ABSTAIN:
        assert 0 <= reading.answer < len(asked.options)


@given(REPLIES, READERS)
def test_canonical_answers_are_their_own(reply: str, reader: ReaderName) -> None:
    answer = canonical(reply, reader)
    if answer is not None and reader != "text":
        assert canonical(answer, reader) == answer


@given(st.sampled_from([MOOD, MAIL, MORAL, SKY]), st.data())
def test_two_labels_are_never_one(asked: Asked, data: st.DataObject) -> None:
    first, second = data.draw(st.permutations(range(len(asked.options))))[:2]
    joint = data.draw(st.sampled_from([" or ", " and ", "/", ", ", " & ", " or maybe "]))
    names = asked.answers if data.draw(st.booleans()) else asked.options
    reply = f"{names[first].strip()}{joint}{names[second].strip()}"
    assert read(reply, asked).answer == ABSTAIN


def test_a_long_reply_is_read_at_once() -> None:
    """100,000 brackets, digits or spaces: no pattern is quadratic (the suite would hang for hours).

    None of them names an option, whatever a reader of open answers makes of them.
    """
    for piece in ("{", "[", "1 ", "1,", "a" * 9 + " ", "\n", "#### 1\n", "<think>", "answer is "):
        long = piece * (100_000 // len(piece))
        for reader in ("number", "json", "slots", "text"):
            read(long, OPEN, reader)  # type: ignore[arg-type]
        assert read(long, SKY).answer == ABSTAIN


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
