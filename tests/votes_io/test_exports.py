"""Exports are read as they come, each vote as it is said."""

import json
from pathlib import Path

import pytest

from export_files import (
    FILES,
    LONG,
    SAID,
    doccano,
    excel,
    jsonl,
    label_studio,
    mturk,
    prodigy,
    table,
    write,
)
from steelyard.errors import InputError
from steelyard.votes_io.exports.convert import EXPORTS
from steelyard.votes_io.exports.tables import TABLES
from steelyard.votes_io.read_options import ReadOptions
from steelyard.votes_io.read_votes import read_votes


@pytest.mark.parametrize("case", FILES)
def test_an_export_says_what_its_voters_say(tmp_path: Path, case: str) -> None:
    name, make, columns = FILES[case]
    paths = write(tmp_path, name, make())
    votes = read_votes(paths, options=ReadOptions(columns)).votes
    triples = zip(votes.example, votes.voter, votes.answer, strict=True)
    said = {(votes.ids[i], votes.voters[v]): votes.classes[a] for i, v, a in triples if a >= 0}
    assert said == SAID
    assert votes.classes == ("ham", "spam")


def test_every_known_export_has_a_file_and_a_source() -> None:
    assert len(FILES) >= 40
    for export in (*EXPORTS, *TABLES):
        assert export.source.startswith("https://"), export.name


def test_accept_and_reject_are_the_answers_of_a_binary_prodigy_task(tmp_path: Path) -> None:
    read = read_votes(write(tmp_path, "v.jsonl", prodigy(False)))
    assert read.votes.classes == ("accept", "reject")
    assert read.votes.answer.tolist() == [0, 1, 1, 1, 0, -1]
    assert "Read as Prodigy" in read.notes[0]


def test_pairs_of_models_do_not_depend_on_which_is_first(tmp_path: Path) -> None:
    """The judge prefers gpt both times: the second model of the sorted pair claude | gpt."""
    row = {"question_id": 81, "model_a": "gpt", "model_b": "claude", "judge": "j", "turn": 1}
    swapped = {**row, "model_a": "claude", "model_b": "gpt", "winner": "model_b"}
    tie = {**row, "question_id": 82, "winner": "tie (bothbad)"}
    rows = [{**row, "winner": "model_a"}, swapped, tie]
    votes = read_votes(write(tmp_path, "v.jsonl", jsonl(rows))).votes
    assert votes.ids == ("81: claude | gpt, turn 1", "82: claude | gpt, turn 1")
    assert votes.classes == ("second", "tie")
    assert votes.answer.tolist() == [0, 0, 1]
    assert set(votes.queries) == {"swapped", "unchanged"}


def test_both_games_of_mt_bench_are_queries(tmp_path: Path) -> None:
    """First game: model_1 (a) wins as it is; second game, positions swapped, b wins."""
    row = {"question_id": 1, "model_1": "a", "model_2": "b", "judge": ["gpt-4", "pair-v2"]}
    row |= {"g1_winner": "model_1", "g2_winner": "model_2", "turn": 1}
    votes = read_votes(write(tmp_path, "v.jsonl", jsonl([row]))).votes
    assert votes.voters == ("gpt-4, pair-v2",)
    assert votes.queries == ("unchanged", "swapped")
    assert [votes.classes[a] for a in votes.answer] == ["first", "second"]


def test_the_most_probable_option_is_the_answer_of_a_multiple_choice_log(tmp_path: Path) -> None:
    row = {"doc_id": 3, "target": 1, "filtered_resps": [[-4.5, False], [-1.25, True]]}
    strings = {"doc_id": 4, "target": 1, "filtered_resps": [["-0.5", "True"], ["-3.0", "False"]]}
    votes = read_votes(write(tmp_path, "m.jsonl", jsonl([row, strings]))).votes
    assert votes.voters == ("m",)
    assert [votes.classes[a] for a in votes.answer] == ["1", "0"]


def test_the_question_is_asked_where_an_export_has_several(tmp_path: Path) -> None:
    rows = [
        {
            "id": "t1",
            "fields": {},
            "responses": {
                "kind": [{"user_id": "ann", "value": "spam"}],
                "tone": [{"user_id": "ann", "value": "rude"}],
            },
        }
    ]
    paths = write(tmp_path, "v.json", json.dumps(rows))
    with pytest.raises(InputError, match=r"has the questions kind, tone. Name one with `columns`"):
        read_votes(paths)
    read = read_votes(paths, options=ReadOptions({"answer": "tone"}))
    assert read.votes.classes == ("rude",)
    text = mturk(False).replace("Approve", "Answer.tone")
    with pytest.raises(
        InputError, match=r"which column has the answers, Answer.kind.label, Answer"
    ):
        read_votes(write(tmp_path, "m.csv", text))


def test_truth_of_an_export_may_be_a_path(tmp_path: Path) -> None:
    rows = json.loads(label_studio())
    for row in rows:
        row["data"]["expert"] = "spam"
    paths = write(tmp_path, "v.json", json.dumps(rows))
    assert read_votes(paths, truth=["data.expert"]).truth["data.expert"].tolist() == [1, 1, 1]


def test_rejected_assignments_do_not_vote(tmp_path: Path) -> None:
    """bob's work on t1 was rejected: four votes of five are left, and t1 has one."""
    header, *lines = mturk(False).splitlines(keepends=True)
    lines[1] = lines[1].replace('"Approved"', '"Rejected"')
    paths = write(tmp_path, "v.csv", header + "".join(lines))
    read = read_votes(paths)
    assert len(read.votes.answer) == len(SAID) - 1
    assert read.votes.voters == ("ann", "bob")
    assert [read.votes.ids[i] for i in read.votes.example] == ["t1", "t2", "t2", "t3"]
    assert read.notes[0] == (
        "1 answer with `AssignmentStatus` Rejected: dropped. To keep them, name the columns of id "
        "and voter with `columns`."
    )
    kept = read_votes(paths, options=ReadOptions({"id": "HITId", "voter": "WorkerId"}))
    assert len(kept.votes.answer) == len(SAID)
    radio = mturk(True).replace('"Approved"', '"Rejected"', 1)
    assert len(read_votes(write(tmp_path, "r.csv", radio)).votes.answer) == len(SAID) - 1
    with pytest.raises(
        InputError, match=r"v.csv \(MTurk\) has only answers with `AssignmentStatus`"
    ):
        read_votes(write(tmp_path, "v.csv", mturk(False).replace('"Approved"', '"Rejected"')))


def test_answers_that_toloka_and_appen_do_not_count_do_not_vote(tmp_path: Path) -> None:
    tasks = FILES["Toloka"][1]().replace("APPROVED", "REJECTED", 1)
    assert len(read_votes(write(tmp_path, "v.tsv", tasks)).votes.answer) == len(SAID) - 1
    header, *rows = FILES["Appen"][1]().splitlines()
    tainted = [f"{header},_tainted", f"{rows[0]},true", *(f"{row},false" for row in rows[1:])]
    votes = read_votes(write(tmp_path, "v.csv", "\n".join(tainted))).votes
    assert len(votes.answer) == len(SAID) - 1


def test_files_of_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for name, text in doccano().items():
        folder = tmp_path / name.removesuffix(".jsonl")
        folder.mkdir()
        (folder / "all.jsonl").write_text(text)
    votes = read_votes([tmp_path / name / "all.jsonl" for name in ("ann", "bob")]).votes
    assert votes.voters == ("ann/all", "bob/all")


def test_a_mistake_in_the_second_file_is_found_there(tmp_path: Path) -> None:
    a = write(tmp_path, "a.csv", "id,label\nq1,x\nq2,y\n")
    b = write(tmp_path, "b.csv", "id,label\nq1,x\nq2,Y\n")
    with pytest.raises(InputError, match=r"b.csv line 3: answer 'Y' .*'y' of a.csv line 3"):
        read_votes([*a, *b])
    with pytest.raises(InputError, match="is given twice"):
        read_votes([*a, *a])


def test_an_excel_file_without_the_extra_is_answered_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelyard.extras._installed", lambda module: False)
    path = write(tmp_path, "v.xlsx", b"PK\x03\x04")
    with pytest.raises(Exception, match=r"needs the extra `excel`: pip install"):
        read_votes(path)


def test_a_damaged_excel_file_is_refused_in_a_line(tmp_path: Path) -> None:
    whole = excel(table(LONG))
    for cut in range(0, len(whole), 97):
        content = bytearray(whole)
        content[cut] ^= 0xFF
        path = write(tmp_path, "v.xlsx", bytes(content))
        try:
            read_votes(path)
        except InputError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
