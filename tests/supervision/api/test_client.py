"""Whatever a server sends, it is a reply or a fault."""

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faulty_server import completion, top
from steelyard.prompts import PromptedQuestion, read
from steelyard.supervision.api.http_errors import RequestError, error_of_status
from steelyard.supervision.api.option_probabilities import option_probabilities
from steelyard.supervision.api.read_reply import ReplyReader, ServerReply
from steelyard.supervision.api.token_logprobs import answer_words

READER = ReplyReader(["sk-0123456789"])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if not isinstance(value, dict | list):
        return [path]
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(place for key, part in parts for place in places(part, (*path, key)))]


WHOLE = completion("A", {"model": "m"}, **top(("A", -0.1), ("B", -2.0)))
WHOLE["choices"][0]["logprobs"]["content"][0] |= {"logprob": -0.1, "bytes": [65]}
PLACES = places(WHOLE)


def tried(raw: bytes, each: bool = False) -> ServerReply | None:
    with contextlib.suppress(RequestError):
        return READER.read(raw, 0.1, {"logprobs": True} if each else {})
    return None


@given(st.sampled_from(PLACES), ANYTHING, st.booleans())
def test_a_completion_with_anything_anywhere(
    place: tuple[Any, ...], value: Any, each: bool
) -> None:
    words = json.loads(json.dumps({"whole": WHOLE}))
    inner: Any = words
    *before, last = ("whole", *place)
    for key in before:
        inner = inner[key]
    inner[last] = value
    reply = tried(json.dumps(words["whole"]).encode(), each)
    if reply is not None:  # it can be written down and read back
        assert (
            ServerReply.from_record(json.loads(json.dumps(reply.record(), allow_nan=False)))
            == reply
        )
        reply.text.encode()
        probs = option_probabilities(reply.logprobs, (" A", " B"))
        assert probs is None or abs(probs.sum() - 1) < 1e-9
        answer_words("A", reply.text, reply.logprobs, whole=True)


@pytest.mark.parametrize(
    ("message", "answer", "reason"),
    [
        ({"tool_calls": [{"function": {"name": "f", "arguments": '{"label": "ham"}'}}]}, 1, ""),
        ({"tool_calls": [{"function": {"name": "f", "arguments": {"label": "ham"}}}]}, 1, ""),
        ({"function_call": {"name": "f", "arguments": '{"is_spam": false}'}}, 1, ""),
        ({"tool_calls": [{"function": {"name": "spam", "arguments": "{}"}}]}, -1, "tool call"),
        ({"tool_calls": [{"function": {"name": "f", "arguments": '{"q": 1}'}}]}, -1, "tool call"),
        ({"tool_calls": [{"function": {"arguments": '{"label": "spam"}'}},
                         {"function": {"arguments": '{"label": "ham"}'}}]}, -1, "two answers"),
        ({"tool_calls": [], "content": "ham"}, 1, ""),
        ({"tool_calls": [{"function": {"arguments": "{}"}}], "content": "ham"}, 1, ""),
        ({"tool_calls": 7}, -1, "wrong reply"),
        ({"tool_calls": [7]}, -1, "wrong reply"),
    ],
)  # fmt: skip
def test_arguments_of_function_calls_are_read(
    message: dict[str, Any], answer: int, reason: str
) -> None:
    """A model that answers by calling a function, or that calls one instead of answering."""
    whole = completion("", {"model": "m"}, message={"content": None, **message})
    reply = tried(json.dumps(whole).encode())
    if reply is None:
        assert reason == "wrong reply"
        return
    asked = PromptedQuestion("q", "0", "?", (" spam", " ham"), (), ("spam", "ham"))
    result = read(reply.text, asked, None, reply.finish_reason)
    assert (result.answer, result.reason) == (answer, reason)


@given(st.binary(max_size=60))
def test_any_bytes(raw: bytes) -> None:
    assert tried(raw) is None
    error = error_of_status(400, {}, raw, str.strip)
    assert error.reason
    assert "\n" not in str(error)


def test_a_completion_cut_anywhere() -> None:
    raw = json.dumps(WHOLE).encode()
    assert tried(raw) is not None
    assert [cut for cut in range(len(raw)) if tried(raw[:cut]) is not None] == []


@given(st.permutations(range(3)), st.lists(st.floats(-30, 0), min_size=3, max_size=3))
def test_the_order_of_options_and_of_tokens_does_not_matter(
    order: list[int], values: list[float]
) -> None:
    answers = (" A", " B", " C")
    pairs = tuple((answer, value - 3) for answer, value in zip(answers, values, strict=True))
    plain = option_probabilities((("A", -0.1), *pairs), answers)
    turned = option_probabilities(
        (("A", -0.1), *(pairs[o] for o in order)), tuple(answers[o] for o in order)
    )
    assert plain is not None
    assert turned is not None
    np.testing.assert_allclose(turned, plain[order])
