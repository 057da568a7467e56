"""What the student is taught."""

from dataclasses import dataclass

import numpy as np

from steelyard.errors import InputError
from steelyard.types.arrays import Floats, Ints, check_rows
from steelyard.types.words import WordProbabilities


@dataclass(frozen=True, eq=False)
class SupervisorTargets:
    """The labels of several weak supervisors, each for itself."""

    supervisors: tuple[str, ...]  # M
    targets: Floats  # (N, M, K), rows sum to 1, or are all 0 where a supervisor is silent
    weights: Floats  # (M,), positive, sum to 1

    def __post_init__(self) -> None:
        size, voters, answers = self.targets.shape
        rows = self.targets.reshape(size * voters, answers)
        said = rows.any(axis=1)
        check_rows(rows[said], int(said.sum()), (), "targets apart")
        if voters != len(self.supervisors) or self.weights.shape != (voters,):
            raise InputError(f"`targets` are of {voters} supervisors; name and weigh as many.")
        if not (self.weights > 0).all() or abs(self.weights.sum() - 1) > 1e-6:
            raise InputError(f"`weights` must be positive and sum to 1, got {self.weights}.")


@dataclass(frozen=True, eq=False)
class TokenTargets:
    """The answers to open questions that a student is taught, word by word.

    Text s is candidate `candidate[s]` of example `example[s]`. An answer stands more than once
    where supervisors that are kept apart gave it, each with its own words.
    """

    example: Ints  # (S,), ascending
    candidate: Ints  # (S,)
    share: Floats  # (S,), positive, those of an example sum to 1
    words: WordProbabilities  # of the S texts; characters are those of the candidate's text
    entropy: Floats | None = None  # (S,), of the supervisors' lists, their mean in nats a token

    def __post_init__(self) -> None:
        size = len(self.example)
        if self.candidate.shape != (size,) or self.share.shape != (size,):
            raise InputError(f"`candidate` and `share` must have {size} entries.")
        if len(self.words.spans.rows) != size + 1:
            raise InputError(
                f"`words` must be of {size} texts, got {len(self.words.spans.rows) - 1}."
            )


@dataclass(frozen=True, eq=False)
class Selection:
    """What the student is taught. Weight 0 leaves an example out, `reasons` says why."""

    ids: tuple[str, ...]
    targets: Floats  # (N, K), rows sum to 1; a one-hot row is a hard label
    weights: Floats  # (N,), >= 0, mean 1 over the kept examples
    reasons: tuple[str, ...]  # (N,), empty for a kept example
    per_supervisor: SupervisorTargets | None = None  # for objectives that hear each supervisor
    token_targets: TokenTargets | None = None  # for objectives of single tokens

    def __post_init__(self) -> None:
        check_rows(self.targets, len(self.ids), self.ids, "targets")
        if self.per_supervisor is not None and len(self.per_supervisor.targets) != len(self.ids):
            raise InputError(f"`per_supervisor` must have {len(self.ids)} rows.")
        if self.weights.shape != (len(self.ids),) or len(self.reasons) != len(self.ids):
            raise InputError(f"`weights` and `reasons` must have {len(self.ids)} rows.")
        bad = ~(np.isfinite(self.weights) & (self.weights >= 0))
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"weight {self.weights[i]} of {self.ids[i]!r} is not a finite number >= 0."
            )

    @property
    def kept(self) -> int:
        return int((self.weights > 0).sum())
