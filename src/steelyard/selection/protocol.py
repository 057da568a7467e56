"""What a selection is to the stages that use it."""

from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from steelyard.types import Reliability, Selection, Votes

Control: TypeAlias = Literal["none", "random_keep", "shuffled_weights"]
"""The control of a selection: its size without its information (see `selection.controls`)."""


class Selector(Protocol):
    """A selection's settings. `BaseSelector` has the defaults."""

    version: ClassVar[int]
    """Raised when selections change without a change of settings."""
    control: ClassVar[Control]
    """The control that is trained for comparison."""
    targets_per_supervisor: ClassVar[bool]
    """Whether it gives the labels of each supervisor, instead of one label per example."""

    @property
    def kind(self) -> str:
        """Its name in study files."""

    @property
    def by_class(self) -> bool:
        """Whether it filters the labels of each class separately."""

    def counted(self, votes: Votes) -> npt.NDArray[np.bool_] | None:
        """Which votes count, (M,); None: all."""

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        """Labels and weights of the examples."""

    def model_dump(self, *, mode: str = ..., exclude: Any = ...) -> dict[str, Any]:
        """Its settings."""


class BaseSelector(BaseModel):
    """Frozen settings of a selection with the defaults of `Selector`; `select` is to be written."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    control: ClassVar[Control] = "none"
    targets_per_supervisor: ClassVar[bool] = False

    @property
    def by_class(self) -> bool:
        return False

    def counted(self, votes: Votes) -> npt.NDArray[np.bool_] | None:
        return None

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        raise NotImplementedError
