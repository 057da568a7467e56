"""Reading ratings as numbers: "4 out of 5", "Score: 4/5"; "4/5" alone is a fraction."""

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from steelyard.prompts.clean_reply import Unreadable
from steelyard.prompts.option_names import MARKUP, RATING, STARS, as_stars
from steelyard.prompts.reply_fields import SCALE_WORDS, key_words

SCALE = re.compile(
    r"[,\s]*\(?(?:\b(?:on|using) )?(?:\b(?:a|an|the) )?"
    r"(?:\bscale (?:of|from)?:? ?\(?|\((?:scale:? )?)"
    r"(\d{1,3})\s?(?:-|\u2013|to)\s?(\d{1,3})(?: scale)?\)?,?"
    r"|\(?\b(?:on )?(?:a|an|the) (\d{1,3})[- ]point scale\)?,?"
    r"|\((?:out )?of (\d{1,3})\)|\b(?:out )?of (\d{1,3})(?=\s*:)",
    re.IGNORECASE,
)
"""Words on the scale of a rating: "on a scale of 1 to 5", "(1-5)", "(out of 5)"."""
KEYS = {"rating", "score", "stars", "grade"}
BESIDE_KEY = {"my", "the", "final", "overall", "total", "number", "numeric", "star", "of"}
LINE = re.compile(r"\W*((?:[a-z]+ ){0,3}[a-z]+)\s*(?::|=|\bis\b)(?=\s*\S)", re.IGNORECASE)
RATES = re.compile(
    r"\b(?:rat(?:e|ed|ing)|score|grade|stars?|points?|deserves|give (?:it|this|that|the \w+))\b",
    re.IGNORECASE,
)
"""Words that make a rating of "4/5"."""
UNSURE = re.compile(
    r"\b(?:not|nor|neither|or|if|to|and|than|between|least|most|zero|half)\b|n't\b|[?\u00b1+~]",
    re.IGNORECASE,
)
AFTER = re.compile(
    r"[.;!](?:\s|$)|\s[-\u2013\u2014]\s|[,(:]\s?(?=[a-z])|\bbecause\b", re.IGNORECASE
)
"""What may follow a rating before its explanation."""
LONGEST = 12  # words of a sentence that is read without a key


def rating(text: str, truncated: bool) -> Fraction | None:
    """The number of points that a reply gives, None if it gives no rating.

    A rating is stated by its key, `{"score": 4}` or a line `Rating: 4/5`, or by its scale in a
    short sentence: `4 out of 5`, `4/5 stars`, `7 on a scale of 1 to 10`, `I rate this 4/5`.

    Raises:
        Unreadable: several ratings, one beyond its scale, or one that a cut reply ends in.
    """
    for values in (_in_json(text), _in_lines(text, truncated), _in_sentence(text, truncated)):
        ratings = set(values)
        if len(ratings) > 1:
            raise Unreadable("two answers")
        if ratings:
            return ratings.pop()
    return None


def _in_json(text: str) -> Iterator[Fraction]:
    start = text.find("{")
    try:
        row = json.JSONDecoder().raw_decode(text, start)[0] if start >= 0 else None
    except (ValueError, RecursionError):
        return
    if not isinstance(row, dict):
        return
    scale = next((value for name, value in row.items() if _key(name) in SCALE_WORDS), None)
    for name, value in row.items():
        if _is_rating(name) and type(value) in (int, float, str):
            rating = _value(_with_scale(str(value), scale))
            yield from () if rating is None else (rating,)


def _with_scale(value: str, scale: Any) -> str:
    return f"{value}/{scale}" if type(scale) is int and "/" not in value else value


def _key(name: str) -> str:
    return " ".join(key_words(name))


def _is_rating(name: str) -> bool:
    *others, last = key_words(name) or [""]
    return last in KEYS and set(others) <= BESIDE_KEY


def _in_lines(text: str, truncated: bool) -> Iterator[Fraction]:
    """Values of lines that begin with a key of ratings."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        plain, top = _without_scale(_plain(line))
        match = LINE.match(plain)
        rating = _value(plain[match.end() :], top) if match and _is_rating(match[1]) else None
        if rating is not None:
            if truncated and number == len(lines) - 1:
                raise Unreadable("cut off")
            yield rating


def _plain(line: str) -> str:
    return as_stars(MARKUP.sub("", line[:600])).strip()


def _without_scale(line: str) -> tuple[str, int | None]:
    """A line without words on the scale, and the largest number of that scale."""
    scales = {int(next(filter(None, match.groups()[1:]))) for match in SCALE.finditer(line)}
    return SCALE.sub(" ", line).strip(), scales.pop() if len(scales) == 1 else None


def _value(text: str, top: int | None = None) -> Fraction | None:
    """The rating that a text begins with; None if what follows may change it."""
    text, stated = _without_scale(_plain(text))
    match = RATING.match(text)
    if match is None or not match["value"][-1].isdigit():
        return None
    rest = AFTER.split(text[match.end() :])[0]
    if rest.strip(" .,;:!)") or UNSURE.search(text[match.end() : match.end() + 12]):
        return None
    return _on_scale(match, stated or top)


def _on_scale(match: re.Match[str], top: int | None) -> Fraction:
    value = Fraction(match["value"])
    limit = match["of"] or match["out"] or top
    if limit is not None and str(limit).isdecimal() and not value <= int(limit):
        raise Unreadable("not an answer")
    return value


def _in_sentence(text: str, truncated: bool) -> Iterator[Fraction]:
    """The only number of a short sentence that says its scale."""
    plain, top = _without_scale(_plain(text))
    if truncated or "\n" in text or len(plain.split()) > LONGEST:
        return
    match = RATING.search(plain)
    if match is None or not match["value"][-1].isdigit():
        return
    before, after = plain[: match.start()], plain[match.end() :]
    alone = not re.search(r"\w", after) and not re.search(r"\d", before)
    states = RATES.search(before + match[0])
    scaled = (match["out"] and not re.search(r"\w", before)) or top is not None
    has_scale = match["of"] or match["out"] or top is not None or STARS.search(text)
    if alone and has_scale and (states or scaled) and not UNSURE.search(before):
        yield _on_scale(match, top)
