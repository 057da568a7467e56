"""What a selection is to the stages that use it."""

from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from steelyard.types import Reliability, Selection, Votes

Control: TypeAlias = Literal["none", "random_keep", "shuffled_weights"]
"""How the information of a selection can be taken away (see `selection.controls`)."""


class Selector(Protocol):
    """A selection's settings. `BaseSelector` has the defaults."""

    version: ClassVar[int]
    """Raised when selections change without a change of settings."""
    control: ClassVar[Control]
    """The control that is run beside it."""
    keeps_supervisors_apart: ClassVar[bool]
    """Whether it has the labels of each supervisor, and not one label for each example."""

    @property
    def kind(self) -> str:
        """Its name in study files."""

    @property
    def by_class(self) -> bool:
        """Whether it filters the labels of each class by themselves."""

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
    keeps_supervisors_apart: ClassVar[bool] = False

    @property
    def by_class(self) -> bool:
        return False

    def counted(self, votes: Votes) -> npt.NDArray[np.bool_] | None:
        return None

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        raise NotImplementedError
