"""A loss of your own: generalized cross-entropy, which forgives labels that are far off.

The class needs no change of the package: give an object of it to an arm of `sy.study`. To name it
in study files (`objective: generalized_cross_entropy`), put it into an installed package with

    [project.entry-points."steelyard.plugins"]
    generalized_cross_entropy = "my_package.gce:GeneralizedCrossEntropy"
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import Field
from torch import Tensor

import steelyard as sy


class GeneralizedCrossEntropy(sy.BaseObjective):
    """(1 - p^q) / q with p the probability of the label: q -> 0 is the cross-entropy, 1 the error.

    Source: Zhang and Sabuncu 2018, arXiv:1805.07836, equation 6 (soft labels by their mean: ours).
    """

    kind: Literal["generalized_cross_entropy"] = "generalized_cross_entropy"
    q: float = Field(0.7, gt=0, le=1)
    """The paper's is 0.7."""

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: sy.ObjectiveState
    ) -> Tensor:
        """Mean over B examples of weight times loss; logits and targets are (B, K)."""
        powers = (self.q * logits.float().log_softmax(dim=1)).exp()  # finite slope at p = 0
        each = (targets * (1 - powers) / self.q).sum(dim=1)
        return (weights * each).mean()


def main() -> None:
    study = {
        "name": "own-objective",
        "task": "classification",
        "data": {"generated": "errands", "weak_train": 60, "strong_train": 80, "max_test": 80},
        "supervisors": [sy.Tfidf(voters=3)],
        "student": sy.Classifier(
            model="minilm", layers=2, epochs=2, batch_size=8, max_tokens=32, learning_rate=1e-3
        ),
        "arms": [
            "majority",
            sy.Arm(name="gce", selection=sy.Harden(), objective=GeneralizedCrossEntropy()),
        ],
        "ceiling_epochs": [],  # those of the student; by default held-out truth chooses
        "seeds": 1,
    }
    with TemporaryDirectory() as folder:
        result = sy.study(study, Path(folder) / "run", workers=1)
        print(result)
        curves = result.results["curves"]
        assert curves["gce"]["loss"][-1] < curves["gce"]["loss"][0]  # it is minimised
        assert curves["gce"]["loss"] != curves["majority"]["loss"]  # and is another loss


if __name__ == "__main__":
    main()
