"""What `weigh` returns: by id, as data frames, and as a few lines in a shell or notebook."""

import html.parser
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import steelyard as sy
from vote_tables import votes

ABSTAIN = sy.ABSTAIN
TABLE = votes(
    [[0, 0, 1], [1, 1, 1], [ABSTAIN, 1, ABSTAIN], [ABSTAIN, ABSTAIN, ABSTAIN]],
    answers=2,
    classes=("no", "yes"),
)
TRUTH = np.array([0, 0, 1, ABSTAIN])


def weighed(**options: Any) -> sy.Weighed:
    return sy.weigh(TABLE, ["majority", "one_coin"], **options)


def test_labels_are_found_by_id() -> None:
    result = weighed()
    assert result.label_by_id == {"q0": "no", "q1": "yes", "q2": "yes", "q3": None}
    assert result.label_names("one_coin") == ["no", "yes", "yes", None]
    with pytest.raises(sy.ConfigError, match="no method 'mace'"):
        result.label_names("mace")


def test_items_as_a_data_frame() -> None:
    frame = weighed().to_pandas()
    assert frame.columns.tolist() == ["id", "label", "score", "votes", "p_no", "p_yes"]
    assert frame["id"].tolist() == ["q0", "q1", "q2", "q3"]
    assert frame["label"].tolist() == ["no", "yes", "yes", None]
    assert frame["votes"].tolist() == [3, 3, 1, 0]
    assert frame["score"].round(3).tolist() == [0.667, 1, 1, 0]
    assert frame["p_no"].round(3).tolist() == [0.667, 0, 0, 0.5]
    other = weighed().to_pandas("one_coin")
    assert other["p_no"].tolist() != frame["p_no"].tolist()


def test_open_answers_as_a_data_frame() -> None:
    rows = [{"id": "a", "ann": "3", "bob": "3", "cyd": "4"}, {"id": "b", "ann": "3", "bob": "3"}]
    frame = sy.weigh(rows, ["majority"], answers="number").to_pandas()
    assert frame["label"].tolist() == ["3", "3"]
    assert frame["candidates"].tolist() == [["3", "4"], ["3"]]
    assert frame["posterior"].tolist() == [[2 / 3, 1 / 3], [1.0]]


def test_voters_as_a_data_frame() -> None:
    result = weighed(truth=TRUTH)
    frame = result.voters_to_pandas()
    assert frame.columns.tolist() == [
        *("voter", "votes", "abstained", "accuracy", "low", "high", "agreement"),
        *("true_accuracy", "true_low", "true_high", "flags"),
    ]
    assert len(frame) == 3
    known = frame["accuracy"].dropna()
    assert known.is_monotonic_increasing
    # v0 is right on q0 and wrong on q1; v1 is right on q0 and q2; v2 wrong on both
    truths = dict(zip(frame["voter"], frame["true_accuracy"], strict=True))
    assert truths == {"v0": 0.5, "v1": 2 / 3, "v2": 0.0}
    assert frame.set_index("voter").loc["v2", "abstained"] == 2
    for row in result.summary["by_voter"]:
        value = frame.set_index("voter").loc[row["voter"], "accuracy"]
        assert row["accuracy"] is None or value == row["accuracy"]["value"]


def test_a_voter_of_unknown_accuracy_comes_last() -> None:
    table = votes([[0, 0, -1], [1, 1, -1], [-1, -1, 1]], answers=2, classes=("no", "yes"))
    frame = sy.weigh(table, ["hierarchical"]).voters_to_pandas()
    assert frame["voter"].tolist()[-1] == "v2"
    assert pd.isna(frame["accuracy"].iloc[-1])


def large() -> sy.Votes:
    rng = np.random.default_rng(0)
    names = tuple(f"class {k} {'x' * 100}" for k in range(40))
    return votes(
        rng.integers(0, 40, (500, 60)),
        answers=40,
        classes=names,
        voters=tuple(f"voter {v} {'y' * 100}" for v in range(60)),
        probs=np.full((30_000, 40), 1 / 40),
    )


def nouns() -> dict[str, Callable[[], object]]:
    table = large()
    result = sy.weigh(table, ["one_coin"], truth=table.counts.argmax(axis=1))
    reliability = result.reliabilities["one_coin"]
    return {
        "Weighed": lambda: result,
        "Votes": lambda: table,
        "Reliability": lambda: reliability,
        "Selection": lambda: sy.KeepMostReliable(fraction=0.5).select(table, reliability),
        "Predictions": lambda: sy.Predictions("m", table.ids, reliability.posterior),
    }


def test_reprs_are_a_few_lines() -> None:
    for name, noun in nouns().items():
        text = repr(noun())
        assert text.startswith(f"<{name}: "), text
        assert len(text.splitlines()) < 10
        assert max(map(len, text.splitlines())) <= 260
        assert len(text) < 800


def test_the_repr_of_votes_of_nothing() -> None:
    empty = votes(np.zeros((0, 2), dtype=np.int64), answers=2, voters=())
    assert repr(empty).startswith("<Votes: 0 votes of 0 voters on 0 examples, 0 abstentions")


def test_the_html_of_a_notebook_is_a_small_table_without_markup_from_the_votes() -> None:
    rows = [
        {"id": f"<b>{i}</b>", "voter": voter, "answer": "<script>" if i % 2 else "b&w"}
        for i in range(14)
        for voter in ("ann", "bob")
    ]
    text = sy.weigh(rows, ["majority"])._repr_html_()
    tags: list[str] = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(text)
    assert set(tags) == {"pre", "table", "thead", "tbody", "tr", "th", "td", "p", "code"}
    assert tags.count("tr") == 11
    assert "and 4 more items" in text
    assert "&lt;script&gt;" in text


def test_the_repr_names_what_was_found() -> None:
    assert repr(weighed(truth=TRUTH)) == (
        "<Weighed: 4 items, 12 votes of 3 voters, method majority\n"
        "  labels: yes 2, no 1, none 1\n"
        "  accuracy on 3 items of known truth: majority 0.667, one_coin 0.667\n"
        "  mean score 0.667, voters flagged: none>"
    )
