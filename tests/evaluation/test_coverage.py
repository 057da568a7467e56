"""Do 95 % intervals hold the truth in 95 % of simulated studies?

Population: model m is right about item i in seed s if a uniform number is the normal rank of

    sqrt(item) z_i + sqrt(model) z_mi + sqrt(1 - item - model) z_msi:

hard items, items hard for one model, and chance. The effects of a seed are normal with mean 0 and
are partly shared by the models. So PGR is (.72 - .60) / (.80 - .60) = .6 exactly.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import ndtr

from steelyard.evaluation import (
    Scores,
    draw_resamples,
    mean_interval,
    paired_difference,
    performance_gap_recovered,
)

LEVELS = np.array([0.60, 0.72, 0.80])[:, None, None]
ITEMS, RESAMPLES, STUDIES = 400, 200, 1000


@dataclass(frozen=True)
class Population:
    item: float  # share of difficulty common to all models
    model: float  # share of difficulty for one model in all its seeds
    effect: float  # standard deviation of a seed's effect on accuracy

    def draw(self, seeds: int, seed: int) -> list[Scores]:
        """Weak supervisor, student and ceiling of one study."""
        rng = np.random.default_rng(seed)
        rank = np.sqrt(self.item) * rng.standard_normal((1, 1, ITEMS))
        rank = rank + np.sqrt(self.model) * rng.standard_normal((3, 1, ITEMS))
        chance = np.sqrt(1 - self.item - self.model) * rng.standard_normal((3, seeds, ITEMS))
        shared, apart = rng.standard_normal((1, seeds, 1)), rng.standard_normal((3, seeds, 1))
        effect = self.effect * (np.sqrt(0.3) * shared + np.sqrt(0.7) * apart)
        right = (ndtr(rank + chance) < LEVELS + effect).astype(np.float64)
        counts = draw_resamples(ITEMS, RESAMPLES, seed).astype(np.float64)
        resampled = (right.reshape(-1, ITEMS) @ counts.T / ITEMS).reshape(3, seeds, -1)
        return [Scores("accuracy", ITEMS, right[m].mean(axis=1), resampled[m]) for m in range(3)]


POPULATIONS = {
    "balanced": Population(item=0.4, model=0.2, effect=0.02),
    "seed effects": Population(item=0.4, model=0.1, effect=0.06),
    "item effects": Population(item=0.5, model=0.49, effect=0.0005),
    "interaction": Population(item=0.1, model=0.0, effect=0.0),
}


def coverage(name: str, seeds: int, studies: int = STUDIES) -> dict[str, float]:
    """Share of intervals that hold the truth; of PGR among the studies that have one."""
    held: dict[str, list[bool]] = {"pgr": [], "difference": [], "mean": []}
    for number in range(studies):
        weak, student, ceiling = POPULATIONS[name].draw(seeds, number)
        pgr = performance_gap_recovered(weak, student, ceiling).interval
        if pgr is not None:
            held["pgr"].append(pgr.low <= 0.6 <= pgr.high)
        difference = paired_difference(student, weak)
        held["difference"].append(difference.low <= 0.12 <= difference.high)
        mean = mean_interval(student)
        held["mean"].append(mean.low <= 0.72 <= mean.high)
    shares = {kind: float(np.mean(each)) for kind, each in held.items()}
    return shares | {"shown": len(held["pgr"]) / studies}


def test_pgr_of_five_seeds_is_held_in_ninety_five_percent_of_studies() -> None:
    rates = coverage("balanced", seeds=5)
    assert rates["shown"] == 1.0
    assert 0.93 <= rates["pgr"] <= 0.975
    assert 0.93 <= rates["difference"] <= 0.975
    assert 0.93 <= rates["mean"] <= 0.975


# Bounds around the coverage measured in docs/decisions/0001-intervals.md. Too wide if models
# differ by chance alone: a variance below 0 is set to 0. A little too narrow if three seeds
# make all the difference: their two degrees of freedom are themselves estimated.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seeds", "least", "most"),
    [
        ("item effects", 1, 0.93, 0.975),
        ("interaction", 1, 0.93, 0.975),
        ("balanced", 3, 0.93, 0.98),
        ("seed effects", 3, 0.90, 0.975),
        ("item effects", 3, 0.93, 0.975),
        ("interaction", 3, 0.96, 1.0),
        ("seed effects", 5, 0.93, 0.975),
        ("item effects", 5, 0.93, 0.975),
        ("interaction", 5, 0.96, 1.0),
    ],
)
def test_coverage_in_one_sided_populations(
    name: str, seeds: int, least: float, most: float
) -> None:
    rates = coverage(name, seeds)
    for kind in ("pgr", "difference", "mean"):
        assert least <= rates[kind] <= most, (kind, rates)
