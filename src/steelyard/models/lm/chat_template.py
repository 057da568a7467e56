"""A question as the turns of a conversation, in the words of the tokenizer's own chat template.

A template is rendered once, around a mark in the place of the prompt. What stands before and behind
the mark has control tokens that count; control tokens in the prompt are escaped.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from steelyard.errors import ConfigError
from steelyard.prompts.clean_reply import THOUGHT
from steelyard.prompts.escaping import escape_tokens

ITEM, REPLY = "@@item@@", "@@reply@@"
Shots: TypeAlias = tuple[tuple[str, str], ...]
"""Prompts that are answered already, each with its answer."""


def control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Texts of the tokenizer's added tokens, without those that are ordinary words."""
    texts = (str(token.content) for token in tokenizer.added_tokens_decoder.values())
    return tuple(text for text in texts if not text.replace("\u2581", "").strip().isalnum())


def chat_frame(
    tokenizer: Any,
    system: str,
    shots: Shots,
    *,
    written: bool,
    options: Mapping[str, Any] | None = None,
) -> tuple[str, str]:
    """The text before and behind a prompt in a conversation that waits for the reply.

    A template that refuses or drops the system message gets its text at the beginning of the first
    user message. A template that can leave out thinking is told to. An answer that is scored or
    learned stands where the template puts a reply: behind an empty thought, where it has one.

    Args:
        tokenizer: of the model; it has a chat template.
        system: the system message; "" for none, which leaves the template's own.
        shots: earlier turns.
        written: whether the model writes the reply, rather than scores or learns it.
        options: further variables of the template.

    Raises:
        ConfigError: the template cannot render this conversation.
    """
    from jinja2 import TemplateError

    safe = [[escape_tokens(text, control_tokens(tokenizer)) for text in pair] for pair in shots]
    texts = [text for prompt, answer in safe for text in (prompt, answer.strip())]
    message = escape_tokens(system, control_tokens(tokenizer))
    render = functools.partial(_render, tokenizer, options or {})
    try:
        frame = _rendered(render, [("system", message)] if message else [], texts, written)
        if message.strip() in frame[0]:
            return frame
    except TemplateError:
        if not message:
            raise _unusable(tokenizer, "it refuses a user and an assistant message") from None
    texts = [f"{message}\n\n{text}" if n == 0 else text for n, text in enumerate([*texts, ITEM])]
    try:
        return _rendered(render, [], texts[:-1], written, texts[-1])
    except TemplateError as error:
        raise _unusable(tokenizer, str(error)) from error


def trained_template(tokenizer: Any, system: str) -> str:
    """A chat template that writes what stands around the prompts of a trained model.

    The tokenizer's own, if it makes the same of a user message alone; else one of this frame.

    Raises:
        ConfigError: as `chat_frame`.
    """
    before, after = chat_frame(tokenizer, system, (), written=False)
    message = [{"role": "user", "content": ITEM}]
    plain = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    if plain == f"{before}{ITEM}{after}":
        return str(tokenizer.get_chat_template())
    first, last = json.dumps(before), json.dumps(after)
    return (
        "{% for m in messages %}{% if m.role == 'user' %}"
        f"{{{{ {first} }}}}{{{{ m.content }}}}{{{{ {last} }}}}"
        "{% elif m.role == 'assistant' %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    )


def _unusable(tokenizer: Any, why: str) -> ConfigError:
    name = str(tokenizer.name_or_path).rstrip("/").split("/")[-1]
    return ConfigError(
        f"The chat template of {name} cannot be used ({' '.join(why.split())[:200]}); set "
        "`chat: false`."
    )


def _rendered(
    render: Callable[[Sequence[tuple[str, str]], bool], str],
    first: Sequence[tuple[str, str]],
    texts: Sequence[str],
    written: bool,
    asked: str = ITEM,
) -> tuple[str, str]:
    roles = [("user", "assistant")[n % 2] for n in range(len(texts))]
    turns = [*first, *zip(roles, texts, strict=True), ("user", asked)]
    before, waiting = _split(render(turns, True), ITEM)
    _, rest = _split(render([*turns, ("assistant", REPLY)], False), ITEM)
    replied = rest.partition(REPLY)[0]
    if written:
        return before, waiting
    if replied.startswith(waiting):
        return before, replied.rstrip(" ")  # a space in front of a reply is the reply's
    opened = open_thought(waiting)
    if opened:
        return before, replied if waiting.startswith(replied) else f"{waiting}\n</{opened}>\n\n"
    return before, waiting


def open_thought(text: str) -> str:
    """The tag, such as `think`, of a thought that is opened in a text and not closed; else ""."""
    marks = list(THOUGHT.finditer(text))
    return marks[-1].group().strip("</>") if marks and not marks[-1].group(1) else ""


def _render(
    tokenizer: Any, options: Mapping[str, Any], turns: Sequence[tuple[str, str]], waits: bool
) -> str:
    messages = [{"role": role, "content": text} for role, text in turns]
    options = {"enable_thinking": False, **options}
    return str(
        tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=waits, **options
        )
    )


def _split(text: str, mark: str) -> tuple[str, str]:
    before, separator, behind = text.rpartition(mark)
    return (before, behind) if separator else (text, "")
