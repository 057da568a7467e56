"""Settings of the data: where it comes from, which columns, how many rows of each split."""

import difflib
from typing import Annotated, Literal

import pydantic

from steelyard.data.row_fields import MAX_CHARACTERS

FIELDS = (
    *("id", "text", "label", "question", "choices", "context", "prompt", "answer"),
    *("chosen", "rejected", "pair", "group", "slice"),
)

Count = Annotated[int, pydantic.Field(ge=1)]
Rows = Annotated[int, pydantic.Field(ge=2)]


class Data(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Where the data comes from: two files, a Hub data set (or folder), or an embedded task."""

    train: str | None = None
    """File of the training rows, or with `hub` the name of a split."""
    test: str | dict[str, str] | None = None
    """File of the test rows, or with `hub` the name of a split. Of several test sets a name and a
    file of each: `{own: test.jsonl, xstest: other.jsonl}`; the first is the main one, and every
    other has its floor, ceiling, arms and PGR in the report."""
    draw_test: Count | None = None
    """Number of test rows that are drawn at random from the rows of `train`, and of `test` if it is
    given, the same for every seed. Rows of one group stay together."""
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
    group: str | None = None
    """Column that says which rows belong together, such as questions about one document: a group is
    in one split only, and intervals and tests resample whole groups. A group that the files have in
    both train and test is an error; with `leaks: drop` its train rows are dropped and counted."""
    group_size: Annotated[int, pydantic.Field(ge=2)] | None = None
    """Rows whose `group` ends in a number are grouped by so many numbers in a row: with 4, `row-8`
    to `row-11` are one group."""
    pair: str | None = None
    """Column of a second text that belongs to the first, `text`, such as the clause to a question:
    fine-tuned models and probes read both with the separator of their tokenizer, all else with a
    line break between them. For classification."""
    instruction: str = ""
    """A text that stands before every input, such as what is asked about it."""
    slice: str | None = None
    """Column that names the part of the data that a row belongs to, such as the kind of prompt:
    every metric is reported for each part of the test rows."""
    contradictions: Literal["keep", "drop", "majority"] = "keep"
    """What to do about a text that a file holds twice: keep all rows; keep one row of a text, and
    drop texts with several labels; or keep one with the most frequent label. Of classification."""
    weak_train: int = pydantic.Field(300, ge=0)
    """Number of rows that the supervisors are trained on; 0 for none."""
    strong_train: Rows | None = None
    """Number of rows for the student; null takes all that remain."""
    max_test: Count | None = None
    """Largest number of test rows; null takes all."""
    stratify: bool = False
    """Give every split the class shares of its file. That takes the truth of all rows, also of
    strong_train and test; by default rows are drawn at random, as whoever has no truth must."""
    leaks: Literal["report", "error", "drop"] = "report"
    """What to do about texts that are in two splits, and groups that are in train and test."""
    max_characters: Count = MAX_CHARACTERS
    """A text of this many characters or more is refused."""

    @pydantic.model_validator(mode="after")
    def _check_source(self) -> "Data":
        names = ("train", "test", "hub", "draw_test", "group", "pair", "slice", "instruction")
        files = [name for name in names if getattr(self, name)]
        if self.generated:
            if files:
                raise ValueError(
                    f"`generated: {self.generated}` brings its own rows, but {_ticks(files)} "
                    f"{'is' if len(files) == 1 else 'are'} set too. Remove one or the other."
                )
        elif self.draw_test and self.train and not self.hub and not isinstance(self.test, dict):
            pass
        elif not self.train or not self.test:
            missing = [name for name in ("train", "test") if not getattr(self, name)]
            what = "split names of `hub`" if self.hub else "files"
            raise ValueError(
                f"`train` and `test` must both be given ({what}), {_ticks(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} not. Or set `generated: errands`."
            )
        elif self.draw_test:
            raise ValueError("`draw_test` draws one test set from files; remove it, or the others.")
        elif self.train in self.test_sets.values():
            raise ValueError(f"`train` and `test` must differ, both are {self.train!r}.")
        if self.group_size and not self.all_columns.get("group"):
            raise ValueError("`group_size` needs `group`, the column that ends in numbers.")
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

    @property
    def test_sets(self) -> dict[str, str]:
        """File or split of each test set by its name; the first is the main one."""
        if isinstance(self.test, dict):
            return self.test
        return {"test": self.test} if self.test else {}

    @property
    def all_columns(self) -> dict[str, str]:
        """Columns by field, with `pair`, `group` and `slice`."""
        named = {name: getattr(self, name) for name in ("pair", "group", "slice")}
        return {**self.columns, **{name: column for name, column in named.items() if column}}


def _ticks(names: list[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
