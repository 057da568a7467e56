"""The options that JSON fields choose or score, and the values of answers."""

import re

from steelyard.prompts import reply_fields as fields
from steelyard.prompts import reply_words as words
from steelyard.prompts.findings import Findings
from steelyard.prompts.option_names import OptionNames, plain_line
from steelyard.prompts.read_sentences import read_line
from steelyard.prompts.reply_fields import Score

LONGEST_LINE = 600  # characters of a line that are read


def read_json(value: object, names: OptionNames, findings: Findings) -> None:
    """Add what a JSON object or list says."""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        scored = [_scored_row(row, names) for row in value]
        if len(value) > 1 and all(scored):
            findings.scores += [score for score in scored if score]
            return
    rows = list(fields.flat_fields(value))
    findings.tail = ""
    others = []
    for key, entry, _ in rows:
        kind = fields.key_kind(key, names) if key else "answer"
        if set(fields.key_words(key)) & fields.ASCENDING:
            continue
        if kind == "option":
            score = fields.score_of(key, entry, names)
            if score is not None:
                findings.scores.append(score)
        elif kind == "answer":
            read_value(entry, names, findings)
        elif kind == "scale" and names.ratings and str(entry) != str(max(names.ratings)):
            findings.unclear = "not an answer"
        elif kind == "other":
            others.append((key, entry))
            if entry is False and set(fields.key_words(key)) & fields.CERTAINTY:
                findings.unclear = "not an answer"
    if not (findings.stated or findings.scores or findings.unclear):
        for key, entry in others:
            findings.stated |= _of_other_key(key, entry, others, names)


def _scored_row(row: dict[str, object], names: OptionNames) -> Score | None:
    """A row such as `{"label": "spam", "score": 0.9}`."""
    options = [
        names.exact(v) for k, v in row.items() if isinstance(v, str) and not k.startswith("_")
    ]
    chosen = [candidates for candidates in options if len(candidates) == 1]
    numbers = [
        v
        for k, v in row.items()
        if isinstance(v, int | float) and set(fields.key_words(k)) & fields.SCORE_WORDS
    ]
    if len(chosen) != 1 or len(numbers) != 1 or set(" ".join(row).split()) & fields.ASCENDING:
        return None
    (option,) = chosen[0]
    name = next(" ".join(w) for w, c in names.named.items() if option in c)
    return fields.score_of(name, numbers[0], names)


def _of_other_key(
    key: str, entry: object, others: list[tuple[str, object]], names: OptionNames
) -> frozenset[int]:
    """The option under a key that is no known one, such as `{"spam_or_ham": "ham"}`."""
    dimension = set(fields.key_words(key)) <= fields.DIMENSIONS
    numbers = [e for _, e in others if isinstance(e, int | float) or str(e).isdigit()]
    if names.ratings:
        alone = dimension and len(numbers) == 1 and not isinstance(entry, bool)
        return names.exact(str(entry)) if alone else frozenset()
    text = str(entry).strip().casefold()
    if not isinstance(entry, str) or text in names.letters or text in fields.YES | fields.NO:
        return frozenset()
    return names.exact(entry)


def read_value(entry: object, names: OptionNames, findings: Findings) -> None:
    """Add what the value of an answer's key says; it may be a sentence."""
    text = str(entry)
    if entry is None or (isinstance(entry, float) and (not names.ratings or 0 < entry < 1)):
        return
    exact = frozenset() if isinstance(entry, bool) else names.exact(text)
    kind = re.fullmatch(rf"(?:{words.KINDS} )+(\w{{1,2}})", text.replace("_", " ").casefold())
    if not exact and kind and kind[1] in names.letters:
        exact = frozenset((names.letters[kind[1]],))
    if isinstance(entry, bool):  # {"answer": true} where the options are yes and no
        exact = names.named.get((text.casefold(),)) or names.named.get(
            ("yes",) if entry else ("no",), frozenset()
        )
    if exact:
        findings.state(exact)
        return
    inner = Findings()
    read_line(text.split("\n", 1)[0][:LONGEST_LINE], names, inner, False, False)
    findings.state(inner.stated or inner.implied)
    findings.denied |= inner.denied
    mentioned = names.occurrences(plain_line(text[:LONGEST_LINE]))[1]
    if inner.unclear or (not (inner.stated or inner.implied) and (mentioned or names.ratings)):
        findings.unclear = inner.unclear or "not an answer"
    if text.casefold() in fields.NO | {"none", "neither", "both", "tie", "incorrect", "wrong"}:
        findings.unclear = "not an answer"
