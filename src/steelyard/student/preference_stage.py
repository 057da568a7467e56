"""A second stage of training: preferences between the student's own answers."""

from typing import Any, ClassVar

from pydantic import Field, model_validator

from steelyard.io.renamed_settings import renamed
from steelyard.models.lm.preference_training import PreferenceTuning


class PreferenceStage(PreferenceTuning):
    """After it has learned to answer, the student writes lists, and the supervisors order them.

    Of each question's list the answer that the supervisors together give the highest probability is
    chosen, the least probable one rejected, and the student is tuned by direct preference
    optimization, with the student before this stage as the reference.

    Source: Cui et al. 2024, arXiv:2406.03199, preference stage (from the authors' code: lists of
        10, beta = 0.1, one epoch, labels taken as certain).
    """

    version: ClassVar[int] = 2  # 2: supervisors are read back after training, as for their votes

    beams: int = Field(10, ge=2, le=64)
    """Number of answers in a list."""
    questions: int | None = Field(None, ge=2)
    """How many training questions get lists; null takes all that the student is trained on."""
    conservative: bool = True
    """Give each pair a flip probability, the share of the supervisors that order it the other way;
    without it the labels are taken as certain."""
    max_flip_probability: float = Field(0.5, gt=0, le=1)
    """Pairs with a larger flip probability are dropped."""

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        return renamed(values, {"max_doubt": "max_flip_probability"})
