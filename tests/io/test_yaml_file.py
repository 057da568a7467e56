"""Settings of a file: plain YAML values, whoever wrote it."""

import re

import pytest

from steelyard.errors import ConfigError
from steelyard.io.yaml_file import read_yaml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("!!python/object/apply:os.system ['echo']", "x.yaml line 1 is not YAML"),
        ("a: 1\nb: {c: 1, c: 2}", "x.yaml line 2 is not YAML: the key 'c' stands twice."),
        ("a: &a [1]\nb: [" + "*a, " * 101 + "]", "x.yaml line 2 has more than 100 aliases"),
        ("[" * 51 + "]" * 51, "x.yaml line 1 has more than 50 nested values"),
        ("a: 2026-13-45", "x.yaml has a value that cannot be read"),
        ("a: [1", "x.yaml line 1 is not YAML"),
    ],
)
def test_what_is_no_plain_value_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_yaml(text, "x.yaml")


def test_plain_values_come_as_they_are() -> None:
    # 1e-3 without a dot is text in YAML 1.1, and stays so
    text = "a: {b: [1, 2.5, yes, null]}\nc: 1e-3"
    assert read_yaml(text, "x.yaml") == {"a": {"b": [1, 2.5, True, None]}, "c": "1e-3"}
