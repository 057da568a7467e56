"""Detectable differences, seeds needed and equivalence: by hand, by statistical tables, by draw."""

import numpy as np
import pytest
from scipy.stats import nct, t, ttest_1samp

from steelyard.evaluation import Scores, paired_difference
from steelyard.evaluation.interval import Spread
from steelyard.evaluation.power import (
    detectable_difference,
    equivalence_margin,
    seeds_needed,
)

ONE = np.ones(1)


def parts(items: float, seeds: float, interaction: float, count: int) -> Spread:
    """Variances of the mean over `count` seeds."""
    both = np.array([[interaction]])
    return Spread(
        both, np.array([[items]]) + both, np.array([[seeds]]) + both, 1e9, count - 1, both
    )


def test_the_detectable_difference_by_hand() -> None:
    # normal: (1.959964 + .841621) * .02
    assert detectable_difference(0.02, float("inf")) == pytest.approx(0.0560317, abs=1e-6)
    # 4 degrees of freedom: t .975 = 2.776445, t .8 = .940965
    assert detectable_difference(0.02, 4) == pytest.approx(0.0743482, abs=1e-6)


@pytest.mark.parametrize("freedom", [4, 9, 30])
def test_a_detectable_difference_is_found_in_eighty_percent(freedom: int) -> None:
    """The power of the t test is a tail of the noncentral t, a second formula."""
    shift, bound = detectable_difference(1.0, freedom), t.ppf(0.975, freedom)
    assert 0.79 <= nct.sf(bound, freedom, shift) <= 0.83


def test_the_seeds_needed_are_those_of_a_paired_t_test() -> None:
    # standard deviation over seeds .02, so seeds / 5 = 8e-5; a difference of .02 is 1 standard
    # deviation: G*Power's two-sided paired t test at 5 % and 80 % gives 10 pairs
    assert seeds_needed(0.02, parts(0.0, 0.02**2 / 5, 0.0, 5), ONE) == 10
    assert seeds_needed(-0.02, parts(0.0, 0.0, 0.02**2 / 5, 5), ONE) == 10


def test_no_number_of_seeds_makes_up_for_too_few_items() -> None:
    assert seeds_needed(0.02, parts(0.01**2, 1e-5, 0.0, 5), ONE) is None  # 2.8 * .01 > .02
    assert seeds_needed(0.0, parts(0.0, 1e-5, 0.0, 5), ONE) is None


def test_equivalence_is_schuirmanns_two_tests() -> None:
    values = np.random.default_rng(1).normal(0.004, 0.01, size=8)
    margin = equivalence_margin(values.mean(), values.std(ddof=1) / np.sqrt(8), 7)
    upper = ttest_1samp(values, margin, alternative="less").pvalue
    lower = ttest_1samp(values, -margin, alternative="greater").pvalue
    assert max(upper, lower) == pytest.approx(0.05)


def test_a_difference_of_one_seed_promises_no_power() -> None:
    resampled = np.random.default_rng(2).normal(0.5, 0.02, size=(1, 50))
    scores = [Scores("accuracy", 400, np.array([x]), resampled * x) for x in (0.5, 0.6)]
    result = paired_difference(scores[1], scores[0])
    assert (result.detectable, result.seeds_needed) == (None, None)
    assert result.within > abs(result.difference)
