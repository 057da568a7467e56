"""A metric of your own: Cohen's kappa, the agreement with the truth beyond chance.

The class needs no change of the package: give `sy.study` an object of it. To name it in study files
(`metric: kappa` or `metric: {kind: kappa, weights: linear}`), put it into an installed package with

    [project.entry-points."steelyard.plugins"]
    kappa = "my_package.kappa:Kappa"
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Literal

import numpy as np
from sklearn.metrics import cohen_kappa_score

import steelyard as sy


class Kappa(sy.BaseMetric):
    """(observed - chance agreement) / (1 - chance agreement); undefined for a single class."""

    lower_is_better: ClassVar[bool] = False
    limits: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    kind: Literal["kappa"] = "kappa"
    weights: Literal["linear", "quadratic"] | None = None
    """How the distance of ordered classes counts."""

    def score(self, truth: np.ndarray, probs: np.ndarray) -> float:
        labels = probs.argmax(axis=1)
        if len({*truth.tolist(), *labels.tolist()}) == 1:
            return float("nan")
        return float(cohen_kappa_score(truth, labels, weights=self.weights))


def main() -> None:
    study = {
        "name": "own-metric",
        "task": "classification",
        "data": {"generated": "errands", "weak_train": 80, "strong_train": 80, "max_test": 80},
        "supervisors": [sy.Tfidf(voters=2)],
        "student": sy.Probe(model="minilm", layers=3),
        "arms": ["majority"],
        "metric": Kappa(),
        "seeds": 1,
    }
    with TemporaryDirectory() as folder:
        results = sy.study(study, Path(folder) / "run", workers=1).results
    for name in ("weak", "ceiling"):
        print(f"{name}: kappa {results[name]['value']:.3f}, at least {results[name]['low']:.3f}")
    print("gap recovered:", results["arms"]["majority"]["pgr"])
    # four classes of nearly equal size: kappa is close to (accuracy - 1/4) / (1 - 1/4)
    accuracy = results["metrics"]["accuracy"]["ceiling"]["value"]
    np.testing.assert_allclose(results["ceiling"]["value"], (accuracy - 0.25) / 0.75, atol=0.05)


if __name__ == "__main__":
    main()
