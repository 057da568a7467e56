"""The interface of a selection."""

from typing import ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from steelyard.types import Reliability, Selection, Votes

Control: TypeAlias = Literal["none", "random_keep", "shuffled_weights"]
"""The control of a selection: its size without its information (see `selection.controls`)."""


class BaseSelector(BaseModel):
    """Frozen settings of a selection; a subclass has a `kind` and `select`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    """Raised when selections change without a change of settings."""
    control: ClassVar[Control] = "none"
    """The control that is trained for comparison."""
    targets_per_supervisor: ClassVar[bool] = False
    """Whether it gives the labels of each supervisor, instead of one label per example."""
    takes_one_supervisor: ClassVar[bool] = False
    """Whether a study gives it the votes of a single supervisor, instead of those of all."""

    kind: str
    """Name in study files."""

    @property
    def by_class(self) -> bool:
        """Whether it filters the labels of each class separately."""
        return False

    def counted(self, votes: Votes) -> npt.NDArray[np.bool_] | None:
        """Which votes count, (M,); None: all."""
        return None

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        """Labels and weights of the examples."""
        raise NotImplementedError

    def unfiltered(self, votes: Votes, reliability: Reliability) -> Selection | None:
        """The same targets with nothing filtered, for the control; None: the majority's labels."""
        return None
