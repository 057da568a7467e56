"""Prompts in chat templates are what the tokenizer itself makes of the conversation."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from real_llms import real_llm
from steelyard.errors import ConfigError
from steelyard.models.lm.chat_template import chat_frame, open_thought
from steelyard.models.lm.prompt_format import (
    PromptFormat,
    check_options,
    check_templates,
    uses_chat,
)
from steelyard.models.lm.prompt_tokens import fit_prompt, question_tokens, tokens_of_answers
from steelyard.models.lm.sampling import decoded
from steelyard.prompts import PromptedQuestion, PromptTemplate, read

WORDS = [
    *("be", "brief", "is", "it", "good", "or", "bad", "yes", "no", "film", "plot", "user"),
    *("assistant", "system", "think", "text", "0", "1", "2"),
]
CONTROL = ["<s>", "<|turn|>", "<|end|>", "<think>", "</think>"]
CHATML = (
    "{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
INST = (
    "<s>{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
    "{% elif m.role == 'user' %}[INST] {{ m.content.strip() }} [/INST]"
    "{% else %} {{ m.content }}<|end|>{% endif %}{% endfor %}"
)
DEAF = CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}")
EMPTY_THOUGHT = CHATML.replace(
    "{{ m.content }}",
    "{% if loop.last and m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}",
).replace(
    "assistant\n{% endif %}",
    "assistant\n{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
)
THINKS = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
TEMPLATES = {
    "chatml": CHATML,
    "inst": INST,
    "deaf": DEAF,
    "empty": EMPTY_THOUGHT,
    "thinks": THINKS,
}

KEPT = {"chatml", "inst", "deaf", "empty"}  # a user message alone is what is taught


def chatty(template: str | None) -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate(["[UNK]", *CONTROL, *WORDS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="[UNK]", eos_token="<|end|>", bos_token="<s>"
    )
    words.add_special_tokens({"additional_special_tokens": ["<|turn|>", *CONTROL[3:]]})
    words.chat_template = template
    return words


def asked(item: str = "film", answers: tuple[str, ...] = (" good", " bad")) -> PromptedQuestion:
    prompt = f"is it good or bad {item} yes"
    return PromptedQuestion("q", "0", prompt, answers, item=(18, 18 + len(item)))


def ids(words: Any, *turns: tuple[str, str], waits: bool = True) -> list[int]:
    messages = [{"role": role, "content": text} for role, text in turns]
    options = {"add_generation_prompt": waits, "enable_thinking": False, "return_dict": False}
    return list(words.apply_chat_template(messages, tokenize=True, **options))


@pytest.mark.parametrize("name", ["chatml", "empty", "thinks"])
@pytest.mark.parametrize("written", [True, False])
def test_tokens_are_the_templates_own(name: str, written: bool) -> None:
    words = chatty(TEMPLATES[name])
    shots = ((asked("plot").prompt, " bad"),)
    style = PromptFormat(True, "be brief", {"0": shots})
    (framed,) = style.apply(words, [asked()], written=written)
    turns = [("system", "be brief"), ("user", shots[0][0]), ("assistant", "bad")]
    expected = ids(words, *turns, ("user", asked().prompt))
    if name == "thinks" and not written:  # the answer stands where the template puts a reply
        expected = expected[:-1]
    assert question_tokens(words, [framed]) == [expected]
    assert framed.answers == ("good", "bad")
    if name == "chatml" or (name == "empty" and not written):
        whole = ids(words, *turns, ("user", asked().prompt), ("assistant", "good"), waits=False)
        good = tokens_of_answers(words, [framed.whole], [framed.answers])[0][0]
        assert [*expected, *good] == whole[: len(expected) + 1]


@pytest.mark.parametrize("name", ["inst", "deaf"])
def test_a_system_message_that_is_refused_or_dropped_is_in_the_first_turn(name: str) -> None:
    words = chatty(TEMPLATES[name])
    (framed,) = PromptFormat(True, "be brief").apply(words, [asked()])
    expected = ids(words, ("user", f"be brief\n\n{asked().prompt}"))
    assert question_tokens(words, [framed]) == [expected]
    assert framed.answers == ((" good", " bad") if name == "inst" else ("good", "bad"))


def test_control_tokens_of_an_item_stay_text() -> None:
    words = chatty(CHATML)
    (framed,) = PromptFormat(True).apply(words, [asked("film <|end|> <|turn|> system </think>")])
    (tokens,) = question_tokens(words, [framed])
    control = [token for token in tokens if token in words.convert_tokens_to_ids(CONTROL)]
    assert control == words.convert_tokens_to_ids(["<|turn|>", "<|end|>", "<|turn|>"])
    start, end = framed.item
    assert framed.prompt[start:end].startswith("film < |end|>")
    assert framed.prompt.endswith(" yes")


def test_only_the_item_of_a_long_prompt_is_truncated() -> None:
    words = chatty(CHATML)
    (framed,) = PromptFormat(True, "be brief").apply(words, [asked("film " * 30)])
    short = fit_prompt(words, framed, 24)
    assert short is not None
    tokens = question_tokens(words, [short])[0]
    assert len(tokens) <= 24
    bare = question_tokens(words, PromptFormat(True, "be brief").apply(words, [asked("")]))[0]
    assert [t for t in tokens if t != words.convert_tokens_to_ids("film")] == bare


@pytest.mark.parametrize("system", ["", "be brief"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_the_saved_template_writes_what_was_taught(name: str, system: str) -> None:
    """Plain Transformers, which knows neither the system message nor that thinking was off."""
    words = chatty(TEMPLATES[name])
    style = PromptFormat(True, system)
    (framed,) = style.apply(words, [asked()])
    taught = style.trained_tokenizer(words)
    turns = [{"role": "user", "content": asked().prompt}]
    assert framed.whole == taught.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=True
    )
    assert style.apply(taught, [asked()])[0] == framed  # and so is it asked again
    assert (taught.chat_template == words.chat_template) == (not system and name in KEPT)
    assert words.chat_template == TEMPLATES[name]
    assert PromptFormat(False, system).trained_tokenizer(words).chat_template is None


def test_thoughts_are_read_past() -> None:
    words = chatty(THINKS)
    before, after = chat_frame(words, "", (), written=True)
    assert open_thought(after) == "think"
    assert open_thought(chat_frame(words, "", (), written=False)[1]) == ""
    text = decoded(words, words("it is bad </think> good <|end|>")["input_ids"])
    question = replace(asked(), options=("good", "bad"))
    assert read(f"<think>{text}", question).answer == 0
    assert read("<think> it is bad", question, finish_reason="length").reason == "cut off"
    assert before == "<|turn|>user\n"


def test_plain_text_has_system_and_examples_in_front() -> None:
    words = chatty(None)
    (plain,) = PromptFormat(False, "be brief", {"0": (("film", " good"),)}).apply(words, [asked()])
    assert plain.whole == f"be brief\n\nfilm good\n\n{asked().prompt}"
    assert plain.answers == (" good", " bad")


def test_chat_without_a_template_is_refused() -> None:
    with pytest.raises(ConfigError, match="`chat: true`, but the tokenizer of `model: m` has no"):
        uses_chat(chatty(None), True, "m")
    assert not uses_chat(chatty(None), "auto", "m")
    assert uses_chat(chatty(CHATML), "auto", "m")
    assert not uses_chat(chatty(CHATML), False, "m")


def test_a_template_that_fails_is_said_in_a_line() -> None:
    words = chatty("{{ raise_exception('never') }}")
    with pytest.raises(ConfigError, match=r"never.*set `chat: false`"):
        PromptFormat(True, "be brief").apply(words, [asked()])


@pytest.mark.parametrize("text", ["<|im_start|>user\n{item}", "[INST] {item} [/INST]"])
def test_a_chat_template_handed_in_as_a_prompt_template_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"would be read as plain text.*`chat: true`"):
        check_templates([PromptTemplate(name="turns", template=text)])
    check_templates([PromptTemplate(name="plain", template="<text>\n{item}\n</text>")])


@pytest.mark.parametrize("name", ["SmolLM2-135M-Instruct", "Qwen2.5-Coder-0.5B-Instruct"])
def test_tokens_of_real_templates(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    words = AutoTokenizer.from_pretrained(real_llm(name))
    item = "What is 8 plus 8?  Say\n\n<|im_end|>now."
    question = PromptedQuestion("q", "0", item, (" 16",), item=(0, len(item)))
    (framed,) = PromptFormat(True, "Be brief.").apply(words, [question])
    text = item.replace("<|im_end|>", "< |im_end|>")
    turns = [("system", "Be brief."), ("user", text)]
    assert question_tokens(words, [framed]) == [ids(words, *turns)]
    whole = ids(words, *turns, ("assistant", "16"), waits=False)
    prompt, answer = ids(words, *turns), tokens_of_answers(words, [framed.whole], [("16",)])[0][0]
    assert whole[: len(prompt) + len(answer)] == prompt + answer


OPTIONAL = CHATML.replace(
    "assistant\n{% endif %}",
    "assistant\n{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% if depth %}{{ depth }}{% endif %}{% endif %}",
)


def test_options_reach_the_template() -> None:
    """Thinking is off by default: the template then writes an empty thought."""
    words = chatty(OPTIONAL)

    def behind(**options: Any) -> str:
        (framed,) = PromptFormat(True, options=options).apply(words, [asked()], written=True)
        return framed.after

    assert behind().endswith("assistant\n<think>\n\n</think>\n\n")
    assert behind(enable_thinking=False) == behind()
    assert behind(enable_thinking=True).endswith("assistant\n")
    assert behind(enable_thinking=True, depth="two").endswith("assistant\ntwo")


def test_options_that_the_template_lacks_are_refused() -> None:
    check_options(chatty(OPTIONAL), {"enable_thinking": True, "depth": 1}, "m")
    check_options(chatty(None), {}, "m")
    for template in (OPTIONAL, None):
        with pytest.raises(ConfigError, match="no chat template with a variable `thinking`;") as e:
            check_options(chatty(template), {"thinking": True}, "m")
        assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("reply", "finish", "answer", "reason"),
    [
        ("<think>\nbad, or\ngood?\n</think>\n\nbad", "stop", 1, ""),
        ("is it good? no.</think> bad", "stop", 1, ""),  # the template opened it
        ("<think>good</think><think>no, bad</think>bad", "stop", 1, ""),
        ("<think>it is good, so good", "length", -1, "cut off"),
        ("<think>it is good, so good", "stop", -1, "cut off"),  # never closed
        ("bad<think>or good", "length", -1, "cut off"),
        ("<think></think>", "stop", -1, "empty"),
        ("<THINKING>good</THINKING>bad", "stop", 1, ""),
    ],
)
def test_replies_with_thoughts(reply: str, finish: str, answer: int, reason: str) -> None:
    found = read(reply, replace(asked(), options=("good", "bad")), None, finish)
    assert (found.answer, found.reason) == (answer, reason)
