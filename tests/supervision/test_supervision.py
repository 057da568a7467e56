"""Supervisors: few rows, several voters, votes from files."""

import json
from pathlib import Path

import numpy as np
import pytest

from requests_for_tests import vote
from steelyard.errors import ConfigError, InputError
from steelyard.supervision import ChooserVoters, Tfidf, VotesFile
from steelyard.supervision.finetuned import with_listed_options
from steelyard.supervision.trained_voters import bootstrap
from steelyard.types import ABSTAIN, PAIR, Question, Split

LABELLED = Split(
    tuple(Question(f"w{i}", f"{'good' if i % 2 else 'bad'} word{i}") for i in range(40)),
    np.array([i % 2 for i in range(40)]),
)
ASKED = (Question("a", "good thing"), Question("b", "bad thing"), Question("c", "unseen"))
CLASSES = ("no", "yes")


def test_each_voter_gives_a_distribution_on_each_question() -> None:
    strong, test = vote(Tfidf(voters=3), LABELLED, [ASKED, ASKED[:1]], CLASSES, seed=0)
    assert strong.voters == ("tfidf/0", "tfidf/1", "tfidf/2")
    assert strong.answer.reshape(3, 3)[:2].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert strong.probs is not None
    np.testing.assert_allclose(strong.probs.sum(axis=1), 1)
    assert test.ids == ("a",)


def test_adding_a_voter_changes_no_other() -> None:
    few = vote(Tfidf(voters=2), LABELLED, [ASKED], CLASSES, seed=0)[0]
    more = vote(Tfidf(voters=3), LABELLED, [ASKED], CLASSES, seed=0)[0]
    np.testing.assert_array_equal(few.of_voter(1).probs, more.of_voter(1).probs)
    other = vote(Tfidf(voters=2), LABELLED, [ASKED], CLASSES, seed=1)[0]
    assert not np.array_equal(few.probs, other.probs)


def test_a_class_that_a_bootstrap_missed_has_probability_zero() -> None:
    few = Split(LABELLED.questions[:6], np.array([0, 1, 0, 1, 0, 2]))
    votes = vote(Tfidf(voters=5), few, [ASKED], ("a", "b", "c"), seed=0)[0]
    assert votes.probs is not None
    assert votes.probs.shape == (15, 3)
    np.testing.assert_allclose(votes.probs.sum(axis=1), 1)


def test_a_one_sided_sample_is_refused() -> None:
    with pytest.raises(ConfigError, match="have one class"):
        bootstrap(np.zeros(5, dtype=int), np.random.default_rng(0))


def test_options_are_listed_in_other_orders_and_stay_the_same_options() -> None:
    question = Question("q", "which?", ("one", "two", "three"))
    shown = [with_listed_options([question], seed=0, order=o)[0] for o in range(6)]
    assert len({q.text for q in shown}) > 1
    assert {q.choices for q in shown} == {question.choices}
    assert all(sorted(q.text[8:-1].split(" / ")) == ["one", "three", "two"] for q in shown)
    assert with_listed_options([question], seed=0, order=2) == (shown[2],)


def test_a_chooser_is_asked_in_each_order() -> None:
    assert ChooserVoters(orders=3)._queries() == ("order-0", "order-1", "order-2")
    assert ChooserVoters()._queries() == ("unchanged",)


def write(path: Path, rows: list[dict[str, object]]) -> VotesFile:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return VotesFile(path=str(path))


def test_long_votes_are_read(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": "b", "voter": "ann", "answer": "yes"},
        {"id": "a", "voter": "ann", "answer": 0},
        {"id": "a", "voter": "bob", "answer": None},
        {"id": "elsewhere", "voter": "bob", "answer": 1},
    ]
    votes = vote(write(tmp_path / "v.jsonl", rows), LABELLED, [ASKED], CLASSES, seed=0)[0]
    assert votes.voters == ("ann", "bob")
    assert votes.example.tolist() == [0, 0, 1]
    assert votes.answer.tolist() == [0, ABSTAIN, 1]


def test_probabilities_are_read_where_they_are_given(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a", "voter": "ann", "answer": "no", "probabilities": [0.6, 0.4]},
        {"id": "a", "voter": "bob", "answer": "yes"},
    ]
    votes = vote(write(tmp_path / "v.jsonl", rows), LABELLED, [ASKED], CLASSES, seed=0)[0]
    assert votes.probs is not None
    np.testing.assert_allclose(votes.probs, [[0.6, 0.4], [0, 1]])


def test_nested_votes_are_read(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a", "votes": [{"annotator": "w0", "label": 1}, {"annotator": "w1", "label": 0}]}
    ]
    votes = vote(write(tmp_path / "v.jsonl", rows), LABELLED, [ASKED], CLASSES, seed=0)[0]
    assert votes.answer.tolist() == [1, 0]
    assert votes.counts.tolist() == [[1, 1], [0, 0], [0, 0]]


def test_csv_votes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text("id,voter,answer\na,ann,yes\nb,ann,\nc,ann,1\n")
    votes = vote(VotesFile(path=str(path)), LABELLED, [ASKED], CLASSES, seed=0)[0]
    assert votes.answer.tolist() == [1, ABSTAIN, 1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a", "voter": "ann", "answer": "maybe"}, "line 2: answer 'maybe' of 'ann' on 'a'"),
        ({"id": "a", "voter": "ann", "answer": 2}, r"neither a class \['no', 'yes'\] nor a number"),
        ({"id": "a", "voter": "ann", "answer": True}, "answer True of 'ann'"),
        ({"id": "a", "voter": "ann", "answer": 1.5}, r"answer 1\.5 of 'ann'"),
        ({"id": "b", "voter": "ann", "answer": 1}, "line 2: 'ann' votes on 'b' a second time"),
        ({"id": "a", "answer": 1}, "column `voter` is missing"),
    ],
)
def test_votes_that_cannot_be_are_named(
    tmp_path: Path, row: dict[str, object], message: str
) -> None:
    file = write(tmp_path / "v.jsonl", [{"id": "b", "voter": "ann", "answer": 1}, row])
    with pytest.raises(InputError, match=message):
        vote(file, LABELLED, [ASKED], CLASSES, seed=0)


def test_votes_about_strangers_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "v.jsonl", [{"id": "z", "voter": "ann", "answer": 1}])
    with pytest.raises(InputError, match=r"line 1: id 'z' is not among the 3 ids of the data"):
        file.check_ids({"a", "b", "c"})


def test_bags_of_words_compare_answers_by_the_words_that_differ() -> None:
    # "good" is the better word and "bad" the worse in all pairs; what both have counts for nothing.
    pairs = tuple(
        Question(f"p{i}", "?", (f"good w{i}", f"bad w{i}")[:: 1 if i % 2 else -1])
        for i in range(20)
    )
    labelled = Split(pairs, np.array([0 if i % 2 else 1 for i in range(20)]))
    asked = [
        Question("a", "?", ("good", "bad")),
        Question("b", "?", ("bad", "good")),
        Question("c", "?", ("w1 good", "good w1")),
    ]
    votes = vote(Tfidf(voters=2), labelled, [asked], PAIR, seed=0)[0]
    assert votes.probs is not None
    assert votes.probs[:2, 0].min() > 0.9
    np.testing.assert_allclose(votes.probs[2:4], votes.probs[:2, ::-1])  # the mirror
    np.testing.assert_allclose(votes.probs[4:], 0.5)
