"""The items of the page: which, in which order, with every vote; of closed and open answers."""

import json
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from pages import HOSTILE, Reader
from steelyard.report import LabelledItems, weigh_page
from steelyard.report import weigh_items as module
from steelyard.report.weigh_items import inert_json, item_lines, page_data
from steelyard.types import ABSTAIN, NO_CANDIDATE, Votes


def table(rows: list[tuple[int, int, int]], items: int, voters: int, classes: int = 3) -> Votes:
    """Votes as (item, voter, answer), sorted by item."""
    example, voter, answer = (np.array(part, dtype=np.int64) for part in zip(*rows, strict=True))
    return Votes(
        ids=tuple(f"q{i}" for i in range(items)),
        voters=tuple(f"v{v}" for v in range(voters)),
        queries=("plain",),
        example=example,
        voter=voter,
        query=np.zeros_like(example),
        answer=answer,
        candidates=np.full(items, classes),
        classes=tuple("abcdefgh"[:classes]),
    )


def labelled(votes: Votes, label: list[int], score: list[float], **others: Any) -> LabelledItems:
    truth = np.array(others.pop("truth", [ABSTAIN] * len(label)))
    return LabelledItems(votes, np.array(label), np.array(score), truth, **others)


VOTES = table(
    [(0, 0, 0), (0, 1, 1), (0, 2, 0), (1, 0, 2), (1, 1, ABSTAIN), (3, 0, 1), (3, 2, 1)], 4, 3
)
ITEMS = labelled(
    VOTES,
    [0, 2, ABSTAIN, 1],
    [0.6, 0.9, 0.0, 0.5],
    truth=[0, 1, ABSTAIN, NO_CANDIDATE],
    slices=("en", "de", "en", ""),
    texts=("one", "", "three", "four"),
)


def test_disagreement_is_the_share_of_readable_votes_that_differ() -> None:
    # q0: 1 of 3; q1: 0 of 1, the abstention does not count; q2: no votes; q3: 0 of 2
    np.testing.assert_allclose(ITEMS.disagreement, [1 / 3, 0, np.nan, 0])
    assert ITEMS.readable.tolist() == [3, 1, 0, 2]


def test_the_least_sure_come_first_and_those_without_a_label_last() -> None:
    assert ITEMS.least_sure.tolist() == [3, 0, 1, 2]


def test_lines_name_every_voter_the_label_first() -> None:
    lines = item_lines(ITEMS)
    assert [line.id for line in lines] == ["q3", "q0", "q1", "q2"]
    first = lines[1]
    assert (first.text, first.label, first.score, first.slice) == ("one", "a", "0.600", "en")
    assert [(a.answer, a.votes, a.voters, a.is_dissent) for a in first.answers] == [
        ("a", 2, "v0, v2", False),
        ("b", 1, "v1", True),
    ]
    assert [a.answer for a in lines[2].answers] == ["c", "no answer"]
    assert not lines[2].answers[1].is_dissent
    assert (lines[3].label, lines[3].answers) == ("no label", ())


def test_a_voter_who_was_asked_twice_is_named_once() -> None:
    twice = table([(0, 0, 0), (0, 0, 0), (0, 1, 0)], 1, 2)
    assert item_lines(labelled(twice, [0], [0.9]))[0].answers[0].voters == "v0 \u00d72, v1"


def test_the_data_of_the_page() -> None:
    data = page_data(ITEMS)
    assert data["ids"] == ["q3", "q0", "q1", "q2"]
    assert data["row"] == [3, 0, 1, 2]
    assert data["label"] == [1, 0, 2, ABSTAIN]
    assert data["truth"] == [NO_CANDIDATE, 0, 1, ABSTAIN]
    assert data["votes"] == [[0, 1, 2, 1], [0, 0, 1, 1, 2, 0], [0, 2, 1, ABSTAIN], []]
    assert [data["slices"][number] for number in data["slice"]] == ["", "en", "de", "en"]
    assert data["texts"] == ["four", "one", "", "three"]
    assert data["total"] == 4


def test_open_answers_have_names_of_their_own() -> None:
    votes = Votes(
        ids=("q0", "q1"),
        voters=("v0", "v1"),
        queries=("plain",),
        example=np.array([0, 0, 1, 1]),
        voter=np.array([0, 1, 0, 1]),
        query=np.zeros(4, dtype=np.int64),
        answer=np.array([0, 1, 0, 0]),
        candidates=np.array([2, 1]),
        candidate_texts=(("12", "7"), ("7",)),
    )
    data = page_data(labelled(votes, [0, 0], [0.5, 0.9]))
    names = data["answers"]
    assert [[names[a] for a in row[1::2]] for row in data["votes"]] == [["12", "7"], ["7", "7"]]
    assert [names[number] for number in data["label"]] == ["12", "7"]


@given(st.data())
def test_every_vote_is_in_the_data(draw: st.DataObject) -> None:
    items, voters = draw.draw(st.integers(1, 6)), draw.draw(st.integers(1, 4))
    pairs = draw.draw(
        st.sets(st.tuples(st.integers(0, items - 1), st.integers(0, voters - 1)), min_size=1)
    )
    answers = draw.draw(st.lists(st.integers(-1, 2), min_size=len(pairs), max_size=len(pairs)))
    rows = [(i, v, a) for (i, v), a in zip(sorted(pairs), answers, strict=True)]
    votes = table(rows, items, voters)
    score = draw.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=items, max_size=items))
    data = json.loads(inert_json(page_data(labelled(votes, [0] * items, score))))
    found = {
        (name, data["voters"][row[k]], row[k + 1])
        for name, row in zip(data["ids"], data["votes"], strict=True)
        for k in range(0, len(row), 2)
    }
    assert found == {(f"q{i}", f"v{v}", a) for i, v, a in rows}
    assert data["score"] == sorted(score)


def test_a_large_table_keeps_the_least_sure_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = table([(i, v, 0) for i in range(9) for v in range(3)], 9, 3)
    items = labelled(votes, [0] * 9, [0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.5])
    monkeypatch.setattr(module, "MOST_ITEMS", 4)
    assert page_data(items)["ids"] == ["q1", "q3", "q5", "q7"]
    assert "the 4 least sure of 9 items" in weigh_page({}, items)
    fewer = labelled(votes, [0] * 9, items.score.tolist())
    monkeypatch.setattr(module, "MOST_VOTES", 7)  # two items have six votes
    assert page_data(fewer)["ids"] == ["q1", "q3"]


def test_long_texts_are_cut() -> None:
    items = labelled(VOTES, [0] * 4, [0.5] * 4, texts=("x" * 10**6, "", "", ""))
    assert len(page_data(items)["texts"][0]) == module.LONGEST_TEXT + 1
    assert len(weigh_page({}, items)) < 200_000


def test_hostile_items_are_inert() -> None:
    votes = Votes(
        **{
            **{name: getattr(VOTES, name) for name in ("example", "voter", "query", "answer")},
            "ids": tuple(f"{HOSTILE} {i}" for i in range(4)),
            "voters": tuple(f"{HOSTILE} {i}" for i in range(3)),
            "queries": ("plain",),
            "candidates": VOTES.candidates,
            "classes": tuple(f"{HOSTILE} {i}\u2028" for i in range(3)),
        }
    )
    hostile = (HOSTILE,) * 4
    dirty = labelled(votes, [0, 2, -1, 1], [0.5] * 4, texts=hostile, slices=hostile)
    page, clean = weigh_page({}, dirty), weigh_page({}, ITEMS)
    page.encode("utf-8")
    reader, other = Reader(page), Reader(clean)
    assert reader.tags.count("script") == other.tags.count("script") == 2
    assert set(reader.tags) == set(other.tags)
    assert reader.open == []
    for character in "\x1b\u202e\u2028":
        assert character not in page
    data = json.loads(reader.scripts[0])
    assert data["ids"][0] == f"{HOSTILE} 0"
