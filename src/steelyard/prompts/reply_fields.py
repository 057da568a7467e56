"""The fields of a reply, JSON or `KEY: VALUE`, and what their keys mean."""

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeAlias

from steelyard.prompts.option_names import WORD, OptionNames, plain_line, stripped

Kind: TypeAlias = Literal["answer", "option", "scale", "denied", "other"]
MAX_DEPTH = 4
MOST_FIELDS = 200
MOST_WORDS = 12  # of a key
NEGATIONS = {"not", "non", "no", "isn", "never"}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


OPENS = re.compile(r"\{\s*[\"'}]|\[\s*[{\"'\d]")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
ANSWER_WORDS = _set(
    """
    answer label choice option category class classification prediction predicted verdict
    winner judgment judgement decision conclusion result output response selection selected
    chosen prefer preferred preference better best rating score grade stars vote pick heading
    sentiment tone intent emotion topic stance overall assessment determination evaluation
    polarity value antwort réponse respuesta risposta resposta
    """
)
"""Words of which the key of an answer consists, with those of the next list."""
BESIDE_ANSWER = _set(
    """
    final my the which prefer your correct is of this text name id total star most likely s
    for message review email sentence here model letter analysis dominant primary main expressed
    tweet comment document content overall
    """
)
INPUTS = _set("text name id message review email sentence tweet comment document content")
"""Keys that repeat what was asked."""
DIMENSIONS = _set(
    """
    relevance quality helpfulness helpful accuracy fluency coherence consistency correctness
    harmlessness toxicity similarity usefulness difficulty faithfulness safety politeness
    readability satisfaction severity points level
    """
)
"""Keys of a single rating on the candidates' scale."""
DENYING = _set(
    """
    not no non never rejected loser losing lost worst worse second runner alternative other
    opposite previous wrong incorrect excluded unlikely least against example expected input
    question prompt former old initial ground truth gold reference ruled eliminated without
    false negated unchosen discarded dismissed instead less user given original first third
    guess baseline wrongly avoid except subject keyword keywords word words source trigger
    term phrase quote excerpt span title
    """
)
"""Words of a key under which a name is not the answer."""
REASONS = _set(
    """
    explanation reason reasoning rationale thought thoughts justification analysis comment
    comments because evidence why critique feedback notes note
    """
)
SCORE_WORDS = _set(
    """
    p prob probs probability probabilities score scores likelihood rating ratings chance
    percent percentage level points grade confidence of for in the that it being class label
    option response answer assistant model candidate is was has contains logprob value total
    overall this detected flag flagged present found
    """
)
"""Words beside an option in the key of its score or boolean."""
ASCENDING = _set(
    """
    rank ranks ranking ranked error errors loss distance cost penalty penalties position order
    place violations mistakes perplexity
    """
)
"""Words of scores of which the largest may not be the best."""
SCALE_WORDS = {"scale", "max", "maximum", "out of", "max score", "of", "scale max", "max rating"}
CERTAINTY = _set(
    """
    correct valid agree agreed true applicable supported accurate
    """
)
YES = {"true", "yes", "y", "correct", "right", "pass", "\u2713", "\u2714", "\u2705"}
NO = {"false", "no", "n", "incorrect", "wrong", "fail", "\u2717", "\u2718", "\u274c"}
SCORE = re.compile(
    r"(?P<value>[-+]?\d{1,9}(?:\.\d{1,12})?|\.\d{1,12})(?:\s?(?P<percent>%|percent)"
    r"|\s?(?:/|out of)\s?(?P<of>\d{1,5})|\s?(?:points?|stars?))?"
)
SEPARATOR = re.compile(r"\s*(?::|=|->|\u2192|\s[-\u2013\u2014]\s|\bis\b|\bgets\b|\bscores\b|\()\s*")
SEGMENTS = re.compile(r"[,;|\n]|\s-\s(?=\w+\s*:)|\band\b|\bbut\b|\.(?=\s|$)")


BESIDE_OPTION = frozenset(word.removesuffix("s") for word in SCORE_WORDS | NEGATIONS | ANSWER_WORDS)


class Score(NamedTuple):
    """What a reply gives an option: a boolean, or a number on a scale."""

    candidates: frozenset[int]
    value: bool | Fraction
    scale: str  # "boolean", "number", "%", or the number after "/"


class Field(NamedTuple):
    """A key and its value; nested keys are joined by a space."""

    key: str
    value: Any
    depth: int = 0


def key_words(name: str) -> list[str]:
    """The words of a key, whether spelled in snake, camel or kebab case."""
    return WORD.findall(CAMEL.sub(" ", name).casefold())


def objects_in(text: str) -> tuple[str, list[Any], str]:
    """The text before the first JSON object or list, all of them, and the other text.

    A text in which thousands of brackets open is read at once: only the first 20 are tried.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    values: list[Any] = []
    before, rest, at = text, "", 0
    for _ in range(20):
        match = OPENS.search(text, at)
        if match is None:
            break
        is_python = match.group()[-1] == "'"
        try:
            value, end = decoder.raw_decode(
                _double_quoted(text) if is_python else text, match.start()
            )
        except (ValueError, RecursionError):
            end = match.start() + 1
            rest += text[at:end]
        else:
            rest = f"{rest}{text[at : match.start()]}\n"
            if not values:
                before, rest = rest, ""
            values.append(value)
        at = end
    return (before, values, rest + text[at:]) if values else (text, [], "")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a key that occurs twice has the list of its values."""
    row: dict[str, Any] = {}
    for name, value in pairs:
        row[name] = [row[name], value] if name in row else value
    return row


def _double_quoted(text: str) -> str:
    """Python's spelling of an object as JSON, character by character."""
    text = re.sub(r"(?<=[{\[,:\s])'|'(?=\s*[}\],:])", '"', text)
    for python, word in (("True", "true"), ("False", "false"), ("None", "null")):
        text = re.sub(rf"(?<=[:,\[\s]){python}(?=\s*[,\]}}])", word, text)
    return text


def flat_fields(value: Any, key: str = "", depth: int = 0) -> Iterator[Field]:
    """Fields of a JSON value, the nested ones with the keys above them."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, entry in list(value.items())[:MOST_FIELDS]:
            yield from flat_fields(entry, f"{key} {name}".strip(), depth + 1)
    elif isinstance(value, list):
        for entry in value[:MOST_FIELDS]:
            yield from flat_fields(entry, key, depth + 1)
    else:
        yield Field(key, value, depth)


def key_kind(name: str, names: OptionNames) -> Kind:
    """What a key says about its value; whether it names an option is asked first."""
    words = key_words(name)
    if option_of_key(name, names)[0]:
        return "option"
    if " ".join(words) in SCALE_WORDS:
        return "scale"
    if "given" in words[:-1]:  # "the sentiment of the given text"
        words.remove("given")
    if DENYING & set(words):
        return "denied"
    singular = [word if word == "stars" else word.removesuffix("s") or word for word in words]
    is_answer = [bool({w, s} & ANSWER_WORDS) for w, s in zip(words, singular, strict=True)]
    beside = [
        w in BESIDE_ANSWER or w.isdigit() or (bool(names.ratings) and w in DIMENSIONS)
        for w in words
    ]
    if words and not names.ratings and set(words) <= DIMENSIONS:
        return "answer"
    if all(a or b for a, b in zip(is_answer, beside, strict=True)) and words:
        if any(is_answer):
            return "answer"
        return "denied" if INPUTS & set(words) else "other"
    return "denied" if REASONS & set(words) else "other"


def option_of_key(name: str, names: OptionNames) -> tuple[frozenset[int], bool]:
    """The option that a key names ("is_spam", "score_a", "P(spam)"), and whether it denies it."""
    words = key_words(name)[:MOST_WORDS]
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            candidates = names.named.get(tuple(words[start : start + length]), frozenset())
            beside = {*words[:start], *words[start + length :]}
            singular = {word.removesuffix("s") for word in beside}
            if candidates and singular <= BESIDE_OPTION:
                return candidates, bool(beside & NEGATIONS)
    return frozenset(), False


def score_of(name: str, value: Any, names: OptionNames) -> Score | None:
    """What a field gives an option; None where its key names none or its value is neither."""
    candidates, negated = option_of_key(name, names)
    if not candidates:
        return None
    text = stripped(plain_line(str(value)).casefold()).strip(" ()")
    binary = key_words(name)[:1] == ["is"] and text in ("0", "1")
    if isinstance(value, bool) or text in YES | NO or binary:
        true = value if isinstance(value, bool) else text in YES or text == "1"
        if negated and not true:
            return Score(frozenset(), False, "boolean")  # "not_spam: false" denies a denial
        return Score(candidates, bool(true) != negated, "boolean")
    match = SCORE.fullmatch(text.replace(",", "."))
    if match is None or negated or isinstance(value, dict | list):
        return None
    scale = "%" if match["percent"] else match["of"] or "number"
    return Score(candidates, Fraction(match["value"]), scale)


def scores_in(line: str, names: OptionNames) -> list[Score]:
    """Scores and booleans that a line of prose gives options: "A: 8/10, B: 9/10"."""
    scores = []
    for segment in SEGMENTS.split(line):
        segment = segment.strip(" ()")
        box = re.fullmatch(r"(un)?checked (.{1,80})", segment)
        if box:
            score = score_of(box[2], not box[1], names)
            scores += [] if score is None else [score]
            continue
        for sep in list(SEPARATOR.finditer(segment))[-2:]:
            score = score_of(segment[: sep.start()], segment[sep.end() :].strip(), names)
            if score is None or (isinstance(score.value, bool) and sep.group().strip().isalpha()):
                continue  # "spam is wrong" is a sentence
            scores.append(score)
            break
        else:
            match = re.fullmatch(r"(.{1,80}?)\s+(\d+(?:\.\d+)?(?:\s?%|\s?/\s?\d+)?)", segment)
            score = score_of(match[1], match[2], names) if match else None
            scores += [] if score is None else [score]
    return scores
