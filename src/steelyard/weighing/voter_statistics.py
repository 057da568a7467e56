"""Entries of summary.json on voters and on what to do next, beside the labels."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias, get_args

from steelyard.diagnostics.agreement import Scale, agreement_coefficients
from steelyard.diagnostics.alternative_annotator import EPSILONS, alternative_annotator
from steelyard.diagnostics.class_shares import class_shares
from steelyard.diagnostics.drop_voter import leave_each_voter_out
from steelyard.diagnostics.independence import effective_voters
from steelyard.diagnostics.judges import best_voter, judge_against_truth
from steelyard.diagnostics.position_bias import position_bias
from steelyard.diagnostics.slices import class_counts, slices
from steelyard.diagnostics.voter_pairs import voter_pairs
from steelyard.diagnostics.votes_forecast import GOALS, forecast_votes
from steelyard.errors import ConfigError
from steelyard.types import Ints, Reliability, Votes
from steelyard.weighing.inputs import WeighInputs

LabelsOf: TypeAlias = Callable[[Votes, Ints], Ints]
"""Labels (N,) of some of the items, whose numbers are (N,), by the method reported."""


@dataclass(frozen=True)
class DiagnosticOptions:
    """What is computed beside the labels; `weigh` documents them."""

    scale: Scale = "nominal"
    judges: tuple[str, ...] = ()
    goals: tuple[float, ...] = GOALS

    @classmethod
    def checked(cls, scale: str, judges: Sequence[str], goal: float | None) -> "DiagnosticOptions":
        """Options as a user gives them.

        Raises:
            ConfigError: there is no such scale, or the goal is not in (0, 1).
        """
        if scale not in get_args(Scale):
            raise ConfigError(
                f"`scale` must be one of {', '.join(get_args(Scale))}; got {scale!r}."
            )
        if goal is not None and not 0 < goal < 1:
            raise ConfigError(f"`goal` must be in (0, 1), got {goal}.")
        if isinstance(judges, str):
            judges = (judges,)
        goals = GOALS if goal is None else (goal,)
        return cls(scale, tuple(judges), goals)  # type: ignore[arg-type]

    def check_voters(self, votes: Votes) -> None:
        """Refuse judges that are no voters.

        Raises:
            ConfigError: one is not, or no other voter is left.
        """
        for name in self.judges:
            if name not in votes.voters:
                raise ConfigError(
                    f"`judges`: {name!r} is not a voter; there are "
                    f"{', '.join(votes.voters[:12])}{', ...' if votes.voters[12:] else ''}."
                )
        if self.judges and set(self.judges) >= set(votes.voters):
            raise ConfigError("`judges` names every voter, and nobody is left to compare with.")


def voter_statistics(
    inputs: WeighInputs,
    reliability: Reliability,
    label: Ints,
    truth: Ints | None,
    options: DiagnosticOptions,
    labels_of: LabelsOf,
) -> dict[str, Any]:
    """The entries, each documented in docs/formats.md.

    Args:
        inputs: votes about N items.
        reliability: of the method reported.
        label: (N,), its labels.
        truth: (N,), ABSTAIN where unknown; None without any.
        options: of the user.
        labels_of: the method.
    """
    votes, scale = inputs.votes, options.scale
    among_all = agreement_coefficients(votes, scale)
    pairs = voter_pairs(votes, scale)
    cohen = None if pairs is None or pairs.cohen is None else asdict(pairs.cohen)
    return {
        "agreement": {**asdict(among_all), "cohen": cohen},
        "pairs": [] if pairs is None else _all(pairs.pairs),
        "effective_voters": _optional(effective_voters(votes, reliability, truth)),
        "class_counts": _all(class_counts(votes, label)),
        "judges": [] if truth is None else _all(judge_against_truth(votes, truth, scale)),
        "best_voter": None if truth is None else _optional(best_voter(votes, label, truth)),
        "class_shares": [] if truth is None else _all(class_shares(votes, label, truth)),
        "alternative_annotator": _alternatives(votes, options),
        "position_bias": _all(position_bias(votes, inputs.orders)),
        "drop_voters": None
        if truth is None
        else _optional(leave_each_voter_out(votes, labels_of, truth)),
        "forecast": _optional(
            forecast_votes(votes, reliability, label, truth, goals=options.goals)
        ),
        "slices": _all(slices(votes, inputs.slices, label, reliability.score, truth, scale=scale))
        if inputs.slices
        else [],
    }


def _alternatives(votes: Votes, options: DiagnosticOptions) -> list[dict[str, Any]]:
    people = [name for name in votes.voters if name not in options.judges]
    tests = [
        alternative_annotator(votes, name, people, epsilon=epsilon, scale=options.scale)
        for name in options.judges
        for epsilon in EPSILONS
    ]
    return list(_all([test for test in tests if test is not None]))


def _optional(entry: Any) -> Any:
    return None if entry is None else _lists(asdict(entry))


def _all(entries: Sequence[Any]) -> Any:
    return [_lists(asdict(entry)) for entry in entries]


def _lists(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _lists(part) for key, part in value.items()}
    return [_lists(part) for part in value] if isinstance(value, list | tuple) else value
