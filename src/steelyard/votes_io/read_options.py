"""How the user says that a votes file is to be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from steelyard.errors import ConfigError

COLUMNS = ("id", "voter", "answer", "query", "probabilities", "reason")
ROW_NUMBER = "#"
"""The name of a column, for `id`, that stands for the number of the row."""


@dataclass(frozen=True)
class ReadOptions:
    """Names of columns, the voters that count, and the answers that abstain."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Role (id, voter, answer, query, probabilities, reason) -> the file's name of the column."""
    voters: tuple[str, ...] = ()
    """The only voters that count; columns of a file with one column per voter. Empty: all."""
    without: tuple[str, ...] = ()
    """Voters that do not count."""
    abstain: tuple[str, ...] = ()
    """Answers that abstain, besides empty ones; case and outer white space do not matter."""

    def __post_init__(self) -> None:
        for role in self.columns:
            if role not in COLUMNS:
                raise ConfigError(
                    f"`columns`: {role!r} is no column of votes; they are {', '.join(COLUMNS)}."
                )
        for name in sorted({*self.voters} & {*self.without}):
            raise ConfigError(f"{name!r} is in `voters` and in `without`; remove it from one.")

    def abstains(self, value: object) -> bool:
        """Whether an answer is one of `abstain`."""
        return bool(self.abstain) and _folded(value) in {_folded(text) for text in self.abstain}


def _folded(value: object) -> str:
    text = str(value).strip().casefold()
    return text.removesuffix(".0") if text.lstrip("+-").removesuffix(".0").isdigit() else text


READ_AS_IS = ReadOptions()
