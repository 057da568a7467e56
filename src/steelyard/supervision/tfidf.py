"""Bags of words: the weakest supervisors, in milliseconds."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.supervision.protocol import VoteRequest
from steelyard.supervision.trained_voters import TrainedVoters, Voter, training_rows
from steelyard.types import Floats, Question
from steelyard.types.task_kinds import KINDS, AnswerForm

WORDS: dict[str, Any] = {"sublinear_tf": True, "token_pattern": r"(?u)\w+|[^\w\s]"}


class Tfidf(TrainedVoters):
    """Logistic regressions on tf-idf of words.

    One voter is fitted to all rows of weak_train, several to a bootstrap sample each.

    For a preference, P(first is better) = s(w (x1 - x2)) with the two answers' words x: a linear
    reward in the model of Bradley and Terry. The prompt is not read.

    Voter v draws its rows with `default_rng([seed, v])`: adding a voter changes no other.
    """

    version: ClassVar[int] = 2  # 2: a single voter has all rows; ties are drawn at random
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "pair")
    answers_what: ClassVar[str] = "A tfidf supervisor answers classification and preferences"
    instead: ClassVar[str] = "`{kind: chooser, ...}`"

    kind: Literal["tfidf"] = "tfidf"
    regularization: float = Field(10.0, gt=0)
    """Inverse strength of the L2 penalty, `C` of scikit-learn's logistic regression."""

    def voter_names(self) -> list[str]:
        return [f"tfidf/{v}" for v in range(self.voters)]

    def _train(self, request: VoteRequest, voter: int) -> Voter:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        labelled, pair = request.labelled, KINDS[request.kind].is_pair
        rows, _ = training_rows(labelled, self.voters, request.seed, voter)
        examples = [labelled.questions[i] for i in rows]
        texts = [text for q in examples for text in (q.choices if pair else (_whole(q),))]
        words = TfidfVectorizer(**WORDS)
        table = words.fit_transform(texts)

        def features(questions: Sequence[Question]) -> Any:
            if not pair:
                return words.transform([_whole(q) for q in questions])
            first, second = (words.transform([q.choices[c] for q in questions]) for c in (0, 1))
            return first - second

        model = LogisticRegression(C=self.regularization, max_iter=1000, fit_intercept=not pair)
        model.fit(features(examples) if pair else table, labelled.truth[rows])

        def answer(questions: Sequence[Question]) -> list[Floats]:
            probs = np.zeros((len(questions), len(request.classes)))
            probs[:, model.classes_] = model.predict_proba(features(questions))
            return [probs]

        return answer


def _whole(question: Question) -> str:
    return f"{question.context} {question.text}" if question.context else question.text
