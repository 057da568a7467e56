"""Which setting to change when a server refuses a field of the request."""

import re
from collections.abc import Mapping
from typing import Any

LIMITS = re.compile(
    r"(?:<=|less than or equal to|at most|no more than|not (?:be )?(?:more|greater|larger) than"
    r"|not exceed|up to|maximum|max\.?|limit|allowed|between -?\d+ and|\[ *-?\d+ *,|-?\d+ ?- ?"
    r"|(?P<below>less than|smaller than|below|under|>))\D{0,25}?(?P<number>\d+)"
)
UNKNOWN = re.compile(r"unsupported|not supported|unknown|unrecogni|unexpected|extra|permitted")
NO_SYSTEM = re.compile(r"(?=.*\bsystem\b)(?=.*\b(?:role|message|prompt|instruction)).*", re.S)
NAMES = {
    "toplogprobs": "top_logprobs",
    "logprobs": "logprobs",
    "logprob": "logprobs",
    "logprobabilities": "logprobs",
    "temperature": "temperature",
    "topp": "top_p",
    "seed": "seed",
    "maxtokens": "max_tokens",
    "maxcompletiontokens": "max_completion_tokens",
    "maxoutputtokens": "max_tokens",
    "model": "model",
}
"""A field's name in messages, without case and underscores -> its name in the request."""
PLAIN = ("top_logprobs", "logprobs", "temperature", "top_p", "seed", *NAMES.values())
"""Fields that count wherever a message names them; others, such as `n`, only in quotes."""
OTHER_LIMIT = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}


def setting_to_change(message: str, field: str, request: Mapping[str, Any]) -> str:
    """What to do in the supervisor's settings, such as "set `extra: {seed: null}`".

    Args:
        message: the server's.
        field: the field of the request that the server names apart from its message, or "".
        request: the JSON that was sent.

    Returns:
        "" where the message names no field of the request.
    """
    name = _field(message, field, request)
    if name in ("top_logprobs", "logprobs"):
        return _log_probabilities(message, request)
    if name in OTHER_LIMIT:
        return _output_limit(name, message, request)
    if name in ("temperature", "top_p", "seed"):
        return f"set `extra: {{{name}: null}}`, which leaves it to the server,"
    if name == "messages":
        return "remove `system`, and put its text into a template,"
    if name == "model":
        return "correct `model`"
    return f"correct or remove `{name}` of `extra`" if name else ""


def _field(message: str, field: str, request: Mapping[str, Any]) -> str:
    """The field of the request that a message is about: named apart, or named first in it."""
    path = re.split(r"[.\[]", field.removeprefix("body."))[0]
    names = {**NAMES, **{name.casefold().replace("_", ""): name for name in request}}
    text = message.casefold().replace("_", "").replace("log probabilities", "logprobs")
    text = re.sub(r"log[- ]prob", "logprob", text)
    listed = names.get(path.casefold().replace("_", ""), "")
    roles = [part.get("role") for part in request.get("messages", ())]
    if "system" in roles and NO_SYSTEM.match(message.casefold()):
        return "messages"
    if listed in request and listed != "messages":
        return listed
    places = []
    for spelling, name in names.items():
        if name not in request or name == "messages":
            continue
        quote = r"[\"'`]" if name == "model" or (name not in PLAIN and len(spelling) < 8) else ""
        word = rf"(?<![a-z0-9]){quote}(?:body\.)?{re.escape(spelling)}{quote}(?![a-z0-9])"
        match = re.search(word, text)
        if match:
            places.append((match.start(), name))
    mentioned = [name for _, name in sorted(places)]
    if "temperature" in mentioned and "top_p" in mentioned and "both" in text:
        return "top_p"
    return mentioned[0] if mentioned else ""


def _log_probabilities(message: str, request: Mapping[str, Any]) -> str:
    """Fewer log-probabilities where the message names a number, else none."""
    if "top_logprobs" not in request:
        return "set `word_probs: false`"
    asked = int(request["top_logprobs"])
    allowed = _allowed(message, asked)
    return f"set `top_logprobs: {allowed or 0}`"


def _output_limit(name: str, message: str, request: Mapping[str, Any]) -> str:
    other = OTHER_LIMIT[name]
    if other.replace("_", "") in message.casefold().replace("_", ""):
        return f"set `max_tokens_name: {other}`"
    allowed = _allowed(message, int(request[name]))
    if allowed:
        return f"set `max_new_tokens: {allowed}`"
    if UNKNOWN.search(message.casefold()):
        return f"set `max_tokens_name: {other}`"
    return "change `max_new_tokens`"


def _allowed(message: str, asked: int) -> int | None:
    """The largest number below the one that was sent that a message calls a limit."""
    limits = []
    for match in LIMITS.finditer(message.casefold()):
        number = int(match["number"]) - (match["below"] not in (None, ">"))
        if 0 < number < asked:
            limits.append(number)
    return max(limits) if limits else None
