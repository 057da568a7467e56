"""Names and settings of estimators, as a user gives them."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from steelyard.errors import ConfigError
from steelyard.reliability import ESTIMATORS, QUESTION_ESTIMATORS, VoteEstimator

DEFAULT = "hierarchical"


def read_methods(given: Sequence[str | Mapping[str, Any]]) -> dict[str, VoteEstimator]:
    """Estimators by name, in order; a kind that comes again gets `-2`, `-3`, ... behind its name.

    Raises:
        ConfigError: an unknown kind, with the nearest one, or settings that it does not have.
    """
    given = [given] if isinstance(given, str) else given
    if not given:
        raise ConfigError("No method is given; `hierarchical` is the default.")
    methods: dict[str, VoteEstimator] = {}
    for entry in given:
        settings = {"kind": entry} if isinstance(entry, str) else dict(entry)
        kind = settings.get("kind")
        if "kind" not in settings:
            raise ConfigError(f"A method's settings have a `kind`; got {settings}.")
        if isinstance(kind, str) and kind in QUESTION_ESTIMATORS:
            raise ConfigError(
                f"Method `{kind}` looks at the texts, and `weigh` has votes alone; give it to an "
                "arm of a study, or take one of the others."
            )
        if not isinstance(kind, str) or kind not in ESTIMATORS:
            near = difflib.get_close_matches(str(kind), ESTIMATORS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise ConfigError(f"{kind!r} is not a method.{hint} There are {', '.join(ESTIMATORS)}.")
        try:
            estimator = ESTIMATORS[kind].model_validate(settings)
        except ValidationError as error:
            raise ConfigError(f"Method `{kind}`: {_problem(kind, error)}") from error
        again = sum(name.rpartition("-")[0] == kind or name == kind for name in methods)
        methods[kind if not again else f"{kind}-{again + 1}"] = estimator
    return methods


def _problem(kind: str, error: ValidationError) -> str:
    """The first problem of a failed validation; an unknown setting with the nearest one."""
    first = error.errors()[0]
    setting = ".".join(map(str, first["loc"]))
    if first["type"] != "extra_forbidden":
        return f"`{setting}`: {first['msg']}, got {first['input']!r}."
    settings = [name for name in ESTIMATORS[kind].model_fields if name != "kind"]
    near = difflib.get_close_matches(setting, settings, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(settings) or 'none'}."
    return f"`{setting}` is not a setting. {hint}"
