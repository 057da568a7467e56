"""Bags of words: the weakest supervisors, in milliseconds."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.supervision.protocol import BaseSupervisor, VoteRequest
from steelyard.types import Floats, Question, Votes
from steelyard.types.build_votes import votes_from_probabilities
from steelyard.types.task_kinds import KINDS, AnswerForm

WORDS: dict[str, Any] = {"sublinear_tf": True, "token_pattern": r"(?u)\w+|[^\w\s]"}


class Tfidf(BaseSupervisor):
    """V logistic regressions on tf-idf of words, each fitted to a bootstrap sample of weak_train.

    Of a preference, P(first is better) = s(w (x1 - x2)) with the two answers' words x: a linear
    reward in the model of Bradley and Terry. The prompt is not read.

    Voter v draws its rows with `default_rng([seed, v])`: adding a voter changes no other.
    """

    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "pair")
    answers_what: ClassVar[str] = "A tfidf supervisor answers classification and preferences"
    instead: ClassVar[str] = "`{kind: chooser, ...}`"

    kind: Literal["tfidf"] = "tfidf"
    voters: int = Field(5, ge=1)
    """Each has a bootstrap sample of weak_train of its own."""
    regularization: float = Field(10.0, gt=0)
    """C of scikit-learn's logistic regression."""

    @property
    def needs_labels(self) -> bool:
        return True

    @property
    def num_voters(self) -> int:
        return self.voters

    def vote(self, request: VoteRequest) -> list[Votes]:
        """Train on the labelled rows and answer each list of questions."""
        labelled, classes, seed = request.labelled, request.classes, request.seed
        answer = self._prefer if KINDS[request.kind].is_pair else self._answer
        answers: list[list[Floats]] = [[] for _ in request.questions]
        for v in range(self.voters):
            rows = bootstrap(labelled.truth, np.random.default_rng([seed, v]))
            for part, questions in zip(answers, request.questions, strict=True):
                learnt = [labelled.questions[i] for i in rows]
                part.append(answer(learnt, labelled.truth[rows], questions, classes))
        names = [f"tfidf/{v}" for v in range(self.voters)]
        return [
            votes_from_probabilities(questions, classes, names, part)
            for questions, part in zip(request.questions, answers, strict=True)
        ]

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
