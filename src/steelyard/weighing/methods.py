"""Names and settings of estimators, as a user gives them."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from steelyard.errors import ConfigError
from steelyard.io.plugins import check_not_taken, find_plugin
from steelyard.io.setting_errors import sentence
from steelyard.reliability import ALL_ESTIMATORS, ESTIMATORS, BaseEstimator

DEFAULT = "robust"


def read_methods(
    given: str | Sequence[str | Mapping[str, Any] | BaseEstimator],
) -> dict[str, BaseEstimator]:
    """Estimators by name, in order; a repeated kind gets `-2`, `-3`, ... behind its name.

    Raises:
        ConfigError: an unknown kind, with the nearest one, or settings that it does not have.
    """
    given = [given] if isinstance(given, str) else given
    if not given:
        raise ConfigError("No method is given; `robust` is the default.")
    methods: dict[str, BaseEstimator] = {}
    for entry in given:
        estimator = _estimator(entry)
        kind = estimator.kind
        repeats = sum(name.rpartition("-")[0] == kind or name == kind for name in methods)
        methods[kind if not repeats else f"{kind}-{repeats + 1}"] = estimator
    return methods


def _estimator(entry: str | Mapping[str, Any] | BaseEstimator) -> BaseEstimator:
    """An estimator from its name, its settings, or itself."""
    if isinstance(entry, BaseModel):
        if not hasattr(entry, "estimate_from"):
            raise ConfigError(
                f"A {type(entry).__name__} is not an estimator; make it a subclass of "
                "`sy.VoteEstimator`."
            )
        _check_votes_suffice(entry.kind, entry.needs_questions)
        return entry
    settings = {"kind": entry} if isinstance(entry, str) else dict(entry)
    if "kind" not in settings:
        raise ConfigError(f"A method's settings have a `kind`; got {settings}.")
    kind = settings["kind"]
    cls: Any = None
    if isinstance(kind, str):
        cls = ALL_ESTIMATORS.get(kind)
        if cls is None:
            cls = find_plugin(kind, "estimate_from")
        else:
            check_not_taken(kind, "estimate_from")
    if cls is None:
        near = difflib.get_close_matches(str(kind), ESTIMATORS, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise ConfigError(f"{kind!r} is not a method.{hint} There are {', '.join(ESTIMATORS)}.")
    _check_votes_suffice(kind, cls.needs_questions)
    try:
        return cast(BaseEstimator, cls.model_validate(settings))
    except ValidationError as error:
        raise ConfigError(f"Method `{kind}`: {sentence(error, cls)}") from error


def _check_votes_suffice(kind: str, needs_questions: bool) -> None:
    if needs_questions:
        raise ConfigError(
            f"Method `{kind}` looks at the texts, and `weigh` has votes alone; give it to an "
            "arm of a study, or take one of the others."
        )
