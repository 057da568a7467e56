"""A votes file says the same to `weigh` and to a study (`kind: votes`)."""

import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from requests_for_tests import vote
from steelyard.errors import InputError
from steelyard.supervision import VotesFile
from steelyard.types import ABSTAIN, PAIR, Question, Split, Votes, chosen_position
from steelyard.votes_io.read_votes import read_votes

NOBODY_LABELLED = Split((), np.zeros(0, dtype=np.int64))


def study_votes(
    path: Path, ids: tuple[str, ...], classes: tuple[str, ...], answer_format: Any = None
) -> Votes:
    questions = [Question(name, "?") for name in ids]
    file = VotesFile(path=str(path), answer_format=answer_format)
    return vote(file, NOBODY_LABELLED, [questions], classes, seed=0)[0]


def table(votes: Votes) -> dict[tuple[str, str], str | None]:
    """The answer of each voter to each item, as text."""
    names = [
        None
        if number == ABSTAIN
        else votes.candidate_texts[i][number]
        if votes.candidate_texts
        else votes.classes[number]
        for i, number in zip(votes.example, votes.answer, strict=True)
    ]
    keys = zip(votes.example, votes.voter, strict=True)
    return {(votes.ids[i], votes.voters[v]): name for (i, v), name in zip(keys, names, strict=True)}


CLASSES = {
    "names": ("no", "yes", "maybe"),
    "numbers": ("1", "2", "4"),
    "names of nothing": ("nan", "-1", "null"),
}
SPELLINGS = st.one_of(
    st.sampled_from(
        [
            *("", " ", "nan", "NaN", "<NA>", "null", "NULL", "None", "-1", "-1.0", "N/A"),
            *("0", "1", "2", "0.0", "1.0", "2.", "+1", "4", "4.0", "01", "1e0", "1.5", "inf"),
            *("no", "yes", "maybe", "No", " yes", "true", "True"),
        ]
    ),
    st.integers(-3, 5).map(str),
    st.floats(-3, 5).map(str),
    st.text("0123456789.+-enaulNA ", max_size=4),
)


@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize("layout", ["long", "wide"])
@settings(max_examples=150, deadline=None)
@example(answers=["4.0", "1"])
@example(answers=["nan", "1.0"])
@given(answers=st.lists(SPELLINGS, min_size=2, max_size=6))
def test_every_spelling_is_read_or_refused_alike(
    classes: tuple[str, ...], layout: str, answers: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.csv"
        ids = tuple(f"q{i}" for i in range(len(answers)))
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "voter", "answer") if layout == "long" else ("id", "ann"))
            for name, answer in zip(ids, answers, strict=True):
                writer.writerow([name, "ann", answer] if layout == "long" else [name, answer])
        outcomes: list[object] = []
        for read in (
            lambda: read_votes(path, classes=classes).votes,
            lambda: study_votes(path, ids, classes),
        ):
            try:
                outcomes.append(table(read()))
            except InputError as error:
                outcomes.append(str(error).replace(" or set `duplicates` to last or mean", ""))
        assert outcomes[0] == outcomes[1]


@settings(max_examples=100, deadline=None)
@given(answers=st.lists(SPELLINGS, min_size=2, max_size=6), data=st.data())
def test_open_answers_are_read_alike(answers: list[str], data: st.DataObject) -> None:
    answer_format = data.draw(st.sampled_from(["number", "text", "json", "slots"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.csv"
        ids = tuple(f"q{i // 2}" for i in range(len(answers)))
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = [(name, f"v{i}", answers[i]) for i, name in enumerate(ids)]
            csv.writer(file).writerows([("id", "voter", "answer"), *rows])
        ids = tuple(dict.fromkeys(ids))
        in_study = study_votes(path, ids, (), answer_format)
        if (in_study.answer == ABSTAIN).all():
            with pytest.raises(InputError, match="has no answer that reads as"):
                read_votes(path, answers=answer_format)
        else:
            weighed = read_votes(path, answers=answer_format).votes
            assert table(weighed) == table(in_study)
            assert weighed.texts == in_study.texts
            assert weighed.candidate_texts == in_study.candidate_texts


def test_each_list_of_questions_has_its_own_votes(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "id,voter,answer,probabilities\n"
        'a,ann,yes,"[0.2, 0.8]"\nb,ann,no,"[0.6, 0.4]"\nb,bob,yes,"[0.1, 0.9]"\n'
    )
    lists = [[Question("b", "?"), Question("none", "?")], [Question("a", "?")], []]
    tables = vote(VotesFile(path=str(path)), NOBODY_LABELLED, lists, ("no", "yes"), seed=0)
    assert [table(votes) for votes in tables] == [
        {("b", "ann"): "no", ("b", "bob"): "yes"},
        {("a", "ann"): "yes"},
        {},
    ]
    assert tables[0].ids == ("b", "none")
    assert tables[0].probs is not None
    assert tables[0].probs.round(3).tolist() == [[0.6, 0.4], [0.1, 0.9]]


def test_a_mistake_about_other_questions_is_not_looked_for(tmp_path: Path) -> None:
    """Rows of `probabilities` are checked where they are read, and named by their own line."""
    path = tmp_path / "votes.csv"
    path.write_text('id,voter,answer,probabilities\na,ann,no,"[1, 0]"\nb,ann,no,"[1]"\n')
    assert len(study_votes(path, ("a",), ("no", "yes")).answer) == 1
    with pytest.raises(InputError, match="line 3: `probabilities` of 'ann' on 'b' must be 2"):
        study_votes(path, ("a", "b"), ("no", "yes"))


def test_chosen_and_rejected_are_positions_in_the_pair(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("id,voter,answer\na,ann,chosen\na,bob,rejected\na,cyd,second\na,dan,0.0\n")
    position = chosen_position("a", "")
    answers = study_votes(path, ("a",), PAIR).answer.tolist()
    assert answers == [position, 1 - position, 1, 0]


def test_an_option_beyond_those_of_its_question_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("id,voter,answer\na,ann,2\nb,ann,1.0\n")
    questions = [Question("a", "?", ("x", "y", "z")), Question("b", "?", ("x", "y"))]
    file, options = VotesFile(path=str(path)), ("0", "1", "2")
    votes = vote(file, NOBODY_LABELLED, [questions], options, seed=0)[0]
    assert votes.answer.tolist() == [2, 1]
    assert votes.candidates.tolist() == [3, 2]
    path.write_text("id,voter,answer\na,ann,2\nb,ann,2\n")
    with pytest.raises(InputError, match=r"line 3: answer '2' of 'ann' on 'b'.*\[0, 2\)"):
        vote(file, NOBODY_LABELLED, [questions], options, seed=0)


def test_the_old_name_of_answer_format_is_read_with_a_note(
    caplog: pytest.LogCaptureFixture,
) -> None:
    old = VotesFile.model_validate({"path": "v.csv", "reader": "number"})
    assert old == VotesFile(path="v.csv", answer_format="number")
    assert "`reader` is called `answer_format` now" in caplog.text
    with pytest.raises(ValueError, match="`reader` is the old name of `answer_format`"):
        VotesFile.model_validate({"path": "v.csv", "reader": "text", "answer_format": "text"})


def test_a_study_reads_exports_and_options_as_weigh_does(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text("task~who~label\nq~ann~yes\nq~bob~no\nq~cyd~skip\nr~ann~no\n")
    file = VotesFile(
        path=str(path),
        columns={"voter": "who"},
        without=("bob",),
        abstain=("skip",),
        separator="~",
    )
    questions = [Question(name, "?") for name in ("q", "r")]
    votes = vote(file, NOBODY_LABELLED, [questions], ("no", "yes"), seed=0)[0]
    assert table(votes) == {("q", "ann"): "yes", ("q", "cyd"): None, ("r", "ann"): "no"}
    with pytest.raises(ValueError, match="is no column of votes"):
        VotesFile(path="v.csv", columns={"label": "x"})
