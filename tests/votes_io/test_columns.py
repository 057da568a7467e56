"""Columns and voters that are no voters, and -1: refused, or read with a note, never in silence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import steelyard as sy
from steelyard.errors import InputError
from steelyard.votes_io.column_names import truth_like
from steelyard.votes_io.lookalikes import consensus_lookalikes, truth_lookalikes
from steelyard.votes_io.read_options import ReadOptions
from steelyard.votes_io.read_votes import read_votes
from vote_tables import votes as table_of


def crowd(rows: int = 300, accuracy: float = 0.85, classes: int = 2, seed: int = 0) -> Any:
    """Answers of three voters, (N, 3), and the truth, (N,)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    wrong = (truth[:, None] + rng.integers(1, classes, (rows, 3))) % classes
    return np.where(rng.random((rows, 3)) < accuracy, truth[:, None], wrong), truth


def wide(answers: Any, **more: Any) -> list[dict[str, Any]]:
    names = ("ann", "bob", "cyd")
    return [
        {"id": f"q{i}", **dict(zip(names, row, strict=False)), **{k: v[i] for k, v in more.items()}}
        for i, row in enumerate(answers.tolist())
    ]


TRUTH_NAMES = [
    *("Gold Label", "gold-label", "ground truth", "groundtruth", "True label", "gold_standard"),
    *("y_true", "target", "expected", "expected_answer", "correct_answer", "reference", "actual"),
    *("adjudicated", "answer_key", "truth_label", "majority_vote", "prediction", "consensus"),
    *("final_label", "goldLabel", "Consensus Label", "model_prediction", "GT"),
]


@pytest.mark.parametrize("name", TRUTH_NAMES)
def test_a_column_called_like_the_truth_is_no_voter(name: str) -> None:
    answers, truth = crowd()
    result = sy.weigh(wide(answers, **{name: truth}), ["majority"])
    assert result.votes.voters == ("ann", "bob", "cyd")
    assert any(repr(name) in note and "`voters`" in note for note in result.summary["warnings"])
    kept = sy.weigh(wide(answers, **{name: truth}), ["majority"], voters=["ann", "bob", name])
    assert kept.votes.voters == ("ann", "bob", name)


def test_a_word_that_several_columns_have_is_no_sign_of_truth() -> None:
    assert truth_like(["final_ann", "final_bob"]) == []
    assert truth_like(["gpt4_pred", "claude_pred", "llama_pred", "gold"]) == ["gold"]
    assert truth_like(["ann", "Goldie", "final"]) == ["final"]


@pytest.mark.parametrize("name", ["length", "batch", "Lang", "created_at", "confidence"])
def test_metadata_is_no_voter(name: str) -> None:
    answers, _ = crowd()
    result = sy.weigh(wide(answers, **{name: answers[:, 0]}), ["majority"])
    assert result.votes.voters == ("ann", "bob", "cyd")
    assert any(f"ignored: {name}" in note for note in result.summary["warnings"])


def test_a_copy_of_the_truth_must_not_vote() -> None:
    """Of 300 answers the others have about 15 % wrong: .85^300 = 7e-22."""
    answers, truth = crowd()
    rows = wide(answers, expert=truth)
    by_id = {f"q{i}": int(t) for i, t in enumerate(truth)}
    with pytest.raises(InputError, match=r"'expert' equals the truth on all 300 items"):
        sy.weigh(rows, ["majority"], truth=by_id)
    with pytest.raises(InputError, match=r"'expert' equals the truth"):
        sy.weigh(rows, ["majority"], gold=by_id)
    assert len(sy.weigh(rows, ["majority"], truth=by_id, without=["expert"]).votes.voters) == 3
    every = ["ann", "bob", "cyd", "expert"]
    assert len(sy.weigh(rows, ["majority"], truth=by_id, voters=every).votes.voters) == 4
    long = [{"id": row["id"], "voter": v, "answer": row[v]} for row in rows for v in every]
    with pytest.raises(InputError, match=r"'expert' equals the truth"):
        sy.weigh(long, ["majority"], truth=by_id)


@pytest.mark.parametrize(("rows", "accuracy"), [(300, 1.0), (29, 0.6), (100, 0.97)])
def test_good_voters_are_no_copies_of_the_truth(rows: int, accuracy: float) -> None:
    """All right: nobody to compare with; few items; .97^100 = .05 is nothing rare."""
    answers, truth = crowd(rows, accuracy)
    table = table_of(np.column_stack([answers, truth]), answers=2, classes=("no", "yes"))
    assert truth_lookalikes(table, truth) == []


def majority_by_hand(row: list[int]) -> int | None:
    counts = sorted(((row.count(a), a) for a in set(row) if a >= 0), reverse=True)
    if not counts or (len(counts) > 1 and counts[0][0] == counts[1][0]):
        return None
    return counts[0][1] if counts[0][0] >= 2 else None


@given(st.lists(st.lists(st.integers(-1, 2), min_size=4, max_size=4), min_size=60, max_size=90))
def test_the_consensus_is_found_as_by_a_slow_count(rows: list[list[int]]) -> None:
    """The last voter is the majority of the others where there is one, else the first."""
    plain = [
        [*row, majority_by_hand(row) if majority_by_hand(row) is not None else row[0]]
        for row in rows
    ]
    table = table_of(plain, answers=3, classes=("a", "b", "c"))
    names = [entry.voter for entry in consensus_lookalikes(table)]
    hits, shared = np.zeros(5), np.zeros(5)
    for row in plain:
        for v, answer in enumerate(row):
            best = majority_by_hand([a for u, a in enumerate(row) if u != v])
            if answer >= 0 and best is not None:
                shared[v] += 1
                hits[v] += answer == best
    others = (shared >= 10) & (hits < shared)
    rate = ((hits + 1) / (shared + 2))[others].max(initial=0)
    clean = [
        f"v{v}"
        for v in range(5)
        if others.any()
        and shared[v] >= 30
        and hits[v] == shared[v]
        and 5 * rate ** shared[v] < 1e-3
    ]
    assert set(names) <= set(clean)
    assert [name for name in clean if name not in names] in ([], *[[c] for c in clean])


def test_a_consensus_is_noted_and_twins_are_not() -> None:
    answers, _ = crowd(accuracy=0.8)
    consensus = (answers.sum(axis=1) >= 2).astype(int)
    said = sy.weigh(wide(answers, zed=consensus), ["majority"]).summary["warnings"]
    assert any("'zed' equals the majority of the others on all" in note for note in said)
    twins = np.column_stack([answers[:, :1], answers[:, :1], answers[:, 1:2]])
    said = sy.weigh(wide(twins), ["majority"]).summary["warnings"]
    assert not any("equals the majority" in note for note in said)


def test_honest_columns_are_voters() -> None:
    """One spelling for each voter; a judge that never flags; one item; half stars."""
    ratings = [{"id": f"q{i}", "a": 0, "b": int(i % 5 < 3)} for i in range(200)]
    assert sy.weigh(ratings, ["majority"]).votes.voters == ("a", "b")
    item = [{"id": "q", "a": "x", "b": "x", "c": "y"}]
    assert sy.weigh(item, ["majority"]).label_by_id == {"q": "x"}
    spelled = [{"id": f"q{i}", "ann": "Yes", "bob": "yes", "cyd": "yes"} for i in range(9)]
    with pytest.raises(InputError, match="differs only in case or white space"):
        sy.weigh(spelled, ["majority"])
    half = [{"id": f"q{i}", "ann": 4.5, "bob": 4, "cyd": 4} for i in range(9)]
    half[0]["bob"] = 4.5
    with pytest.raises(InputError, match=r"answer 4.5 of 'ann'.*classes are names or whole"):
        sy.weigh(half, ["majority"])


@pytest.mark.parametrize("column", ["US", *[None]])
def test_a_column_that_shares_no_answer_is_refused(column: str | None) -> None:
    answers, _ = crowd(40)
    own = [column or f"note {i}" for i in range(40)]
    with pytest.raises(InputError, match=r"is column 'place' a voter\? .*'(US|note 0)', stand"):
        sy.weigh(wide(answers, place=own), ["majority"])
    assert (
        len(sy.weigh(wide(answers, place=own), ["majority"], without=["place"]).votes.voters) == 3
    )


def test_minus_one_is_never_dropped_in_silence() -> None:
    """Ratings -1, 0, 1: every voter uses all three, so -1 is hardly an abstention."""
    answers, truth = crowd(200, 0.8, classes=3)
    rows, by_id = wide(answers - 1), {f"q{i}": int(t) - 1 for i, t in enumerate(truth)}
    with pytest.raises(InputError, match=r"answers of -1 beside 0 and 1.*`classes`.*`abstain`"):
        sy.weigh(rows, ["majority"])
    whole = sy.weigh(rows, ["majority"], classes=["-1", "0", "1"], truth=by_id)
    assert whole.summary["abstained"] == 0
    assert whole.summary["truth"]["items"] == 200
    with pytest.raises(InputError, match=r"`truth` is -1, on .* rows. If -1 is a class"):
        sy.weigh(rows, ["majority"], classes=["0", "1"], truth=by_id)
    assert sy.weigh(rows, ["majority"], abstain=["-1"], truth=by_id).summary["truth"]["items"] < 200
    with pytest.raises(InputError, match="has the answers -2 and -1"):
        sy.weigh(wide(answers - 2), ["majority"])


def test_minus_one_of_labelling_functions_abstains_with_its_share() -> None:
    """Each function votes for one class or abstains, as in Snorkel."""
    rows = [
        {"id": f"q{i}", "lf1": 1 if i % 3 else -1, "lf2": 0 if i % 4 == 0 else -1, "lf3": i % 2}
        for i in range(60)
    ]
    found = sy.weigh(rows, ["majority"])
    # lf1 abstains on 20, lf2 on 45 of 60
    assert found.summary["abstained"] == 65
    assert any(
        "65 answers (36%) of -1 abstain; if -1 is a class" in n for n in found.summary["warnings"]
    )


def test_answers_that_abstain_are_named() -> None:
    rows = [
        {"id": f"q{i}", "voter": v, "answer": a}
        for i in range(3)
        for v, a in (("a", "yes"), ("b", "no"), ("c", ["#N/A", "Ignore", "Prefer not to say"][i]))
    ]
    said = sy.weigh(rows, ["majority"]).summary
    for name in ("#N/A", "Ignore", "Prefer not to say"):
        assert any(f"{name!r} is read as a class" in note for note in said["warnings"])
    told = ["#n/a", "ignore", "prefer not to say", "nope"]
    said = sy.weigh(rows, ["majority"], abstain=told).summary
    assert said["classes"] == ["no", "yes"]
    assert said["abstained"] == 3
    assert any("No answer is 'nope'" in note for note in said["warnings"])
    assert (
        sy.weigh(rows, ["majority"], classes=["yes", "no"], abstain=told).summary["abstained"] == 3
    )


def test_an_empty_column_is_no_voter_and_similar_voters_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text("id,ann,Ann,none\nq1,x,y,\nq2,y,y,\n")
    read = read_votes(path)
    assert read.votes.voters == ("ann", "Ann")
    assert any("no voters: none" in note for note in read.notes)
    assert any("'ann' and 'Ann'" in note for note in read.notes)


def test_ids_and_booleans_of_pandas_are_read(tmp_path: Path) -> None:
    rows = [
        {"id": 1.0, "voter": v, "answer": a} for v, a in (("a", True), ("b", True), ("c", False))
    ]
    result = sy.weigh(rows, ["majority"], truth={1: "True"})
    assert result.label_by_id == {"1": "true"}
    assert result.summary["methods"]["majority"]["accuracy"] == 1.0
    path = tmp_path / "v.csv"
    path.write_text("id,voter,answer\n1.0,a,TRUE\n2.0,a,False\n1.0,b,true\n")
    assert sy.weigh(path, ["majority"], truth={"1": True, "2": False}).label_by_id == {
        "1": "true",
        "2": "false",
    }


def test_votes_in_memory_have_voters_left_out() -> None:
    answers, _ = crowd()
    table = table_of(answers, answers=2, classes=("no", "yes"))
    assert sy.weigh(table, ["majority"], without=["v1"]).votes.voters == ("v0", "v2")
    assert sy.weigh(table, ["majority"], voters=["v2"]).votes.voters == ("v2",)
    with pytest.raises(InputError, match="no voter 'v9'"):
        sy.weigh(table, ["majority"], without=["v9"])
    with pytest.raises(sy.ConfigError, match="`abstain` is about rows"):
        sy.weigh(table, ["majority"], abstain=["x"])
    with pytest.raises(
        sy.ConfigError, match=r"`without` must be a list of names, such as \['v1'\]"
    ):
        sy.weigh(table, ["majority"], without="v1")


def test_a_voter_that_is_misspelt_is_named(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text("id,voter,answer\nq1,ann,x\nq1,bob,y\n")
    with pytest.raises(InputError, match=r"has no voter 'anne' of `without`. Did you mean 'ann'"):
        read_votes(path, options=ReadOptions(without=("anne",)))
    with pytest.raises(sy.ConfigError, match="'ann' is in `voters` and in `without`"):
        ReadOptions(voters=("ann",), without=("ann",))
    with pytest.raises(sy.ConfigError, match="'vote' is no column of votes"):
        ReadOptions({"vote": "x"})
    numbered = read_votes(path, options=ReadOptions({"id": "#"})).votes
    assert numbered.ids == ("1", "2")
