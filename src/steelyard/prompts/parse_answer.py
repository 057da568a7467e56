"""From a reply to an answer, or to an abstention with its reason. Never a guess."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from steelyard.errors import InputError
from steelyard.prompts.clean_reply import Unreadable, canonical_text, cleaned, statements
from steelyard.prompts.parse_json import canonical_json
from steelyard.prompts.parse_number import canonical_number
from steelyard.prompts.parse_options import read_closed
from steelyard.prompts.parse_slots import canonical_slots
from steelyard.prompts.prompted_question import PromptedQuestion
from steelyard.types import ABSTAIN

VERSION = 2
"""Version of all parsers of replies: raised when any of them reads a reply differently."""
AnswerFormat: TypeAlias = Literal["number", "json", "text", "slots"]
PARSERS = {
    "number": canonical_number,
    "json": canonical_json,
    "slots": canonical_slots,
    "text": canonical_text,
}
"""Parser of each format of open answers: (cleaned reply, whether truncated) -> canonical text."""
CALLS = ("tool_calls", "function_call")
"""Finish reasons of a reply that calls a function; its text is the arguments."""
UNANSWERED = {"content_filter": "refused", "too long": "too long"}


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """The answer in a reply."""

    answer: int  # a candidate's number, or ABSTAIN; 0 for an open answer that was read
    reason: str  # why it abstains: "empty", "refused", "cut off", "two answers", ...
    text: str  # the answer as it was understood: a candidate's text, or the canonical open answer


def read(
    reply: str | None,
    asked: PromptedQuestion,
    answer_format: AnswerFormat | None = None,
    finish_reason: str | None = None,
) -> ParsedAnswer:
    """The answer in a reply.

    Closed questions are answered by a candidate's letter, text or label name, whatever the format.
    For an open question the canonical text is returned; which candidate that is, is decided when
    all replies to the question are available.

    Args:
        reply: unchanged; None is an empty one.
        asked: the query that was sent.
        answer_format: format of open answers; None is "text".
        finish_reason: "length" where the reply was truncated at its largest length,
            "content_filter" where it was withheld, "tool_calls" where the reply is the arguments of
            a function call (the words of OpenAI-compatible servers);
            "too long" where the prompt exceeded the context and was not sent.
    """
    truncated = finish_reason == "length"
    try:
        if finish_reason in UNANSWERED:
            raise Unreadable(UNANSWERED[finish_reason])
        text = cleaned(reply, truncated)
        if asked.answers:
            answer = read_closed(text, asked, truncated)
            return ParsedAnswer(answer, "", asked.options[answer])
        if finish_reason in CALLS and answer_format in (None, "text") and not statements(text):
            raise Unreadable("tool call")  # the arguments' JSON is no text
        return ParsedAnswer(0, "", PARSERS[answer_format or "text"](text, truncated))
    except Unreadable as error:
        called = finish_reason in CALLS and error.reason in ("empty", "not an answer")
        return ParsedAnswer(ABSTAIN, "tool call" if called else error.reason, "")


def canonical(reply: str | None, answer_format: AnswerFormat = "text") -> str | None:
    """One spelling for equal open answers; None where there is no answer.

    >>> canonical("The answer is $1,200.00.", "number")
    '1200'
    """
    try:
        return PARSERS[answer_format](cleaned(reply, False), False)
    except Unreadable:
        return None


def spelling(answer: str, answer_format: AnswerFormat | None) -> str:
    """A true answer as a training target: slots in canonical spelling, other answers unchanged.

    >>> spelling('[{"type": "date", "filler": "Today"}]', "slots"), spelling(" 1,200", "number")
    ('{"date": "today"}', ' 1,200')

    Raises:
        InputError: slots that cannot be read.
    """
    if answer_format != "slots":
        return answer
    text = canonical(answer, answer_format)
    if text is None:
        raise InputError(
            f"The true answer {answer[:60]!r} cannot be read as slots; correct it, or choose "
            "another `answer_format`."
        )
    return text
