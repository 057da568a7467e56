"""A student of your own: naive Bayes on word counts, which trains in milliseconds on a CPU.

The class needs no change of the package: give `sy.study` an object of it. To name it in study files
(`student: {kind: naive_bayes}`), put it into an installed package with

    [project.entry-points."steelyard.plugins"]
    naive_bayes = "my_package.naive_bayes:NaiveBayes"
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline

import steelyard as sy


class NaiveBayes(sy.BaseStudent):
    """Multinomial naive Bayes on tf-idf features; a soft target is a row for each class."""

    version: ClassVar[int] = 1  # raise it when predictions change without a change of settings
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)  # results are named by its version

    kind: Literal["naive_bayes"] = "naive_bayes"
    smoothing: float = Field(0.1, gt=0)
    """Pseudo-count of each word in each class."""

    def fit(self, data: sy.TrainingData, options: sy.TrainingOptions) -> "TrainedNaiveBayes":
        """Train on the rows with a weight: targets are (N, K), weights (N,)."""
        importance = data.targets * data.weights[:, None]  # (N, K)
        rows, labels = np.nonzero(importance)
        model = make_pipeline(TfidfVectorizer(), MultinomialNB(alpha=self.smoothing))
        texts = [data.questions[row].text for row in rows]
        model.fit(texts, labels, multinomialnb__sample_weight=importance[rows, labels])
        return TrainedNaiveBayes(model, len(data.classes))


@dataclass(frozen=True)
class TrainedNaiveBayes(sy.BaseTrainedStudent):
    model: Pipeline
    num_classes: int

    def predict(self, questions: Sequence[sy.Question], states: Any = None) -> sy.ModelAnswers:
        """Probabilities (N, K); 0 of a class that no training row has."""
        probs = np.zeros((len(questions), self.num_classes))
        texts = [question.text for question in questions]
        probs[:, self.model.classes_] = self.model.predict_proba(texts)
        return sy.ModelAnswers(probs)


def main() -> None:
    study = {
        "name": "own-student",
        "task": "classification",
        "data": {"generated": "errands", "weak_train": 300, "strong_train": 600, "max_test": 200},
        "supervisors": [sy.Tfidf(voters=3)],
        "student": NaiveBayes(smoothing=0.2),
        "arms": ["majority", "filter"],
        "seeds": 1,
    }
    with TemporaryDirectory() as folder:
        result = sy.study(study, Path(folder) / "run", workers=1)
        print(result)
        score, ceiling = result.results["arms"]["majority"]["score"], result.results["ceiling"]
        assert 0.5 < score["value"] < ceiling["value"]  # chance is 0.25


if __name__ == "__main__":
    main()
