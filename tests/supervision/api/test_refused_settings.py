"""A server's refusal names the setting to change."""

import json
from pathlib import Path

import pytest

from faulty_server import FaultyServer, error
from steelyard.errors import ConfigError
from steelyard.labelling import label
from steelyard.supervision.api.http_errors import error_of_status
from steelyard.supervision.api.refused_settings import setting_to_change
from texts_to_label import ITEMS, answer, api

COLD = {
    **{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 0.0},
    **{"top_p": 1.0, "max_tokens": 256, "logprobs": True, "top_logprobs": 20},
}
SAMPLED = {
    **{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 0.5},
    **{"top_p": 1.0, "max_completion_tokens": 256, "seed": 3},
    **{"response_format": {}, "n": 1, "stop": ["x"]},
}
NO_LOGPROBS, FIVE = "set `top_logprobs: 0`", "set `top_logprobs: 5`"
NO_TEMPERATURE = "set `extra: {temperature: null}`"
NO_TOP_P, NO_SEED = "set `extra: {top_p: null}`", "set `extra: {seed: null}`"
OTHER_NAME = "set `max_tokens_name: max_completion_tokens`"
OF_COLD = {
    "You are not allowed to request logprobs from this model": NO_LOGPROBS,
    "'logprobs' is not supported with this model": NO_LOGPROBS,
    "top_logprobs is not supported": NO_LOGPROBS,
    "Log probabilities are not available": NO_LOGPROBS,
    "This model does not return log-probs.": NO_LOGPROBS,
    '[{"type": "extra_forbidden", "loc": ["body", "logprobs"]}]': NO_LOGPROBS,
    "Invalid value for 'top_logprobs': must be less than or equal to 5.": FIVE,
    "Invalid 'top_logprobs': integer above maximum value. Expected a value <= 5, but got 20": FIVE,
    "Requested sample logprobs of 20, which is greater than max allowed: 5": FIVE,
    "Range of top_logprobs should be [0, 5]": FIVE,
    "top_logprobs must be between 0 and 5": FIVE,
    "top_logprobs should be less than 6, got 20": FIVE,
    "Too many logprobs requested (20 > 5)": FIVE,
    '[{"loc": ["body", "top_logprobs"], "msg": "Input should be less than or equal to 5"}]': FIVE,
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    "'max_completion_tokens' instead.": OTHER_NAME,
    "Unknown field max_tokens": OTHER_NAME,
    "max_tokens: 256 > 100, which is the maximum allowed number of output tokens": (
        "set `max_new_tokens: 100`"
    ),
    "max_tokens is too large: 256. This model supports at most 128 completion tokens": (
        "set `max_new_tokens: 128`"
    ),
    "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) "
    "value is supported.": NO_TEMPERATURE,
    "temperature and top_p cannot both be specified for this model": NO_TOP_P,
    "extraneous key [topP] is not permitted": NO_TOP_P,
    "The `model` field is wrong": "correct `model`",
    "The request is bad": "",
    "Please stop": "",
}
OF_SAMPLED = {
    "property 'seed' is unsupported": NO_SEED,
    '[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]': (
        NO_SEED
    ),
    "Unsupported parameter: 'max_completion_tokens'": "set `max_tokens_name: max_tokens`",
    "response_format is not supported": "correct or remove `response_format` of `extra`",
    "'n' must be 1": "correct or remove `n` of `extra`",
    "Unsupported parameter: 'stop' is not supported": "correct or remove `stop` of `extra`",
    "please do not stop n": "",
}


@pytest.mark.parametrize(("message", "change"), OF_COLD.items())
def test_what_to_change_of_greedy_requests(message: str, change: str) -> None:
    found = setting_to_change(message, "", COLD)
    assert found.removesuffix(", which leaves it to the server,") == change


@pytest.mark.parametrize(("message", "change"), OF_SAMPLED.items())
def test_what_to_change_of_sampled_requests(message: str, change: str) -> None:
    found = setting_to_change(message, "", SAMPLED)
    assert found.removesuffix(", which leaves it to the server,") == change


def test_the_field_may_be_named_apart_from_the_message() -> None:
    assert setting_to_change("bad value", "top_logprobs", COLD) == NO_LOGPROBS
    assert setting_to_change("bad value", "n", SAMPLED) == "correct or remove `n` of `extra`"
    words = {"logprobs": True, "messages": []}
    assert setting_to_change("no logprobs", "", words) == "set `word_probs: false`"
    system = {"messages": [{"role": "system", "content": "x"}]}
    assert setting_to_change("System role not supported", "", system).startswith("remove `system`")
    assert setting_to_change("System role not supported", "", COLD) == ""


@pytest.mark.parametrize("status", [400, 403, 404, 422, 501])
def test_every_refusing_status_names_the_setting(status: int) -> None:
    raw = json.dumps(error("You are not allowed to request logprobs from this model")).encode()
    found = error_of_status(status, {}, raw, str, COLD)
    assert (found.reason, found.action, found.change) == ("bad request", "ambiguous", NO_LOGPROBS)


def test_a_refused_key_and_an_empty_account_are_not_blamed_on_settings() -> None:
    raw = json.dumps(error("Incorrect API key provided for this model")).encode()
    assert error_of_status(401, {}, raw, str, COLD).reason == "key refused"
    assert error_of_status(403, {}, raw, str, COLD).reason == "key refused"
    raw = json.dumps(error("Your credit balance is too low to access the API")).encode()
    assert error_of_status(400, {}, raw, str, COLD).reason == "no quota"
    raw = json.dumps(error("This model's maximum context length is 10 tokens")).encode()
    assert error_of_status(400, {}, raw, str, COLD).reason == "too long"


def test_the_error_says_what_to_set(tmp_path: Path) -> None:
    with FaultyServer(answer, lambda p, b: "no logprobs") as server:
        with pytest.raises(ConfigError) as refused:
            label(ITEMS, [api(server)], tmp_path / "votes.jsonl")
        assert server.requests == 3
    assert str(refused.value).endswith(
        "refuses the request (403 You are not allowed to request logprobs from this model); set "
        "`top_logprobs: 0` in the supervisor's settings."
    )


@pytest.mark.parametrize("name", ["no schema", "a list", "another API", "wrong types", "HTML"])
def test_a_reply_of_another_shape_fails_with_one_request(tmp_path: Path, name: str) -> None:
    with FaultyServer(answer, lambda p, b: name) as server:
        with pytest.raises(ConfigError, match=r"not as an OpenAI-compatible server.*base_url"):
            label(ITEMS, [api(server)], tmp_path / "votes.jsonl")
        assert server.requests == 1
