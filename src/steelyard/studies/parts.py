"""The parts of a study: built-in kinds, kinds of plugins, and objects defined outside the package.

In a study file a part is named by its `kind`. In Python it may also be an object of another
class: a subclass of `VoteEstimator`, `BaseSelector`, `BaseObjective`, `BaseStudent` or
`BaseSupervisor`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args

from pydantic import BaseModel, PlainSerializer, SerializationInfo, ValidationInfo, WrapValidator

from steelyard.io.plugins import class_path, find_plugin, is_foreign
from steelyard.objectives import Objective, ObjectiveSettings
from steelyard.reliability import Estimator, EstimatorSettings
from steelyard.selection import Selector, SelectorSettings
from steelyard.student import Student, StudentSettings
from steelyard.supervision import Supervisor, SupervisorSettings

CLASSES = "classes"
"""Key of a validation context: classes of objects that were given in Python."""


def _open(union: Any, method: str, base: str) -> Any:
    """A union of the built-in kinds that also takes kinds of plugins and other objects."""
    built_in = {cls.model_fields["kind"].default for cls in get_args(get_args(union)[0])}

    def validate(value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
        if isinstance(value, BaseModel) and is_foreign(value):
            if not hasattr(value, method):
                raise ValueError(
                    f"a {type(value).__name__} has no `{method}`; make it a subclass of `sy.{base}`"
                )
            return value
        kind = value.get("kind") if isinstance(value, Mapping) else None
        if isinstance(kind, str) and kind not in built_in:
            given: Iterable[Any] = (info.context or {}).get(CLASSES, ())
            for cls in given:
                if cls.model_fields["kind"].default == kind and hasattr(cls, method):
                    return cls.model_validate(value)
            cls = find_plugin(kind, method)
            if cls is not None:
                return cls.model_validate(value)
        return handler(value)

    def serialize(value: BaseModel, info: SerializationInfo) -> dict[str, Any]:
        return value.model_dump(mode=info.mode)

    return Annotated[union, WrapValidator(validate), PlainSerializer(serialize)]


if TYPE_CHECKING:
    AnyEstimator: TypeAlias = Estimator
    AnyObjective: TypeAlias = Objective
    AnySelector: TypeAlias = Selector
    AnyStudent: TypeAlias = Student
    AnySupervisor: TypeAlias = Supervisor
else:
    AnyEstimator = _open(EstimatorSettings, "estimate_from", "VoteEstimator")
    AnyObjective = _open(ObjectiveSettings, "loss", "BaseObjective")
    AnySelector = _open(SelectorSettings, "select", "BaseSelector")
    AnyStudent = _open(StudentSettings, "fit", "BaseStudent")
    AnySupervisor = _open(SupervisorSettings, "vote", "BaseSupervisor")


def foreign_path(part: object) -> dict[str, str]:
    """`class` of a part from outside the package, for recipes: two classes may have one name."""
    return {"class": class_path(type(part))} if is_foreign(part) else {}
