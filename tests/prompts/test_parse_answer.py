"""Whatever a model writes is read in one spelling, or abstains, and at once."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asked_texts import MAIL, MOOD, MORAL, OPEN, SKY, SUM
from steelyard.prompts import AnswerFormat, PromptedQuestion, canonical, read
from steelyard.types import ABSTAIN

TEXTS: list[tuple[str, AnswerFormat, str | None]] = [
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
def test_texts_and_json(reply: str, reader: AnswerFormat, answer: str | None) -> None:
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
READERS: st.SearchStrategy[AnswerFormat] = st.sampled_from(["number", "json", "slots", "text"])


@given(REPLIES, ASKED, READERS, st.sampled_from([None, "stop", "length"]))
@example("\u0130 answer is \u0130", MOOD, "number", None)  # lower case has another length
def test_any_reply_is_read_or_abstains(
    reply: str, asked: PromptedQuestion, reader: AnswerFormat, finish: str | None
) -> None:
    reading = read(reply, asked, reader, finish)
    assert (reading.answer == ABSTAIN) == bool(reading.reason)
    if asked.answers and reading.answer != ABSTAIN:
        assert 0 <= reading.answer < len(asked.options)


@given(REPLIES, READERS)
def test_canonical_answers_are_their_own(reply: str, reader: AnswerFormat) -> None:
    answer = canonical(reply, reader)
    if answer is not None and reader != "text":
        assert canonical(answer, reader) == answer


def test_a_long_reply_is_read_at_once() -> None:
    """100,000 brackets, digits or spaces: no pattern is quadratic (the suite would hang for hours).

    None of them names an option, whatever a reader of open answers makes of them.
    """
    for piece in ("{", "[", "1 ", "1,", "a" * 9 + " ", "\n", "#### 1\n", "<think>", "answer is "):
        long = piece * (100_000 // len(piece))
        for reader in ("number", "json", "slots", "text"):
            read(long, OPEN, reader)  # type: ignore[arg-type]
        assert read(long, SKY).answer == ABSTAIN
