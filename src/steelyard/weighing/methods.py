"""Names and settings of estimators, as a user gives them."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from steelyard.errors import ConfigError
from steelyard.io.plugins import find_plugin
from steelyard.reliability import ESTIMATORS, QUESTION_ESTIMATORS, Estimator

DEFAULT = "hierarchical"


def read_methods(
    given: str | Sequence[str | Mapping[str, Any] | Estimator],
) -> dict[str, Estimator]:
    """Estimators by name, in order; a kind that comes again gets `-2`, `-3`, ... behind its name.

    Raises:
        ConfigError: an unknown kind, with the nearest one, or settings that it does not have.
    """
    given = [given] if isinstance(given, str) else given
    if not given:
        raise ConfigError("No method is given; `hierarchical` is the default.")
    methods: dict[str, Estimator] = {}
    for entry in given:
        estimator = _estimator(entry)
        if estimator.needs_questions:
            raise ConfigError(
                f"Method `{estimator.kind}` looks at the texts, and `weigh` has votes alone; give "
                "it to an arm of a study, or take one of the others."
            )
        kind = estimator.kind
        again = sum(name.rpartition("-")[0] == kind or name == kind for name in methods)
        methods[kind if not again else f"{kind}-{again + 1}"] = estimator
    return methods


def _estimator(entry: str | Mapping[str, Any] | Estimator) -> Estimator:
    """One estimator from its name, its settings, or itself."""
    if isinstance(entry, BaseModel):
        if not hasattr(entry, "estimate_from"):
            raise ConfigError(
                f"A {type(entry).__name__} is not an estimator; make it a subclass of "
                "`sy.VoteEstimator`."
            )
        return cast(Estimator, entry)
    settings = {"kind": entry} if isinstance(entry, str) else dict(cast(Mapping[str, Any], entry))
    if "kind" not in settings:
        raise ConfigError(f"A method's settings have a `kind`; got {settings}.")
    kind = settings["kind"]
    if isinstance(kind, str) and kind in QUESTION_ESTIMATORS:
        raise ConfigError(
            f"Method `{kind}` looks at the texts, and `weigh` has votes alone; give it to an "
            "arm of a study, or take one of the others."
        )
    cls = None
    if isinstance(kind, str):
        cls = ESTIMATORS.get(kind) or find_plugin(kind, "estimate_from")
    if cls is None:
        near = difflib.get_close_matches(str(kind), ESTIMATORS, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise ConfigError(f"{kind!r} is not a method.{hint} There are {', '.join(ESTIMATORS)}.")
    try:
        return cast(Estimator, cls.model_validate(settings))
    except ValidationError as error:
        raise ConfigError(f"Method `{kind}`: {_problem(cls, error)}") from error


def _problem(cls: type[BaseModel], error: ValidationError) -> str:
    """The first problem of a failed validation; an unknown setting with the nearest one."""
    first = error.errors()[0]
    setting = ".".join(map(str, first["loc"]))
    if first["type"] != "extra_forbidden":
        return f"`{setting}`: {first['msg']}, got {first['input']!r}."
    settings = [name for name in cls.model_fields if name != "kind"]
    near = difflib.get_close_matches(setting, settings, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(settings) or 'none'}."
    return f"`{setting}` is not a setting. {hint}"
