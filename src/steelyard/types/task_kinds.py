"""The kinds of task."""

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["classification", "multiple_choice", "preference", "generation"]
