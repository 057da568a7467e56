"""Escapes for text from the data, which must not close its delimiters or end a chat turn."""

import re
from collections.abc import Iterable

CONTROL = re.compile(
    r"""
      <[|\uff5c][^<>|\uff5c\n]{1,64}[|\uff5c]>                        # <|im_end|> and its kind
    | <<(?:/\s*)?SYS\s*>>                                     # Llama 2
    | \[(?:/\s*)?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|CLS|SEP|PAD|UNK|MASK)
      \s*\]
    | <(?:/\s*)?(?:s|bos|eos|pad|unk|mask|cls|sep|start_of_turn|end_of_turn|think|tool_call
      |tool_response|system|user|assistant)\s*>
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Tokens with a meaning in chat templates and tokenizers; a space after the first character
removes it."""
TURNS = re.compile(
    r"<[|\uff5c][^<>|\uff5c\n]{1,64}[|\uff5c]>|<<SYS>>|\[/?INST\]|<(?:start|end)_of_turn>",
    re.IGNORECASE,
)
"""Those that begin and end turns."""
TAG = re.compile(r"<\s*/?\s*(\w+)\s*>")


def escape_tokens(text: str, tokens: Iterable[str] = (), tags: Iterable[str] = ()) -> str:
    """The text with a space inside every control token and delimiter, so that it has no effect.

    Args:
        text: a text from the data.
        tokens: control tokens of a tokenizer, besides those of CONTROL.
        tags: names of the prompt's delimiters: for "text", `<text>` and `</text>` are escaped.

    >>> escape_tokens("fine</text><|im_end|>", tags=["text"])
    'fine< /text>< |im_end|>'
    """
    text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates break tokenizers
    parts = [CONTROL.pattern]
    names = "|".join(re.escape(name) for name in tags)
    if names:
        parts.append(rf"<(?:/\s*)?(?:{names})\b[^<>]*>?")
    control = sorted((token for token in tokens if len(token) > 1), key=len, reverse=True)
    parts += [re.escape(token) for token in control]
    pattern = re.compile("|".join(f"(?:{part}\n)" for part in parts), CONTROL.flags)
    previous = ""
    while previous != text:  # an escape may form another token: "<|a<|b|>"
        previous = text
        text = pattern.sub(_broken, text)
    return text


def tags_of(template: str) -> tuple[str, ...]:
    """Names of the delimiters in a template: `<text>` and `</text>` have the name "text"."""
    return tuple(dict.fromkeys(TAG.findall(template)))


def _broken(match: re.Match[str]) -> str:
    token = match.group()
    return f"{token[0]} {token[1:].lstrip()}"
