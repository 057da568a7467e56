"""Prompts: every query is another one, and follows from its number, the seed and the question."""

import re
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from steelyard.errors import ConfigError, InputError
from steelyard.prompts import PromptSettings, PromptTemplate, default_templates, read
from steelyard.prompts.option_orders import order_of
from steelyard.types import Question

SKY = Question("sky", "Which colour has the sky?", ("red", "blue", "green", "grey"))
MAIL = Question("mail", "You won a prize!")
KINDS = ("classification", "multiple_choice", "generation")


def prompts(
    asking: PromptSettings, question: Question, kind: str, classes: tuple[str, ...] = ()
) -> list:
    count = len(asking.query_names(kind))
    return [asking.ask(question, kind, classes, query, seed=0) for query in range(count)]


def test_a_prompt_by_hand() -> None:
    asking = PromptSettings(queries=1, orders=False)
    asked = asking.ask(SKY, "multiple_choice", (), 0, seed=0)
    assert asked.prompt == (
        "<question>\nWhich colour has the sky?\n</question>\n"
        "A. red\nB. blue\nC. green\nD. grey\n"
        "Which option is right? Reply with A, B, C or D and nothing else.\nAnswer:"
    )
    assert asked.answers == (" A", " B", " C", " D")
    assert asked.options == SKY.choices
    assert asked.prompt[slice(*asked.item)] == SKY.text
    assert asked.query == "0-plain"


def test_class_names_are_answers_as_they_are() -> None:
    asked = PromptSettings(queries=1, orders=False).ask(
        MAIL, "classification", ("ham", "spam"), 0, 0
    )
    assert "Which of these fits the text: ham or spam?" in asked.prompt
    assert asked.answers == (" ham", " spam")
    assert not asked.lettered


def test_letters_follow_the_order_and_answers_the_candidates() -> None:
    for asked in prompts(PromptSettings(), SKY, "multiple_choice"):
        for letter, candidate in zip("ABCD", asked.order, strict=True):
            assert f"{letter}. {SKY.choices[candidate]}\n" in asked.prompt
            assert asked.answers[candidate] == f" {letter}"


def test_orders_are_the_papers_distinct_permutations() -> None:
    """24 orders of four options without replacement, then again from the first."""
    orders = [order_of(0, "q", 4, number) for number in range(24)]
    assert sorted(orders) == sorted(permutations(range(4)))
    assert order_of(0, "q", 4, 24) == orders[0]
    assert order_of(1, "q", 4, 0) != orders[0] or order_of(1, "q", 4, 1) != orders[1]
    assert [order_of(0, "r", 4, number) for number in range(24)] != orders


def test_votes_of_an_order_insensitive_reader_are_the_same_in_every_order() -> None:
    """It looks for the line that says "blue" and replies with that line's letter."""
    made = prompts(PromptSettings(queries=24, templates=("plain",)), SKY, "multiple_choice")
    replies = [re.search(r"^([A-D])\. blue$", a.prompt, re.MULTILINE) for a in made]
    letters = [reply.group(1) for reply in replies if reply]
    assert set(letters) == set("ABCD")
    assert [read(letter, a).answer for letter, a in zip(letters, made, strict=True)] == [1] * 24


def test_each_option_stands_in_each_place_equally_often() -> None:
    """4,000 questions, 5 orders each: an option is shown first in 1/4 of 20,000, sd 61."""
    first = Counter(order_of(0, f"q{i}", 4, number)[0] for i in range(4000) for number in range(5))
    assert all(abs(first[option] - 5000) < 5 * 61 for option in range(4))


@given(st.integers(1, 9), st.integers(0, 30), st.integers(0, 5))
def test_orders_are_permutations(size: int, number: int, seed: int) -> None:
    assert sorted(order_of(seed, "q", size, number)) == list(range(size))


@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 2))
def test_no_two_queries_are_alike_while_there_are_ways(
    wordings: int, options: int, aliases: int
) -> None:
    """W wordings x A names x n! orders: so many different prompts."""
    names = ("ant", "bee", "cat", "dog")[:options]
    other = {name: tuple(f"{name}{a}" for a in range(aliases)) for name in names}
    ways = wordings * (1 + aliases) * len(list(permutations(names)))
    asking = PromptSettings(
        queries=ways,
        templates=tuple(w.name for w in default_templates("classification")[:wordings]),
        aliases=other if aliases else None,
    )
    asking.check_asking("classification", names)
    made = prompts(asking, MAIL, "classification", names)
    assert len({asked.prompt for asked in made}) == ways


def test_the_papers_two_queries_swap_the_answer_words() -> None:
    """ETHICS in Guo and Yang 2024: one wording, k = 2, the two words swapped."""
    asking = PromptSettings(queries=2, templates=("plain",))
    made = prompts(asking, MAIL, "classification", ("acceptable", "unacceptable"))
    assert {asked.order for asked in made} == {(0, 1), (1, 0)}
    assert all(asked.answers == (" acceptable", " unacceptable") for asked in made)


def test_a_query_depends_on_its_number_the_seed_and_the_question_alone() -> None:
    whole = prompts(PromptSettings(queries=5), SKY, "multiple_choice")
    more = prompts(PromptSettings(queries=9), SKY, "multiple_choice")
    assert more[:5] == whole
    again = PromptSettings(queries=5).ask(SKY, "multiple_choice", (), 3, seed=0)
    assert again == whole[3]
    assert PromptSettings(queries=5).ask(SKY, "multiple_choice", (), 3, seed=1) != again


def test_samples_share_the_prompt_and_have_seeds_of_their_own() -> None:
    asking = PromptSettings(queries=2, samples=3, temperature=1.0)
    made = prompts(asking, Question("q", "1 + 1?"), "generation")
    assert [asked.query for asked in made] == [
        *("0-plain/0", "0-plain/1", "0-plain/2"),
        *("1-steps/0", "1-steps/1", "1-steps/2"),
    ]
    assert len({asked.prompt for asked in made}) == 2
    assert len({asked.seed for asked in made}) == 6


def test_aliases_name_the_same_classes() -> None:
    asking = PromptSettings(
        queries=2, orders=False, templates=("plain",), aliases={"b": ["y"], "a": ["x"]}
    )
    own, other = prompts(asking, MAIL, "classification", ("a", "b"))
    assert own.answers == (" a", " b")
    assert other.answers == (" x", " y")


def test_wordings_share_the_item_in_front() -> None:
    """Every default wording of a task begins with the item: one prefix to compute."""
    for kind in KINDS:
        starts = {w.template.partition("{item}")[0] for w in default_templates(kind)}
        assert len(starts) == 1
        assert len(default_templates(kind)) == 5


def test_context_stands_before_the_question() -> None:
    asked = PromptSettings().ask(
        Question("q", "Who?", ("a", "b"), "Ann came."), "multiple_choice", (), 0, 0
    )
    assert asked.prompt[slice(*asked.item)] == "Ann came.\nWho?"


def test_more_options_than_letters_are_numbered() -> None:
    choices = tuple(f"option {i}" for i in range(30))
    asked = PromptSettings(orders=False).ask(
        Question("q", "Which?", choices), "multiple_choice", (), 0, 0
    )
    assert asked.answers[29] == " 30"
    assert "30. option 29" in asked.prompt


def test_texts_in_the_data_stay_texts() -> None:
    """Neither a place name in the item nor a line break in an option changes the prompt's form."""
    question = Question("q", "What is {options}? {answers}", ("red\nB. blue", "{item}"))
    asked = PromptSettings(orders=False).ask(question, "multiple_choice", (), 0, 0)
    assert "What is {options}? {answers}" in asked.prompt
    assert "A. red B. blue\nB. {item}\n" in asked.prompt


def test_paraphrases_are_asked_instead(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"id": "sky", "texts": ["Sky colour?", "The sky is what?"]}\n')
    asking = PromptSettings(queries=2, templates=("plain",), paraphrases=str(path))
    items = [a.prompt[slice(*a.item)] for a in prompts(asking, SKY, "multiple_choice")]
    assert items == ["Sky colour?", "The sky is what?"]
    with pytest.raises(InputError, match="no paraphrase of id 'mail'"):
        prompts(asking, MAIL, "classification", ("a", "b"))


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"templates": ["plian"]}, "classification", "'plian' is not a built-in template"),
        ({"orders": False, "queries": 6}, "classification", "different prompt variants, 5"),
        ({"queries": 6}, "generation", "different prompt variants, 5"),
        ({"aliases": {"a": ["b"]}}, "multiple_choice", "`aliases` rename classes"),
        ({"aliases": {"a": ["b"]}}, "classification", "must name the classes ham, spam; got a"),
        ({"answer_format": "number"}, "classification", "is for open answers"),
        (
            {"templates": [{"name": "x", "template": "{item}?"}], "queries": 1},
            "multiple_choice",
            "must list {options}",
        ),
    ],
)
def test_what_cannot_be_asked(settings: dict[str, Any], kind: str, message: str) -> None:
    classes = ("ham", "spam") if kind == "classification" else ()
    with pytest.raises(ConfigError, match=message):
        PromptSettings(**settings).check_asking(kind, classes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 3}, "copies of one reply"),
        ({"orders": 0}, "must be true, false or a number from 1"),
        ({"templates": ["plain", "plain"]}, "distinct names"),
        ({"aliases": {"a": ["b"], "c": []}}, "the same number of names"),
        ({"templates": [{"name": "x", "template": "no place"}]}, "must have {item} once"),
        ({"templates": [{"name": "x", "template": "{item} {tiem}"}]}, "has `{tiem}`"),
        ({"templates": [{"name": "../x", "template": "{item}"}]}, "letters, digits"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PromptSettings(**settings)


def test_a_template_may_have_braces_of_json() -> None:
    wording = PromptTemplate(name="slots", template='{item}\nAs {"type": "filler"}:')
    asked = PromptSettings(queries=1, templates=(wording,)).ask(MAIL, "generation", (), 0, 0)
    assert asked.prompt == 'You won a prize!\nAs {"type": "filler"}:'


PAIR = Question("p", "Human: Hi!\n\nAssistant:", ("Hello  there.", "Go\naway."))


def test_a_judge_sees_both_answers_of_a_preference() -> None:
    asked = PromptSettings(queries=1, orders=False).ask(
        PAIR, "preference", ("first", "second"), 0, 0
    )
    assert asked.prompt == (
        "<prompt>\nHuman: Hi!\n\nAssistant:\n</prompt>\nA. Hello there.\nB. Go away.\n"
        "Which is the better answer to the prompt? Reply with A or B and nothing else.\n"
        "Better answer:"
    )
    assert asked.answers == (" A", " B")
    assert not asked.keeps_end
    made = prompts(PromptSettings(), PAIR, "preference")
    assert len({one.prompt for one in made}) == 5
    assert {one.order for one in made} == {(0, 1), (1, 0)}


def test_the_answers_of_a_preference_follow_its_prompt_as_that_stands() -> None:
    asking = PromptSettings(queries=1, answer="text")
    asked = asking.ask(PAIR, "preference", ("first", "second"), 0, 0)
    assert asked.prompt == PAIR.text == asked.prompt[slice(*asked.item)]
    assert asked.answers == (" Hello  there.", " Go\naway.")
    assert asked.keeps_end
    assert asking.query_names("preference") == ("0-unchanged",)
    own = PromptSettings(
        queries=1, answer="text", templates=(PromptTemplate(name="w", template="Q {item}\nA "),)
    )
    asked = own.ask(PAIR, "preference", ("first", "second"), 0, 0)
    assert asked.prompt.endswith("Assistant:\nA ")
    assert asked.answers == PAIR.choices  # the template brings the space
    with pytest.raises(ConfigError, match="different prompt variants, 1"):
        PromptSettings(queries=2, answer="text").check_asking("preference")


def test_cloze_lists_nothing_and_is_for_scored_answers() -> None:
    question = Question("q", "Which is red?", ("blood", "grass"))
    cloze = PromptSettings(answer="cloze")
    asked = [cloze.ask(question, "multiple_choice", (), query, 0) for query in range(5)]
    assert asked[0].prompt == "Question: Which is red?\nAnswer:"
    assert asked[0].answers == (" blood", " grass")
    assert not asked[0].lettered
    assert {one.order for one in asked} == {(0, 1)}
    assert all("blood" not in one.prompt for one in asked)
    for answer in ("cloze", "auto"):
        with pytest.raises(
            ConfigError, match=f"`answer: {answer}` needs the probability of a given"
        ):
            PromptSettings(answer=answer).check_asking("multiple_choice")
