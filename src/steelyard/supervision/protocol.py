"""The interface of weak supervisors, and what they are asked."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from steelyard.io.atomic import file_sum
from steelyard.prompts import AnswerFormat, PromptedQuestion, PromptSettings
from steelyard.types import Question, Split, Votes
from steelyard.types.task_kinds import AnswerForm, Kind, refuse_kind

if TYPE_CHECKING:
    from steelyard.models.checkpoints import Checkpoints
    from steelyard.models.lm.finetune_lm import Completer, Tuning
    from steelyard.models.lm.option_scores import Normalise
    from steelyard.models.load import Pretrained
    from steelyard.models.precision import Precision
    from steelyard.models.train import Training
    from steelyard.supervision.api.request import ReplyCache
    from steelyard.supervision.api.supervisor import Api

NO_LABELS = Split((), np.zeros(0, dtype=np.int64))
"""For supervisors that are not trained."""


@dataclass(frozen=True, eq=False)
class VoteRequest:
    """Lists of questions to vote on, and what a supervisor is trained on first."""

    kind: Kind
    classes: tuple[str, ...]  # names; option numbers for multiple choice, none for open answers
    questions: tuple[Sequence[Question], ...]  # lists of questions; each gets a table of votes
    labelled: Split = field(default=NO_LABELS)  # rows with true answers
    seed: int = 0  # random seed of samples, option orders and training
    replies: "ReplyCache | None" = None  # where replies of servers are kept; None: in memory
    work: Path | None = None  # folder for checkpoints of voters that are trained; None: none
    salts: tuple[str, ...] = ()  # of each list: positions of preferred answers, for votes of people

    def checkpoints(self, voter: int) -> "Checkpoints | None":
        """Checkpoints of a voter's training; a finished voter is not trained again."""
        from steelyard.models.checkpoints import Checkpoints

        work = self.work
        return None if work is None else Checkpoints(work / f"voter-{voter}", keep_end=True)


class BaseSupervisor(BaseModel):
    """Frozen settings of a weak supervisor, which votes on questions.

    A supervisor outside the package is a subclass with a `kind` and a method `vote`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    """Raised when votes change without a change of settings."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions whose version may change the votes."""
    uses_ledger: ClassVar[bool] = False
    """Whether it asks a server, whose replies are paid for and kept."""
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "options", "pair", "texts")
    """Forms of answers that it can give."""
    answers_what: ClassVar[str] = "This supervisor answers other tasks"
    """Beginning of the error message about a task that it cannot answer."""
    instead: ClassVar[str] = "another supervisor"
    """End of that message."""

    if TYPE_CHECKING:

        @property
        def kind(self) -> str:
            """Its name in study files."""

        def vote(self, request: VoteRequest) -> list[Votes]:
            """Votes on each list of questions; every supervisor defines it."""

    @property
    def needs_labels(self) -> bool:
        """Whether it is trained on labelled rows before it votes."""
        return False

    @property
    def uses_labels(self) -> bool:
        """Whether labelled rows, where there are any, change its votes."""
        return self.needs_labels

    def without_bootstrap(self) -> Self | None:
        """The same with a single voter, trained on all labelled rows.

        None if no voter is trained on a bootstrap sample, so that each is such a voter already.
        """
        return None

    @property
    def asks_in_parts(self) -> bool:
        """Whether votes on a question depend on that question alone and take long to make."""
        return False

    @property
    def num_voters(self) -> int:
        """How many voters it has."""
        return 1

    @property
    def pretrained(self) -> "Pretrained | None":
        """The model whose weights it uses."""
        return None

    @property
    def training(self) -> "Training | None":
        """How its voters are trained by optimizer steps; None where there are none."""
        return None

    @property
    def prompts(self) -> PromptSettings | None:
        """How it phrases questions as prompts; None without prompts."""
        return None

    @property
    def server(self) -> "Api | None":
        """Itself, where it asks a server query by query."""
        return None

    @property
    def list_writer(self) -> "ListWriter | None":
        """Itself, where it answers with lists and scores the lists of others."""
        return None

    def check_task(self, kind: str) -> None:
        """Raise ConfigError if it cannot vote on such a task."""
        refuse_kind(kind, self.answer_forms, self.answers_what, self.instead)

    def check_ids(self, ids: Collection[str]) -> None:
        """Raise InputError if it has votes about other questions."""

    def inputs(self) -> Mapping[str, str]:
        """Fingerprints, by name, of what votes depend on besides settings and questions."""
        return {}

    def deciding_settings(self) -> dict[str, Any]:
        """Settings on which votes depend, as they stand in the recipe of stored votes."""
        return self.model_dump(mode="json", exclude={"path"})

    def versions(self) -> int:
        """Sum of the versions of all code that makes the votes."""
        return self.version + (0 if self.prompts is None else self.prompts.prompt_versions())

    def with_paths(self, change: Callable[[str], str]) -> Self:
        """The same settings with changed paths of files."""
        return self

    @property
    def asked_notes(self) -> tuple[str, ...]:
        """How it asks, a sentence each, where that was left open."""
        return ()

    def settle(self, request: VoteRequest) -> Self:
        """The same settings with all that is left open chosen, for all questions alike."""
        return self

    def sample_seed(self, seed: int, voter: int) -> int:
        """Random seed of a voter's reply to a query of seed `seed`."""
        return seed


class PromptedSupervisor(PromptSettings, BaseSupervisor):
    """A supervisor that asks a language model with prompts of its own settings."""

    @property
    def prompts(self) -> PromptSettings:
        return self

    def inputs(self) -> dict[str, str]:
        """Fingerprint of the paraphrases."""
        return {} if self.paraphrases is None else {"paraphrases": file_sum(Path(self.paraphrases))}

    def with_paths(self, change: Callable[[str], str]) -> Self:
        if self.paraphrases is None:
            return self
        return self.model_copy(update={"paraphrases": change(self.paraphrases)})


class ListWriter(Protocol):
    """A language model that answers open questions with lists (see `nbest.vote_by_beam`)."""

    @property
    def beams(self) -> int | None: ...

    @property
    def voters(self) -> int: ...

    @property
    def finetune(self) -> "Tuning | None": ...

    @property
    def max_new_tokens(self) -> int: ...

    @property
    def normalise(self) -> "Normalise | None": ...

    @property
    def precision(self) -> "Precision": ...

    @property
    def answer_format(self) -> AnswerFormat | None: ...

    def query_names(self, kind: str) -> tuple[str, ...]: ...

    def voter_names(self) -> list[str]: ...

    def put(
        self, tokenizer: Any, asked: Sequence[PromptedQuestion], *, written: bool
    ) -> list[PromptedQuestion]: ...

    def ask_all(
        self, questions: Sequence[Question], kind: str, classes: Sequence[str], seed: int
    ) -> list[PromptedQuestion]: ...

    def load_voter(self, request: VoteRequest, voter: int) -> "Completer": ...
