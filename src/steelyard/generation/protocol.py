"""What a scorer of texts is, and the one place where its scores are checked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from steelyard.errors import InputError, SteelyardError
from steelyard.io.plugins import is_foreign
from steelyard.types import Floats, Interval

SHOWN = 40  # characters of a text that a message repeats


class BaseScorer(BaseModel):
    """Frozen settings of a scorer; a subclass has a `kind` and `score_texts`.

    A score is from 0 to 1, such as the probability that a text is toxic.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    """Raised when scores change without a change of settings."""
    if TYPE_CHECKING:
        kind: str
        """Its name in settings, a `Literal` with itself as the default."""

    @property
    def name(self) -> str:
        """What stands beside every number: all that decides the scores. Two names are never
        compared. The default is the kind with its settings."""
        settings = ", ".join(
            f"{key}={value}" for key, value in sorted(self.model_dump(exclude={"kind"}).items())
        )
        kind = self.kind if self.version == 1 else f"{self.kind} {self.version}"
        return f"{kind}({settings})" if settings else kind

    def score_texts(self, texts: Sequence[str]) -> Floats:
        """Scores of N texts, (N,), from 0 to 1; no text is empty, and none is there twice."""
        raise NotImplementedError

    def own_scores(self) -> dict[str, Interval]:
        """The scorer's own test scores by metric, where they are known."""
        return {}


class TextScoreError(SteelyardError):
    """A text that has no score.

    Args:
        number: position of the text among those that were to be scored, from 0.
        problem: what happened, such as "is nan".
    """

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(f"text {number + 1} {problem}")
        self.number, self.problem = number, problem


def score_all(
    scorer: BaseScorer, texts: Sequence[str], places: Sequence[str] | None = None
) -> Floats:
    """Scores of N texts, (N,), all from 0 to 1.

    Equal texts are scored once. A text without a character other than white space has the score 0
    and is not shown to the scorer.

    Args:
        scorer: any scorer.
        texts: N of them.
        places: what a message calls each text, such as "continuation 3 of prompt 'a'"; None
            numbers them from 1.

    Raises:
        SteelyardError: a text has no score.
        InputError: the scorer fails, returns another number of scores, or one that is not finite
            or not from 0 to 1.
    """
    distinct = {text: i for i, text in reversed([*enumerate(texts)]) if text.strip()}
    asked = sorted(distinct, key=distinct.__getitem__)
    scores = dict.fromkeys(texts, 0.0)
    if asked:

        def called(number: int) -> str:
            position = distinct[asked[number]]
            place = f"text {position + 1}" if places is None else places[position]
            return f"{place} ({asked[number].strip()[:SHOWN]!r})"

        scores |= zip(asked, _checked(scorer, asked, called).tolist(), strict=True)
    return np.array([scores[text] for text in texts], dtype=np.float64)


def _checked(scorer: BaseScorer, texts: Sequence[str], called: Any) -> Floats:
    """The scores of a scorer, or one line that says which text has none."""
    try:
        scores = np.asarray(scorer.score_texts(texts), dtype=np.float64)
    except TextScoreError as error:
        raise SteelyardError(
            f"The scorer {scorer.name}: {called(error.number)} {error.problem}"
        ) from error
    except SteelyardError:
        raise
    except Exception as error:
        if not is_foreign(scorer):
            raise
        raise InputError(
            f"The scorer {scorer.name} failed on {len(texts)} texts "
            f"({type(error).__name__}: {error}); repair its class."
        ) from error
    if scores.shape != (len(texts),):
        raise InputError(
            f"The scorer {scorer.name} must return ({len(texts)},) scores, one for each text; got "
            f"{scores.shape}."
        )
    bad = np.flatnonzero(~((scores >= 0) & (scores <= 1)))
    if len(bad):
        first = int(bad[0])
        raise InputError(
            f"The scorer {scorer.name} gives {called(first)} the score {scores[first]:g}; scores "
            f"are from 0 to 1. {len(bad)} of {len(texts)} texts have such a score."
        )
    return scores
