"""The letters, texts and numbers by which a reply may name the candidates of a closed question."""

import functools
import re
from fractions import Fraction
from typing import NamedTuple

from steelyard.prompts.clean_reply import key
from steelyard.prompts.prompted_question import PromptedQuestion

WORD = re.compile(r"[^\W\d_]+|\d+")
TOKEN = re.compile(r"\w+|[^\w\s]")
LONGEST_RATING = 60  # characters
GLUE = "-'./:%+*^$/\u2013"
"""Characters that join a name to the word or number beside it: "non-toxic", "spam-free", "3%"."""
PRONOUN = re.compile(r",|\s+\w|'")
STARS = re.compile("((?:[\u2605\u2b50\U0001f31f]\ufe0f?\\s?)+)(?:[\u2606\u2729]\\s?)*")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
RATING = re.compile(
    rf"(?<![\w.,/:%$^*+\u2013])(?P<value>-?\d{{1,4}}(?:\.\d{{1,3}})?|{'|'.join(WORDS)})\b"
    r"(?:\s?-?\s?(?:stars?|points?))?"
    r"(?:\s?/\s?(?P<of>\d{1,4})(?:\.0)?|\s(?:out of|of)"
    r"(?: a possible)?\s(?P<out>\d{1,4}|five|ten))?"
    r"(?:\s?-?\s?(?:stars?|points?)(?!\w))?(?![\w%^]|[-.,/:\u2013]\d)",
    re.IGNORECASE,
)
UNIT = re.compile(r"(-?\d{1,4}(?:\.\d+)?)(?:\s?(?:stars?|points?))?")
MARKUP = re.compile(r"[*`\"\u201c\u201d\u00ab\u00bb#>\[\]\\$~]|(?<!\w)_|_(?!\w)")
CHECKED, UNCHECKED = re.compile(r"\[[xX\u2713\u2714]\]|\u2611"), re.compile(r"\[ \]|\u2610")
LETTER_IN_BRACKETS = re.compile(r"\((\w{1,3})\)")


class Occurrence(NamedTuple):
    """A place where a line names candidates; none if it gives a rating on another scale."""

    start: int
    end: int
    candidates: frozenset[int]
    is_letter: bool


def plain_line(text: str) -> str:
    """A line without markup: bold, quotes, brackets; underscores and white space as one space."""
    text = CHECKED.sub("checked ", UNCHECKED.sub("unchecked ", text))
    text = LETTER_IN_BRACKETS.sub(r"\1", MARKUP.sub("", text)).replace("_", " ").replace("|", ", ")
    return " ".join(text.split())


class OptionNames:
    """Names of a question's candidates, and where a line has them."""

    def __init__(self, answers: tuple[str, ...], options: tuple[str, ...], lettered: bool) -> None:
        self.size = len(answers)
        self.letters = {key(a): c for c, a in enumerate(answers)} if lettered else {}
        self.texts: dict[str, set[int]] = {}
        for c, text in enumerate(options):
            for form in (key(text), stripped(key(text))):
                if form:
                    self.texts.setdefault(form, set()).add(c)
        self._by_first: dict[str, list[tuple[tuple[str, ...], frozenset[int], bool]]] = {}
        for form in self.texts:
            self._index(stripped(plain_line(form)), frozenset(self.texts[form]), False)
        for letter, c in self.letters.items():
            self._index(letter, frozenset((c,)), True)
        for names in self._by_first.values():
            names.sort(key=lambda name: (-len(name[0]), name[2]))
        self.ratings = {} if lettered else _ratings(options)
        named: dict[tuple[str, ...], set[int]] = {}
        for form, candidates in [*self.texts.items(), *((x, {c}) for x, c in self.letters.items())]:
            named.setdefault(tuple(WORD.findall(form)), set()).update(candidates)
        self.named = {words: frozenset(c) for words, c in named.items() if len(c) == 1 and words}

    def _index(self, form: str, candidates: frozenset[int], is_letter: bool) -> None:
        tokens = tuple(TOKEN.findall(form))
        if tokens:
            self._by_first.setdefault(tokens[0], []).append((tokens, candidates, is_letter))

    def exact(self, text: str) -> frozenset[int]:
        """Candidates that a whole text equals, without case, end punctuation and quotes."""
        plain = key(text)
        if plain.endswith(":"):
            return frozenset()  # a heading
        if plain in WORDS and Fraction(WORDS.index(plain)) in self.ratings:
            return frozenset((self.ratings[Fraction(WORDS.index(plain))],))
        if plain in self.letters:
            return frozenset((self.letters[plain],))
        for form in (plain, stripped(plain)):
            if form in self.texts:
                return frozenset(self.texts[form])
        return self.rating(text)

    def rating(self, text: str) -> frozenset[int]:
        """The candidate of a text that is a rating on the candidates' scale: "4/5", "4 stars"."""
        if not self.ratings or len(text) > LONGEST_RATING:
            return frozenset()
        line = as_stars(plain_line(text).strip(" .!()"))
        matches = self._ratings_in(line)
        if len(matches) == 1 and (matches[0].start, matches[0].end) == (0, len(line)):
            return matches[0].candidates
        return frozenset()

    def occurrences(self, line: str) -> tuple[str, list[Occurrence]]:
        """Where a plain line names candidates as whole words; of nested names the longest.

        Returns:
            The line, in which rows of star characters have become "4 stars", and the places.
        """
        if self.ratings:
            line = as_stars(line)
            return line, self._ratings_in(line)
        tokens = [(m.group(), m.start(), m.end()) for m in TOKEN.finditer(line)]
        folded = [token.casefold() for token, _, _ in tokens]
        places: list[Occurrence] = []
        i = 0
        while i < len(tokens):
            for name, candidates, is_letter in self._by_first.get(folded[i], ()):
                last = i + len(name) - 1
                if tuple(folded[i : last + 1]) != name:
                    continue
                start, end = tokens[i][1], tokens[last][2]
                written = line[start:end]
                if is_letter and written.isalpha() and not written.isupper():
                    continue  # "a" begins an English sentence
                if is_letter and written == "I" and PRONOUN.match(line, end):
                    continue
                if not _glued(line, start, end):
                    places.append(Occurrence(start, end, candidates, is_letter))
                    i = last
                    break
            i += 1
        return line, places

    def _ratings_in(self, line: str) -> list[Occurrence]:
        if not self.ratings:
            return []
        top = max(self.ratings)
        places = []
        for match in RATING.finditer(as_stars(line)):
            value, scale = (_number(match["value"]), _number(match["of"] or match["out"]))
            bare_word = match["value"].isalpha() and match.end() == match.end("value")
            if value is None or bare_word:
                continue  # "one" is a pronoun as well
            candidate = self.ratings.get(value)
            fits = candidate is not None and scale in (None, top)
            places.append(
                Occurrence(
                    match.start(),
                    match.end(),
                    frozenset((candidate,)) if fits and candidate is not None else frozenset(),
                    False,
                )
            )
        return places


@functools.lru_cache(maxsize=256)
def _names(answers: tuple[str, ...], options: tuple[str, ...], lettered: bool) -> OptionNames:
    return OptionNames(answers, options, lettered)


def names_of(asked: PromptedQuestion) -> OptionNames:
    """The names of a question's candidates; the same object for questions of the same classes."""
    return _names(asked.answers, asked.options, asked.lettered)


def stripped(name: str) -> str:
    """A name without quotes and end punctuation."""
    return name.strip(" .,;:!\"'`*")


def _ratings(options: tuple[str, ...]) -> dict[Fraction, int]:
    """Candidates by their number, where every one is a number, or a number of stars."""
    values: dict[Fraction, int] = {}
    for c, option in enumerate(options):
        match = UNIT.fullmatch(key(option))
        if match is None or Fraction(match[1]) in values:
            return {}
        values[Fraction(match[1])] = c
    return values if len(values) > 1 else {}


def _number(text: str | None) -> Fraction | None:
    if text is None:
        return None
    folded = text.casefold()
    return Fraction(WORDS.index(folded) if folded in WORDS else text)


def as_stars(line: str) -> str:
    """Rows of star characters as numbers of stars; one star after a number is a unit."""

    def count(match: re.Match[str]) -> str:
        filled = sum(c in "\u2605\u2b50\U0001f31f" for c in match[1])
        after_digit = line[: match.start()].rstrip()[-1:].isdigit()
        return " stars " if after_digit and filled == 1 else f" {filled} stars "

    return " ".join(STARS.sub(count, line).split()) if STARS.search(line) else line


def _glued(line: str, start: int, end: int) -> bool:
    """Whether a name is a part of a longer word or number."""
    before, after = line[:start][-2:], line[end : end + 2]
    left = bool(before) and before[-1] in GLUE and not before[:1].isspace() and len(before) == 2
    if line[start].isdigit() and before[-1:] in tuple("-+.$/:^*\u2013"):
        return True
    if left and before[0].isalnum() and before[-1] not in "/:":
        return True
    if not after:
        return False
    if after[0] in "%^" or (after[0] in "-'.\u2013" and len(after) == 2 and after[1].isalnum()):
        return True
    return line[end - 1].isdigit() and after[0] in ",/:" and after[1:].isdigit()
