"""A second stage of training: preferences between the student's own answers."""

from typing import ClassVar

from pydantic import Field

from steelyard.models.lm.dpo import PreferenceTuning


class PreferenceStage(PreferenceTuning):
    """After it has learnt to answer, the student writes lists, and the supervisors order them.

    Of each question's list the answer that the supervisors together find most probable is chosen,
    the least probable one rejected, and the student is tuned by direct preference optimization,
    with what it was before as the reference.

    Source: Cui et al. 2024, arXiv:2406.03199, preference stage (from the authors' code: lists of
        10, beta = 0.1, one epoch, no doubt).
    """

    version: ClassVar[int] = 2  # 2: supervisors are read back after training, as for their votes

    beams: int = Field(10, ge=2, le=64)
    """Answers of a list."""
    questions: int | None = Field(None, ge=2)
    """Of how many training questions lists are written; None: of all that are taught."""
    conservative: bool = True
    """Doubt each pair by the share of the supervisors that would order it the other way; without,
    the labels are taken as sure."""
    max_doubt: float = Field(0.5, gt=0, le=1)
    """Pairs that the supervisors doubt more than this are left out."""
