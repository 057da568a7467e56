"""Reading closed answers: the single option that a reply chooses, or an abstention."""

import re
from collections.abc import Iterable

from steelyard.prompts import reply_fields as fields
from steelyard.prompts import reply_words as words
from steelyard.prompts.clean_reply import Unreadable, refused
from steelyard.prompts.findings import Findings
from steelyard.prompts.option_names import OptionNames, names_of, plain_line
from steelyard.prompts.parse_rating import SCALE
from steelyard.prompts.prompted_question import PromptedQuestion
from steelyard.prompts.read_json import LONGEST_LINE, read_json
from steelyard.prompts.read_lines import read_reply_lines
from steelyard.prompts.reply_fields import Score

LONGEST = 20_000  # characters of a reply that are read: its beginning and its end
STRUCK = re.compile(r"~~[^~\n]{1,200}~~")


def read_closed(text: str, asked: PromptedQuestion, truncated: bool) -> int:
    """The candidate that a cleaned reply chooses.

    The whole reply may be an option, or rate one. Otherwise its JSON fields, its `KEY: VALUE`
    lines and its sentences are read, and must agree on exactly one option.

    Raises:
        Unreadable: no candidate, several, or one that a truncated reply may not have completed.
    """
    names = names_of(asked)
    whole = names.exact(text)
    if whole:
        if truncated:
            raise Unreadable("cut off")  # "B" may have become "Because"
        return _single(whole)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
    text = STRUCK.sub(" ", text)
    if names.ratings:
        text = _on_scale(text, names)
    findings = Findings()
    before, values, after = fields.objects_in(text)
    read_reply_lines(before, names, findings, truncated and not values)
    for value in values:
        read_json(value, names, findings)
    read_reply_lines(after, names, findings, truncated)
    if (findings.stated or findings.implied) and _taken_back(findings, names):
        raise Unreadable("two answers")
    chosen = options_left(findings, names, truncated)
    if chosen:
        return _single(chosen)
    if truncated:
        raise Unreadable("cut off")
    if findings.unclear:
        raise Unreadable(findings.unclear)
    if refused(text):
        raise Unreadable("refused")
    places = names.occurrences(plain_line(text[:LONGEST_LINE]))[1]
    several = len({c for place in places for c in place.candidates}) > 1
    raise Unreadable("two answers" if several else "not an answer")


def _on_scale(text: str, names: OptionNames) -> str:
    """A text of ratings without its words on the scale, such as "(1-5)" or "out of 5".

    Raises:
        Unreadable: the scale is not that of the classes.
    """
    for match in SCALE.finditer(text):
        if int(match[2] or match[3] or match[4] or match[5]) != max(names.ratings):
            raise Unreadable("not an answer")
    return SCALE.sub(" ", text)


def _single(candidates: Iterable[int]) -> int:
    first, *others = candidates
    if others:
        raise Unreadable("two answers")
    return first


def options_left(findings: Findings, names: OptionNames, truncated: bool) -> set[int]:
    """The options that remain after all rules; empty if there is no answer.

    Statements come before other sentences. Booleans and scores must not contradict them.

    Raises:
        Unreadable: statements contradict one another.
    """
    if findings.unclear:
        return set()
    chosen = findings.stated or findings.implied
    rated = set() if truncated else _by_scores(findings.scores, names)
    false = {c for s in findings.scores if s.value is False for c in s.candidates}
    true = {c for s in findings.scores if s.value is True for c in s.candidates}
    if chosen & (findings.denied | false) or (true and true & false):
        raise Unreadable("two answers")
    if chosen and rated:
        return chosen | rated
    return chosen or rated


def _by_scores(scores: list[Score], names: OptionNames) -> set[int]:
    """The option with the only `true`, the larger score of all options, or not the false one."""
    if any(not score.candidates for score in scores):
        return set()
    true = {c for s in scores if s.value is True for c in s.candidates}
    false = {c for s in scores if s.value is False for c in s.candidates}
    if true:
        return true
    if len(false) == 1 and names.size == 2:
        return set(range(2)) - false
    numbers: dict[int, set[tuple[str, object]]] = {}
    for score in scores:
        if not isinstance(score.value, bool):
            for c in score.candidates:
                numbers.setdefault(c, set()).add((score.scale, score.value))
    if len(numbers) < names.size or any(len(given) > 1 for given in numbers.values()):
        return set()
    given = {c: next(iter(pairs)) for c, pairs in numbers.items()}
    if len({scale for scale, _ in given.values()}) > 1:
        return set()
    best = max(value for _, value in given.values())  # type: ignore[type-var]
    return {c for c, (_, value) in given.items() if value == best}


def _taken_back(findings: Findings, names: OptionNames) -> bool:
    """Whether the text after the last choice denies it or turns to another option."""
    chosen = findings.stated or findings.implied
    tail = plain_line(findings.tail[: 3 * LONGEST_LINE])
    tail, places = names.occurrences(tail)
    turn = words.TURNS.search(tail)
    for start, end, candidates, _ in places:
        if turn and start > turn.end() and candidates - chosen:
            return True
        if candidates & chosen and (
            words.NOT_NAME.search(tail[max(0, start - 60) : start])
            or words.NAME_NOT.match(tail, end)
        ):
            return True
    return False
