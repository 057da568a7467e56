"""Options of `weigh` beside the labels: scale, slices, judges, goal, answers without an order."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from steelyard.errors import ConfigError, InputError

LONG = """id,voter,answer,lang
1,ann,1,de
1,bob,2,de
2,ann,3,en
2,bob,3,en
3,ann,1,
3,bob,1,
"""
WIDE = "id,ann,bob,lang\n1,1,2,de\n2,3,3,en\n3,1,1,\n"
ROWS = [{"id": str(i), "ann": i % 3, "bob": i % 3, "gpt": (i + i % 2) % 3} for i in range(6)]


@pytest.mark.parametrize("text", [LONG, WIDE])
def test_a_slice_is_a_column_of_the_votes_and_never_a_voter(text: str, tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(text)
    summary = sy.weigh(tmp_path / "votes.csv", ["majority"], slices="lang").summary
    assert [(row["name"], row["items"], row["votes"]) for row in summary["slices"]] == [
        *(("de", 1, 2), ("en", 1, 2)),
    ]
    assert summary["voters"] == 2
    with pytest.raises(InputError, match="has no column 'language'"):
        sy.weigh(tmp_path / "votes.csv", ["majority"], slices="language")


@pytest.mark.parametrize(
    "given", [{"0": "a", "1": "b", "2": "a"}, ["a", "b", "a", "", "", ""], ("a", "b", "a", *"   ")]
)
def test_slices_from_python(given: Any) -> None:
    found = sy.weigh(ROWS, ["majority"], slices=given).summary["slices"]
    assert [(row["name"], row["items"]) for row in found][:2] in (
        [("a", 2), ("b", 1)],
        [(" ", 3), ("a", 2)],
    )
    with pytest.raises(InputError, match="one entry per item, 6; got 1"):
        sy.weigh(ROWS, ["majority"], slices=["a"])


def test_a_scale_changes_agreement_and_no_label() -> None:
    rows = [{"id": str(i), "ann": a, "bob": b} for i, (a, b) in enumerate([(1, 2), (3, 3), (1, 1)])]
    nominal, ordinal = (
        sy.weigh(rows, ["majority"], scale=scale)  # type: ignore[arg-type]
        for scale in ("nominal", "ordinal")
    )
    assert nominal.label_by_id == ordinal.label_by_id
    near, far = (r.summary["agreement"]["krippendorff"]["value"] for r in (ordinal, nominal))
    assert near > far


def test_options_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="`scale` must be one of nominal, ordinal, interval"):
        sy.weigh(ROWS, scale="likert")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"`goal` must be in \(0, 1\), got 95"):
        sy.weigh(ROWS, goal=95)
    with pytest.raises(ConfigError, match="`judges`: 'claude' is not a voter; there are ann, bob"):
        sy.weigh(ROWS, judges=["claude"])
    with pytest.raises(ConfigError, match="names every voter"):
        sy.weigh(ROWS, judges=["ann", "bob", "gpt"])


def test_a_model_is_tested_against_all_other_voters() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    said = np.where(
        rng.random((200, 4)) < [0.95, 0.8, 0.8, 0.8], truth[:, None], 1 - truth[:, None]
    )
    rows = [
        {"id": str(i), **dict(zip(("gpt", "ann", "bob", "cyd"), map(int, row), strict=True))}
        for i, row in enumerate(said)
    ]
    found = sy.weigh(rows, ["majority"], judges=["gpt"]).summary["alternative_annotator"]
    assert [(test["voter"], test["epsilon"], test["passes"]) for test in found] == [
        *(("gpt", 0.1, True), ("gpt", 0.15, True), ("gpt", 0.2, True)),
    ]
    assert [person["person"] for person in found[0]["people"]] == ["ann", "bob", "cyd"]


def test_several_labels_have_no_order() -> None:
    rows = [
        {"id": "1", "ann": "cat|dog", "bob": "dog; cat", "cyd": '["dog", "cat"]'},
        {"id": "2", "ann": "cat", "bob": "cat", "cyd": "[]"},
    ]
    result = sy.weigh(rows, ["majority"], answers="set", truth={"1": "dog,cat", "2": "cat"})
    assert result.label_by_id == {"1": "cat|dog", "2": "cat"}
    assert result.summary["methods"]["majority"]["accuracy"] == 1
    assert result.summary["agreement"]["observed"]["value"] == pytest.approx((1 + 1 / 3) / 2)


def test_labels_in_another_order_are_noted() -> None:
    rows = [{"id": str(i), "ann": a, "bob": b} for i, (a, b) in enumerate([("x|y", "y|x")] * 2)]
    rows += [{"id": "9", "ann": "y|x", "bob": "x|y"}]
    notes = sy.weigh(rows, ["majority"]).summary["warnings"]
    assert any("`answers: set` reads them as the same labels" in note for note in notes)
