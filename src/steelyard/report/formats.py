"""Numbers and text as the report prints them. Undefined is "n/a", never 0."""

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, TypeAlias

Results: TypeAlias = Mapping[str, Any]
"""The content of `results.json` of one study, or a part of it."""

MISSING = "n/a"


def plain(text: object) -> str:
    """Text from data on one line, with what could act on a terminal or a page made visible.

    Whitespace becomes a space, a control character its picture (ESC is ␛), characters that
    reorder text and lone surrogates the replacement character.

    >>> plain("a\\nb \\x1b[31m")
    'a b ␛[31m'
    """
    return UNSAFE.sub(lambda match: _visible(match[0]), " ".join(str(text).split()))


def _visible(character: str) -> str:
    code = ord(character)
    if code < 32:
        return chr(0x2400 + code)
    return "␡" if code == 127 else "\ufffd"


UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, lone surrogates, and characters that reorder text."""


def shortened(text: object, width: int = 30) -> str:
    """`plain` text, shortened to `width` columns; a Chinese character takes two.

    >>> shortened("hierarchical", 8), shortened("汉字汉字汉字", 8)
    ('hierarc…', '汉字汉…')
    """
    line = plain(text)[: width + 1]
    if columns(line) <= width:
        return line
    while columns(line) >= width:
        line = line[:-1]
    return f"{line}…"


def columns(line: str) -> int:
    """Width of a line in characters of a terminal."""
    return len(line) + sum(unicodedata.east_asian_width(c) in "WF" for c in line)


def defined(value: Any) -> float | None:
    """The value as a float; None where it is missing, NaN or infinite."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def number(value: Any, digits: int = 3) -> str:
    """
    >>> number(0.8125, 2), number(-0.00001), number(None)
    ('0.81', '0.000', 'n/a')
    """
    finite = defined(value)
    return MISSING if finite is None else f"{round(finite, digits) + 0.0:.{digits}f}"


def signed(value: Any, digits: int = 3) -> str:
    """
    >>> signed(0.031), signed(-0.2, 1)
    ('+0.031', '-0.2')
    """
    finite = defined(value)
    return MISSING if finite is None else f"{round(finite, digits) + 0.0:+.{digits}f}"


def count(value: Any) -> str:
    """
    >>> count(3000), count(12.5)
    ('3,000', '12.5')
    """
    finite = defined(value)
    if finite is None:
        return MISSING
    return f"{finite:,.0f}" if finite == round(finite) else f"{finite:,.1f}"


def amount(value: Any, noun: str) -> str:
    """A number, which may be missing, with its noun.

    >>> amount(1, "seed"), amount(5, "seed"), amount(None, "seed"), amount(2, "class")
    ('1 seed', '5 seeds', 'n/a seeds', '2 classes')
    """
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count(value)} {noun if value == 1 else plural}"


def percent(value: Any, digits: int = 0) -> str:
    """
    >>> percent(0.5714)
    '57 %'
    """
    finite = defined(value)
    return MISSING if finite is None else f"{number(100 * finite, digits)} %"


def interval(span: Results | None, digits: int = 3) -> str:
    """
    >>> interval({"value": 0.81, "low": 0.79, "high": 0.83}, 2)
    '0.81 [0.79, 0.83]'
    """
    if not span or defined(span.get("value")) is None:
        return MISSING
    return number(span["value"], digits) + _bounds(span, 1.0, digits)


def percent_interval(span: Results | None) -> str:
    """
    >>> percent_interval({"value": 0.57, "low": 0.31, "high": 0.85})
    '57 % [31, 85]'
    """
    if not span or defined(span.get("value")) is None:
        return MISSING
    return percent(span["value"]) + _bounds(span, 100.0, 0)


def difference(versus: Results | None, digits: int = 3) -> str:
    """
    >>> difference({"difference": 0.031, "low": 0.004, "high": 0.058, "p": 0.02})
    '+0.031 [0.004, 0.058], p = 0.020'
    >>> difference({"difference": 0.031, "low": 0.004, "high": 0.058, "p": 0.02, "p_holm": 0.08})
    '+0.031 [0.004, 0.058], p = 0.080 (Holm)'
    """
    if not versus or defined(versus.get("difference")) is None:
        return MISSING
    text = signed(versus["difference"], digits) + _bounds(versus, 1.0, digits)
    return text if defined(versus.get("p")) is None else f"{text}, {adjusted_p(versus)}"


def adjusted_p(versus: Results) -> str:
    """The p-value adjusted for many arms where there is one, else the p-value.

    >>> adjusted_p({"p": 0.02, "p_holm": None}), adjusted_p({"p": 0.02, "p_holm": 0.08})
    ('p = 0.020', 'p = 0.080 (Holm)')
    """
    if defined(versus.get("p_holm")) is None:
        return p_value(versus.get("p"))
    return f"{p_value(versus['p_holm'])} (Holm)"


def p_value(value: Any) -> str:
    """
    >>> p_value(0.0201), p_value(0.00001)
    ('p = 0.020', 'p < 0.001')
    """
    finite = defined(value)
    if finite is None:
        return f"p {MISSING}"
    return "p < 0.001" if finite < 0.001 else f"p = {finite:.3f}"


def seconds(value: Any) -> str:
    """
    >>> seconds(12.3), seconds(200), seconds(7260)
    ('12.3 s', '3 min 20 s', '2 h 1 min')
    """
    finite = defined(value)
    if finite is None:
        return MISSING
    if finite < 60:
        return f"{finite:.1f} s"
    if finite < 3600:
        return f"{int(finite) // 60} min {int(finite) % 60} s"
    return f"{int(finite) // 3600} h {int(finite) % 3600 // 60} min"


def _bounds(span: Results, scale: float, digits: int) -> str:
    low, high = defined(span.get("low")), defined(span.get("high"))
    if low is None or high is None:
        return ""
    return f" [{number(scale * low, digits)}, {number(scale * high, digits)}]"
