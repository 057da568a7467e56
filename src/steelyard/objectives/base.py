"""What the settings of all objectives share."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from steelyard.types import Floats, SupervisorTargets

if TYPE_CHECKING:
    from steelyard.objectives.state import Objective as Running


class BaseObjective(BaseModel):
    """What all objectives share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    version: ClassVar[int] = 1
    several: ClassVar[bool] = False
    """Whether it hears each supervisor: then the selection must keep them apart."""
    tokens: ClassVar[bool] = False
    """Whether it is of single tokens, which a language model alone has."""

    by_entropy: ClassVar[bool] = False
    """Whether it takes the entropy of the supervisors' lists of answers."""

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        """The objective of one training run.

        Args:
            targets: (N, K), of the kept examples.
            apart: the same examples' labels by supervisor, where `several`.
        """
        raise NotImplementedError


_Objective = BaseObjective
