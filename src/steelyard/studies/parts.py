"""The parts of a study: built-in kinds, kinds of plugins, and objects defined outside the package.

In a study file a part is named by its `kind`. In Python it may also be an object of another
class: a subclass of `VoteEstimator`, `BaseSelector`, `BaseObjective`, `BaseStudent` or
`BaseSupervisor`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args

from pydantic import (
    BaseModel,
    PlainSerializer,
    SerializationInfo,
    TypeAdapter,
    ValidationInfo,
    WrapValidator,
)

from steelyard.evaluation import (
    METRICS,
    PAIR_METRICS,
    SLOT_METRICS,
    TASK_METRICS,
    BaseMetric,
    TaskMetric,
    TaskMetricSettings,
)
from steelyard.io.plugins import check_not_taken, class_path, find_plugin, is_foreign
from steelyard.objectives import Objective, ObjectiveSettings
from steelyard.reliability import BaseEstimator, EstimatorSettings
from steelyard.selection import BaseSelector, SelectorSettings
from steelyard.store.store import Recipe, library_versions
from steelyard.student import Student, StudentSettings
from steelyard.supervision import BaseSupervisor, SupervisorSettings

CLASSES = "classes"
"""Key of a validation context: classes of objects that were given in Python."""
OUR_METRICS = {*METRICS, *SLOT_METRICS, *PAIR_METRICS}
WITH_SETTINGS = {metric.model_fields["kind"].default for metric in TASK_METRICS}
"""Kinds of the metrics that are mappings in a study file."""
_TASK_METRIC: TypeAdapter[TaskMetric] = TypeAdapter(TaskMetricSettings)


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
            cls = _foreign_class(kind, method, info)
            if cls is not None:
                return cls.model_validate(value)
        elif isinstance(kind, str):
            check_not_taken(kind, method)
        return handler(value)

    def serialize(value: BaseModel, info: SerializationInfo) -> dict[str, Any]:
        return value.model_dump(mode=info.mode)

    return Annotated[union, WrapValidator(validate), PlainSerializer(serialize)]


def _foreign_class(kind: str, method: str, info: ValidationInfo) -> Any | None:
    """The class of a kind from outside: of an object given in Python, or of a plugin."""
    given: Iterable[Any] = (info.context or {}).get(CLASSES, ())
    for cls in given:
        if cls.model_fields["kind"].default == kind and hasattr(cls, method):
            return cls
    return find_plugin(kind, method)


def _metric(value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
    """The name of one of our metrics, or a metric from outside: an object, its name or settings."""
    if isinstance(value, BaseModel):
        if not isinstance(value, BaseMetric | TaskMetric):
            raise ValueError(
                f"a {type(value).__name__} is not a metric; make it a subclass of `sy.BaseMetric`"
            )
        return value
    settings = {"kind": value} if isinstance(value, str) else value
    kind = settings.get("kind") if isinstance(settings, Mapping) else None
    if kind in WITH_SETTINGS:
        return _TASK_METRIC.validate_python(settings)
    if not isinstance(kind, str) or kind in OUR_METRICS:
        return handler(value)
    cls = _foreign_class(kind, "resampled", info)
    return handler(kind) if cls is None else cls.model_validate(settings)


def _plain_metric(value: Any, info: SerializationInfo) -> Any:
    return value.model_dump(mode=info.mode) if isinstance(value, BaseModel) else value


if TYPE_CHECKING:
    AnyMetric: TypeAlias = str | BaseMetric | TaskMetric
    AnyEstimator: TypeAlias = BaseEstimator
    AnyObjective: TypeAlias = Objective
    AnySelector: TypeAlias = BaseSelector
    AnyStudent: TypeAlias = Student
    AnySupervisor: TypeAlias = BaseSupervisor
else:
    AnyMetric = Annotated[str, WrapValidator(_metric), PlainSerializer(_plain_metric)]
    AnyEstimator = _open(EstimatorSettings, "estimate_from", "VoteEstimator")
    AnyObjective = _open(ObjectiveSettings, "loss", "BaseObjective")
    AnySelector = _open(SelectorSettings, "select", "BaseSelector")
    AnyStudent = _open(StudentSettings, "fit", "BaseStudent")
    AnySupervisor = _open(SupervisorSettings, "vote", "BaseSupervisor")


def short_name(part: BaseModel) -> str:
    """A student or supervisor in a word: the end of its model's name and its layers, or its kind.

    >>> from steelyard.student import Probe
    >>> short_name(Probe(model="org/small-model", layers=2))
    'small-model-2'
    """
    model, layers = getattr(part, "model", None), getattr(part, "layers", None)
    if not isinstance(model, str):
        return str(getattr(part, "kind", type(part).__name__))
    name = re.sub(r"[^A-Za-z0-9_.+-]", "-", model.rstrip("/").rpartition("/")[2]).lstrip("_.+-")
    return f"{name}-{layers}" if layers else name


def student_recipe(
    student: Student, seed: int, steps: int | None, inputs: Mapping[str, str]
) -> Recipe:
    """What a trained student was made of: its settings, seed and steps, and what it learned."""
    settings = student.model_dump(mode="json")
    return Recipe(
        kind="student",
        version=student.versions(),
        settings={**settings, **foreign_path(student), "seed": seed, "steps": steps},
        inputs=dict(inputs),
        libraries=library_versions(*student.libraries),
    )


def foreign_path(part: object) -> dict[str, str]:
    """`class` of a part from outside the package, for recipes: two classes may have one name."""
    return {"class": class_path(type(part))} if is_foreign(part) else {}
