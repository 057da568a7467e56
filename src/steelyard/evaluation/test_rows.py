"""What a metric may need to know of the rows that it scores."""

from collections.abc import Mapping
from dataclasses import dataclass

from steelyard.errors import InputError
from steelyard.types import Ints


@dataclass(frozen=True, eq=False)
class TestRows:
    """What a metric may need to know of the test items, beside the answers to them."""

    __test__ = False  # not a test of pytest

    classes: tuple[str, ...]
    truth: Ints  # (N,), class numbers
    groups: Ints | None = None  # (N,), group numbers; None where the data names no groups

    def class_number(self, name: str, metric: str) -> int:
        """The number of a class that is the truth of at least one row.

        Raises:
            InputError: there is no such class, or no row of it.
        """
        if name not in self.classes:
            raise InputError(
                f"`metric: {metric}` names the class {name!r}, and the classes are "
                f"{', '.join(map(repr, self.classes))}."
            )
        number = self.classes.index(name)
        if not (self.truth == number).any():
            raise InputError(
                f"`{metric}` is not defined here: no test row is of class {name!r}. Take other "
                "test rows, or another metric."
            )
        return number


def check_names(names: Mapping[str, object], rows: TestRows, metric: str) -> None:
    """Refuse names that are no class of the task."""
    for name in names:
        if name not in rows.classes:
            rows.class_number(name, metric)
