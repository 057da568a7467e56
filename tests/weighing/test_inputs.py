"""`sy.weigh` takes files, data frames, rows and tables, and truth in any of their forms."""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import steelyard as sy
from steelyard.errors import InputError

LONG = [
    {"id": f"q{i}", "voter": voter, "answer": answer}
    for i, answers in enumerate(["yyn", "nnn", "yny", "nny"])
    for voter, answer in zip(("ann", "bob", "cyd"), answers, strict=True)
]
WIDE = pd.DataFrame(LONG).pivot(index="id", columns="voter", values="answer")
EXPECTED = {"q0": "y", "q1": "n", "q2": "y", "q3": "n"}
TRUE = {"q0": "y", "q1": "y", "q3": "n"}  # 2 of 3 labels are right


def file(folder: Path) -> Path:
    pd.DataFrame(LONG).to_csv(folder / "votes.csv", index=False)
    return folder / "votes.csv"


def nested() -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            "votes": [
                {"annotator": row["voter"], "label": row["answer"]}
                for row in LONG
                if row["id"] == name
            ],
        }
        for name in EXPECTED
    ]


VOTES = {
    "crowd-kit's data frame": lambda _: pd.DataFrame(LONG).rename(
        columns={"id": "task", "voter": "worker", "answer": "label"}
    ),
    "file": lambda folder: file(folder),
    "file's name": lambda folder: str(file(folder)),
    "long data frame": lambda _: pd.DataFrame(LONG),
    "long data frame, categories": lambda _: pd.DataFrame(LONG).astype("category"),
    "long data frame, pandas strings": lambda _: pd.DataFrame(LONG).astype("string"),
    "long data frame by id": lambda _: pd.DataFrame(LONG).set_index("id"),
    "long data frame by id and voter": lambda _: pd.DataFrame(LONG).set_index(["id", "voter"]),
    "long data frame, some of its rows": lambda _: pd.DataFrame(LONG * 2).iloc[len(LONG) :],
    "wide data frame by id": lambda _: WIDE,
    "wide data frame by another name": lambda _: WIDE.rename_axis("mail"),
    "wide data frame by nameless ids": lambda _: WIDE.rename_axis(None).rename_axis(columns=None),
    "wide data frame": lambda _: WIDE.reset_index(),
    "wide data frame, objects": lambda _: WIDE.astype(object),
    "rows": lambda _: LONG,
    "tuple of rows": lambda _: tuple(LONG),
    "nested rows": lambda _: nested(),
    "wide rows": lambda _: WIDE.reset_index().to_dict("records"),
    "table": lambda _: sy.weigh(LONG, ["majority"]).votes,
}
TRUTHS = {
    "mapping": lambda _: TRUE,
    "series": lambda _: pd.Series(TRUE),
    "series with gaps": lambda _: pd.Series({**TRUE, "q2": None}),
    "named series": lambda _: pd.Series(TRUE, name="expert").rename_axis("mail"),
    "data frame": lambda _: pd.DataFrame({"id": list(TRUE), "truth": list(TRUE.values())}),
    "data frame of labels": lambda _: pd.DataFrame({"task": list(TRUE), "label": TRUE.values()}),
    "more than the votes": lambda _: {**TRUE, "q7": "y", "q8": "maybe"},
    "data frame by id": lambda _: pd.DataFrame({"truth": TRUE}),
    "rows": lambda _: [{"id": name, "truth": answer} for name, answer in TRUE.items()],
    "names": lambda _: ["y", "y", None, "n"],
    "array of names": lambda _: np.array(["y", "y", "", "n"]),
    "array of numbers": lambda _: np.array([1, 1, sy.ABSTAIN, 0]),
    "list of numbers": lambda _: [1, 1, -1, 0],
    "class numbers by id": lambda _: {"q0": 1, "q1": np.int64(1), "q3": 0.0},
    "file": lambda folder: truth_file(folder),
    "file's name": lambda folder: str(truth_file(folder)),
}


def truth_file(folder: Path) -> Path:
    pd.DataFrame({"id": list(TRUE), "truth": list(TRUE.values())}).to_csv(
        folder / "truth.csv", index=False
    )
    return folder / "truth.csv"


@pytest.mark.parametrize("given_as", VOTES)
def test_votes_in_every_form_are_the_same(tmp_path: Path, given_as: str) -> None:
    result = sy.weigh(VOTES[given_as](tmp_path), ["majority"])
    assert result.label_by_id == EXPECTED
    assert sorted(result.votes.voters) == ["ann", "bob", "cyd"]
    assert result.reliabilities["majority"].score.round(3).tolist() == [0.667, 1, 0.667, 0.667]


@pytest.mark.parametrize("given_as", TRUTHS)
@pytest.mark.parametrize("votes", ["long data frame", "table", "file"])
def test_truth_in_every_form_judges_the_same(tmp_path: Path, given_as: str, votes: str) -> None:
    truth = TRUTHS[given_as](tmp_path)
    result = sy.weigh(VOTES[votes](tmp_path), ["majority"], truth=truth)
    assert result.summary["truth"]["items"] == 3
    assert result.summary["methods"]["majority"]["accuracy"] == 2 / 3
    held = sy.weigh(VOTES[votes](tmp_path), ["majority"], gold=truth)
    assert held.label_by_id == {**EXPECTED, **TRUE}


def test_truth_may_be_a_column_of_the_data_frame() -> None:
    frame = pd.DataFrame(LONG).assign(expert=[TRUE.get(row["id"]) for row in LONG])
    result = sy.weigh(frame, ["majority"], truth="expert")
    assert result.summary["methods"]["majority"]["accuracy"] == 2 / 3
    with pytest.raises(sy.InputError, match="the data frame has no column 'exprt'"):
        sy.weigh(frame, ["majority"], truth="exprt")


def test_numbers_with_gaps_are_classes_and_abstentions() -> None:
    """As pandas holds them: a float column with nan, a nullable one, one of objects."""
    for dtype in ("float", "Int64", object):
        wide = pd.DataFrame({"id": ["a", "b"], "ann": [1, None], "bob": [1, 0]})
        wide["ann"] = (
            pd.array([1, None], dtype="Int64").astype(dtype, copy=True)
            if (dtype == "Int64")
            else pd.Series([1, None], dtype=dtype)
        )
        result = sy.weigh(wide, ["majority"], classes=["no", "yes"])
        assert result.label_by_id == {"a": "yes", "b": "no"}, dtype
        assert len(result.votes.answer) == 3


def test_soft_votes_may_be_arrays() -> None:
    rows = [
        {"id": "a", "voter": v, "answer": "yes", "probabilities": np.array([0.2, 0.8])}
        for v in ("ann", "bob")
    ]
    votes = sy.weigh(rows, ["majority"], classes=["no", "yes"]).votes
    assert votes.probs is not None
    assert votes.probs.tolist() == [[0.2, 0.8], [0.2, 0.8]]


def test_open_answers_in_memory() -> None:
    rows = [("a", "ann", "$1,200"), ("a", "bob", 1200), ("a", "cyd", "7")]
    frame = pd.DataFrame(rows, columns=["id", "voter", "answer"])
    result = sy.weigh(frame, ["majority"], answers="number", truth={"a": "1200"})
    assert result.label_by_id == {"a": "1200"}
    assert result.summary["methods"]["majority"]["accuracy"] == 1.0
    with pytest.raises(sy.InputError, match=r"must be an array \(N,\) of candidate numbers"):
        sy.weigh(result.votes, ["majority"], truth={"a": "1200"})


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "`votes` must be a file, a pandas DataFrame or a list of rows"),
    "number": (3, "got a int"),
    "mapping": ({"id": ["a"]}, "got a dict"),
    "bytes": (b"votes.csv", "got a bytes"),
    "series": (pd.Series([1]), "got a Series"),
    "array": (np.zeros((2, 2)), "got a ndarray"),
    "no rows": ([], "`votes` has no rows"),
    "no rows of a frame": (pd.DataFrame(LONG).head(0), "`votes` has no rows"),
    "rows of another kind": ([*LONG, ("q1", "ann", "y")], "row 13 of `votes` must be a mapping"),
    "a column twice": (
        pd.DataFrame([["a", 1, 2]], columns=["id", "v", "v"]),
        "the data frame has a column 'v' twice",
    ),
    "no id": (
        pd.DataFrame({"voter": ["a"], "answer": ["y"]}),
        "the data frame: column `id` is missing",
    ),
    "a mistake": (
        [*LONG, {"id": "q9", "voter": "dan", "answer": True}],
        "row 13 of the list of rows: answer True of 'dan' on 'q9' is no class",
    ),
    "a fraction": (
        pd.DataFrame({"id": ["a", "b"], "v": [0.5, 1.0], "w": [1.0, 1.0]}),
        "row 1 of the data frame: answer 0.5 of 'v' on 'a'",
    ),
    "a voter twice": ([*LONG, LONG[0]], "row 13 of the list of rows: 'ann' votes on 'q0' a second"),
    "an id that is no name": (
        [{"id": 1.5, "voter": "a", "answer": "y"}],
        "row 1 of the list of rows: `id` must be a name",
    ),
    "a row without an answer": (
        [*LONG, {"id": "q9", "voter": "ann"}],
        "row 13 of the list of rows: column `answer` is missing",
    ),
}


@pytest.mark.parametrize(("votes", "message"), REFUSED.values(), ids=REFUSED)
def test_votes_that_do_not_fit_are_refused_in_a_sentence(votes: Any, message: str) -> None:
    with pytest.raises(sy.InputError) as refused:
        sy.weigh(votes, ["majority"])
    assert message in str(refused.value)


REFUSED_TRUTH: dict[str, tuple[Any, str]] = {
    "unknown id": ({"q7": "y"}, "row 1 of `truth`: id 'q7' is not among the 4 ids"),
    "unknown class": (
        {"q0": "maybe"},
        "row 1 of `truth`: `truth` 'maybe' is not among",
    ),
    "unknown class of a list": (["y", "perhaps", "y", "n"], "row 2 of `truth`: `truth` 'perhaps'"),
    "two truths": (
        pd.DataFrame({"id": ["q0", "q0"], "truth": ["y", "n"]}),
        "row 2 of the data frame: `truth` 'n' differs from 'y'",
    ),
    "two columns": (
        pd.DataFrame({"id": ["q0"], "gold": ["y"], "gold_label": ["y"]}),
        "rename one of 'gold', 'gold_label' to `truth`",
    ),
    "another length": (["y", "n"], "`truth` must be (4,) answer numbers"),
    "a set": ({"y"}, "`truth` must be (4,) answer numbers"),
    "nothing known": ({}, "`truth` has no rows"),
    "a file that is not there": ("truths.csv", "truths.csv does not exist"),
    "a name": ("expert", "no column 'expert'"),
}


@pytest.mark.parametrize(("truth", "message"), REFUSED_TRUTH.values(), ids=REFUSED_TRUTH)
def test_truth_that_does_not_fit_is_refused_in_a_sentence(truth: Any, message: str) -> None:
    with pytest.raises(sy.InputError) as refused:
        sy.weigh(LONG, ["majority"], truth=truth)
    assert message in str(refused.value)


SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.text(max_size=3)
THINGS = st.recursive(
    SCALARS | st.just(pd.NA) | st.just(pd.NaT) | st.just(np.float32(1)) | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "voter", "answer", "votes", "a", "b"]), inner)
    ),
    max_leaves=12,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"id": THINGS}, optional={"voter": THINGS, "answer": THINGS, "votes": THINGS, "ann": THINGS}
    ),
    max_size=4,
)


@settings(max_examples=400, deadline=None)
@given(votes=ROWS | THINGS, truth=st.none() | THINGS)
def test_whatever_is_given_is_read_or_refused_in_a_sentence(votes: Any, truth: Any) -> None:
    """Never a bare TypeError."""
    with contextlib.suppress(sy.SteelyardError):
        sy.weigh(votes, ["majority"])
    with contextlib.suppress(sy.SteelyardError):
        sy.weigh(LONG, ["majority"], truth=truth)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS.filter(len))
def test_whatever_a_data_frame_holds_is_read_or_refused_in_a_sentence(rows: Any) -> None:
    with contextlib.suppress(sy.SteelyardError):
        sy.weigh(pd.DataFrame(rows), ["majority"])
    with contextlib.suppress(sy.SteelyardError):
        sy.weigh(LONG, ["majority"], truth=pd.DataFrame(rows))


def test_pandas_is_not_needed() -> None:
    code = (
        "import sys, steelyard as sy\n"
        "r = sy.weigh([{'id': 'a', 'ann': 'y', 'bob': 'y'}], ['majority'], truth={'a': 'y'})\n"
        "print(r.label_by_id, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'a': 'y'} False\n"


def test_class_names_beside_the_file_that_are_of_another_one_are_passed_over(
    tmp_path: Path,
) -> None:
    (tmp_path / "labels.json").write_text('["first", "second"]')
    path = tmp_path / "votes.csv"
    path.write_text("id,voter,answer\nq1,ann,1\nq1,bob,2\nq2,ann,2\nq2,bob,2\n")
    result = sy.weigh(path)
    assert result.votes.classes == ("1", "2")
    assert "labels.json names other classes, and was not used." in result.summary["warnings"]
    # Numbers from 0 fit, and a misspelt name is still refused.
    path.write_text("id,voter,answer\nq1,ann,0\nq1,bob,1\n")
    assert sy.weigh(path).votes.classes == ("first", "second")
    path.write_text("id,voter,answer\nq1,ann,first\nq1,bob,secnd\n")
    with pytest.raises(InputError, match="Did you mean 'second'"):
        sy.weigh(path)
