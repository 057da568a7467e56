"""A study: data x supervisors x arms x seeds, as one YAML file."""

import difflib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from steelyard.data import Data
from steelyard.errors import ConfigError
from steelyard.evaluation import METRICS, BaseMetric, Threshold, metric_name, metrics_of
from steelyard.io.plugins import is_foreign
from steelyard.io.setting_errors import sentence, shown
from steelyard.io.yaml_file import MAX_BYTES, MAX_SEED, read_yaml
from steelyard.student import CROSS_ENTROPY, BaseStudent
from steelyard.studies.arms import Arm, Entry
from steelyard.studies.metric_checks import check_metric
from steelyard.studies.off_task import OffTask
from steelyard.studies.parts import AnyMetric, AnyStudent, AnySupervisor
from steelyard.studies.presets import complete
from steelyard.studies.reference_names import (
    CURVE,
    GOLD_AND_WEAK,
    GOLD_ONLY,
    ZERO_SHOT,
    Reference,
    is_reference,
)
from steelyard.supervision import BaseSupervisor
from steelyard.types.task_kinds import KINDS, Kind

MAX_SEEDS = 1000
DEFAULT_ARMS = ("naive", "majority", "soft", "filter", "reweigh")
RECOMMENDED_ARMS = (
    *("naive", "majority", "soft", "filter_balanced", "hierarchical", "refine", "refine_gold"),
)
"""Arms that `arms: recommend` compares in classification: those of past studies."""


class Study(BaseModel):
    """A study. The floor, `naive`, `majority`, references, the ceiling and controls are added
    automatically."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    """Name of the folder in `runs/` and in tables. The default is the study file's name."""
    task: Kind
    """One list of classes for all questions, options for each question, which of two answers is
    better, or open answers."""
    data: Data
    """Where the rows come from and how many each split has."""
    supervisors: tuple[AnySupervisor, ...] = Field(min_length=1)
    """The weak supervisors, at least one. Their votes are pooled."""
    student: AnyStudent
    """The strong model, which every arm, control and the ceiling train."""
    arms: tuple[Entry, ...] = DEFAULT_ARMS
    """Names of arms, or `{name, reliability, selection}`. `shuffled_votes.NAME` is a control of
    the arm NAME: the same on the votes of other questions."""
    seeds: int | tuple[int, ...] = 5
    """Number of random seeds (0, 1, ...), or a list of seeds. A seed decides the splits, the
    supervisors and the student."""
    metric: AnyMetric = "accuracy"
    """Main metric of scores and PGR; other metrics are reported too. Open answers have `accuracy`
    (equal after normalisation by the student's answer format); slots also `slu_f1`, `span_f1`. May
    be a metric of your own: see [extend](extend.md). Metrics with settings are mappings, such as
    `{kind: f1, of: unsafe}`."""
    metrics: tuple[AnyMetric, ...] = ()
    """Further metrics that matter, names or mappings as `metric`: each has floor, ceiling, arms and
    PGR in the report, and a table shows where PGR by them and by the main metric disagree."""
    threshold: Threshold | None = None
    """For two classes: metrics are also reported at a threshold that every student has for itself,
    chosen on weak_train for a recall or a cost, such as `{of: unsafe, recall: 0.95}`."""
    off_task: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")], OffTask] = {}
    """Test rows of other tasks by a name, as `{arc: {test: arc.jsonl, task: multiple_choice}}`: all
    students are asked them after training, and accuracy is compared with that before it. For a
    `language_model` and, on tasks with options, a `chooser`; another set trains all anew."""
    references: tuple[Reference, ...] = (GOLD_ONLY, GOLD_AND_WEAK, ZERO_SHOT)
    """Students to compare every arm with: trained on the truth of weak_train alone (`gold_only`),
    on it together with the majority's answers (`gold_and_weak`), and, of a language model, not
    trained (`zero_shot`). `[]` trains none."""
    gold_curve: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Numbers of train rows, such as `[0, 10, 30, 100, 300, 1000]`: a student is trained on the
    truth of so many, which shows how many true labels are worth as much as the weak ones. Rows of
    weak_train come first, then rows of strong_train, whose truth no arm sees."""
    ceiling_epochs: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (1, 2, 3, 5, 8)
    """Epochs to choose the ceiling's from, besides those of the student, by held-out truth of
    strong_train in the first seed; `[3]` fixes them, `[]` takes the student's. Arms have those of
    the student."""
    recommend: bool = False
    """Whether an arm is recommended without the truth of strong_train and test: supervisors and
    students are trained five times more, each without a fifth of weak_train, on whose rows arms are
    compared; past studies say what to expect of each. `arms: recommend` sets this, and the arms of
    past studies."""
    match: Literal["epochs", "steps"] = "epochs"
    """Whether arms that keep fewer examples take fewer steps, or repeat theirs to as many steps as
    all rows of strong_train would take."""

    @model_validator(mode="before")
    @classmethod
    def _recommended_arms(cls, value: Any) -> Any:
        """`arms: recommend` is short for the arms of past studies and `recommend: true`."""
        if isinstance(value, dict) and value.get("arms") == "recommend":
            classes = value.get("task") == "classification"
            arms = RECOMMENDED_ARMS if classes else DEFAULT_ARMS
            return {**value, "arms": arms, "recommend": True}
        return value

    @field_validator("seeds")
    @classmethod
    def _check_seeds(cls, value: int | tuple[int, ...]) -> int | tuple[int, ...]:
        seeds = range(min(value, MAX_SEEDS + 1)) if isinstance(value, int) else value
        distinct = len(set(seeds)) == len(seeds)
        if not distinct or not 1 <= len(seeds) <= MAX_SEEDS or min(seeds) < 0:
            raise ValueError(
                f"must be how many, from 1 to {MAX_SEEDS}, or distinct numbers >= 0; "
                f"got {shown(value)}"
            )
        if max(seeds) > MAX_SEED:
            raise ValueError(f"must be numbers up to {MAX_SEED}, got {max(seeds)}")
        return value

    @field_validator("references", "gold_curve")
    @classmethod
    def _once_each(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _fits(self) -> "Study":
        self._check_metrics()
        self.student.check_task(self.task)
        _check_tuning(self.student)
        for supervisor in self.supervisors:
            supervisor.check_task(self.task)
            _check_tuning(supervisor)
            if supervisor.needs_labels and self.data.weak_train < 2:
                raise ValueError(
                    f"a {supervisor.kind} supervisor needs labelled rows; set `data.weak_train` "
                    "to at least 2, or use `votes` only"
                )
        for arm in self.all_arms:
            self._check_arm(arm)
        self._check_off_task()
        if self.threshold is not None and not KINDS[self.task].has_classes:
            raise ValueError(
                f"`threshold` is between two classes, and {self.task} has none in common"
            )
        if self.threshold is not None and self.data.weak_train < 2:
            raise ValueError(
                "`threshold` is chosen on labelled rows; set `data.weak_train` to at least 2"
            )
        return self

    def _check_metrics(self) -> None:
        for metric in (self.metric, *self.metrics):
            check_metric(metric, self.task, self.task_metrics)
        names = [metric_name(metric) for metric in (self.metric, *self.metrics)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"`metrics` names `{name}` twice, or it is the main `metric`")

    def _check_off_task(self) -> None:
        for name, asked in self.off_task.items():
            kind = asked.task or self.task
            if not self.student.answers_other_tasks:
                raise ValueError(
                    f"`off_task`: answers to another task are not defined for a "
                    f"{self.student.kind} student; use a `language_model` student or, for multiple "
                    "choice, a `chooser`"
                )
            if KINDS[kind].is_open:
                raise ValueError(
                    f"`off_task.{name}` asks for open answers, which have no score here; give a "
                    "task with classes or options"
                )
            self.student.check_task(kind)

    def _check_arm(self, arm: Arm) -> None:
        kind = KINDS[self.task]
        if is_reference(arm.name):
            raise ValueError(f"`{arm.name}` is the name of a reference; give the arm another name")
        arm.reliability.check_task(self.task)
        if arm.objective != CROSS_ENTROPY:
            self.student.check_objective(arm.objective)
        if arm.order != "random" and not self.student.takes_levels:
            raise ValueError(
                f"`order` of arm `{arm.name}` is for students that are trained step by step, and "
                f"a {self.student.kind} is not; use a `classifier`, or remove the setting"
            )
        if arm.reliability.needs_trusted and not self.data.weak_train:
            raise ValueError(
                f"`{arm.reliability.kind}` of arm `{arm.name}` learns from true answers of "
                "weak_train, and `data.weak_train` is 0; set it to their number, or use another "
                "estimator, such as `graph_smoothing`"
            )
        if arm.reliability.needs_gold_votes:
            self._check_gold_votes(arm)
        if arm.preference is not None:
            self._check_stage(arm)
        if arm.through:
            self._check_through(arm)
        if arm.slice_balance and "slice" not in self.data.all_columns:
            raise ValueError(
                f"`slice_balance` of arm `{arm.name}` needs slices; set `data.slice` to a "
                "column of the train rows"
            )
        if (arm.balance or arm.slice_balance) and not kind.has_classes:
            raise ValueError(
                f"`balance` of arm `{arm.name}` weighs classes, and the questions of {self.task} "
                "have no classes in common; remove the setting"
            )
        if arm.gold_weight and not self.data.weak_train:
            raise ValueError(
                f"`gold_weight` of arm `{arm.name}` adds rows of weak_train, and "
                "`data.weak_train` is 0; set it to their number, or remove the setting"
            )
        if arm.control == "shuffled_votes" and kind.is_open:
            raise ValueError(
                f"`{arm.name}` gives questions the votes of other ones, and open answers of "
                f"{self.task} cannot be exchanged; remove the control"
            )
        if arm.objective.token_level and not kind.is_open:
            raise ValueError(
                f"`objective: {arm.objective.kind}` of arm `{arm.name}` compares the tokens of "
                f"open answers, and the task is {self.task}; use another objective"
            )

    def _check_gold_votes(self, arm: Arm) -> None:
        """Votes on weak_train are of supervisors that can vote there, at no price."""
        what = f"`{arm.reliability.kind}` of arm `{arm.name}` counts errors on weak_train"
        if self.data.weak_train < 6:
            raise ValueError(f"{what}; set `data.weak_train` to at least 6")
        for n, supervisor in enumerate(self.supervisors):
            if supervisor.uses_ledger or supervisor.list_writer is not None:
                raise ValueError(
                    f"{what}, and supervisor {n} (`{supervisor.kind}`) is not asked there: its "
                    "questions are paid for, or it answers with lists. Use another estimator, "
                    "such as `hierarchical`"
                )

    def _check_through(self, arm: Arm) -> None:
        """Middle students answer the task with probabilities of given answers."""
        if KINDS[self.task].is_open:
            raise ValueError(
                f"`through` of arm `{arm.name}` passes on probabilities of given answers, and "
                f"those of {self.task} are open; remove the setting"
            )
        for student in arm.through:
            if not isinstance(student, str):
                student.check_task(self.task)
                _check_tuning(student)

    def _check_stage(self, arm: Arm) -> None:
        """A preference stage needs a student that generates and supervisors that score texts."""
        scores = any(supervisor.list_writer is not None for supervisor in self.supervisors)
        if not KINDS[self.task].is_open or not self.student.writes_lists or not scores:
            raise ValueError(
                f"`preference` of arm `{arm.name}` needs `task: generation`, a `language_model` "
                "student and a `language_model` supervisor with `beams`, which scores its answers"
            )

    @property
    def metric_name(self) -> str:
        """Name of the metric that scores and PGR are in."""
        return metric_name(self.metric)

    @cached_property
    def named_metrics(self) -> dict[str, AnyMetric]:
        """The metrics that the study names, by their names; the main one first."""
        return {metric_name(metric): metric for metric in (self.metric, *self.metrics)}

    @property
    def task_metrics(self) -> tuple[str, ...]:
        """Names of the built-in metrics that suit the task and the student."""
        return metrics_of(self.task, self.student.spelling, self.student.has_rewards)

    @cached_property
    def all_arms(self) -> tuple[Arm, ...]:
        """Every arm and control that is run."""
        return complete(self.arms)

    @property
    def reference_names(self) -> tuple[str, ...]:
        """Names of the references and of the points of the gold curve, those that the student has.

        Only a student that answers before any training has a `zero_shot`.
        """
        untrained = self.student.answers_untrained
        kept = tuple(name for name in self.references if name != ZERO_SHOT or untrained)
        return (*kept, *(f"{CURVE}{rows}" for rows in self.gold_curve))

    @property
    def trains_on_gold(self) -> bool:
        """Whether students of arms, or of their folds, are trained on rows of weak_train."""
        methods = [arm.reliability for arm in self.all_arms if arm.uses_gold]
        return any(part.needs_student or not part.needs_features for part in methods)

    def foreign_classes(self) -> list[type]:
        """Classes of the parts of this study that are defined outside the package."""
        parts: list[object] = [self.student, *self.supervisors]
        parts += [m for m in (self.metric, *self.metrics) if isinstance(m, BaseMetric)]
        for arm in self.all_arms:
            parts += [arm.reliability, arm.selection, arm.objective]
            parts += [student for student in arm.through if not isinstance(student, str)]
        return list(dict.fromkeys(type(part) for part in parts if is_foreign(part)))

    @property
    def seed_list(self) -> tuple[int, ...]:
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    def arm(self, name: str) -> Arm:
        """The arm of a name.

        Raises:
            ConfigError: there is none; the nearest name is given.
        """
        for arm in self.all_arms:
            if arm.name == name:
                return arm
        names = [arm.name for arm in self.all_arms]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        raise ConfigError(f"{name!r} is not an arm of the study; {hint}It has {', '.join(names)}.")


def read_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """A study file, checked, with `key.path=value` overrides.

    Args:
        path: a YAML file; relative paths in it start from its folder.
        overrides: such as "student.epochs=2"; values are YAML.

    Raises:
        ConfigError: no such file, not YAML, or settings that cannot work; one line that names the
            setting and the nearest right one.
    """
    return make_study(read_settings(path, overrides), path.name, path.parent)


def read_settings(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The settings of a study file with overrides, unchecked; the file's name is the default one.

    Raises:
        ConfigError: no such file, or not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Give a study file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}).") from error
    if text is None:
        raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes; a study file is a page long.")
    settings = read_yaml(text, path.name)
    if not isinstance(settings, dict):
        raise ConfigError(f"{path.name} must be `key: value` settings, such as `name:`, `data:`.")
    for override in overrides:
        _override(settings, override)
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem).lstrip("_.-")
    settings.setdefault("name", stem[:64] or "study")
    return settings


def make_study(settings: dict[str, Any], source: str = "study", base: Path = Path()) -> Study:
    """A study from plain settings; relative paths are resolved against `base`.

    Raises:
        ConfigError: settings that cannot work, as one sentence.
    """
    if "grid" in settings:
        raise ConfigError(
            f"{source}: a `grid` is many studies; run it with `steelyard study` or `sy.grid`."
        )
    try:
        study = Study.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(f"{source}: {sentence(error, Study)}") from error
    supervisors = tuple(s.with_paths(lambda path: str(base / path)) for s in study.supervisors)
    return study.model_copy(update={"supervisors": supervisors})


def _override(settings: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise ConfigError(
            f"An override is `key.path=value`, such as student.epochs=2; got {override!r}."
        )
    value = read_yaml(text, f"The override {override}:")
    target: Any = settings
    *parents, last = path.split(".")
    for key in parents:
        if isinstance(target, dict):
            target.setdefault(key, {})
        target = target[_entry(target, key, override)]
    target[_entry(target, last, override)] = value


def _entry(target: Any, key: str, override: str) -> str | int:
    """The key as the settings or the list `target` take it: a name, or a position."""
    if isinstance(target, dict):
        return key
    if not isinstance(target, list):
        raise ConfigError(
            f"The override {override}: {shown(target)} is a value and has no `{key}`."
        )
    if not key.isdecimal() or len(key) > 9 or int(key) >= len(target):
        raise ConfigError(
            f"The override {override}: the list has no entry {key!r}; its {len(target)} entries "
            "are numbered from 0."
        )
    return int(key)


def _check_tuning(model: BaseStudent | BaseSupervisor) -> None:
    """Either adapters or the top blocks are trained; refused before any training starts."""
    training = model.training
    if training is not None and training.trains_adapters and training.train_layers is not None:
        raise ConfigError(
            f"`lora` and `train_layers: {training.train_layers}` of the {model.kind} exclude each "
            "other; give one."
        )


__all__ = ["DEFAULT_ARMS", "METRICS", "Study", "make_study", "read_study", "read_yaml"]
