"""Votes of every kind of supervisor as a file."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faulty_server import Body, FaultyServer, completion, top
from requests_for_tests import vote
from steelyard.errors import ConfigError, InputError
from steelyard.labelling import Items, label, plan_queries, read_items
from steelyard.labelling.rows import write_rows
from steelyard.supervision import LanguageModelVoters, Tfidf, VotesFile
from steelyard.supervision.api.request import Limits
from steelyard.types import PAIR, Question, Split
from steelyard.votes_io.read_votes import read_votes
from texts_to_label import CLASSES, ITEMS, QUESTIONS, answer, api, number_of, rows_in


def test_rows_say_what_was_answered_and_how_to_ask_again(tmp_path: Path) -> None:
    with FaultyServer(answer) as server:
        supervisor = api(server)
        result = label(ITEMS, [supervisor], tmp_path / "votes.jsonl", seed=3)
        bodies = {json.dumps(body["messages"]) for body in server.bodies}
    rows = rows_in(tmp_path / "votes.jsonl")
    assert [row["id"] for row in rows] == [q.id for q in QUESTIONS for _ in range(2)]
    assert [row["answer"] for row in rows[:6]] == ["spam", "spam", "ham", "ham", None, None]
    assert rows[4]["reason"] == "refused"
    assert rows[4]["text"] == "Sorry, I cannot tell."
    again = {json.dumps([{"role": "user", "content": row["prompt"]}]) for row in rows}
    assert again == bodies
    for row in rows:  # its query alone, and the seed of the command, make the same prompt
        question = QUESTIONS[int(row["id"][1:])]
        query = supervisor.query_names("classification").index(row["query"])
        asked = supervisor.ask(question, "classification", CLASSES, query, 3)
        assert (asked.prompt, list(asked.order), asked.seed) == (
            *(row["prompt"], row["order"], row["seed"]),
        )
    assert result.abstained == Counter(refused=8)
    assert (result.votes, result.voters, result.requests) == (24, ("m",), 24)
    assert json.loads((tmp_path / "votes.classes.json").read_text()) == ["ham", "spam"]


def test_weigh_reads_the_file_with_its_distributions(tmp_path: Path) -> None:
    def sure(body: Body) -> Body:
        return completion("spam", body, **top(("spam", np.log(0.75)), ("ham", np.log(0.25))))

    with FaultyServer(sure) as server:
        label(ITEMS, [api(server)], tmp_path / "votes.jsonl")
    votes = read_votes(tmp_path / "votes.jsonl", classes=CLASSES).votes
    assert votes.ids == tuple(question.id for question in QUESTIONS)
    assert votes.probs is not None
    np.testing.assert_allclose(votes.probs, np.tile([0.25, 0.75], (24, 1)))


def test_options_of_different_number_share_one_list_of_probabilities(tmp_path: Path) -> None:
    questions = (
        Question("a", "text 1 .", ("x", "y")),
        Question("b", "text 2 .", ("x", "y", "z")),
    )

    def letter(body: Body) -> Body:
        return completion("B", body, **top(("B", np.log(0.8)), ("A", np.log(0.2))))

    with FaultyServer(letter) as server:
        items = Items("multiple_choice", questions, ("0", "1", "2"))
        label(items, [api(server, orders=False, queries=1)], tmp_path / "votes.jsonl")
    rows = rows_in(tmp_path / "votes.jsonl")
    assert [row["answer"] for row in rows] == [1, 1]
    assert rows[0]["probabilities"] == [0.2, 0.8, 0.0]
    assert read_votes(tmp_path / "votes.jsonl", classes=("0", "1", "2")).votes.num_classes == 3


def test_open_answers_are_written_in_one_spelling(tmp_path: Path) -> None:
    def solve(body: Body) -> str:
        return f"The answer is {number_of(body)}.0"

    with FaultyServer(solve) as server:
        items = Items("generation", QUESTIONS[:3], ())
        result = label(items, [api(server, answer_format="number")], tmp_path / "v.jsonl")
    assert [row["answer"] for row in rows_in(tmp_path / "v.jsonl")] == [
        "0",
        "0",
        "1",
        "1",
        "2",
        "2",
    ]
    assert result.classes is None
    votes = read_votes(tmp_path / "v.jsonl", answers="number").votes
    assert votes.candidate_texts == (("0",), ("1",), ("2",))


def test_the_file_is_made_from_the_ledger_byte_for_byte(tmp_path: Path) -> None:
    with FaultyServer(answer) as server:
        for name in ("one", "two"):
            result = label(
                ITEMS, [api(server)], tmp_path / f"{name}.jsonl", ledger=tmp_path / "l.sqlite"
            )
        assert server.requests == 24
    assert result.requests == 0
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_a_plan_asks_nothing_and_writes_nothing(tmp_path: Path) -> None:
    with FaultyServer(answer) as server:
        supervisor = api(server, price_prompt=0.5, price_completion=2, max_new_tokens=10)
        (found,) = plan_queries(ITEMS, [supervisor], tmp_path / "votes.jsonl")
        assert (server.requests, list(tmp_path.iterdir())) == (0, [])
        asked = supervisor.ask_all(QUESTIONS, "classification", CLASSES, 0)
        prompts = [query.prompt for query in asked]
        tokens = sum(len(prompt) // 4 + 1 for prompt in prompts)
        assert (found.queries, found.stored, found.to_ask) == (24, 0, 24)
        assert (found.prompt_tokens, found.completion_tokens) == (tokens, 240)
        assert found.price == pytest.approx((tokens * 0.5 + 240 * 2) / 1000)
        label(ITEMS, [supervisor], tmp_path / "votes.jsonl", limits=Limits(max_requests=10))
        (found,) = plan_queries(ITEMS, [supervisor], tmp_path / "votes.jsonl")
        assert (found.stored, found.to_ask, server.requests) == (10, 14, 10)


def test_a_limit_leaves_the_votes_there_are(tmp_path: Path) -> None:
    with FaultyServer(answer) as server:
        result = label(
            ITEMS, [api(server)], tmp_path / "votes.jsonl", limits=Limits(max_requests=7)
        )
    assert result.stopped_by == "`max_requests=7`"
    rows = rows_in(tmp_path / "votes.jsonl")
    assert len(rows) == result.votes == 7
    assert "not asked" not in {row["reason"] for row in rows}


def test_faults_are_told_from_abstentions(tmp_path: Path) -> None:
    with FaultyServer(answer, lambda p, _: "500" if "text 5" in p else "answer") as server:
        result = label(ITEMS, [api(server, tries=2)], tmp_path / "votes.jsonl")
    assert result.unanswered == {"server error 500": 2}
    assert result.abstained == {"server error 500": 2, "refused": 6}
    rows = [row for row in rows_in(tmp_path / "votes.jsonl") if row["id"] == "q5"]
    assert [(row["answer"], row["reason"]) for row in rows] == [(None, "server error 500")] * 2


def test_several_supervisors_of_several_kinds(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text("id,voter,answer\nq0,ann,spam\nq1,ann,ham\n")
    lines = [{"id": f"w{i}", "text": f"text {i}", "label": CLASSES[i % 2]} for i in range(20)]
    (tmp_path / "labelled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    (tmp_path / "data.csv").write_text(
        "id,text\n" + "".join(f"q{i},text {i} .\n" for i in range(4))
    )
    items = read_items(tmp_path / "data.csv", labelled=tmp_path / "labelled.jsonl")
    assert (items.kind, items.classes) == ("classification", CLASSES)
    with FaultyServer(answer) as server:
        kinds = [
            *(api(server), api(server, name="m", queries=1)),
            *(Tfidf(voters=2), Tfidf(voters=1), VotesFile(path=str(tmp_path / "votes.csv"))),
        ]
        result = label(items, kinds, tmp_path / "out.jsonl")
    assert result.voters == ("m", "m#2", "tfidf/0", "tfidf/1", "tfidf/0#2", "ann")
    count = Counter(row["voter"] for row in rows_in(tmp_path / "out.jsonl"))
    assert list(count.values()) == [8, 4, 4, 4, 4, 2]
    assert read_votes(tmp_path / "out.jsonl", classes=CLASSES).votes.voters == result.voters


def test_a_local_language_model_is_kept_part_by_part(
    tmp_path: Path, tiny_llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelyard.labelling.rows.CHUNK", 5)
    supervisor = LanguageModelVoters(model=str(tiny_llama), queries=2, templates=("short",))
    calls = []
    whole = LanguageModelVoters.vote

    def vote(self: LanguageModelVoters, request: Any) -> Any:
        calls.append(len(request.questions[0]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, request)

    monkeypatch.setattr(LanguageModelVoters, "vote", vote)
    with pytest.raises(KeyboardInterrupt):
        label(ITEMS, [supervisor], tmp_path / "one.jsonl")
    assert not (tmp_path / "one.jsonl").exists()
    label(ITEMS, [supervisor], tmp_path / "one.jsonl")
    assert calls == [5, 5, 5, 2]  # the first part was kept
    monkeypatch.setattr("steelyard.labelling.rows.CHUNK", 100)
    monkeypatch.setattr(LanguageModelVoters, "vote", whole)
    label(ITEMS, [supervisor], tmp_path / "two.jsonl")
    one, two = (rows_in(tmp_path / f"{name}.jsonl") for name in ("one", "two"))
    assert [row["prompt"] for row in one] == [row["prompt"] for row in two]
    np.testing.assert_allclose(
        [row["probabilities"] for row in one], [row["probabilities"] for row in two], atol=0.02
    )  # bf16 sums depend on the batch


def test_what_cannot_work_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    out = tmp_path / "votes.jsonl"
    with FaultyServer(answer) as server:
        cases: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
            ([Tfidf()], {}, ConfigError, "A tfidf supervisor is trained on labelled rows"),
            (
                [LanguageModelVoters(model="m")],
                {"budget": 5},
                ConfigError,
                "With `budget` each query depends on earlier answers, and a language_model",
            ),
            ([api(server)], {"limits": Limits(max_cost=1)}, ConfigError, "`max_cost` needs pr"),
            (
                [api(server, answer_format="number")],
                {},
                ConfigError,
                "`answer_format: number` is for open",
            ),
            ([api(server, aliases={"a": ("b",)})], {}, ConfigError, "`aliases` must name"),
        ]
        for supervisors, options, kind, said in cases:
            with pytest.raises(kind, match=said):
                label(ITEMS, supervisors, out, **options)
        for path, said in (
            (tmp_path / "votes.txt", "must end in .jsonl, .csv"),
            (tmp_path / "no" / "votes.jsonl", "there is no folder"),
        ):
            with pytest.raises(InputError, match=said):
                label(ITEMS, [api(server)], path)
        assert server.requests == 0
    assert list(tmp_path.iterdir()) == []


def test_pairs_are_compared_and_their_votes_name_the_place(tmp_path: Path) -> None:
    # The judge replies B whatever is shown: the second answer as it stands, the first when the two
    # have changed places.
    pairs = [
        {"id": f"p{i}", "prompt": f"text {i} .", "chosen": "yes", "rejected": "no"}
        for i in range(4)
    ]
    useless = {"id": "p9", "prompt": "text 9 .", "chosen": "yes", "rejected": "yes"}
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in [*pairs, useless]))
    items = read_items(tmp_path / "pairs.jsonl")
    assert (items.kind, items.classes, len(items.questions)) == ("preference", PAIR, 4)
    with FaultyServer(lambda body: "B") as server:
        label(items, [api(server, templates=["plain"])], tmp_path / "votes.jsonl")
    rows = rows_in(tmp_path / "votes.jsonl")
    assert len(rows) == 8
    for row in rows:
        assert row["answer"] == ("second" if row["order"] == [0, 1] else "first")
    votes = read_votes(tmp_path / "votes.jsonl", classes=PAIR).votes
    assert votes.counts.tolist() == [[1, 1]] * 4  # each pair was shown in both orders
    file = VotesFile(path=str(tmp_path / "votes.jsonl"))
    again = vote(file, Split((), np.zeros(0, np.int64)), [items.questions], PAIR, seed=0)[0]
    assert again.counts.tolist() == votes.counts.tolist()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_votes_are_written_as_a_table_that_weigh_reads(tmp_path: Path, ending: str) -> None:
    with FaultyServer(answer) as server:
        label(ITEMS, [api(server)], tmp_path / "rows.jsonl", seed=3)
        label(ITEMS, [api(server)], tmp_path / f"table.{ending}", seed=3)
    rows, table = (
        read_votes(tmp_path / name, classes=CLASSES).votes
        for name in ("rows.jsonl", f"table.{ending}")
    )
    assert table.ids == rows.ids
    assert table.queries == rows.queries
    np.testing.assert_array_equal(table.answer, rows.answer)
    assert table.reasons == rows.reasons
    assert (tmp_path / "table.classes.json").exists()


def test_free_text_of_a_csv_is_no_formula(tmp_path: Path) -> None:
    rows = [{"id": "=1", "voter": "-m", "answer": "+", "text": "=1+1", "prompt": "@x", "seed": 0}]
    write_rows(tmp_path / "v.csv", rows)
    lines = (tmp_path / "v.csv").read_text().splitlines()
    raw = "log_probs,tokens,bytes"
    assert lines[0] == f"id,voter,query,answer,probabilities,{raw},text,reason,seed,order,prompt"
    assert lines[1] == "=1,-m,,+,,,,,'=1+1,,0,,'@x"
