"""Reading numbers: currency, thousands, units, fractions, "#### 42", boxed."""

import re
from decimal import Decimal, localcontext
from fractions import Fraction

from steelyard.prompts.clean_reply import MOST, Unreadable, refused, statements
from steelyard.prompts.parse_rating import rating

MAX_DIGITS = 40  # longer numbers are no answers, and exact arithmetic stays fast
MAX_POWER = 30
MARKED = re.compile(r"#{2,}[ \t]*([^\n#]+)")
BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
ANSWER_LINE = re.compile(r"^[ \t]*(?:A|Ans)[ \t]*[:=][ \t]*([^\n]+)", re.MULTILINE | re.IGNORECASE)
CONCLUDES = re.compile(r"(?:so|thus|therefore|hence|altogether|in total|finally)\b", re.IGNORECASE)
STATED_AS = ("answer", "final_answer")
CALCULATION = re.compile(r"<<[^<>\n]*>>")
LATEX = re.compile(
    r"\\(?:text|mathrm|mbox)\s*\{[^{}]*\}|\\[,!;: ]|\\(?=[$%])|\$(?!\s?-?[\d.])|\*\*"
)
FRAC = re.compile(r"\\[dt]?frac\s*\{\s*(-?\d+)\s*\}\s*\{\s*(\d+)\s*\}")
UNIT_POWER = re.compile(r"(?<=[A-Za-z])\s?\^\s?\{?[23]\}?(?!\d)")
SENTENCE = re.compile(r"[.!?](?=\s|$)")
SOLE_WORDS = 12  # longest reply, in words, that is read without a sign of where its answer is
CHANGES = re.compile(
    r"\b(?:not|nor|neither|or|if|wrong|incorrect|zero|none|nothing|two|three|four|five|six|seven"
    r"|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|half|thirds?|quarters?|double|twice"
    r"|triple|squared|cubed|than|at least|at most|between|sqrt|pi|plus)\b"
    r"|n't\b|√|π|±|\\(?:sqrt|pi|pm)|[-\u2013]\s+\d|[?]",
    re.IGNORECASE,
)
"""Words beside a number that change or negate it."""
SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9}
SCALES |= {"trillion": 10**12, "dozen": 12, "k": 10**3}
NUMBER = re.compile(
    r"""
    (?P<minus>(?<![\w)\]])[-\u2013]|\b(?:minus|negative)\s)?
    (?P<money>[$€£¥₹]\s?)?
    (?P<inner>(?<![\w)\]])-)?
    (?<![\w.,:/^])
    (?:(?P<mixed>\d+)\s(?=\d+/\d))?
    (?P<whole>\d{1,3}(?:,\d{3})+|\d+)?
    (?P<part>\.\d+)?
    (?:\s?/\s?(?P<below>\d+))?
    (?:[eE](?P<power>[-+]?\d+)|\s?[x\u00d7*]\s?10\s?\^\s?\{?(?P<ten>[-+]?\d+)\}?)?
    (?![.,:/^]?\d|\d)
    (?:\s?(?P<scale>hundred|thousand|million|billion|trillion|dozen)\b|(?P<unit>[A-Za-z]+))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
OPERATOR = re.compile(r"[+*^<>|]|-\s*0|0\s*-(?!\w)")
"""What remains of an expression, "x-8" or "192+", once each number is replaced by 0."""
UNCLEAR = {"x", "y", "z", "n", "i", "a", "b", "m", "bn", "mn", "t"}
"""Letters after a number that may be a variable or a scale instead of a unit."""


def canonical_number(text: str, truncated: bool) -> str:
    """The number that a reply gives as its answer, in one spelling: "1200", "-0.5", "2/3".

    It is looked for after "####"; else in \\boxed{}; else after "the answer is" or "A:"; else in a
    rating ("Score: 4/5", "4 out of 5" and `{"score": 4}` are 4); else in a last line that concludes
    ("So she has 12 left"); else alone in a short reply, where "4/5" is 0.8. Percent signs,
    currencies and units are ignored. Where these places have two different numbers, as "5 or 6",
    there is no answer; after an equals sign only the last number counts.

    Raises:
        Unreadable: no number, several, or one at the end of a truncated reply.
    """
    text = CALCULATION.sub("", text)
    lines = [*statements(text, STATED_AS), *ANSWER_LINE.findall(text)]
    stated = [SENTENCE.split(line)[0] for line in lines]
    for spans in (MARKED.findall(text), BOXED.findall(text), stated):
        if spans:
            return _agreed(spans, text, truncated)
    points = rating(text, truncated)
    if points is not None:
        return spelled(points)
    if truncated:
        raise Unreadable("cut off")
    if refused(text):
        raise Unreadable("refused")
    line = text.splitlines()[-1]
    last = SENTENCE.split(line.rstrip(" .!"))[-1].strip()
    unfinished = re.search(r"(?:\d|\bis|\bare)$", line)  # "= 6" may have become "= 60"
    if CONCLUDES.match(last) and not unfinished:
        return _agreed([last], text, truncated)
    if len(text.split()) > SOLE_WORDS or SENTENCE.search(text.rstrip(".! ")):
        numbers = set(re.findall(r"\d+", text))
        raise Unreadable("two answers" if len(numbers) > 1 else "not an answer")
    return _agreed([text], text, truncated)


def _agreed(spans: list[str], text: str, truncated: bool) -> str:
    """The number of every span; Unreadable where a span has no single number, or they differ."""
    values = {_only(span) for span in spans[-MOST:]}
    if len(values) > 1:
        raise Unreadable("two answers")
    rest = text[text.rfind(spans[-1]) :]
    if truncated and not re.search(r"\n|[.!?]\s|\}", rest):  # the number may have gone on
        raise Unreadable("cut off")
    return spelled(values.pop())


def _only(span: str) -> Fraction:
    span = FRAC.sub(r" \1/\2 ", span)
    span = UNIT_POWER.sub("", LATEX.sub(" ", span)).strip(" *_`\"'()[]{}")
    span = re.split(r"[=≈]", span)[-1]
    if CHANGES.search(span):
        raise Unreadable("not an answer")
    matches = [m for m in NUMBER.finditer(span) if m.group("whole") or m.group("part")]
    seen = sum(sum(c.isdigit() for c in m.group()) for m in matches)
    if not matches or seen < sum(c.isdigit() for c in span):
        raise Unreadable("not an answer")
    if OPERATOR.search(NUMBER.sub(_zero, span)):
        raise Unreadable("not an answer")
    values = {_value(match) for match in matches}
    if len(values) > 1:
        raise Unreadable("two answers")
    return values.pop()


def _zero(match: re.Match[str]) -> str:
    return " 0 " if match.group("whole") or match.group("part") else match.group()


def _value(match: re.Match[str]) -> Fraction:
    part = match.groupdict()
    unit = (part["unit"] or "").casefold()
    unclear = part["unit"] == "M" or (unit in UNCLEAR and (part["money"] or unit != "m"))
    if unclear or len(match.group()) > MAX_DIGITS:
        raise Unreadable("not an answer")
    value = Fraction((part["whole"] or "0").replace(",", "") + (part["part"] or ""))
    if part["below"] is not None:
        if part["part"] is not None or int(part["below"]) == 0:
            raise Unreadable("not an answer")
        value = Fraction(part["mixed"] or 0) + value / int(part["below"])
    power = int(part["power"] or part["ten"] or 0)
    if abs(power) > MAX_POWER:
        raise Unreadable("not an answer")
    value *= Fraction(10) ** power
    value *= SCALES.get((part["scale"] or unit).casefold(), 1)
    return -value if bool(part["minus"]) != bool(part["inner"]) else value


def spelled(value: Fraction) -> str:
    """A whole number, a finite decimal or a reduced fraction.

    >>> spelled(Fraction(12, 10)), spelled(Fraction(2, 6))
    ('1.2', '1/3')
    """
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return str(value)
    with localcontext(prec=10_000):  # exact: denominators have far fewer digits
        return f"{Decimal(value.numerator) / value.denominator:f}"
