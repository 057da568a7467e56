"""The alternative annotator test: may this model replace the people who label?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.diagnostics.agreement import Scale
from steelyard.diagnostics.voter_pairs import answer_table, disagreement
from steelyard.errors import ConfigError
from steelyard.types import ABSTAIN, Floats, Ints, Votes

EPSILON = 0.15
"""Advantage of a person that is given up for the lower price of a model."""
EPSILONS = (0.1, 0.15, 0.2)
"""For people who are crowd workers, skilled annotators, experts."""
LEVEL = 0.05
FEWEST_ITEMS = 30  # for the t test; Wilcoxon's signed ranks below it
FEWEST_PEOPLE = 3


@dataclass(frozen=True)
class Comparison:
    """The model against one person, both by their agreement with the other people."""

    person: str
    items: int  # answered by the model, the person and at least one more person
    model_wins: float  # share of the items where the model agrees at least as well
    person_wins: float  # share of the items where the person agrees at least as well
    p: float  # of: the person's advantage is epsilon or more
    rejected: bool  # after the correction for the number of people


@dataclass(frozen=True)
class AlternativeAnnotator:
    """Whether one model may replace the people."""

    voter: str
    epsilon: float
    winning_rate: float  # share of the people against whom the model stands the test
    advantage: float  # mean over the people of `model_wins`
    passes: bool  # winning rate at least 0.5
    people: tuple[Comparison, ...]


def alternative_annotator(
    votes: Votes,
    model: str,
    people: Sequence[str],
    *,
    epsilon: float = EPSILON,
    scale: Scale = "nominal",
) -> AlternativeAnnotator | None:
    """Test whether a model may replace human annotators.

    Person j is set aside. On the items that j, the model f and at least one other person answered,
    S(x, i) is the mean agreement of x with the other people (on a scale: minus the squared
    distance). With W_f = 1 where S(f) >= S(j), W_j = 1 where S(j) >= S(f), and d = W_j - W_f,

        H0: mean d >= epsilon,   a one-sided t test (Wilcoxon's signed ranks below 30 items)

    and the Benjamini-Yekutieli procedure at 0.05 over the people. The winning rate is the share of
    people whose H0 is rejected; at 0.5 and more the model may replace them.

    Args:
        votes: of the model and the people.
        model: name of the voter that is tested.
        people: names of the other voters.
        epsilon: advantage of a person that is given up for the price of a model, in [0, 1).
        scale: of the classes.

    Returns:
        None with fewer than three people who share items with the model.

    Raises:
        ConfigError: an unknown voter, or one that is both model and person.

    Source: Calderon, Reichart and Dror 2025, arXiv:2501.10970; Benjamini and Yekutieli 2001,
        doi:10.1214/aos/1013699998.
    """
    for name in (model, *people):
        if name not in votes.voters:
            raise ConfigError(f"{name!r} is not a voter; there are {', '.join(votes.voters[:12])}.")
    if model in people:
        raise ConfigError(f"{model!r} is the model that is tested; it cannot be a person too.")
    table = answer_table(votes, len(votes.voters))
    column = {votes.voters[v]: i for i, v in enumerate(table.voters)}
    if model not in column:
        return None
    kept = [name for name in people if name in column]
    answers = table.answer[:, [column[name] for name in kept]]
    of_model = table.answer[:, column[model]]
    weights = disagreement(votes.class_names, scale) if scale != "nominal" else None
    tests = [_compare(of_model, answers, j, weights) for j in range(len(kept))]
    tested = [(name, *test) for name, test in zip(kept, tests, strict=True) if test is not None]
    if len(tested) < FEWEST_PEOPLE:
        return None
    p = np.array([_p_value(difference, epsilon) for _, _, _, difference in tested])
    rejected = benjamini_yekutieli(p)
    comparisons = tuple(
        Comparison(name, len(difference), model_wins, person_wins, float(p[j]), bool(rejected[j]))
        for j, (name, model_wins, person_wins, difference) in enumerate(tested)
    )
    rate = float(rejected.mean())
    return AlternativeAnnotator(
        voter=model,
        epsilon=epsilon,
        winning_rate=rate,
        advantage=float(np.mean([comparison.model_wins for comparison in comparisons])),
        passes=rate >= 0.5,
        people=comparisons,
    )


def _compare(
    model: Ints, people: Ints, j: int, weights: Floats | None
) -> tuple[float, float, Floats] | None:
    """Shares of items that model and person j win, and the differences of the wins, (n,)."""
    others = np.delete(people, j, axis=1)
    present = others != ABSTAIN
    rows = (model != ABSTAIN) & (people[:, j] != ABSTAIN) & present.any(axis=1)
    if rows.sum() < 2:
        return None
    score_model, score_person = (
        _alignment(answer[rows], others[rows], present[rows], weights)
        for answer in (model, people[:, j])
    )
    model_wins = (score_model >= score_person - 1e-12).astype(float)
    person_wins = (score_person >= score_model - 1e-12).astype(float)
    return float(model_wins.mean()), float(person_wins.mean()), person_wins - model_wins


def _alignment(
    answer: Ints, others: Ints, present: npt.NDArray[np.bool_], weights: Floats | None
) -> Floats:
    """Mean agreement of each answer with the answers of the others, (n,)."""
    if weights is None:
        same = (others == answer[:, None]).astype(float)
    else:
        same = -weights[answer[:, None], np.maximum(others, 0)]
    total: Floats = (same * present).sum(axis=1) / present.sum(axis=1)
    return total


def _p_value(difference: Floats, epsilon: float) -> float:
    """P of differences so small if the person's advantage were `epsilon`."""
    from scipy import stats

    shifted = difference - epsilon
    if len(difference) < FEWEST_ITEMS:
        return float(stats.wilcoxon(shifted, alternative="less").pvalue)
    if np.ptp(difference) == 0:
        return 0.0 if shifted[0] < 0 else 1.0
    return float(stats.ttest_1samp(difference, epsilon, alternative="less").pvalue)


def benjamini_yekutieli(p: Floats, level: float = LEVEL) -> npt.NDArray[np.bool_]:
    """Which hypotheses are rejected at this false discovery rate under any dependence, (m,).

    The largest r with p_(r) <= r level / (m sum_{i <= m} 1 / i), and all with smaller p.
    """
    m = len(p)
    order = np.argsort(p, kind="stable")
    limit = level * np.arange(1, m + 1) / (m * (1 / np.arange(1, m + 1)).sum())
    below = np.flatnonzero(p[order] <= limit)
    rejected = np.zeros(m, dtype=bool)
    rejected[order[: below[-1] + 1 if len(below) else 0]] = True
    return rejected
