"""Base of the estimators that use features of the examples, and not the votes alone."""

from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field

from steelyard.errors import InputError
from steelyard.models.load import Pretrained
from steelyard.reliability.protocol import BaseEstimator, EstimationData, Features
from steelyard.reliability.vote_table import shared_classes
from steelyard.types import Floats, Reliability, Votes
from steelyard.types.task_kinds import AnswerForm, refuse_kind

Measure: TypeAlias = Literal["expected_agreement", "closeness", "confidence"]


class OnFeatures(BaseEstimator):
    """Settings of an estimator that predicts each example's label from features of the examples.

    With q the mean distribution of the votes on an example and p what a model of the features,
    fitted to all q, predicts for it, the posterior is p, and the score is one of

        expected_agreement    sum_a p(a) q(a)
        closeness             1 - 1/2 sum_a |p(a) - q(a)|     (1 less their total variation)
        confidence            max_a p(a)                      (of the new label, whatever the votes)

    On one-hot q both are p of the label. On soft q closeness gives voters who are more certain than
    the model a lower score, though they are more often right. Selections of all examples (`hard`,
    `soft`) relabel, those that keep some of them filter. Examples without a readable vote are not
    trained on; they are predicted like the others, with score 0.

    Source: EleutherAI/w2s, `w2s/probe.py` (`Probe.filter`: |p - q| of two classes, which closeness
        generalises; expected agreement is ours).
    """

    version: ClassVar[int] = 1
    needs_questions: ClassVar[bool] = True
    needs_features: ClassVar[bool] = True
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes",)
    instead: ClassVar[str] = "an estimator of votes alone"
    libraries: ClassVar[tuple[str, ...]] = (
        "numpy",
        "scipy",
        "scikit-learn",
        "torch",
        "transformers",
    )

    measure: Measure = "expected_agreement"
    """How the prediction is compared with the votes; the source uses closeness."""
    encoder: Pretrained | None = None
    """The model whose last hidden states, mean over the tokens, are the features, such as
    `{model: minilm, layers: 3}`; by default the student's, before it is trained."""
    max_tokens: int = Field(128, ge=8)
    """Longer inputs are truncated."""

    @property
    def feature_model(self) -> Pretrained | None:
        return self.encoder

    @property
    def feature_tokens(self) -> int:
        return self.max_tokens

    def check_task(self, kind: str) -> None:
        """Raise ConfigError for a task whose questions do not share their answers."""
        what = (
            f"`{getattr(self, 'kind', '')}` compares the labels of similar questions and needs one "
            "list of classes"
        )
        refuse_kind(kind, self.answer_forms, what, self.instead)

    def estimate(self, votes: Votes, features: Features) -> Reliability:
        """Posterior and score from (N, d) features, row i of `votes.ids[i]`."""
        raise NotImplementedError

    def estimate_from(self, data: EstimationData) -> Reliability:
        assert data.features is not None
        return self.estimate(data.votes, data.features)

    def scored(self, votes: Votes, prediction: Floats) -> Reliability:
        """The prediction (N, K) as posterior, and `measure` as score."""
        mean = votes.means()
        if self.measure == "expected_agreement":
            score = (prediction * mean).sum(axis=1)
        elif self.measure == "confidence":
            score = prediction.max(axis=1)
        else:
            score = 1 - np.abs(prediction - mean).sum(axis=1) / 2
        score = np.where(votes.answered, np.clip(score, 0, 1), 0.0)
        return Reliability(votes.ids, prediction, score)


def check_features(votes: Votes, features: Any, kind: str) -> Features:
    """The features, (N, d), in float32.

    Raises:
        InputError: they are of another number of examples or not finite, or the examples do not
            share their answers.
    """
    rows = np.ascontiguousarray(features, dtype=np.float32)
    if rows.ndim != 2 or len(rows) != len(votes.ids):
        raise InputError(
            f"`features` must have a row for each of {len(votes.ids)} examples, got shape "
            f"{rows.shape}."
        )
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        first = votes.ids[int(np.flatnonzero(bad)[0])]
        raise InputError(
            f"`features` of {first!r} are not finite, and {int(bad.sum()) - 1} more; look at its "
            "text and at the model."
        )
    if not shared_classes(votes):
        raise InputError(
            f"`{kind}` compares the labels of similar examples, and these examples do not share "
            "their answers; use an estimator of votes alone."
        )
    return rows
