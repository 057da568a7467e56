"""Reading closed answers: an option's letter, an option's text, a label's name."""

import re
from collections.abc import Iterator
from functools import cached_property

from steelyard.prompts.clean_reply import SENTENCE_ENDS, Unreadable, key, refused, statements
from steelyard.prompts.prompted_question import PromptedQuestion

LEAD = re.compile(
    r"^(?:[\s*`\"'(\[{<>#:]|- )*"
    r"(?:(?:so|therefore|i(?:'d| would)? (?:think|believe|say|choose|pick|select|go (?:with|for))"
    r"(?: that)?|it(?:'s| is)|this is|that is|option|choice|letter|answer|label|the|is|final"
    r"|correct|right|best)\b[\s:,*`\"'(\[]*)*"
)
"""What may stand before an answer without changing it."""
ENDS = re.compile(
    r"[\s*`\"')\]}]*(?:$|[.;:!,)](?!\w)|\n| - | [\u2013\u2014]|[\u2013\u2014] "
    r"|\b(?:because|since|as)\b)"
)
DIGIT_ENDS = re.compile(r"[\s*`\"')\]}]*(?:$|[.;!](?=\s|$))")
JOINS = re.compile(
    r"[\s*`\"')\]}]*(?:,|/|&|\+|\bor\b|\band\b|\bas well as\b)"
    r"[\s*`\"'(\[]*(?:or |and |maybe |option )*"
)
DENIES = re.compile(
    r"\b(?:not|nor|neither|never|no|isn't|wasn't|aren't|doesn't|don't|can't|cannot|without|if|or"
    r"|whether|but|unless|could|might|may|maybe|perhaps|possibly|unclear|unsure|between|both|none"
    r"|wrong|incorrect|except|rather|instead|less|than|half|partly)\b|n't\b|[?]"
)
TURNS = re.compile(
    r"\b(?:wait|actually|correction|on second thought|instead|rather|i mean|scratch that|sorry"
    r"|no,)",
)
MENTION_WORDS = 20  # a label named once is the answer of a reply of at most so many words


def read_closed(text: str, asked: PromptedQuestion, truncated: bool) -> int:
    """The candidate that a cleaned reply names.

    An answer is what the reply is as a whole, what it begins with ("B. Because ...") and what
    "the answer is" precedes. Failing these, a single label in one short sentence that denies
    and doubts nothing. Labels inside longer words and numbers do not count; of labels that
    contain each other ("spam", "not spam") the longest does.

    Raises:
        Unreadable: none or several candidates, or one that a cut reply may not have ended.
    """
    names = _Names(asked)
    whole = names.exact(text)
    if whole and truncated:
        raise Unreadable("cut off")  # "B" may have become "Because"
    if len(whole) == 1:
        return whole.pop()
    if len(whole) > 1:
        raise Unreadable("two answers")
    matches = set(names.begins(text, truncated))
    for stated in statements(text):
        matches |= set(names.begins(stated, truncated))
    if len(matches) == 1:
        if names.turned(text, matches):
            raise Unreadable("two answers")
        return matches.pop()
    if len(matches) > 1:
        raise Unreadable("two answers")
    if truncated:
        raise Unreadable("cut off")
    if refused(text):
        raise Unreadable("refused")
    mentioned = names.mentioned(key(text))
    if len(mentioned) > 1:
        raise Unreadable("two answers")
    short = len(text.split()) <= MENTION_WORDS and not SENTENCE_ENDS.search(text.strip())
    if not mentioned or not short or DENIES.search(names.without(key(text))):
        raise Unreadable("not an answer")
    return mentioned.pop()


class _Names:
    """The ways each candidate may be written, longest first."""

    def __init__(self, asked: PromptedQuestion) -> None:
        self.asked = asked
        self.marks: dict[str, int] = {}
        if asked.lettered:
            self.marks = {key(answer): c for c, answer in enumerate(asked.answers)}

    @cached_property
    def texts(self) -> list[tuple[str, int]]:
        texts = [(key(text), c) for c, text in enumerate(self.asked.options)]
        return sorted((pair for pair in texts if pair[0]), key=lambda pair: (-len(pair[0]), pair))

    def exact(self, text: str) -> set[int]:
        """Candidates that the whole reply is, give or take its end punctuation and quotes."""
        plain = key(text)
        if plain in self.marks:
            return {self.marks[plain]}
        for form in (plain, _stripped(plain)):
            same = {c for name, c in self.texts if form in (name, _stripped(name)) and form}
            if same:
                return same
        return set()

    def begins(self, text: str, truncated: bool) -> Iterator[int]:
        """Candidates that a text begins with: one, or several joined by "or", "and", ","."""
        line = key(text.split("\n", 1)[0])
        complete = "\n" in text or not truncated
        lead = LEAD.match(line)
        at = lead.end() if lead else 0
        for start in dict.fromkeys((0, at)):  # a label may itself begin like a lead: "the best"
            option = self._at(line, start, complete)
            if option is not None:
                break
        else:
            return
        while option is not None:
            candidates, end = option
            yield from candidates
            joined = JOINS.match(line, end)
            option = self._at(line, joined.end(), True, joined=True) if joined else None

    def _at(
        self, line: str, start: int, complete: bool, joined: bool = False
    ) -> tuple[set[int], int] | None:
        """The candidates written at a place of a line, and where they end."""
        for mark, c in self.marks.items():
            end = start + len(mark)
            if line.startswith(mark, start) and _ended(line, end, mark, complete, joined):
                rest = re.match(r"[\s*`\"')\]}.:\u2013\u2014-]*", line[end:])
                after = end + (rest.end() if rest else 0)
                text = self._text_at(line, after, complete, joined)
                if text is not None:  # "B. blue": letter and text, alike or not
                    return ({c} if c in text[0] else {c, *text[0]}), text[1]
                return {c}, end
        return self._text_at(line, start, complete, joined)

    def _text_at(
        self, line: str, start: int, complete: bool, joined: bool
    ) -> tuple[set[int], int] | None:
        for name, _ in self.texts:
            for form in dict.fromkeys((name, _stripped(name))):
                end = start + len(form)
                if (
                    form
                    and line.startswith(form, start)
                    and _ended(line, end, form, complete, joined)
                ):
                    return {c for other, c in self.texts if form in (other, _stripped(other))}, end
        return None

    def mentioned(self, line: str) -> set[int]:
        """Candidates whose text stands anywhere in a line as whole words; the longest counts."""
        matches: set[int] = set()
        for name, c in self.texts:
            if name[-1].isdigit():
                continue
            pattern = _whole_words(name)
            if re.search(pattern, line):
                matches.add(c)
                twins = {d for other, d in self.texts if other == name}
                matches |= twins
                line = re.sub(pattern, " ", line)
        for mark, c in self.marks.items():
            word = r"\b(?:option|choice|letter|answer|choose|pick|select|go (?:with|for))"
            if re.search(rf"{word}[\s:(*\"']*{re.escape(mark)}(?![\w'])", line):
                matches.add(c)
        return matches

    def without(self, line: str) -> str:
        """A line without the candidates' texts, whose own "not" denies nothing."""
        for name, _ in self.texts:
            line = re.sub(_whole_words(name), " ", line)
        return line

    def turned(self, text: str, matches: set[int]) -> bool:
        """Whether a reply takes its answer back: "A. No, wait: B"."""
        line = key(text)
        turn = TURNS.search(line)
        if turn is None:
            return False
        marks = {
            c
            for m, c in self.marks.items()
            if re.search(rf"\b{re.escape(m)}\b", line[turn.end() :])
        }
        return bool((self.mentioned(line[turn.end() :]) | marks) - matches)


def _ended(line: str, end: int, form: str, complete: bool, joined: bool) -> bool:
    if end == len(line):
        return complete  # a reply that was cut here may have gone on
    ends = DIGIT_ENDS if form[-1].isdigit() else ENDS
    if ends.match(line, end):
        return True
    join = JOINS.match(line, end)
    return bool(join) if (joined or join) and not form[-1].isdigit() else False


def _whole_words(name: str) -> str:
    return rf"(?<!\w)(?<!\w[-'.]){re.escape(name)}(?!\w|[-'.]\w)"


def _stripped(name: str) -> str:
    return name.strip(" .,;:!\"'`*")
