"""The arms of a study: presets, own arms, and the controls that go with them."""

import difflib
from typing import Any

from steelyard.errors import ConfigError
from steelyard.objectives import CROSS_ENTROPY, Bayesian, ConfidenceLoss, Joint, NaiveMultiWeak
from steelyard.reliability import (
    Confidence,
    CoSupervised,
    Hierarchical,
    Margin,
    Selective,
    SelfTraining,
    StudentSelfTraining,
    TwoStage,
    VoteEntropy,
)
from steelyard.selection import (
    FirstVoter,
    Harden,
    KeepAbove,
    KeepMostReliable,
    PerSupervisor,
    Soften,
    WeighByScore,
    WeighByShare,
)
from steelyard.studies.arms import Arm, Entry

PRESETS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(
            name="naive",
            selection=FirstVoter(),
            description="The labels of one supervisor, trained on all labelled rows where it is "
            "trained at all, without any selection (Burns et al.).",
        ),
        Arm(
            name="majority",
            selection=Harden(),
            description="The majority's answer on every example.",
        ),
        Arm(
            name="balanced",
            selection=Harden(),
            balance=1.0,
            description="The majority's answers, each class with the same weight in all.",
        ),
        Arm(
            name="slice_balanced",
            selection=Harden(),
            slice_balance=1.0,
            description="The majority's answers, each class in each slice with the same weight in "
            "all (needs `data.slice` of the train rows).",
        ),
        Arm(
            name="soft",
            reliability=Confidence(),
            selection=Soften(),
            description="The mean of the voters' distributions as a soft target.",
        ),
        Arm(
            name="filter",
            reliability=VoteEntropy(),
            selection=KeepMostReliable(),
            description="The half of lowest vote entropy, ties kept (Guo and Yang, method 1).",
        ),
        Arm(
            name="reweigh",
            selection=WeighByShare(),
            description="Answers weighted by sharpened vote share, T = 0.2 (Guo, Yang: method 2).",
        ),
        Arm(
            name="filter_confidence",
            reliability=Confidence(),
            selection=KeepMostReliable(),
            description="The half with the highest mean probability of the voters.",
        ),
        Arm(
            name="filter_balanced",
            reliability=Confidence(),
            selection=KeepMostReliable(per_class=True),
            balance=1.0,
            description="The half of each class's labels with the highest mean probability of the "
            "voters, each class with the same weight in all.",
        ),
        Arm(
            name="reweigh_confidence",
            reliability=Confidence(),
            selection=WeighByScore(),
            description="The majority's answer weighted by the voters' mean probability.",
        ),
        Arm(
            name="reweigh_margin",
            reliability=Margin(),
            selection=WeighByScore(),
            description="The likelier answer weighted by its lead in the voters' mean (CW-PO).",
        ),
        Arm(
            name="hierarchical",
            reliability=Hierarchical(),
            selection=Harden(),
            description="The most probable answer of a hierarchical model of voters.",
        ),
        Arm(
            name="filter_hierarchical",
            reliability=Hierarchical(),
            selection=KeepMostReliable(),
            description="The half with the highest probability in a hierarchical model of voters.",
        ),
        Arm(
            name="refine",
            votes="without_bootstrap",
            reliability=SelfTraining(votes_share=0.5),
            selection=KeepMostReliable(fraction=0.7, per_class=True),
            balance=0.5,
            description="Labels that are predicted from other examples, three times over, and the "
            "surest 70 % of each class (cross-fitted self-training, votes alone).",
        ),
        Arm(
            name="refine_gold",
            votes="without_bootstrap",
            reliability=SelfTraining(votes_share=0.5, gold="use"),
            selection=KeepMostReliable(fraction=0.7, per_class=True),
            balance=0.5,
            description="The same, with the true labels of weak_train in every round.",
        ),
        Arm(
            name="refine_student",
            votes="without_bootstrap",
            reliability=StudentSelfTraining(votes_share=0.5),
            selection=KeepMostReliable(fraction=0.7, per_class=True),
            balance=0.5,
            description="As `refine`, predicted by the student itself, trained anew for each part.",
        ),
        Arm(
            name="refine_student_gold",
            votes="without_bootstrap",
            reliability=StudentSelfTraining(votes_share=0.5, gold="use"),
            selection=KeepMostReliable(fraction=0.7, per_class=True),
            balance=0.5,
            description="The same, with the true labels of weak_train in every round.",
        ),
        Arm(
            name="two_stage",
            reliability=TwoStage(),
            selection=KeepAbove(),
            description="Labels that more than 70 % of the voters give, and what a student trained "
            "on these is sure of among the others (Shi et al.).",
        ),
        Arm(
            name="selective",
            reliability=Selective(),
            selection=Harden(),
            description="The student's answers where it knows them, judged on weak_train, and weak "
            "labels smoothed over similar texts elsewhere (Lang et al.).",
        ),
        Arm(
            name="co_supervised",
            reliability=CoSupervised(),
            selection=KeepAbove(),
            description="Each example with the label of the voter that agrees best with the "
            "student, unless the student says something else (Liu and Alahi).",
        ),
        Arm(
            name="easy_to_hard",
            selection=Harden(),
            order="easy_to_hard",
            description="The majority's answers, those with the largest share of the votes first "
            "in each epoch.",
        ),
        Arm(
            name="confidence",
            reliability=Confidence(),
            selection=Soften(),
            objective=ConfidenceLoss(),
            description="The mean of the voters' distributions and the student's own answers, "
            "mixed (Burns et al.).",
        ),
        Arm(
            name="strong_to_strong",
            selection=FirstVoter(),
            through=("student", "student"),
            description="As `naive`, twice more: fresh students are trained on the soft answers of "
            "the one before (strong-to-strong iterations).",
        ),
        Arm(
            name="naive_multi_weak",
            selection=PerSupervisor(),
            objective=NaiveMultiWeak(),
            description="Every voter's label, each with a share of the loss (Cui et al.).",
        ),
        Arm(
            name="joint",
            selection=PerSupervisor(),
            objective=Joint(),
            description="The product of the voters' distributions as a soft target (Cui et al.).",
        ),
        Arm(
            name="bayesian",
            selection=PerSupervisor(),
            objective=Bayesian(),
            description="Every voter's label as evidence of a Dirichlet distribution (Cui et al.).",
        ),
        Arm(
            name="truth_filter",
            selection=Harden(),
            role="oracle",
            description="The majority's answers without the wrong ones: bounds any filter.",
        ),
    )
}
ALWAYS = ("naive", "majority")
CONTROLS = {
    "random_keep": "As many examples of each class as `{}` keeps, drawn at random.",
    "random_choice": "As `{}`, with a random choice where that one chooses.",
    "hard_to_easy": "As `{}`, in the opposite order.",
    "shuffled_weights": "The weights of `{}`, shuffled.",
}
"""Controls that are added, and their descriptions."""
SHUFFLED = "shuffled_votes."
"""Beginning of the names of the controls that get the votes of other questions."""
NO_CONFLICT = "no_conflict."
"""Beginning of the names of the controls of arms with a conflict."""


def complete(arms: tuple[Entry, ...]) -> tuple[Arm, ...]:
    """The arms of a study: presets by name, own arms, and those that are always added.

    `naive` and `majority` are added in front, and behind the arms a control for each that filters
    (`random_keep`), weighs (`shuffled_weights`), chooses otherwise (`random_choice`), orders
    examples (`hard_to_easy`), has middle students (`direct`) or a conflict (`no_conflict.NAME`).
    Names such as `shuffled_votes.refine` are controls of the arm `refine`, which is also among the
    arms.

    Raises:
        ConfigError: an unknown name (with the nearest known one), or a name given twice.
    """
    shuffled = [e for e in arms if isinstance(e, str) and e.startswith(SHUFFLED)]
    named = [_arm(entry) for entry in arms if entry not in shuffled]
    given = [arm.name for arm in named]
    trained = [*(PRESETS[name] for name in ALWAYS if name not in given), *named]
    whole = (*trained, *_controls(trained), *(_shuffled(name, trained) for name in shuffled))
    names = [arm.name for arm in whole]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"`arms`: the name {name!r} is given twice, or is the name of a control; give "
                "each arm a different name."
            )
    return whole


def _arm(entry: Entry) -> Arm:
    if isinstance(entry, Arm):
        return entry.model_copy(update={"role": "conflict"}) if entry.has_conflict else entry
    if entry in PRESETS:
        return PRESETS[entry]
    near = difflib.get_close_matches(entry, PRESETS, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    raise ConfigError(
        f"`arms`: {entry!r} is not an arm; {hint}There are {', '.join(PRESETS)}, or give "
        "`{name, reliability, selection}`."
    )


def _controls(arms: list[Arm]) -> list[Arm]:
    """The controls of arms that have any, kind after kind."""
    added = []
    for control, text in CONTROLS.items():
        of = [arm for arm in arms if arm.control == "none" and _control(arm) == control]
        for arm in of:
            update: dict[str, Any] = {
                "name": control if len(of) == 1 else f"{control}.{arm.name}",
                "role": "control",
                "control": control,
                "control_of": arm.name,
                "description": text.format(arm.name),
            }
            if control == "random_choice":
                update["reliability"] = arm.reliability.at_random
            if control == "hard_to_easy":
                update["order"] = control
            added.append(arm.model_copy(update=update))
    without = (_without_conflict(arm) for arm in arms if arm.role == "conflict")
    return [*added, *_direct(arms), *without]


def _without_conflict(arm: Arm) -> Arm:
    """The control of an arm with a conflict: the same labels and nothing else."""
    objective = CROSS_ENTROPY if arm.objective.opposes_truth else arm.objective
    return arm.model_copy(
        update={
            "name": f"{NO_CONFLICT}{arm.name}",
            "role": "control",
            "control": "no_conflict",
            "control_of": arm.name,
            "objective": objective,
            "mix": None,
            "description": f"As `{arm.name}`, without the conflict.",
        }
    )


def _direct(arms: list[Arm]) -> list[Arm]:
    """A control without middle students for each arm that has some."""
    of = [arm for arm in arms if arm.through and arm.control == "none"]
    return [
        arm.model_copy(
            update={
                "name": "direct" if len(of) == 1 else f"direct.{arm.name}",
                "through": (),
                "role": "control",
                "control": "direct",
                "control_of": arm.name,
                "description": f"As `{arm.name}`, without the students in between.",
            }
        )
        for arm in of
    ]


def _control(arm: Arm) -> str:
    """An arm's control: of its conflict, else of its order, its estimator, its selection."""
    if arm.role == "conflict":
        return "no_conflict"
    if arm.order == "easy_to_hard":
        return "hard_to_easy"
    return "random_choice" if arm.reliability.at_random else arm.selection.control


def _shuffled(name: str, arms: list[Arm]) -> Arm:
    """The control of a name such as `shuffled_votes.refine`: that arm on shuffled votes."""
    of = name.removeprefix(SHUFFLED)
    for arm in arms:
        if arm.name == of:
            return arm.model_copy(
                update={
                    "name": name,
                    "role": "control",
                    "control": "shuffled_votes",
                    "control_of": of,
                    "description": f"As `{of}`, each question with the votes of another one.",
                }
            )
    raise ConfigError(
        f"`arms`: {name!r} is a control of `{of}`, which is not among the arms; name it as well."
    )
