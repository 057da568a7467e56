"""From a reply to an answer, or to an abstention with its reason. Never a guess."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from steelyard.errors import InputError
from steelyard.prompts.clean_reply import Unreadable, canonical_text, cleaned
from steelyard.prompts.parse_json import canonical_json
from steelyard.prompts.parse_number import canonical_number
from steelyard.prompts.parse_options import read_closed
from steelyard.prompts.parse_slots import canonical_slots
from steelyard.prompts.prompted_question import PromptedQuestion
from steelyard.types import ABSTAIN

VERSION = 0
"""Of all parsers of replies; raised when any of them reads a reply otherwise."""
AnswerFormat: TypeAlias = Literal["number", "json", "text", "slots"]
UNANSWERED = {"content_filter": "refused", "too long": "too long"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says."""

    answer: int  # a candidate's number, or ABSTAIN; 0 for an open answer that was read
    reason: str  # why it abstains: "empty", "refused", "cut off", "two answers", ...
    text: str  # the answer as it was understood: a candidate's text, or the canonical open answer


def read(
    reply: str | None,
    asked: PromptedQuestion,
    reader: AnswerFormat | None = None,
    finish_reason: str | None = None,
) -> Reading:
    """The answer in a reply.

    Closed questions are answered by a candidate's letter, text or label name, whatever the
    reader. Of an open question the canonical text is returned; which candidate that is, is decided
    when all replies to the question are there.

    Args:
        reply: as it came; None is an empty one.
        asked: what was asked.
        reader: of open answers; None is "text".
        finish_reason: "length" where the reply was cut at its longest, "content_filter" where it
            was withheld (the words of OpenAI-compatible servers); "too long" where the prompt did
            not fit and was not put.
    """
    truncated = finish_reason == "length"
    try:
        if finish_reason in UNANSWERED:
            raise Unreadable(UNANSWERED[finish_reason])
        text = cleaned(reply, truncated)
        if asked.answers:
            answer = read_closed(text, asked, truncated)
            return Reading(answer, "", asked.options[answer])
        return Reading(0, "", _canonical(text, reader or "text", truncated))
    except Unreadable as why:
        return Reading(ABSTAIN, why.reason, "")


def canonical(reply: str | None, reader: AnswerFormat = "text") -> str | None:
    """One spelling for equal open answers; None where there is no answer.

    >>> canonical("The answer is $1,200.00.", "number")
    '1200'
    """
    try:
        return _canonical(cleaned(reply, False), reader, False)
    except Unreadable:
        return None


def spelling(answer: str, reader: AnswerFormat | None) -> str:
    """How a true answer is taught: slots in their one spelling, other answers as they stand.

    >>> spelling('[{"type": "date", "filler": "Today"}]', "slots"), spelling(" 1,200", "number")
    ('{"date": "today"}', ' 1,200')

    Raises:
        InputError: slots that cannot be read.
    """
    if reader != "slots":
        return answer
    text = canonical(answer, reader)
    if text is None:
        raise InputError(
            f"The true answer {answer[:60]!r} cannot be read as slots; correct it, or choose "
            "another `answer_format`."
        )
    return text


def _canonical(text: str, reader: AnswerFormat, truncated: bool) -> str:
    if reader == "number":
        return canonical_number(text, truncated)
    if reader == "json":
        return canonical_json(text, truncated)
    if reader == "slots":
        return canonical_slots(text, truncated)
    return canonical_text(text, truncated)
