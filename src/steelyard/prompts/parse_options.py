"""Reading closed answers: an option's letter, an option's text, a label's name."""

import re
from collections.abc import Iterator
from operator import itemgetter

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

    An answer is the whole reply, its beginning ("B. Because ...") or what follows "the answer is".
    Without these, it is a single label in one short sentence that neither negates nor hedges it.
    Labels inside longer words and numbers do not count; of labels that contain each other ("spam",
    "not spam") the longest counts.

    Raises:
        Unreadable: no candidate, several, or one that a truncated reply may not have completed.
    """
    names = _Names(asked)
    whole = names.exact(text)
    if whole:
        if truncated:
            raise Unreadable("cut off")  # "B" may have become "Because"
        return _single(whole)
    parts = (text, *statements(text))
    matches = {c for part in parts for c in names.begins(part, truncated)}
    if matches:
        if names.retracted(text, matches):
            raise Unreadable("two answers")
        return _single(matches)
    if truncated:
        raise Unreadable("cut off")
    if refused(text):
        raise Unreadable("refused")
    line = key(text)
    mentioned = names.mentioned(line)
    short = len(text.split()) <= MENTION_WORDS and not SENTENCE_ENDS.search(text.strip())
    if len(mentioned) <= 1 and (not mentioned or not short or DENIES.search(names.without(line))):
        raise Unreadable("not an answer")
    return _single(mentioned)


def _single(candidates: set[int]) -> int:
    if len(candidates) > 1:
        raise Unreadable("two answers")
    return candidates.pop()


class _Names:
    """Letters and texts of a question's candidates; texts with their numbers, longest first."""

    def __init__(self, asked: PromptedQuestion) -> None:
        self.marks: dict[str, int] = {}
        if asked.lettered:
            self.marks = {key(answer): c for c, answer in enumerate(asked.answers)}
        texts = [(key(text), c) for c, text in enumerate(asked.options)]
        self.texts = sorted(filter(itemgetter(0), texts), key=lambda pair: (-len(pair[0]), pair))

    def exact(self, text: str) -> set[int]:
        """Candidates that the whole reply equals, without its end punctuation and quotes."""
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
        """The candidates written at a position of a line, and where they end."""
        for mark, c in self.marks.items():
            end = start + len(mark)
            if line.startswith(mark, start) and _ended(line, end, mark, complete, joined):
                rest = re.match(r"[\s*`\"')\]}.:\u2013\u2014-]*", line[end:])
                after = end + (rest.end() if rest else 0)
                text = self._text_at(line, after, complete, joined)
                if text is None:
                    return {c}, end
                return ({c} if c in text[0] else {c, *text[0]}), text[1]  # "B. blue"
        return self._text_at(line, start, complete, joined)

    def _text_at(
        self, line: str, start: int, complete: bool, joined: bool
    ) -> tuple[set[int], int] | None:
        for name, _ in self.texts:
            for form in dict.fromkeys((name, _stripped(name))):
                end = start + len(form)
                if not form or not line.startswith(form, start):
                    continue
                if _ended(line, end, form, complete, joined):
                    return {c for other, c in self.texts if form in (other, _stripped(other))}, end
        return None

    def mentioned(self, line: str) -> set[int]:
        """Candidates whose text occurs in a line as whole words; the longest counts."""
        matches: set[int] = set()
        for name, _ in self.texts:
            if name[-1].isdigit():
                continue
            pattern = _whole_words(name)
            if re.search(pattern, line):
                matches |= {d for other, d in self.texts if other == name}
                line = re.sub(pattern, " ", line)
        for mark, c in self.marks.items():
            word = r"\b(?:option|choice|letter|answer|choose|pick|select|go (?:with|for))"
            if re.search(rf"{word}[\s:(*\"']*{re.escape(mark)}(?![\w'])", line):
                matches.add(c)
        return matches

    def without(self, line: str) -> str:
        """A line without the candidates' texts, whose own "not" negates nothing."""
        for name, _ in self.texts:
            line = re.sub(_whole_words(name), " ", line)
        return line

    def retracted(self, text: str, matches: set[int]) -> bool:
        """Whether a reply takes its answer back: "A. No, wait: B"."""
        line = key(text)
        turn = TURNS.search(line)
        if turn is None:
            return False
        rest = line[turn.end() :]
        marks = {c for m, c in self.marks.items() if re.search(rf"\b{re.escape(m)}\b", rest)}
        return bool((self.mentioned(rest) | marks) - matches)


def _ended(line: str, end: int, form: str, complete: bool, joined: bool) -> bool:
    if end == len(line):
        return complete  # a reply truncated here may have gone on
    ends = DIGIT_ENDS if form[-1].isdigit() else ENDS
    if ends.match(line, end):
        return True
    join = JOINS.match(line, end)
    return bool(join) if (joined or join) and not form[-1].isdigit() else False


def _whole_words(name: str) -> str:
    return rf"(?<!\w)(?<!\w[-'.]){re.escape(name)}(?!\w|[-'.]\w)"


def _stripped(name: str) -> str:
    return name.strip(" .,;:!\"'`*")
