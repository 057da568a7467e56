"""Texts in a normal form, so that copies are found whatever their case and punctuation."""

import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

from steelyard.types import Question


def normalise(text: str) -> str:
    """Case folded, punctuation and runs of white space as one space; may be empty.

    >>> normalise("  Who's  THERE?! ")
    'who s there'
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(plain.translate(_SPACES).split())


def normal_form(text: str) -> str:
    """The normalised text, or the text itself where only punctuation remains."""
    return normalise(text) or text.strip()


def full_text(question: Question) -> str:
    """Everything that a model reads: context, question and options."""
    parts = (question.context, question.text, *question.choices)
    return "\n".join(part for part in parts if part)


def group_keys(questions: Sequence[Question]) -> tuple[str, ...]:
    """A key for each question; rows of one key ask about the same thing and share a split.

    Multiple choice: the context, or the question where there is none. Classification: the text.
    A text that all rows share ("Which sentence makes sense?") is an instruction: then the key is
    made of the full text.
    """
    keys = [_digest(q.context if q.context.strip() else q.text) for q in questions]
    if len(set(keys)) == 1:
        keys = [_digest(full_text(question)) for question in questions]
    return tuple(keys)


def _digest(text: str) -> str:
    return blake2b(normal_form(text).encode(), digest_size=12).hexdigest()


class _Spaces(dict[int, int | str]):
    """A table for `str.translate`: a space for punctuation. Filled as characters are met."""

    def __missing__(self, code: int) -> int | str:
        is_punctuation = unicodedata.category(chr(code)).startswith("P")
        return self.setdefault(code, " " if is_punctuation else code)


_SPACES = _Spaces()
