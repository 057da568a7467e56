"""Replies that are damaged at random: each is read, or abstains with a reason."""

import random
from typing import get_args

from reply_corpus import CORPUS
from steelyard.prompts import AnswerFormat, PromptedQuestion, canonical, read
from steelyard.types import ABSTAIN

OPEN = PromptedQuestion("q", "0-plain", "?")
FORMATS = get_args(AnswerFormat)
ENDS = (None, "stop", "length", "tool_calls", "content_filter")
PIECES = (
    *('"', "'", "{", "}", "[", "]", "(", ")", ":", ",", ";", "\t", "\n", "\r", "\r\n", "\\", "/"),
    *("|", "=", "#", "*", "`", "```", "-", "+", "%", "$", ".", "?", "_", "\0", "\x1b", "\ufeff"),
    *("\u200b", "\u202e", "\u2028", "\x85", "\ud800", "\U0001f6a8", "é", "\u00bd", "\u0130", "ß"),
    *("null", "true", "false", "NaN", "Infinity", "-1", "0", "1e999", "9" * 60, "1.0", "0x1f"),
    *("<think>", "</think>", "<|im_end|>", "<|channel|>final<|message|>", "\\boxed{", "####"),
    *("not", "or", "and", "if", "answer", "label", "None", "id", "voter", "truth", "[[", "{}"),
)
OPEN_REPLIES = (
    "#### 42",
    "The answer is $1,200.00.",
    "\\boxed{\\frac{3}{4}}",
    "So she has 12 left.",
    '[{"type": "to", "filler": "Rome"}]',
    '{"to": ["Rome", "Bonn"], "on": 4}',
    'Sure: {"a": [1, 2.50, {"b": null}]}',
    "<think>hm</think>Paris",
    "4 out of 5",
    '{"score": 4}',
)


def damaged(text: str, other: str, draw: random.Random) -> str:
    """A text after one to four random changes; some put a part of `other` into it."""
    for _ in range(draw.choices((1, 2, 3, 4), (12, 4, 2, 1))[0]):
        start = draw.randint(0, len(text))
        end = min(len(text), start + int(draw.expovariate(0.15)))
        part = text[start:end]
        before, after = text[:start], text[end:]
        change = draw.randrange(8)
        if change == 0:
            text = before + after
        elif change == 1:
            text = before + part * draw.choice((2, 3, 50)) + after
        elif change == 2:
            text = before + draw.choice(PIECES) + part + after
        elif change == 3:
            text = before + draw.choice(PIECES) + after
        elif change == 4:
            text = before
        elif change == 5:
            text = before + other[: draw.randint(0, len(other))] + after
        elif change == 6:
            text = before + part.swapcase()[::-1] + after
        else:
            text = before + chr(draw.choice((draw.randrange(128), draw.randrange(0x3000)))) + after
    return text


def check_reply(number: int, seed: int) -> None:
    """Read a damaged reply in some format.

    Raises:
        AssertionError: an answer that is none, or an abstention without a reason.
    """
    draw = random.Random(f"{seed} reply {number}")
    asked, reply, _ = draw.choice(CORPUS)
    if draw.random() < 0.2:
        reply = draw.choice(OPEN_REPLIES)
    text = damaged(reply, draw.choice(CORPUS)[1], draw)
    if draw.random() < 0.3:
        answer_format = draw.choice(FORMATS)
        parsed = read(text, OPEN, answer_format, draw.choice(ENDS))
        once = canonical(text, answer_format)
        if once is not None and answer_format == "number":
            assert canonical(once, answer_format) == once, (text, once)
        choices = 1
    else:
        parsed, choices = read(text, asked, None, draw.choice(ENDS)), len(asked.answers)
    assert ABSTAIN <= parsed.answer < choices, text
    assert (parsed.answer == ABSTAIN) == bool(parsed.reason), text
