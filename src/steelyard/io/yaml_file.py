"""Settings from YAML text that may come from anyone. Imports nothing heavy."""

from typing import Any

import yaml

from steelyard.errors import ConfigError

MAX_BYTES = 100_000  # of a file of settings
MAX_DEPTH, MAX_ALIASES = 50, 100  # nested values and repeated ones of a file of settings
MAX_SEED = 2**31 - 1


def read_yaml(text: str, source: str) -> Any:
    """Values from YAML text; duplicate keys and excessive aliases are refused.

    Raises:
        ConfigError: it is not YAML; the message names the line.
    """
    try:
        _check_shape(text, source)
        return yaml.load(text, Loader=_UniqueKeys)
    except ConfigError:
        raise
    except ValueError as error:  # a date or a number that cannot be
        raise ConfigError(f"{source} has a value that cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{source}{line} is not YAML: {problem}.") from error


def _check_shape(text: str, source: str) -> None:
    """Refuse input that would take a parser minutes (depth, aliases, size)."""
    depth = aliases = 0
    for event in yaml.parse(text):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > MAX_DEPTH or aliases > MAX_ALIASES:
            line = event.start_mark.line + 1 if event.start_mark else 1
            what = "nested values" if depth > MAX_DEPTH else "aliases"
            most = MAX_DEPTH if depth > MAX_DEPTH else MAX_ALIASES
            raise ConfigError(f"{source} line {line} has more than {most} {what}; a study has few.")


class _UniqueKeys(yaml.SafeLoader):
    """Safe YAML that refuses a key that occurs twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for location, _ in node.value:
            key = repr(self.construct_object(location, deep=True))
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key} stands twice", problem_mark=location.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
