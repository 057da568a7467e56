"""A reliability estimator of your own: voters weighted by how often they agree with the majority.

The class needs no change of the package: give an object of it to `sy.weigh`, or to an arm of
`sy.study`. To name it in study files (`reliability: weighted_share`) and in
`steelyard weigh --method weighted_share`, put the class into an installed package with

    [project.entry-points."steelyard.plugins"]
    weighted_share = "my_package.weighted_share:WeightedShare"
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

import steelyard as sy


class WeightedShare(sy.VoteEstimator):
    """Reliability as the winning answer's share of the voters' weights.

    With n_v the readable votes of voter v, and m_v those that are the majority's answer,

        w_v = (m_v + s) / (n_v + 2 s)        score = max_a sum_{v: votes a} w_v / sum_v w_v

    An example without a readable vote has a uniform posterior and score 0.
    """

    version: ClassVar[int] = 1  # raise it when results change without a change of settings

    kind: Literal["weighted_share"] = "weighted_share"
    smoothing: float = Field(1.0, gt=0)
    """s: how many votes a new voter is believed to have given, half of them with the majority."""

    def estimate(self, votes: sy.Votes, gold: np.ndarray | None = None) -> sy.Reliability:
        read = votes.answer != sy.ABSTAIN
        example, voter, answer = votes.example[read], votes.voter[read], votes.answer[read]
        with_majority = answer == votes.shares().argmax(axis=1)[example]
        cast = np.bincount(voter, minlength=len(votes.voters))
        agreed = np.bincount(voter, weights=with_majority, minlength=len(votes.voters))
        weight = (agreed + self.smoothing) / (cast + 2 * self.smoothing)
        mass = np.zeros((len(votes.ids), votes.num_classes))
        np.add.at(mass, (example, answer), weight[voter])
        total = mass.sum(axis=1, keepdims=True)
        posterior = np.divide(mass, total, out=votes.uniform(), where=total > 0)
        score = np.where(total[:, 0] > 0, posterior.max(axis=1), 0.0)
        return sy.Reliability(votes.ids, posterior, np.clip(score, 0, 1))


def main() -> None:
    table = np.array([[0, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1], [sy.ABSTAIN] * 3])
    rows, columns = np.indices(table.shape)
    votes = sy.Votes(
        ids=("all for no", "cy alone", "cy alone again", "all for yes", "nobody"),
        voters=("ann", "bo", "cy"),
        queries=("unchanged",),
        example=rows.ravel(),
        voter=columns.ravel(),
        query=np.zeros(table.size, dtype=np.int64),
        answer=table.ravel(),
        candidates=np.full(len(table), 2),
        classes=("no", "yes"),
    )
    mine, plain = WeightedShare().estimate(votes), sy.VoteShare().estimate(votes)
    for i, name in enumerate(votes.ids):
        label = votes.classes[mine.posterior[i].argmax()] if mine.score[i] else "-"
        print(f"{name:<15} {label:<4} share {plain.score[i]:.3f}  weighted {mine.score[i]:.3f}")
    # By hand: ann and bo weigh (4 + 1) / (4 + 2) = 5/6, cy weighs (2 + 1) / (4 + 2) = 1/2, so
    # where cy is alone the score is (5/3) / (5/3 + 1/2) = 10/13.
    np.testing.assert_allclose(mine.score, [1, 10 / 13, 10 / 13, 1, 0])
    summary = sy.weigh(votes, [WeightedShare()]).summary
    print("estimators:", ", ".join(summary["methods"]))
    arm = sy.Arm(name="mine", reliability=WeightedShare(), selection=sy.KeepMostReliable())
    print("an arm of a study:", arm.name, "with", arm.reliability.kind)
    selection = sy.KeepMostReliable(fraction=0.5).select(votes, mine)
    print("kept:", ", ".join(np.array(votes.ids)[selection.weights > 0]))


if __name__ == "__main__":
    main()
