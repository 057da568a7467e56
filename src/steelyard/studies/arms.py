"""Arms: how reliability is estimated, what is done with it, and what the student minimises."""

from dataclasses import replace
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from steelyard.reliability import VoteShare
from steelyard.selection import (
    Harden,
    Order,
    balanced,
    balanced_by_slice,
    class_balance,
    controls,
    keep_right,
    random_keep,
    refuse_one_label,
    select_token_targets,
    shuffled_weights,
    slice_balance,
    token_targets,
    truth,
)
from steelyard.student import CROSS_ENTROPY
from steelyard.student.preference_stage import PreferenceStage
from steelyard.studies.conflicts import Mix
from steelyard.studies.parts import (
    AnyEstimator,
    AnyObjective,
    AnySelector,
    AnyStudent,
    foreign_path,
)
from steelyard.types import PAIR, Ints, Reliability, Selection, Votes

Role = Literal["arm", "control", "oracle", "conflict"]

MiddleStudent: TypeAlias = Annotated[
    Annotated[Literal["student"], Tag("itself")] | Annotated[AnyStudent, Tag("another")],
    Discriminator(lambda value: "itself" if isinstance(value, str) else "another"),
]
"""A middle student in a study file: `student` for the study's, or the settings of another."""


class Arm(BaseModel):
    """A recipe for training the student: which labels it gets, and what it minimises."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")
    """What tables call it."""
    votes: Literal["all", "without_bootstrap"] = "all"
    """Whose votes: of all voters, or instead of voters that are trained on bootstrap samples of one
    that is trained on all labelled rows."""
    reliability: AnyEstimator = VoteShare()
    """How far each label can be trusted; a bare name is short for its `kind`."""
    selection: AnySelector
    """Which labels the student is trained on, and their weights; a bare name is short for its
    `kind`."""
    objective: AnyObjective = CROSS_ENTROPY
    """What the student minimises; a bare name is short for its `kind`. The ceiling's is always the
    cross-entropy."""
    balance: float = Field(0.0, ge=0, le=1)
    """For classification: 1 gives each class the same total weight, however rare its labels are;
    0 changes nothing; values between multiply weights by n_k^-balance (`selection.balanced`)."""
    gold_weight: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Adds the rows of weak_train with their true labels to what the student is trained on, each
    with so many times the mean weight of the arm's kept rows; 0 adds none."""
    slice_balance: float = Field(0.0, ge=0, le=1)
    """For classification with `data.slice`: 1 gives each label in each slice of strong_train the
    same total weight, so that no slice teaches which label to expect of it
    (`selection.balanced_by_slice`). Not together with `balance`."""
    order: Order = "random"
    """Order of the kept examples in each epoch: random, or those with the highest score first
    (`easy_to_hard`) or last. For students that are trained step by step, not for a probe."""
    levels: int = Field(4, ge=2)
    """Parts of equal size into which an `order` divides the examples; within each the order is
    random."""
    mix: Mix | None = None
    """Rows of another task to train on besides, such as `{train: helpful.jsonl, rows: 4000}`, each
    with the mean weight of the arm's kept rows: an implicit conflict, which measures deception and
    is no remedy. Such an arm makes no claim, and has a control without the rows."""
    through: tuple[MiddleStudent, ...] = Field((), max_length=5)
    """Students between the weak labels and the study's: the first is trained on the arm's weak
    labels, each next one on the answers of the former to all questions of strong_train, the study's
    student last. `student` stands for the study's with fresh weights: `[student, student]` are two
    strong-to-strong iterations. They minimise the cross-entropy; the arm's objective is the last
    student's. Not for open answers."""
    through_labels: Literal["soft", "hard"] = "soft"
    """Whether answers of middle students are passed on as probabilities, or as the most probable
    answer."""
    preference: PreferenceStage | None = None
    """A second stage for a language model that learns open answers: preferences between answers of
    its own. The ceiling has none."""
    description: str = ""
    """One sentence on what the arm does; the report shows it."""
    role: Role = "arm"
    """The wrong labels of an `oracle` are removed: it sees the truth, and bounds what a filter can
    do. Arms with `mix` or an objective that opposes the truth become a `conflict`."""
    control: Literal[
        "none",
        "random_keep",
        "random_choice",
        "hard_to_easy",
        "shuffled_weights",
        "direct",
        "shuffled_votes",
        "no_conflict",
    ] = "none"
    """How the information is taken out: random examples, a random choice of the estimator, shuffled
    weights, no students in between, or, of closed questions, the votes of other questions with as
    many options; or the conflict is taken out. The control of an order is its reverse."""
    control_of: str = ""
    """Name of the arm that a control belongs to."""

    @model_validator(mode="after")
    def _check_supervisors(self) -> "Arm":
        separate = self.selection.targets_per_supervisor
        if self.objective.per_supervisor and not separate:
            raise ValueError(
                f"`objective: {self.objective.kind}` takes the labels of each supervisor and needs "
                f"`selection: per_supervisor`, got `{self.selection.kind}`"
            )
        if (self.balance or self.slice_balance) and separate:
            name = "balance" if self.balance else "slice_balance"
            raise ValueError(
                f"`{name}` needs one label per example, and `per_supervisor` gives several"
            )
        for name in ("gold_weight", "mix"):
            if getattr(self, name) and (separate or self.objective.token_level or self.preference):
                raise ValueError(
                    f"`{name}` adds rows with one label each, and this arm's selection, objective "
                    "or preference stage takes others; remove the setting"
                )
        if self.objective.opposes_truth and separate:
            raise ValueError(
                f"`objective: {self.objective.kind}` needs one label per example, and "
                "`per_supervisor` gives several"
            )
        if self.through and (
            separate or self.objective.token_level or self.preference or self.gold_weight
        ):
            raise ValueError(
                "`through` gives each row one label of a middle student, and this arm's selection, "
                "objective, preference stage or `gold_weight` takes others; remove one of them"
            )
        for name in ("gold_weight", "mix", "through"):
            if self.order != "random" and getattr(self, name):
                raise ValueError(
                    f"`order` ranks rows by the score of their votes, and those of `{name}` have "
                    "none; remove one of the settings"
                )
        if self.balance and self.slice_balance:
            raise ValueError("`balance` and `slice_balance` exclude each other; give one")
        return self

    @model_validator(mode="before")
    @classmethod
    def _names_are_kinds(cls, value: Any) -> Any:
        """`reliability: vote_entropy` is short for `reliability: {kind: vote_entropy}`."""
        if not isinstance(value, dict):
            return value
        short = {k: {"kind": v} for k, v in value.items() if k in PARTS and isinstance(v, str)}
        return {**value, **short}

    @property
    def has_conflict(self) -> bool:
        """Whether it is drawn to something else than its labels."""
        return self.objective.opposes_truth or self.mix is not None

    @property
    def uses_gold(self) -> bool:
        """Whether the true labels of weak_train have a part in its labels or its training."""
        return self.reliability.uses_gold or self.gold_weight > 0

    def select(
        self,
        votes: Votes,
        reliability: Reliability,
        true: Ints,
        seed: int,
        slices: tuple[str, ...] = (),
    ) -> Selection:
        """The arm's selection. Only an oracle looks at the `true` answers.

        Args:
            votes: on strong_train.
            reliability: of the votes.
            true: (N,), answer numbers.
            seed: of controls.
            slices: (N,), for `slice_balance`; or empty.

        Raises:
            InputError: nothing is kept, or one class alone.
        """
        selection = self._plain(votes, reliability, true, seed)
        if self.balance:
            selection = balanced(selection, self.balance)
        if self.slice_balance:
            selection = balanced_by_slice(selection, slices, self.slice_balance)
        if votes.candidate_texts:  # number 0 of open answers is another text everywhere
            counted = self.selection.counted(votes)
            return replace(selection, token_targets=select_token_targets(votes, selection, counted))
        if votes.classes != PAIR:  # first or second has no meaning of its own
            refuse_one_label(selection, votes.class_names)
        return selection

    def classes(self) -> dict[str, str]:
        """Paths of the classes of parts that are not the package's own; for recipes."""
        parts = {"reliability": self.reliability, "selection": self.selection}
        return {
            f"{name}.{key}": path
            for name, part in parts.items()
            for key, path in foreign_path(part).items()
        }

    def versions(self) -> int:
        """Sum of the versions of all that makes the arm's selection."""
        modules = [token_targets.VERSION]
        modules += [class_balance.VERSION] if self.balance else []
        modules += [slice_balance.VERSION] if self.slice_balance else []
        modules += [controls.VERSION] if self.control not in ("none", "direct") else []
        modules += [truth.VERSION] if self.role == "oracle" else []
        return self.reliability.version + self.selection.version + sum(modules)

    def _plain(self, votes: Votes, reliability: Reliability, true: Ints, seed: int) -> Selection:
        selection = self.selection.select(votes, reliability)
        if self.role == "oracle":
            return keep_right(selection, true)
        if self.control == "random_keep":
            whole = self.selection.unfiltered(votes, reliability)
            whole = whole or Harden().select(votes, reliability)
            has_classes = not votes.candidate_texts and votes.classes != PAIR
            return random_keep(selection, whole, seed, per_class=has_classes)
        if self.control == "shuffled_weights":
            return shuffled_weights(selection, seed)
        return selection


PARTS = ("reliability", "selection", "objective")

Entry: TypeAlias = Annotated[
    Annotated[str, Tag("preset")] | Annotated[Arm, Tag("own")],
    Discriminator(lambda value: "preset" if isinstance(value, str) else "own"),
]
"""An arm in a study file: the name of a preset, or the settings of another arm."""
