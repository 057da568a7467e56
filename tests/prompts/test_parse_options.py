"""A reply names one of the answers that were shown, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asked_texts import MAIL, MOOD, MORAL, SKY, SUM
from steelyard.prompts import PromptedQuestion, read
from steelyard.types import ABSTAIN

NO = ABSTAIN
CLOSED: list[tuple[PromptedQuestion, str | None, int, str]] = [
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
def test_closed_answers(
    asked: PromptedQuestion, reply: str | None, answer: int, reason: str
) -> None:
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
def test_replies_that_were_cut(
    asked: PromptedQuestion, reply: str, answer: int, reason: str
) -> None:
    """max_new_tokens was reached: what may have gone on is no answer yet."""
    reading = read(reply, asked, finish_reason="length")
    assert (reading.answer, reading.reason) == (answer, reason)


def test_withheld_replies_are_refusals() -> None:
    assert read("positive", MOOD, finish_reason="content_filter").reason == "refused"
    assert read("", MOOD, finish_reason="too long").reason == "too long"


@given(st.sampled_from([MOOD, MAIL, MORAL, SKY]), st.data())
def test_two_labels_are_never_one(asked: PromptedQuestion, data: st.DataObject) -> None:
    first, second = data.draw(st.permutations(range(len(asked.options))))[:2]
    joint = data.draw(st.sampled_from([" or ", " and ", "/", ", ", " & ", " or maybe "]))
    names = asked.answers if data.draw(st.booleans()) else asked.options
    reply = f"{names[first].strip()}{joint}{names[second].strip()}"
    assert read(reply, asked).answer == ABSTAIN
