"""The options that a line of a reply chooses, scores or denies."""

import re

from steelyard.prompts import reply_fields as fields
from steelyard.prompts import reply_words as words
from steelyard.prompts.findings import Findings
from steelyard.prompts.option_names import Occurrence, OptionNames, plain_line

FEWEST_WORDS = 3  # of what follows "NAME:", to be a reason instead of a degree
REACH = 200  # characters of a sentence before the name that it chooses
SENTENCE = re.compile(r"(?<=[.!?;])\s+")
FIELD = re.compile(r"\s*([^\n:=]{1,60}?)\s*(?::|=|\s->|\u2192)\s*(\S.*)?$")


def read_line(
    raw: str, names: OptionNames, findings: Findings, open_end: bool, scored: bool
) -> None:
    """Add what a line says: its scores, its field, and its sentences."""
    line, places = names.occurrences(plain_line(raw))
    heading = FIELD.fullmatch(line)
    kind = fields.key_kind(heading[1], names) if heading else "answer"
    scores = fields.scores_in(line, names) if scored and not names.ratings else []
    findings.scores += scores
    start = 0
    if heading and heading[2]:
        if kind in ("denied", "scale"):
            return
        is_key = kind == "answer" and fields.key_words(heading[1])
        if is_key and not names.occurrences(heading[1])[1]:
            start = heading.start(2)
            findings.state(names.exact(line[start:]))
    before = findings.choices
    inside = [place for place in places if place.start >= start]
    for begin, end in _sentences(line, start, places):
        if not line[begin:end].rstrip().endswith("?"):
            _read_sentence(line, begin, inside, names, findings, open_end, start > 0)
    if findings.choices == before:
        findings.tail += f"\n{line}"
        if start and names.exact(line[start:]):
            findings.tail = ""
        elif start and inside and not findings.unclear:
            findings.unclear = "not an answer"  # "Label: not spam"
    findings.begun = True


def _sentences(line: str, start: int, places: list[Occurrence]) -> list[tuple[int, int]]:
    """Start and end of each sentence of a line, and of clauses such as "so the answer is"."""
    cuts = [m.end() for m in SENTENCE.finditer(line, start)]
    cuts = [cut for cut in cuts if not any(p.start < cut < p.end for p in places)]
    ends = [*cuts, len(line)]
    spans = list(zip([start, *cuts], ends, strict=True))
    for m in words.CONSEQUENCE.finditer(line, start):
        spans.append((m.end(), next(end for end in ends if end >= m.end())))
    for begin, end in list(spans):
        adverbial = words.CIRCUMSTANCE.match(line, begin)
        spans += [(adverbial.end(), end)] if adverbial else []
    return spans


def _plain_words(text: str) -> str:
    """What stands before a name, as `reply_words.BEFORE` spells it."""
    text = re.sub(r"\b(it|that|this|here|answer)'s\b", r"\1 is", text.casefold())
    text = " ".join(re.sub(r"([:=]|->)", r" \1 ", text.replace("\u2192", "->")).split())
    text = re.sub(r"[,()!.;\s]+", " ", text).strip()
    return f"{text} " if text else ""


def _read_sentence(
    line: str,
    begin: int,
    places: list[Occurrence],
    names: OptionNames,
    findings: Findings,
    open_end: bool,
    is_value: bool,
) -> None:
    """Add the option that a sentence chooses, if it has one of the forms that choose."""
    for number, place in enumerate(places):
        if not begin <= place.start < begin + REACH:
            continue
        form = words.CHOOSING.fullmatch(_plain_words(line[begin : place.start]))
        if form is None:
            continue
        if not place.candidates:
            findings.unclear = "not an answer"  # a rating on another scale
            return
        candidates, end = _joined(line, places[number:])
        kind = "answer" if is_value and form.lastgroup == "bare" else form.lastgroup or ""
        if _chooses(line, end, place, kind, findings, open_end, names):
            separator = line[end:].lstrip(" )")[:1]
            first = kind == "bare" and not findings.begun and separator not in ":-\u2013\u2014"
            stated = kind in ("answer", "choice") or first
            if stated:
                findings.state(candidates)
            findings.implied |= candidates
            findings.tail = line[end:]
            findings.choices += 1


def _joined(line: str, places: list[Occurrence]) -> tuple[set[int], int]:
    """The candidates named from a place on, "A or B" as well as "B. blue", and where they end."""
    (_, end, candidates, is_letter), *rest = places
    chosen = set(candidates)
    for number, place in enumerate(rest):
        between = line[end : place.start]
        own_text = is_letter and not (number or place.is_letter)
        own_text = own_text and not between.strip(" )].:-\u2013\u2014,(")
        own_letter = not number and place.is_letter and not between.strip()
        if not (own_text or own_letter or words.JOINS.fullmatch(between)):
            break
        chosen |= place.candidates
        end = place.end
    return chosen, end


def _chooses(
    line: str,
    end: int,
    place: Occurrence,
    kind: str,
    findings: Findings,
    open_end: bool,
    names: OptionNames,
) -> bool:
    """Whether what follows a name leaves it chosen; notes a denial or a retraction."""
    ended = words.AFTER_NAME.match(line, end)
    verdict = words.VERDICT.match(line, end) if ended is None else None
    if verdict:
        ended = words.AFTER_NAME.match(line, verdict.end())
    if ended is None:
        if words.NAME_NOT.match(line, end):
            findings.denied |= place.candidates
        restated = names.letters and not place.is_letter and kind == "bare"
        return bool(restated and words.RESTATES.match(line, end))
    mark, tail = line[end : ended.end()], line[ended.end() :]
    if open_end and not tail and (not re.search(r"[.!;,:]", mark) or line[end - 1].isdigit()):
        return False
    places = names.occurrences(tail)[1]
    others = {c for p in places for c in p.candidates} - place.candidates
    places = [p for p in places if not p.candidates & place.candidates]
    mark = mark.strip(" )")
    if kind == "bare" and mark.split()[-1:] and mark.split()[-1] in ("over", "than", "of", "not"):
        return False
    if mark[-1:] in tuple(":-\u2013\u2014("):
        if words.CERTAIN.match(tail) or _confident(tail, kind) or _excludes_others(tail, places):
            return True
        brief = kind == "bare" and not names.ratings and len(tail.split()) < FEWEST_WORDS
        if brief or not tail.strip() or words.FIELD_TAIL.match(tail):
            return False
        return bool(words.REASON.match(tail) or not words.DOUBTS.search(SENTENCE.split(tail)[0]))
    if words.COMMA_TAIL.match(tail):
        findings.denied |= place.candidates
        return False
    weak = kind not in ("answer", "choice") and (verdict or kind != "bare")
    if weak and others and words.CONTRASTS.search(SENTENCE.split(tail)[0]):
        findings.unclear = "two answers"
        return False
    return True


def _confident(tail: str, kind: str) -> bool:
    """Whether the answer's own probability follows: "Prediction: spam (0.97)"."""
    match = re.match(r"(\d{1,3}(?:\.\d{1,9})?)\s?(%?)\)\W*$", tail)
    if match is None or kind != "answer":
        return False
    share = float(match[1]) / (100 if match[2] else 1)
    return 0.5 <= share <= 1


def _excludes_others(tail: str, others: list[Occurrence]) -> bool:
    """Whether other options are denied: "ham (not spam)"."""
    match = re.match(r"\W*(?:not|no|rather than) (?:an? |the )?", tail, re.IGNORECASE)
    return bool(match and others and others[0].start == match.end())
