"""Selection: the targets and weights that a student is trained on."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from steelyard.errors import InputError
from steelyard.io.counted import counted
from steelyard.types.arrays import Floats, Ints, check_rows
from steelyard.types.show import listed
from steelyard.types.words import WordProbabilities


@dataclass(frozen=True, eq=False)
class SupervisorTargets:
    """The labels of each of M weak supervisors, not pooled.

    Attributes:
        supervisors: their names.
        targets: (N, M, K), distributions over answers; all 0 where a supervisor abstains.
        weights: (M,), positive, sum to 1.
    """

    supervisors: tuple[str, ...]
    targets: Floats
    weights: Floats

    def __post_init__(self) -> None:
        size, voters, num_classes = self.targets.shape
        rows = self.targets.reshape(size * voters, num_classes)
        answered = rows.any(axis=1)
        check_rows(rows[answered], int(answered.sum()), (), "per_supervisor.targets")
        if voters != len(self.supervisors) or self.weights.shape != (voters,):
            raise InputError(f"`targets` are of {voters} supervisors; give as many names.")
        if not (self.weights > 0).all() or abs(self.weights.sum() - 1) > 1e-6:
            raise InputError(f"`weights` must be positive and sum to 1, got {self.weights}.")


@dataclass(frozen=True, eq=False)
class TokenTargets:
    """S open answers that a student is trained on, with probabilities of their words.

    Text s is candidate `candidate[s]` of example `example[s]`. With `per_supervisor` an answer of
    several supervisors is there once for each, with the word probabilities of that supervisor.

    Attributes:
        example: (S,), ascending.
        candidate: (S,).
        share: (S,), positive; the shares of an example's texts sum to 1.
        words: probabilities of the words of the S texts, by position in the candidate's text.
        entropy: (S,), mean entropy of the supervisors' lists of answers, in nats per token; or
            None.
    """

    example: Ints
    candidate: Ints
    share: Floats
    words: WordProbabilities
    entropy: Floats | None = None

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
    """The targets and weights of N examples that a student is trained on.

    >>> import numpy as np
    >>> Selection(("q1", "q2"), np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1.0, 0.0]),
    ...           ("", "score below the threshold"))
    <Selection: 1 of 2 examples kept, 2 answers; weights 1 to 1
      dropped: score below the threshold 1>

    Attributes:
        ids: names of the examples.
        targets: (N, K), rows sum to 1; a one-hot row is a hard label.
        weights: (N,), >= 0, with mean 1 over the kept examples; 0 drops an example.
        reasons: (N,), why an example is dropped; empty for a kept one.
        per_supervisor: the labels of each supervisor, for objectives that use them; or None.
        token_targets: word probabilities, for objectives of single tokens; or None.
    """

    ids: tuple[str, ...]
    targets: Floats
    weights: Floats
    reasons: tuple[str, ...]
    per_supervisor: SupervisorTargets | None = None
    token_targets: TokenTargets | None = None

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
        """How many examples have a weight above 0."""
        return int((self.weights > 0).sum())

    def __repr__(self) -> str:
        head = f"<Selection: {self.kept:,} of {counted(len(self.ids), 'example')} kept"
        lines = [f"{head}, {counted(self.targets.shape[1], 'answer')}"]
        if self.kept:
            weights = self.weights[self.weights > 0]
            lines[0] += f"; weights {weights.min():.3g} to {weights.max():.3g}"
        reasons = Counter(r for r, w in zip(self.reasons, self.weights, strict=True) if w == 0)
        if reasons:
            lines.append(f"  dropped: {listed(list(reasons), list(reasons.values()))}")
        return "\n".join(lines) + ">"
