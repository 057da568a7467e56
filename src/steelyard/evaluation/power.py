"""What a study could have found: detectable differences, seeds needed, equivalence."""

import numpy as np

from steelyard.evaluation.interval import Spread, quantile
from steelyard.types import Floats

POWER = 0.8
MOST_SEEDS = 1000  # more seeds than anybody trains


def detectable_difference(error: float, freedom: float) -> float:
    """The true difference that a two-sided test at 5 % finds in about 80 % of such studies.

    (t of .975 + t of .8) * standard error, both with the degrees of freedom of the error.

    >>> round(detectable_difference(0.01, float("inf")), 4)
    0.028

    Source: Bloom 1995, doi:10.1177/0193841X9501900504 (minimum detectable effects).
    """
    return (quantile(freedom) + quantile(freedom, POWER)) * error


def seeds_needed(difference: float, parts: Spread, contrast: Floats) -> int | None:
    """Seeds with which a true difference of this size is found in about 80 % of studies.

    The variance with s in place of S seeds is items / N + (seeds + interaction / N) / s, with
    components below 0 set to 0. None if more than 1,000 would be needed: the test items are then
    too few, whatever the number of seeds, or the difference is 0.

    Args:
        difference: in units of the metric; the sign does not matter.
        parts: of a study with at least two seeds.
        contrast: (Q,), the weights of the scores in the difference.
    """
    interaction, items, seeds = (
        float(contrast @ part @ contrast) for part in (parts.interaction, parts.items, parts.seeds)
    )
    interaction = max(0.0, interaction)
    fixed, training = max(0.0, items - interaction), max(0.0, seeds - interaction) + interaction
    wanted = np.arange(2, MOST_SEEDS + 1)
    shrunk = training * (parts.seeds_freedom + 1) / wanted
    variance = fixed + shrunk
    with np.errstate(divide="ignore"):
        freedom = variance**2 / (shrunk**2 / (wanted - 1) + fixed**2 / parts.items_freedom)
    from scipy.special import stdtrit

    upper = stdtrit(freedom, 0.975) + stdtrit(freedom, POWER)
    enough = np.flatnonzero(upper * np.sqrt(variance) <= abs(difference))
    return int(wanted[enough[0]]) if len(enough) else None


def equivalence_margin(difference: float, error: float, freedom: float) -> float:
    """The smallest margin within which two models are shown to be equivalent at 5 %.

    Two one-sided tests reject differences outside (-margin, margin) if the 90 % interval lies
    inside: margin = |difference| + t of .95 * standard error.

    >>> round(equivalence_margin(0.002, 0.01, float("inf")), 4)
    0.0184

    Source: Schuirmann 1987, doi:10.1007/BF01068419.
    """
    return abs(difference) + quantile(freedom, 0.95) * error
