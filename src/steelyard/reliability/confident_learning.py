"""Reliability by confident learning: how a label compares with others of its class."""

import importlib
from typing import ClassVar, Literal

import numpy as np

from steelyard.errors import ConfigError
from steelyard.reliability.protocol import VoteEstimator
from steelyard.reliability.vote_table import refuse_open
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes


class ConfidentLearning(VoteEstimator):
    """The label's probability in the mean distribution, relative to the mean of its class.

    With q the mean distribution of the votes on an example, y = argmax q its label, and the mean
    self-confidence t_a of a class (the mean of q(a) over the examples with label a),

        q'(a) = (q(a) - t_a + max t) / sum_b (q(b) - t_b + max t)

        self_confidence      score = q'(y)
        normalized_margin    score = (q'(y) - max_{b != y} q'(b) + 1) / 2

    so that a class whose labels usually have a high probability needs more of it. The scores are
    cleanlab's (`get_label_quality_scores` with `adjust_pred_probs`, extra `cleanlab`); the
    posterior is q. Scores rank labels and are not probabilities. Unlike predictions of a model, the
    votes are not out of sample: the label is made of the votes that score it. Classes that are the
    label of no example are ignored. With a single class the score is q(y). A tie of classes goes to
    the class that was voted for first. An example without a readable vote has a uniform posterior
    and score 0.

    Raises (in `estimate`): ConfigError without cleanlab; InputError for open answers.

    Source: Northcutt et al. 2021, "Confident Learning", arXiv:1911.00068; scores: Kuan
        and Mueller 2022, "Model-agnostic label quality scoring to detect real-world label errors".
    """

    version: ClassVar[int] = 1

    kind: Literal["confident_learning"] = "confident_learning"
    measure: Literal["self_confidence", "normalized_margin"] = "normalized_margin"
    """How the label's probability becomes a score."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        refuse_open(votes, self.kind, "`majority` or `open_agreement`")
        mean = votes.means()
        rows = np.flatnonzero(votes.answered)
        score = np.zeros(len(mean))
        if len(rows):
            named, first = np.unique(votes.answer[votes.answer != ABSTAIN], return_index=True)
            order = named[np.argsort(first)]
            score[rows] = self._scores(mean[np.ix_(rows, order)])
        return Reliability(votes.ids, mean, score)

    def _scores(self, mean: Floats) -> Floats:
        """Score of the argmax of each row, (N,)."""
        try:
            rank = importlib.import_module("cleanlab.rank")
        except ImportError as error:
            raise ConfigError(
                "`confident_learning` needs cleanlab; install it with "
                "`pip install 'steelyard[cleanlab]'`."
            ) from error
        labels, position = np.unique(mean.argmax(axis=1), return_inverse=True)
        if len(labels) == 1:
            return np.clip(mean[:, labels[0]], 0, 1)
        of_label = mean[:, labels]
        of_label /= of_label.sum(axis=1, keepdims=True)
        scores = rank.get_label_quality_scores(
            position, of_label, method=self.measure, adjust_pred_probs=True
        )
        return np.clip(np.asarray(scores, dtype=np.float64), 0, 1)
