"""What supervisors of trained models share: training sets, names, and a table of their votes."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self, TypeAlias

import numpy as np
from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.models.load import Pretrained, identity
from steelyard.supervision.protocol import BaseSupervisor, VoteRequest
from steelyard.types import ABSTAIN, Floats, Question, Split, Votes
from steelyard.types.build_votes import votes_from_probabilities

Voter: TypeAlias = Callable[[Sequence[Question]], list[Floats]]
"""A trained voter: N questions -> for each query (N, K) probabilities, nan where it abstains."""


class TrainedVoters(BaseSupervisor):
    """Voters that are trained on the labelled rows of weak_train."""

    voters: int = Field(5, ge=1)
    """Number of voters. One is trained on all rows of weak_train; of several each has its own
    random seed and its own bootstrap sample of them."""

    @property
    def needs_labels(self) -> bool:
        return True

    def without_bootstrap(self) -> Self | None:
        return None if self.voters == 1 else self.model_copy(update={"voters": 1})

    @property
    def num_voters(self) -> int:
        return self.voters

    def inputs(self) -> dict[str, str]:
        """Fingerprint of the pretrained weights, if there are any."""
        return {} if self.pretrained is None else {"model": identity(self.pretrained)}

    def vote(self, request: VoteRequest) -> list[Votes]:
        """Train each voter on the labelled rows, and ask it about each list of questions."""
        asked, queries = request.questions, self._queries()
        answers: list[list[Floats]] = [[] for _ in asked]
        for v in range(self.voters):
            voter = self._train(request, v)
            for part, questions in zip(answers, asked, strict=True):
                part += voter(questions)
        names = self.voter_names()
        return [
            self._table(questions, request.classes, names, part, queries)
            for questions, part in zip(asked, answers, strict=True)
        ]

    @abstractmethod
    def voter_names(self) -> list[str]:
        """A name for each voter."""

    @abstractmethod
    def _train(self, request: VoteRequest, voter: int) -> Voter: ...

    def _queries(self) -> tuple[str, ...]:
        return ("unchanged",)

    def _table(
        self,
        questions: Sequence[Question],
        classes: tuple[str, ...],
        names: Sequence[str],
        probs: Sequence[Floats],
        queries: Sequence[str],
    ) -> Votes:
        return votes_from_probabilities(questions, classes, names, probs, queries)


def training_rows(
    labelled: Split, voters: int, seed: int, voter: int
) -> tuple[np.ndarray, np.random.Generator]:
    """Rows that a voter is trained on, and its random generator.

    A single voter has all rows, several have bootstrap samples, whose answers have at least two
    classes unless they are open.
    """
    rng = np.random.default_rng([seed, voter])
    if voters == 1:
        return np.arange(len(labelled.questions)), rng
    if labelled.reference_texts:
        return rng.integers(0, len(labelled.questions), len(labelled.questions)), rng
    return bootstrap(labelled.truth, rng), rng


def bootstrap(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of a bootstrap sample that has at least two classes; the first draw is kept if it has.

    Raises:
        ConfigError: a hundred draws all had one class.
    """
    for _ in range(100):
        rows = rng.integers(0, len(truth), len(truth))
        if len(np.unique(truth[rows])) > 1:
            return rows
    raise ConfigError("weak_train is so small or one-sided that bootstrap samples have one class.")


def model_name(pretrained: Pretrained) -> str:
    """A short name for voters: the last part of the model's name, and its number of layers."""
    layers = "" if pretrained.layers is None else f"-{pretrained.layers}l"
    return f"{pretrained.model.rstrip('/').split('/')[-1]}{layers}"


def abstaining(votes: Votes, fits: Sequence[np.ndarray]) -> Votes:
    """The N * V * Q votes, but abstaining where a prompt exceeds the context.

    `fits` has V * Q arrays (N,): whether a prompt fits.
    """
    fit = np.stack(fits, axis=1).reshape(-1) if fits else np.ones(0, dtype=bool)
    if fit.all():
        return votes
    return replace(
        votes,
        answer=np.where(fit, votes.answer, ABSTAIN),
        reasons=tuple("" if good else "too long" for good in fit),
    )
