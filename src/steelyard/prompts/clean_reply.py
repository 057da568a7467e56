"""A reply without its wrapping: thoughts, fences, end-of-turn marks, look-alike characters."""

import json
import re
import unicodedata

THOUGHT = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
TURN_ENDS = re.compile(
    r"<\|(?:im_end|eot_id|end|endoftext|eom_id|end_of_text|return|call|eot)\|>|</s>"
    r"|<end_of_turn>|<eos>",
    re.IGNORECASE,
)
CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)(?:(?!<\|message\|>|<\|channel\|>).){0,200}<\|message\|>"
    r"|\bassistant(final|commentary)(?=\W|[A-Z0-9a-z])",
    re.DOTALL,
)
"""Channels of gpt-oss, "analysis", "commentary" and "final", as written or without their marks."""
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
REACH = 500  # characters that are read of a statement, and of the sentence before it
MOST = 100  # statements of a reply that are read, the last ones
ANSWER_KEYS = ("answer", "final_answer", "label", "choice", "option", "category", "class")
HEDGES = re.compile(
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


def cleaned(reply: str | None, truncated: bool) -> str:
    """The part of a reply that answers, as plain text.

    Thoughts before the answer are removed, and everything after the first end of turn.
    Compatibility forms become the usual characters (NFKC: full-width and mathematical letters);
    invisible characters are removed.

    Raises:
        Unreadable: nothing remains.
    """
    text, truncated = _final_channel(plain_characters(reply or ""), truncated)
    marks = list(THOUGHT.finditer(text))
    closed = [mark for mark in marks if mark.group(1)]
    if closed:  # a chat template may have opened the thoughts itself
        rest = text[closed[-1].end() :]
        text = rest if rest.strip() else text[: marks[0].start()]
    opened = THOUGHT.search(text)
    if opened:
        text, truncated = text[: opened.start()], True
    text = TURN_ENDS.split(text.strip(), maxsplit=1)[0] if text.strip() else ""
    text = FENCE.sub("", text).strip()
    if not text:
        raise Unreadable("cut off" if truncated else "empty")
    return text


def _final_channel(text: str, truncated: bool) -> tuple[str, bool]:
    """The final channel of a reply in OpenAI's harmony format, and whether it is cut off.

    Raises:
        Unreadable: a tool call instead of a final channel.

    Source: https://cookbook.openai.com/articles/openai-harmony
    """
    bare = text.startswith("analysis")  # a server that drops special tokens
    marks = [m for m in CHANNEL.finditer(text) if bare or m.group(1)]
    if not marks:
        return text, truncated
    final = [m for m in marks if "final" in m.groups()]
    if final:
        return text[final[-1].end() :], truncated
    if any("commentary" in m.groups() for m in marks):
        raise Unreadable("tool call")
    return ("", True) if not bare else (text, truncated)


def plain_characters(text: str) -> str:
    """Usual characters for compatibility forms, without invisible ones and lone surrogates."""
    text = FRACTIONS.sub(r" \1", text)  # else NFKC makes 21/2 of 2½
    text = RAISED.sub(r"^\1", text)  # and 102 of 10²
    text = unicodedata.normalize("NFKC", text).replace("\u2044", "/")
    text = text.replace("\u2212", "-").replace("\u2019", "'").replace("\u2018", "'")
    return "".join(
        c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cf", "Cc", "Cs")
    )


def key(text: str) -> str:
    """The form in which texts are compared: case folded, underscores and white space as a space."""
    return " ".join(plain_characters(text).casefold().replace("_", " ").split())


def statements(text: str, words: tuple[str, ...] = ANSWER_KEYS) -> list[str]:
    """What follows "the answer is", "Label:", ..., each up to the end of its line.

    In a JSON object it is the value under such a key. A statement in a sentence that negates or
    hedges it ("I don't think the answer is A", "if the answer is A") does not count.
    """
    if text.startswith("{"):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            values = {str(name).casefold(): value for name, value in row.items()}
            return [str(values[name]) for name in words if isinstance(values.get(name), str | int)]
    stated = []
    for match in list(STATEMENT.finditer(text))[-MOST:]:
        before = SENTENCE_ENDS.split(text[max(0, match.start() - REACH) : match.start()])[-1]
        if match.group(1).casefold() in words and not HEDGES.search(before):
            stated.append(text[match.end() : match.end() + REACH].split("\n", 1)[0])
    return stated


def refused(text: str) -> bool:
    """Whether a reply begins by declining."""
    return bool(REFUSAL.search(text[:300].casefold()))


def canonical_text(text: str, truncated: bool) -> str:
    """A free answer without case, quotes, end punctuation and extra white space.

    Raises:
        Unreadable: refused, truncated, or nothing but punctuation.
    """
    if truncated:
        raise Unreadable("cut off")
    stated = statements(text)
    if not stated and refused(text):
        raise Unreadable("refused")
    answers = {_bare(part) for part in stated} - {""}
    if len(answers) > 1:
        raise Unreadable("two answers")
    answer = answers.pop() if answers else _bare(text)
    if not answer:
        raise Unreadable("not an answer")
    return answer


def _bare(text: str) -> str:
    return key(text).strip(" \t\n.,;:!?\"'`*“”«»")
