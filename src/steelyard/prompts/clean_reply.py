"""A reply without its wrapping: thoughts, fences, end-of-turn marks, look-alike characters."""

import json
import re
import unicodedata

THOUGHT = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
TURN_ENDS = re.compile(
    r"<\|(?:im_end|eot_id|end|endoftext|eom_id|end_of_text)\|>|</s>"
    r"|<end_of_turn>|<eos>",
    re.IGNORECASE,
)
FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE)
FRACTIONS = re.compile("([¼-¾⅐-⅞])")
RAISED = re.compile("([⁰¹²³⁴-⁹]+)")
REFUSAL = re.compile(
    r"\bi(?:'m| am) (?:so |very )?(?:sorry|unable|not able|afraid)\b"
    r"|\bi (?:can(?:not|'t| not)|could(?: not|n't)|won't|will not|do(?: not|n't) know|must decline"
    r"|apologi[sz]e|refuse|decline)\b"
    r"|\bas an ai\b|\bunable to (?:help|assist|answer|determine|provide|comply)\b"
    r"|\bcannot (?:help|assist|answer|determine|provide|comply|be determined)\b",
)
STATEMENT = re.compile(
    r"\b(answer|option|choice|label|category|heading|class|verdict)[\"'*_`]*"
    r"(?:\s+(?:to\s+the\s+question|here|then))?\s*"
    r"(?::|=|(?:is|was|would\s+be|should\s+be|must\s+be)\b)[*_\s:]*(?=\S)",
    re.IGNORECASE,
)
REACH = 500  # characters of a statement, and of the sentence before it
MOST = 100  # statements of a reply that are looked at, the last ones
ANSWER_KEYS = ("answer", "final_answer", "label", "choice", "option", "category", "class")
DOUBT = re.compile(
    r"\b(?:not|never|neither|nor|if|whether|unless|suppose|supposing|assume|assuming|doubt|wrong"
    r"|incorrect|false|perhaps|maybe|might|could|cannot|isn't|wasn't|don't|doesn't|didn't|can't"
    r"|won't|wouldn't|shouldn't|aren't|hardly|previous|other|another)\b",
    re.IGNORECASE,
)
SENTENCE_ENDS = re.compile(r"[.;!?]\s|\n")


class Unreadable(Exception):
    """A reply without a usable answer; `reason` says why in a word or two."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def cleaned(reply: str | None, cut: bool) -> str:
    """The part of a reply that answers, as plain text.

    Thoughts before the answer go; so does all behind the first end of turn. Compatibility forms
    become the usual characters (NFKC: full-width and mathematical letters), invisible ones go.

    Raises:
        Unreadable: nothing is left.
    """
    text = plain(reply or "")
    marks = list(THOUGHT.finditer(text))
    closed = [mark for mark in marks if mark.group(1)]
    if closed:  # a chat template may have opened the thoughts itself
        behind = text[closed[-1].end() :]
        text = behind if behind.strip() else text[: marks[0].start()]
    opened = THOUGHT.search(text)
    if opened:
        text, cut = text[: opened.start()], True
    text = TURN_ENDS.split(text.strip(), maxsplit=1)[0] if text.strip() else ""
    text = FENCE.sub("", text).strip()
    if not text:
        raise Unreadable("cut off" if cut else "empty")
    return text


def plain(text: str) -> str:
    """Usual characters for their compatibility forms; invisible ones and half characters go."""
    text = FRACTIONS.sub(r" \1", text)  # else NFKC makes 21/2 of 2½
    text = RAISED.sub(r"^\1", text)  # and 102 of 10²
    text = unicodedata.normalize("NFKC", text).replace("\u2044", "/")
    text = text.replace("\u2212", "-").replace("\u2019", "'").replace("\u2018", "'")
    return "".join(
        c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cf", "Cc", "Cs")
    )


def key(text: str) -> str:
    """Text as it is compared: case folded, underscores and white space as single spaces."""
    return " ".join(plain(text).casefold().replace("_", " ").split())


def statements(text: str, words: tuple[str, ...] = ANSWER_KEYS) -> list[str]:
    """What follows "the answer is", "Label:", ..., each up to its line's end.

    Of a JSON object it is the value under such a key. A statement in a sentence that doubts it
    ("I don't think the answer is A", "if the answer is A") is none.
    """
    if text.startswith("{"):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            given = {str(name).casefold(): value for name, value in row.items()}
            return [str(given[name]) for name in words if isinstance(given.get(name), str | int)]
    found = []
    for match in list(STATEMENT.finditer(text))[-MOST:]:
        before = SENTENCE_ENDS.split(text[max(0, match.start() - REACH) : match.start()])[-1]
        if match.group(1).casefold() in words and not DOUBT.search(before):
            found.append(text[match.end() : match.end() + REACH].split("\n", 1)[0])
    return found


def refused(text: str) -> bool:
    """Whether a reply begins by declining."""
    return bool(REFUSAL.search(text[:300].casefold()))


def canonical_text(text: str, cut: bool) -> str:
    """A free answer as it is compared: case, white space, quotes and end punctuation aside.

    Raises:
        Unreadable: refused, cut off, or nothing but punctuation.
    """
    if cut:
        raise Unreadable("cut off")
    said = statements(text)
    if not said and refused(text):
        raise Unreadable("refused")
    answers = {_bare(part) for part in said} - {""}
    if len(answers) > 1:
        raise Unreadable("two answers")
    answer = answers.pop() if answers else _bare(text)
    if not answer:
        raise Unreadable("not an answer")
    return answer


def _bare(text: str) -> str:
    return key(text).strip(" \t\n.,;:!?\"'`*“”«»")
