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
from steelyard.evaluation.choice import choose_elsewhere, combine, halve
from steelyard.evaluation.many_arms import simultaneous_differences

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
    shares = {kind: float(np.mean(each)) for kind, each in held.items() if each}
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
    assert ("pgr" in rates) == (seeds >= 3)
    for kind in rates.keys() - {"shown"}:
        assert least <= rates[kind] <= most, (kind, rates)


def arms_of_equal_worth(
    arms: int, seeds: int, effect: float, seed: int
) -> tuple[list[Scores], np.ndarray, np.ndarray]:
    """Naive and arms that are all right in 72 %: scores, answers (arms, S, N) and resamples."""
    rng = np.random.default_rng(seed)
    rank = np.sqrt(0.4) * rng.standard_normal((1, 1, ITEMS))
    rank = rank + np.sqrt(0.2) * rng.standard_normal((arms + 1, 1, ITEMS))
    chance = np.sqrt(0.4) * rng.standard_normal((arms + 1, seeds, ITEMS))
    shared, apart = rng.standard_normal((1, seeds, 1)), rng.standard_normal((arms + 1, seeds, 1))
    shift = effect * (np.sqrt(0.3) * shared + np.sqrt(0.7) * apart)
    right = (ndtr(rank + chance) < 0.72 + shift).astype(np.float64)
    counts = draw_resamples(ITEMS, RESAMPLES, seed).astype(np.float64) / ITEMS
    models = [Scores("accuracy", ITEMS, rows.mean(axis=1), rows @ counts.T) for rows in right]
    return models, right[1:], counts


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "effect"), [(3, 0.01), (5, 0.01), (5, 0.04), (10, 0.04)])
def test_the_best_of_twelve_equal_arms_is_not_overstated(seeds: int, effect: float) -> None:
    """On its own rows the best arm is .02 to .04 too good, and its interval holds 80 to 87 %."""
    together, apart, lead, halves = [], [], [], halve(np.arange(ITEMS))
    for number in range(300):
        models, right, counts = arms_of_equal_worth(12, seeds, effect, number)
        spans = simultaneous_differences(models[1:], models[0])
        together.append(all(span.low <= 0 <= span.high for span in spans))
        parts = np.stack([right[:, :, halves == h].mean(axis=2) for h in (0, 1)], axis=2)
        tables = [[row[:, None] for row in arm] for arm in right]
        rows = np.stack([t[:, 0] for t in combine(tables, choose_elsewhere(parts), halves)])
        best = Scores("accuracy", ITEMS, rows.mean(axis=1), rows @ counts.T)
        span = mean_interval(best)
        apart.append(span.low <= 0.72 <= span.high)
        lead.append(best.value - 0.72)
    assert np.mean(together) >= 0.93
    assert 0.90 <= np.mean(apart) <= 0.99
    assert abs(np.mean(lead)) < 0.005


def coverage_of_groups(groups: int, largest: int, seeds: int, studies: int) -> dict[str, float]:
    """Share of intervals that hold the truth; rows of a group share half of their difficulty.

    Group sizes are uniform on 1 to `largest`; half of what is shared is common to both models.
    `as rows` is the mean's interval that takes rows for independent.
    """
    held: dict[str, list[bool]] = {"mean": [], "difference": [], "as rows": []}
    for number in range(studies):
        rng = np.random.default_rng(number)
        group = np.repeat(np.arange(groups), rng.integers(1, largest + 1, groups))
        size = len(group)
        shared = 0.5 * (rng.standard_normal((1, groups)) + rng.standard_normal((2, groups)))
        rank = shared[:, None, group] + np.sqrt(0.5) * rng.standard_normal((2, seeds, size))
        right = (ndtr(rank) < LEVELS[:2]).astype(np.float64)

        def scores(counts: np.ndarray, items: int, right: np.ndarray = right) -> list[Scores]:
            drawn = right @ counts.T / counts.sum(axis=1)
            return [
                Scores("accuracy", items, rows.mean(axis=1), again)
                for rows, again in zip(right, drawn, strict=True)
            ]

        counts = draw_resamples(size, RESAMPLES, number, groups=group).astype(np.float64)
        weak, student = scores(counts, groups)
        mean, difference = mean_interval(student), paired_difference(student, weak)
        held["mean"].append(mean.low <= 0.72 <= mean.high)
        held["difference"].append(difference.low <= 0.12 <= difference.high)
        rows = draw_resamples(size, RESAMPLES, number).astype(np.float64)
        alone = mean_interval(scores(rows, size)[1])
        held["as rows"].append(alone.low <= 0.72 <= alone.high)
    return {kind: float(np.mean(each)) for kind, each in held.items()}


# Groups are the sample: of a few of different sizes the bootstrap is too rough, and the t quantile
# of (groups - 1) does not make up for it. Numbers are in docs/decisions/0001-intervals.md.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("groups", "seeds", "least", "most"),
    [(100, 1, 0.93, 0.97), (100, 3, 0.93, 0.97), (30, 3, 0.92, 0.97), (5, 3, 0.84, 0.935)],
)
def test_coverage_of_rows_in_groups(groups: int, seeds: int, least: float, most: float) -> None:
    rates = coverage_of_groups(groups, largest=400 // groups, seeds=seeds, studies=1000)
    assert least <= rates["mean"] <= most, rates
    assert least - 0.01 <= rates["difference"] <= most + 0.03, rates
    assert rates["as rows"] < 0.9
