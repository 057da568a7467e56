"""Bags of words: the weakest supervisors, in milliseconds."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from steelyard.errors import ConfigError
from steelyard.types import PAIR, Floats, Question, Split, Votes
from steelyard.types.build_votes import votes_from_probabilities

WORDS: dict[str, Any] = {"sublinear_tf": True, "token_pattern": r"(?u)\w+|[^\w\s]"}


class Tfidf(BaseModel):
    """V logistic regressions on tf-idf of words, each fitted to a bootstrap sample of weak_train.

    Of a preference, P(first is better) = s(w (x1 - x2)) with the two answers' words x: a linear
    reward in the model of Bradley and Terry. The prompt is not read.

    Voter v draws its rows with `default_rng([seed, v])`: adding a voter changes no other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    kind: Literal["tfidf"] = "tfidf"
    voters: int = Field(5, ge=1)
    """Each has a bootstrap sample of weak_train of its own."""
    regularization: float = Field(10.0, gt=0)
    """C of scikit-learn's logistic regression."""

    def check_task(self, kind: str) -> None:
        if kind not in ("classification", "preference"):
            raise ConfigError(
                "A tfidf supervisor answers classification and preferences, and the task is "
                f"{kind}; use `{{kind: chooser, ...}}`."
            )

    def vote(
        self,
        labelled: Split,
        asked: Sequence[Sequence[Question]],
        classes: tuple[str, ...],
        *,
        seed: int,
    ) -> list[Votes]:
        """Train on `labelled` and answer each list of questions."""
        answers: list[list[Floats]] = [[] for _ in asked]
        for v in range(self.voters):
            rows = bootstrap(labelled.truth, np.random.default_rng([seed, v]))
            for part, questions in zip(answers, asked, strict=True):
                learnt = [labelled.questions[i] for i in rows]
                answer = self._prefer if classes == PAIR else self._answer
                part.append(answer(learnt, labelled.truth[rows], questions, classes))
        names = [f"tfidf/{v}" for v in range(self.voters)]
        return [
            votes_from_probabilities(questions, classes, names, part)
            for questions, part in zip(asked, answers, strict=True)
        ]

    def inputs(self) -> dict[str, str]:
        """Nothing but settings and questions."""
        return {}

    def _answer(
        self,
        learnt: Sequence[Question],
        truth: np.ndarray,
        questions: Sequence[Question],
        classes: tuple[str, ...],
    ) -> Floats:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        words = TfidfVectorizer(**WORDS)
        model = make_pipeline(words, LogisticRegression(C=self.regularization, max_iter=1000))
        model.fit([_whole(q) for q in learnt], truth)
        probs = np.zeros((len(questions), len(classes)))
        probs[:, model[-1].classes_] = model.predict_proba([_whole(q) for q in questions])
        return probs

    def _prefer(
        self,
        learnt: Sequence[Question],
        truth: np.ndarray,
        questions: Sequence[Question],
        classes: tuple[str, ...],
    ) -> Floats:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        words = TfidfVectorizer(**WORDS).fit([text for q in learnt for text in q.choices])

        def lead(pairs: Sequence[Question]) -> Any:
            first, second = (words.transform([q.choices[c] for q in pairs]) for c in (0, 1))
            return first - second

        model = LogisticRegression(C=self.regularization, max_iter=1000, fit_intercept=False)
        model.fit(lead(learnt), truth)
        probs: Floats = model.predict_proba(lead(questions))
        return probs


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


def _whole(question: Question) -> str:
    return f"{question.context} {question.text}" if question.context else question.text
