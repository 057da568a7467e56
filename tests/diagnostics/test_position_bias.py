"""Position bias from the names of queries."""

import numpy as np
import pytest

from shared_data import DATA
from steelyard.diagnostics.position_bias import parse_orders, position_bias
from steelyard.io.row_source import rows_in_memory
from steelyard.types import ABSTAIN, Votes
from steelyard.votes_io.read_votes import read_votes

FLIPS = {
    **{"GPT-4": 0.072, "LLaMA2": 0.247, "PaLM2": 0.277, "ChatGPT": 0.341},
    **{"ChatGPT-0301": 0.422, "Falcon": 0.585},
}
"""Share of the pairs of LLMBar where the judge's answer changes, prompt Vanilla."""


def asked(answers: np.ndarray, queries: tuple[str, ...], answers_of: int = 2) -> Votes:
    """Votes (N, Q) of one voter."""
    size, width = answers.shape
    return Votes(
        ids=tuple(f"q{i}" for i in range(size)),
        voters=("judge",),
        queries=queries,
        example=np.repeat(np.arange(size), width),
        voter=np.zeros(size * width, dtype=np.int64),
        query=np.tile(np.arange(width), size),
        answer=answers.ravel(),
        candidates=np.full(size, answers_of),
    )


@pytest.mark.parametrize(
    ("plain", "other"),
    [
        *(("p|swap = False", "p|swap = True"), ("p", "p swapped"), ("p-AB", "p-BA")),
        *(("original order, p", "reversed, p"), ("swap=0", "swap=1"), ("p_ab", "p_ba")),
    ],
)
def test_flips_and_first_shown_by_hand(plain: str, other: str) -> None:
    # Four items of two options. Unswapped, swapped (mapped back):
    #   0, 0 consistent; 1, 1 consistent; 0, 1 always the first shown; 1, 0 always the second
    # and one more always the first: flipped 3 of 5. First shown: .5, .5, 1, 0, 1: 3 of 5.
    answers = np.array([[0, 0], [1, 1], [0, 1], [1, 0], [0, 1], [0, ABSTAIN]])
    whole, single = position_bias(asked(answers, (plain, other)))
    assert (whole.template, whole.items, whole.pairs) == ("", 5, 5)
    assert whole.flipped.value == single.flipped.value == pytest.approx(0.6)
    assert whole.first_shown is not None
    assert whole.first_shown.value == pytest.approx(0.6)
    # Wilson, 3 of 5
    assert whole.flipped.low == pytest.approx(0.231, abs=1e-3)
    assert whole.flipped.high == pytest.approx(0.882, abs=1e-3)


def test_numbered_orders_are_compared_without_a_first_option() -> None:
    answers = np.array([[0, 0, 2], [1, 1, 1]])
    whole, _single = position_bias(asked(answers, ("order-0", "order-1", "order-2"), 3))
    assert (whole.items, whole.pairs) == (2, 4)
    assert whole.flipped.value == 0.25
    assert whole.first_shown is None


def test_queries_without_an_order_have_no_bias() -> None:
    answers = np.array([[0, 1]])
    assert position_bias(asked(answers, ("0-plain", "1-list"))) == ()
    assert position_bias(asked(answers, ("abstract", "border 1"))) == ()
    assert parse_orders(("label", "grab")) == [("label", -1, False), ("grab", -1, False)]


def test_a_voter_asked_in_one_order_alone_is_absent() -> None:
    assert position_bias(asked(np.array([[0], [1]]), ("swap = True",))) == ()


@pytest.mark.skipif(not (DATA / "judges_llmbar").exists(), reason="the shared data is not there")
def test_six_llm_judges_flip_as_published() -> None:
    table = read_votes(DATA / "judges_llmbar" / "train.jsonl.gz", classes=("first", "second")).votes
    rows = {row.voter: row for row in position_bias(table) if row.template == "Vanilla|"}
    assert {name: round(row.flipped.value, 3) for name, row in rows.items()} == FLIPS
    falcon = rows["Falcon"].first_shown
    assert falcon is not None
    assert falcon.value == pytest.approx(0.78, abs=0.01)


def test_the_order_of_each_vote_is_read_from_its_column() -> None:
    """Four items, asked twice by one template in both orders, once by another.

    The judge takes the first shown on q0 and q1 (no, then yes: flipped), and says yes on q2 and
    q3: 2 of 4 flip. First shown: q0, q1 both times, q2, q3 once each: (1 + 1 + .5 + .5) / 4.
    """
    rows = [
        {"id": f"q{i}", "voter": "judge", "query": query, "answer": answer, "order": order}
        for i in range(4)
        for query, order in (("0-plain", "[0, 1]"), ("5-plain", [1, 0]), ("1-list", [0, 1]))
        for answer in [("no", "yes")[order in ([1, 0],) or i > 1]]
    ]
    read = read_votes(rows_in_memory(rows, "rows"))
    assert read.orders is not None
    (both, plain) = position_bias(read.votes, read.orders)
    assert (plain.template, plain.items, plain.pairs) == ("plain", 4, 4)
    assert plain.flipped.value == pytest.approx(0.5)
    assert plain.first_shown is not None
    assert plain.first_shown.value == pytest.approx(0.75)
    assert both.template == ""
    assert position_bias(read.votes) == ()  # names alone do not tell


def test_a_column_that_is_no_order_is_not_read_as_one() -> None:
    rows = [
        {"id": f"q{i}", "voter": "judge", "query": query, "answer": "ny"[i % 2], "order": order}
        for i, order in enumerate((3, "first", [0, 2], None, "[[]]", [1.0, 0.0]))
        for query in ("a", "b")
    ]
    assert read_votes(rows_in_memory(rows, "rows")).orders is None
