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

import steelyard as sy

POWER = {None: 0, "linear": 1, "quadratic": 2}
"""Of the distance between two classes; equal classes have none."""


class Kappa(sy.BaseMetric):
    """(observed - chance agreement) / (1 - chance agreement); undefined for a single class."""

    lower_is_better: ClassVar[bool] = False
    limits: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    kind: Literal["kappa"] = "kappa"
    weights: Literal["linear", "quadratic"] | None = None
    """How the distance of ordered classes counts."""

    def score(self, truth: np.ndarray, probs: np.ndarray) -> float:
        size = probs.shape[1]
        pairs = np.bincount(size * truth + probs.argmax(axis=1), minlength=size**2)
        observed = pairs.reshape(size, size) / len(truth)
        chance = np.outer(observed.sum(axis=1), observed.sum(axis=0))
        apart = abs(np.arange(size)[:, None] - np.arange(size))
        distance = np.where(apart > 0, apart ** POWER[self.weights], 0)
        expected = (distance * chance).sum()
        return float(1 - (distance * observed).sum() / expected) if expected else float("nan")


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
