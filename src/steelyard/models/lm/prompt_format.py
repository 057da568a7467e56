"""How prompts are put to a language model: its chat template, a system message, examples."""

import copy
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from steelyard.errors import ConfigError
from steelyard.models.lm.chat_template import (
    Shots,
    chat_frame,
    control_tokens,
    trained_template,
)
from steelyard.prompts import PromptedQuestion, PromptTemplate
from steelyard.prompts.escaping import TURNS, escape_tokens

Chat: TypeAlias = Literal["auto"] | bool


@dataclass(frozen=True)
class PromptFormat:
    """What stands around each prompt."""

    chat: bool = False  # in the turns of the tokenizer's chat template
    system: str = ""  # the system message; without a chat template, the beginning of the text
    shots: Mapping[str, Shots] = field(default_factory=dict)  # by the name of the query
    options: Mapping[str, Any] = field(default_factory=dict)  # variables of the chat template

    def apply(
        self, tokenizer: Any, asked: Sequence[PromptedQuestion], *, written: bool = False
    ) -> list[PromptedQuestion]:
        """The prompts with all that stands around them.

        Args:
            tokenizer: of the model that is asked.
            asked: plain prompts.
            written: whether the model writes replies, rather than scores or learns answers.

        Raises:
            ConfigError: the chat template cannot render them.
        """
        frame = functools.cache(
            functools.partial(chat_frame, tokenizer, written=written, options=self.options)
        )
        framed = []
        for question in asked:
            shots = self.shots.get(question.query, ())
            if self.chat:
                framed.append(_in_chat(question, *frame(self.system, shots), tokenizer))
            else:
                turns = "".join(f"{prompt}{answer}\n\n" for prompt, answer in shots)
                before = f"{self.system}\n\n{turns}" if self.system else turns
                framed.append(replace(question, before=before))
        return framed

    def trained_tokenizer(self, tokenizer: Any) -> Any:
        """A copy with the chat template of the training prompts; without if they are plain text."""
        trained = copy.copy(tokenizer)
        trained.chat_template = trained_template(tokenizer, self.system) if self.chat else None
        return trained


def uses_chat(tokenizer: Any, chat: Chat, model: str) -> bool:
    """Whether prompts go through the tokenizer's chat template.

    Raises:
        ConfigError: `chat` is true, and it has none.
    """
    has_template = bool(getattr(tokenizer, "chat_template", None))
    if chat is True and not has_template:
        raise ConfigError(
            f"`chat: true`, but the tokenizer of `model: {model}` has no chat template; set "
            "`chat: auto` or false, or give the instruct version of the model."
        )
    return has_template and chat is not False


def check_options(tokenizer: Any, options: Mapping[str, Any], model: str) -> None:
    """Refuse options that a chat template does not mention: they would change nothing.

    Raises:
        ConfigError: there is no template, or it has no such variable.
    """
    if not options:
        return
    text = str(tokenizer.get_chat_template()) if getattr(tokenizer, "chat_template", None) else ""
    for name in options:
        if not re.search(rf"\b{re.escape(name)}\b", text):
            raise ConfigError(
                f"`chat_options`: the tokenizer of `model: {model}` has no chat template with a "
                f"variable `{name}`; remove it."
            )


def check_templates(templates: Sequence[PromptTemplate]) -> None:
    """Refuse prompt templates that write the turns of a conversation themselves.

    Raises:
        ConfigError: one has control tokens, which are plain text in a prompt.
    """
    for template in templates:
        control = TURNS.search(template.template)
        if control:
            raise ConfigError(
                f"Template {template.name!r} has {control.group()!r}, which would be read as plain "
                "text: a prompt template is no chat template. Keep the question only, and set "
                "`chat: true` (turns of the tokenizer's own template) and `system`."
            )


def _in_chat(
    question: PromptedQuestion, before: str, after: str, tokenizer: Any
) -> PromptedQuestion:
    start, end = question.item
    parts = (question.prompt[:start], question.prompt[start:end], question.prompt[end:])
    first, item, last = (escape_tokens(part, control_tokens(tokenizer)) for part in parts)
    lead = "" if after[-1:].isspace() or not after else " "
    return replace(
        question,
        before=before,
        after=after,
        in_chat=True,
        prompt=first + item + last,
        item=(len(first), len(first) + len(item)),
        answers=tuple(lead + answer.removeprefix(" ") for answer in question.answers),
    )
