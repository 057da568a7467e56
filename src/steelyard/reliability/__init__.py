"""3. Votes to Reliability: how far can each weak label be trusted?

A new estimator is one file, one name in `Estimator` and one test. Its verb is
`estimate(votes, gold=None)`: `gold` (N,) has the true answer of trusted examples and ABSTAIN
elsewhere. Estimators that learn about voters hold these answers fixed, the others pass over them.
"""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.reliability.agreement import VoteEntropy, VoteShare
from steelyard.reliability.confidence import Confidence, Margin

Estimator: TypeAlias = Annotated[
    VoteShare | VoteEntropy | Confidence | Margin, Field(discriminator="kind")
]
ESTIMATORS = {
    cls.model_fields["kind"].default: cls for cls in (VoteShare, VoteEntropy, Confidence, Margin)
}

__all__ = ["ESTIMATORS", "Confidence", "Estimator", "Margin", "VoteEntropy", "VoteShare"]
