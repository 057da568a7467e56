"""No reply is read as a class that it does not choose, and common shapes are read."""

import json
import random
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reply_corpus import CORPUS, TABLES, by_letter, by_name
from steelyard.prompts import PromptedQuestion, read
from steelyard.types import ABSTAIN


def chosen(reply: str, asked: PromptedQuestion) -> str | None:
    """The letter or name that a reply is read as."""
    answer = read(reply, asked).answer
    return None if answer == ABSTAIN else asked.answers[answer].strip()


@pytest.mark.parametrize(("asked", "table"), TABLES, ids=[asked.options[0] for asked, _ in TABLES])
def test_shapes_of_real_replies(asked: PromptedQuestion, table: dict[str, str | None]) -> None:
    expected = {asked.answers[c].strip() for c in range(len(asked.answers))} | {None}
    assert set(table.values()) <= expected
    assert {reply: chosen(reply, asked) for reply in table} == table


def test_the_corpus_is_large_and_most_answers_are_read() -> None:
    """755 shapes, of which 460 choose a class."""
    assert len(CORPUS) >= 750
    assert sum(answer is not None for _, _, answer in CORPUS) >= 450


SETS = [
    ("spam", "ham"),
    ("spam", "not spam"),
    ("toxic", "non-toxic"),
    ("acceptable", "unacceptable"),
    ("negative", "neutral", "positive"),
    ("very positive", "positive", "negative", "very negative"),
    ("card lost", "card", "lost card arrived", "top_up_failed"),
    ("good", "bad", "not good"),
    ("Sci/Tech", "World", "Sports"),
    ("entailment", "contradiction"),
    ("urgent", "not urgent", "very urgent"),
]
WORD = st.text(string.ascii_lowercase, min_size=3, max_size=9)
NAMES = st.one_of(
    st.sampled_from(SETS),
    st.lists(WORD, min_size=2, max_size=5, unique=True).map(tuple),
)
LETTERS = st.sampled_from(
    [by_letter(*(f"reply number {n}" for n in "xyzuvw"[:k])) for k in (2, 3, 5)]
)
PLAIN = [
    "{}",
    "{}.",
    "{}!",
    "**{}**",
    '"{}"',
    "`{}`",
    "\n{}\n",
    "```\n{}\n```",
    "<think>It may be {d}.</think>\n{}",
    "Label: {}",
    "**Label:** {}",
    "Answer: {}",
    "Answer: **{}**",
    "Final answer: {}",
    "Verdict: {}",
    "Category: {}.",
    "The answer is {}.",
    "The correct answer is {}",
    "The best label is **{}**.",
    "Therefore, the answer is {}.",
    "{}\n\nThe words in the middle of it say so.",
    "Let me look at the words.\n\nAnswer: {}",
    "It has many words, so the answer is {}.",
    "I choose {}.",
    '{{"label": "{}"}}',
    '{{"answer": "{}", "explanation": "it is no {d}"}}',
    '```json\n{{"reasoning": "not {d}", "label": "{}"}}\n```',
    '{{"label": "{}", "confidence": 0.7}}',
    '{{"result": {{"category": "{}"}}}}',
    "[[{}]]",
    "\\boxed{{{}}}",
]
"""Templates that choose {} and mention {d} at most beside it."""
CHOOSES_IF_READ = [
    "{}, not {d}.",
    "{}. It is not {d}.",
    "{}. {d} is ruled out.",
    "It is {} and by no means {d}.",
    "{}: it has the words of it",
    "I considered {d}, but the answer is {}.",
    '{{"chosen": "{}", "rejected": "{d}"}}',
    '{{"{}": true, "{d}": false}}',
    "{}: yes\n{d}: no",
    "{d}: no\n{}: yes",
    "{d}: 10%, {}: 90%",
    '{{"{d}": 0.1, "{}": 0.9}}',
    "{d} is wrong. The answer is {}.",
]
DENIES = [
    '{{"{}": false}}',
    '{{"is_{}": false}}',
    '{{"{}": "no"}}',
    '{{"{}": 0.02}}',
    '{{"{}": null}}',
    '{{"{}_probability": 0.03}}',
    '{{"rejected": "{}"}}',
    '{{"label": "anything but {}"}}',
    "{}: no",
    "{} - no",
    "{}: False",
    "{}: 0/10",
    "{}: 2%",
    "{}: low",
    "{}: absolutely not",
    "{}: I doubt it.",
    "{} probability: 2%",
    "{} score: 0",
    "{}? No.",
    "{}. No.",
    "This is far from {}.",
    "This is hardly {}.",
    "It is anything but {}.",
    "The text lacks {} features.",
    "{} is ruled out.",
    "{} can be excluded.",
    "{} is wrong.",
    "{} does not fit.",
    "I rule out {}.",
    "I doubt that the answer is {}.",
    "I don't think it is {}.",
    "Nobody would call this {}.",
    "The answer isn't {}.",
    "The wrong answer would be {}.",
    "The opposite of {}.",
    "Everything except {}.",
    "By no means {}.",
    "If it were longer, the answer would be {}.",
    "Perhaps {}?",
    "Rejected: {}",
    "- [ ] {}",
    "~~{}~~",
]
"""Templates that choose no class by {}: it is denied, doubted, scored or asked."""
UNSURE = ["{} or {d}", "{}/{d}", "{} and {d}", "{}, {d}", "Both {} and {d}.", "Neither {} nor {d}.",
          "The answer is {} or {d}.", '{{"labels": ["{}", "{d}"]}}', "{}. Actually, {d}.",
          "Answer: {}\nAnswer: {d}", "Label: {} or maybe {d}", "{}: yes\n{d}: yes"]  # fmt: skip
WRAPPERS = ["{}", "{}\n", "  {}", "<think>\nhm\n</think>\n\n{}", "{}<|im_end|>", "\u200b{}"]


def filled(template: str, name: str, other: str) -> str:
    return template.replace("{d}", "{other}").format(name, other=other)


@st.composite
def drawn(draw: st.DrawFn, templates: list[str]) -> tuple[PromptedQuestion, str, str, str, str]:
    """A question, a template, the reply made of it, its {} and its {d}."""
    if draw(st.integers(0, 3)) == 0:
        asked = draw(LETTERS)
    else:
        asked = by_name(*draw(st.permutations(draw(NAMES))))
    names = [answer.strip() for answer in asked.answers]
    name, other = draw(st.permutations(names))[:2]
    template = draw(st.sampled_from(templates))
    reply = draw(st.sampled_from(WRAPPERS)).format(filled(template, name, other))
    return asked, template, reply, name, other


@given(drawn(PLAIN))
def test_plain_answers_are_read(case: tuple[PromptedQuestion, str, str, str, str]) -> None:
    asked, _, reply, name, _ = case
    assert chosen(reply, asked) == name


@given(drawn(CHOOSES_IF_READ))
def test_answers_beside_another_class(case: tuple[PromptedQuestion, str, str, str, str]) -> None:
    asked, _, reply, name, _ = case
    assert chosen(reply, asked) in (name, None)


@given(drawn(DENIES))
def test_a_denied_class_is_never_read(case: tuple[PromptedQuestion, str, str, str, str]) -> None:
    """With two classes the other one may be read; with more, none."""
    asked, _, reply, name, _ = case
    names = [answer.strip() for answer in asked.answers]
    result = chosen(reply, asked)
    assert result != name
    if len(names) > 2 and result is not None:
        assert result == f"not {name}"


@given(drawn(UNSURE))
def test_two_classes_are_none(case: tuple[PromptedQuestion, str, str, str, str]) -> None:
    asked, _, reply, _, _ = case
    assert chosen(reply, asked) is None


SCORED = ["{}: {}", "{} - {}", "{}={}", "{} {}%", "{}: {}%", "{}: {}/100", "{} probability: {}%"]


@given(st.data())
def test_of_scored_classes_the_largest_is_read(data: st.DataObject) -> None:
    """Whatever the order; of equal scores, none."""
    by = data.draw(st.booleans())
    asked = data.draw(LETTERS) if by else by_name(*data.draw(NAMES))
    names = data.draw(st.permutations([answer.strip() for answer in asked.answers]))
    scores = [data.draw(st.integers(0, 100)) for _ in names]
    best = [n for n, s in zip(names, scores, strict=True) if s == max(scores)]
    expected = best[0] if len(best) == 1 else None
    form = data.draw(st.sampled_from(SCORED))
    joint = data.draw(st.sampled_from([", ", "\n", "; ", "\n- "]))
    line = joint.join(form.format(n, s) for n, s in zip(names, scores, strict=True))
    assert chosen(line, asked) in (expected, None)
    if form in SCORED[:1] + SCORED[3:6]:
        assert chosen(line, asked) == expected
    row = dict(zip(names, scores, strict=True))
    assert chosen(json.dumps(row), asked) == expected
    assert chosen(json.dumps({"scores": row}), asked) == expected


@given(st.integers(2, 10), st.data())
def test_ratings_are_read_on_their_own_scale(top: int, data: st.DataObject) -> None:
    asked = by_name(*(str(n) for n in range(data.draw(st.integers(0, 1)), top + 1)))
    value = data.draw(st.integers(1, top))
    scale = data.draw(st.integers(2, 100))
    form = data.draw(
        st.sampled_from(
            ["{v}/{s}", "{v} out of {s}", "Rating: {v}/{s}", "Score: {v} out of {s}.",
             "I would rate it {v}/{s}.", '{{"score": "{v}/{s}"}}', "Rating (1-{s}): {v}",
             '{{"rating": {v}, "scale": {s}}}', "On a scale of 1 to {s}, I'd give it a {v}."]
        )
    )  # fmt: skip
    assert chosen(form.format(v=value, s=top), asked) == str(value)
    assume(scale != top)
    assert chosen(form.format(v=value, s=scale), asked) is None


PIECES = [
    *(
        "spam",
        "ham",
        "not",
        "is",
        "the answer is",
        "A",
        "B.",
        ":",
        "no",
        "yes",
        "4/5",
        "stars",
        "{",
    ),
    *("}", '"label"', "false", ",", "\n", " - ", "(", ")", "[[", "]]", "**", "0.9", "%", "<think>"),
    *(
        "</think>",
        "<|channel|>final<|message|>",
        "because",
        "[ ]",
        "[x]",
        "~~",
        "\u2605",
        "\\boxed{",
    ),
    *("I would classify this as", "on a scale of 1 to", "is better than", ">", "|", "#", "\u0130"),
]


def test_mutated_replies_raise_nothing() -> None:
    """4,000 replies of the corpus with parts removed, doubled, swapped and added."""
    draw = random.Random(0)
    for _ in range(4_000):
        asked, reply, _ = draw.choice(CORPUS)
        for _ in range(draw.randint(1, 4)):
            i, j = sorted(draw.randint(0, len(reply)) for _ in range(2))
            piece = draw.choice([*PIECES, reply[i:j], draw.choice(CORPUS)[1]])
            reply = draw.choice(
                [reply[:i] + reply[j:], reply[:i] + piece + reply[j:], piece + reply]
            )
        result = read(reply, asked, None, draw.choice([None, "length"]))
        assert (result.answer == ABSTAIN) == bool(result.reason)
