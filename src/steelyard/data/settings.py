"""Settings of the data: where it comes from, which columns, how many rows of each split."""

import difflib
from typing import Annotated, Literal

import pydantic

from steelyard.data.row_fields import MAX_CHARACTERS

FIELDS = (
    *("id", "text", "label", "question", "choices", "context", "prompt", "answer"),
    *("chosen", "rejected"),
)

Count = Annotated[int, pydantic.Field(ge=1)]
Rows = Annotated[int, pydantic.Field(ge=2)]


class Data(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Where the data comes from: two files, a Hub data set (or folder), or an embedded task."""

    train: str | None = None
    """File of the training rows, or with `hub` the name of a split."""
    test: str | None = None
    """File of the test rows, or with `hub` the name of a split."""
    hub: str | None = None
    """Name of a data set on the Hugging Face Hub, or a folder that `datasets` can read."""
    subset: str | None = None
    """Configuration of the Hub data set."""
    revision: str | None = None
    """Commit or tag of the Hub data set."""
    generated: Literal["errands"] | None = None
    """Embedded task, which needs no file."""
    columns: dict[str, str] = {}
    """Column names of the files, by field: `{text: sentence}`."""
    weak_train: int = pydantic.Field(300, ge=0)
    """Number of rows that the supervisors are trained on; 0 for none."""
    strong_train: Rows | None = None
    """Number of rows for the student; null takes all that remain."""
    max_test: Count | None = None
    """Largest number of test rows; null takes all."""
    stratify: bool = True
    """Give every split the class shares of its file, which takes the truth of all rows, also of
    strong_train and test; false draws rows at random, as whoever has no truth must."""
    leaks: Literal["report", "error", "drop"] = "report"
    """What to do about texts that are in two splits."""
    max_characters: Count = MAX_CHARACTERS
    """A text of this many characters or more is refused."""

    @pydantic.model_validator(mode="after")
    def _check_source(self) -> "Data":
        files = [name for name in ("train", "test", "hub") if getattr(self, name)]
        if self.generated:
            if files:
                raise ValueError(
                    f"`generated: {self.generated}` brings its own rows, but {_ticks(files)} "
                    f"{'is' if len(files) == 1 else 'are'} set too. Remove one or the other."
                )
        elif not self.train or not self.test:
            missing = [name for name in ("train", "test") if not getattr(self, name)]
            what = "split names of `hub`" if self.hub else "files"
            raise ValueError(
                f"`train` and `test` must both be given ({what}), {_ticks(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} not. Or set `generated: errands`."
            )
        elif self.train == self.test:
            raise ValueError(f"`train` and `test` must differ, both are {self.train!r}.")
        only_hub = [name for name in ("subset", "revision") if getattr(self, name)]
        if only_hub and not self.hub:
            raise ValueError(f"{_ticks(only_hub)} belongs to `hub`, which is not set.")
        return self

    @pydantic.field_validator("columns")
    @classmethod
    def _check_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        for name in columns:
            if name not in FIELDS:
                near = difflib.get_close_matches(name, FIELDS, n=1)
                hint = f"Did you mean {near[0]!r}? " if near else ""
                raise ValueError(
                    f"`columns` must map our field names to the file's columns; {name!r} is no "
                    f"field of ours. {hint}Fields are {', '.join(FIELDS)}."
                )
        return columns


def _ticks(names: list[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
