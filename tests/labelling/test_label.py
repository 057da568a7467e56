"""Votes of every kind of supervisor as a file, durably."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faulty_server import Body, FaultyServer, completion, top
from steelyard.errors import ConfigError, InputError
from steelyard.labelling import Items, label, plan, read_items
from steelyard.ledger import Ledger
from steelyard.supervision import Api, LanguageModel, Tfidf, VotesFile
from steelyard.supervision.read_votes import read_votes
from steelyard.supervision.terms import Limits
from steelyard.types import PAIR, Question, Split

QUESTIONS = tuple(Question(f"q{i}", f"text {i} .") for i in range(12))
CLASSES = ("ham", "spam")
ITEMS = Items("classification", QUESTIONS, CLASSES)


def number_of(body: Body) -> int:
    return int(body["messages"][-1]["content"].split("text ")[1].split()[0])


def answer(body: Body) -> str:
    return ("spam", "ham", "Sorry, I cannot tell.")[number_of(body) % 3]


def api(server: FaultyServer, **changes: Any) -> Api:
    return Api(base_url=server.url, model="m", **{"queries": 2, "first_wait": 0.001, **changes})


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


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
    assert read_votes(tmp_path / "votes.jsonl", classes=("0", "1", "2")).votes.answers == 3


def test_open_answers_are_written_in_one_spelling(tmp_path: Path) -> None:
    def solve(body: Body) -> str:
        return f"The answer is {number_of(body)}.0"

    with FaultyServer(solve) as server:
        items = Items("generation", QUESTIONS[:3], ())
        result = label(items, [api(server, reader="number")], tmp_path / "v.jsonl")
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
        (found,) = plan(ITEMS, [supervisor], tmp_path / "votes.jsonl")
        assert (server.requests, list(tmp_path.iterdir())) == (0, [])
        prompts = [one.prompt for one in supervisor.queries_about(QUESTIONS, CLASSES, 0)]
        tokens = sum(len(prompt) // 4 + 1 for prompt in prompts)
        assert (found.queries, found.stored, found.to_ask) == (24, 0, 24)
        assert (found.prompt_tokens, found.completion_tokens) == (tokens, 240)
        assert found.price == pytest.approx((tokens * 0.5 + 240 * 2) / 1000)
        label(ITEMS, [supervisor], tmp_path / "votes.jsonl", limits=Limits(max_requests=10))
        (found,) = plan(ITEMS, [supervisor], tmp_path / "votes.jsonl")
        assert (found.stored, found.to_ask, server.requests) == (10, 14, 10)


def test_a_limit_leaves_the_votes_there_are(tmp_path: Path) -> None:
    with FaultyServer(answer) as server:
        result = label(
            ITEMS, [api(server)], tmp_path / "votes.jsonl", limits=Limits(max_requests=7)
        )
    assert result.stopped_by == "`--max-requests 7`"
    rows = rows_in(tmp_path / "votes.jsonl")
    assert len(rows) == result.votes == 7
    assert "not asked" not in {row["reason"] for row in rows}


def test_faults_are_told_from_abstentions(tmp_path: Path) -> None:
    with FaultyServer(answer, lambda p, _: "500" if "text 5" in p else "answer") as server:
        result = label(ITEMS, [api(server, tries=2)], tmp_path / "votes.jsonl")
    assert result.lost == {"server error 500": 2}
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
    monkeypatch.setattr("steelyard.labelling.chunks.CHUNK", 5)
    supervisor = LanguageModel(model=str(tiny_llama), queries=2, wordings=("short",))
    calls = []
    whole = LanguageModel.vote

    def vote(self: LanguageModel, labelled: Any, asked: Any, classes: Any, *, seed: int) -> Any:
        calls.append(len(asked[0]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, labelled, asked, classes, seed=seed)

    monkeypatch.setattr(LanguageModel, "vote", vote)
    with pytest.raises(KeyboardInterrupt):
        label(ITEMS, [supervisor], tmp_path / "one.jsonl")
    assert not (tmp_path / "one.jsonl").exists()
    label(ITEMS, [supervisor], tmp_path / "one.jsonl")
    assert calls == [5, 5, 5, 2]  # the first part was kept
    monkeypatch.setattr("steelyard.labelling.chunks.CHUNK", 100)
    monkeypatch.setattr(LanguageModel, "vote", whole)
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
            ([Tfidf()], {}, ConfigError, "A tfidf supervisor learns from labelled rows"),
            (
                [LanguageModel(model="m")],
                {"budget": 5},
                ConfigError,
                "`--adaptive` decides query by query, and a language_model supervisor",
            ),
            ([api(server)], {"limits": Limits(max_cost=1)}, ConfigError, "`--max-cost` needs pr"),
            ([api(server, reader="number")], {}, ConfigError, "`reader: number` is of open"),
            ([api(server, aliases={"a": ("b",)})], {}, ConfigError, "`aliases` must name"),
        ]
        for supervisors, options, kind, said in cases:
            with pytest.raises(kind, match=said):
                label(ITEMS, supervisors, out, **options)
        for path, said in (
            (tmp_path / "votes.csv", "must end in .jsonl"),
            (tmp_path / "no" / "votes.jsonl", "there is no folder"),
        ):
            with pytest.raises(InputError, match=said):
                label(ITEMS, [api(server)], path)
        assert server.requests == 0
    assert list(tmp_path.iterdir()) == []


# Asking where it helps.


def test_a_budget_goes_to_the_questions_on_which_answers_differ(tmp_path: Path) -> None:
    """40 questions are asked twice; the 8 whose answers differ are asked up to 4 times more."""
    questions = tuple(Question(f"q{i}", f"text {i} .") for i in range(40))
    calls: Counter[int] = Counter()

    def torn(body: Body) -> str:
        number = number_of(body)
        calls[number] += 1
        draw = zlib.crc32(f"{number} {calls[number]}".encode()) // 7 if calls[number] > 2 else 0
        return CLASSES[(calls[number] + draw) % 2] if number < 8 else CLASSES[number % 2]

    with FaultyServer(torn) as server:
        items = Items("classification", questions, CLASSES)
        result = label(items, [api(server, queries=6)], tmp_path / "votes.jsonl", budget=100)
    assert result.votes == server.requests == 100
    more = np.array([calls[i] - 2 for i in range(40)])
    assert more[:8].min() >= 1
    assert more[:8].mean() > 2 * more[8:].mean()


def test_a_budget_takes_the_same_way_after_a_stop(tmp_path: Path) -> None:
    def torn(body: Body) -> str:
        return CLASSES[zlib.crc32(json.dumps(body["messages"]).encode()) % 2]

    with FaultyServer(torn) as server:
        supervisors = [api(server, queries=4), api(server, queries=3, name="other", system="Hm.")]
        for limit in (9, 8, 15, None):
            result = label(
                ITEMS,
                supervisors,
                tmp_path / "votes.jsonl",
                budget=40,
                limits=Limits(max_requests=limit),
            )
            assert bool(result.stopped_by) == (limit is not None)
        assert server.requests == result.votes == 40
        calm = label(
            ITEMS, supervisors, tmp_path / "calm.jsonl", budget=40, ledger=tmp_path / "l.sqlite"
        )
    assert (calm.votes, calm.voters) == (40, ("m", "other"))
    assert (tmp_path / "calm.jsonl").read_bytes() == (tmp_path / "votes.jsonl").read_bytes()


def test_a_budget_above_all_there_is_to_ask(tmp_path: Path) -> None:
    with FaultyServer(answer) as server:
        result = label(ITEMS, [api(server)], tmp_path / "votes.jsonl", budget=100)
    assert (result.votes, result.spare) == (24, 76)


@pytest.mark.parametrize("kind", ["generation", "multiple_choice"])
def test_a_budget_for_questions_without_shared_classes(tmp_path: Path, kind: Any) -> None:
    def torn(body: Body) -> str:
        draw = zlib.crc32(json.dumps(body["messages"]).encode())
        return "AB"[draw % 2] if kind == "multiple_choice" else str(draw % 3)

    options = [("x", "y", "z")[: 2 + i % 2] if kind == "multiple_choice" else () for i in range(12)]
    questions = tuple(Question(f"q{i}", f"text {i} .", options[i]) for i in range(len(options)))
    classes = ("0", "1", "2") if kind == "multiple_choice" else ()
    with FaultyServer(torn) as server:
        reader = None if classes else "number"
        supervisor = api(server, queries=5, reader=reader)
        result = label(
            Items(kind, questions, classes), [supervisor], tmp_path / "votes.jsonl", budget=40
        )
        assert result.votes == 40
        assert server.requests == 40
    count = Counter(row["id"] for row in rows_in(tmp_path / "votes.jsonl"))
    assert min(count.values()) >= 2


def test_a_budget_below_one_query_each(tmp_path: Path) -> None:
    with FaultyServer(answer) as server:
        result = label(ITEMS, [api(server)], tmp_path / "votes.jsonl", budget=5)
        assert result.votes == server.requests == 5


# Killed.

RUN = """
import sys
from pathlib import Path
from steelyard.labelling import label, read_items
from steelyard.supervision.api import Api
data, url, out = sys.argv[1:]
label(read_items(Path(data), classes=("ham", "spam")), [Api(base_url=url, model="m", queries=1,
      timeout=1, first_wait=0.01, longest_wait=0.2, tries=8)], Path(out))
"""
FAULTS = (
    *("500", "503", "429", "429 seconds", "reset", "reset in the body", "empty", "HTML"),
    *("half JSON", "no choices", "error in 200", "not UTF-8", "502", "wrong types", "timeout"),
)
ENDS = ("cut off", "withheld", "refusal", "null", "too long")


def misbehave(prompt: str, before: int) -> str:
    """15 % of the prompts meet a fault, one or two times; some end without a label."""
    draw = zlib.crc32(prompt.encode())
    if draw % 1000 < 150 and before <= draw // 1000 % 2:
        return FAULTS[draw // 2000 % len(FAULTS)]
    return ENDS[draw // 3 % len(ENDS)] if draw % 50 == 7 else "answer"


def asked_in(ledger: Path) -> set[str]:
    """Prompts whose answers are kept."""
    database = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    rows = database.execute("SELECT request FROM answers").fetchall()
    database.close()
    return {json.loads(request)["messages"][-1]["content"] for (request,) in rows}


@pytest.mark.parametrize("size", [150, pytest.param(2000, marks=pytest.mark.slow)])
def test_killed_three_times_nothing_is_lost_and_nothing_asked_again(
    tmp_path: Path, size: int
) -> None:
    data = tmp_path / "data.jsonl"
    lines = [{"id": f"q{i}", "text": f"text {i} ."} for i in range(size)]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "votes.jsonl"
    ledger = tmp_path / "votes.ledger.sqlite"

    def command(out: Path) -> list[str]:
        return [sys.executable, "-c", RUN, str(data), server.url, str(out)]

    before: set[str] = set()
    asked: list[dict[str, int]] = []
    with FaultyServer(answer, misbehave, slow=3) as server:
        for part in (0.2, 0.45, 0.7):
            run = subprocess.Popen(command(out), start_new_session=True)
            server.wait_for(int(part * size))
            os.kill(run.pid, signal.SIGKILL)
            assert run.wait() == -signal.SIGKILL
            assert not out.exists()
            kept = asked_in(ledger)
            with server.lock:
                asked.append({prompt: server.asked[prompt] for prompt in kept})
            assert kept >= before  # nothing that was stored is lost
            before = kept
        subprocess.run(command(out), check=True)
        for counts in asked:  # none was asked again after it was stored
            assert counts == {prompt: server.asked[prompt] for prompt in counts}
        share = sum(misbehave(prompt, 0) in FAULTS for prompt in server.asked) / size
        assert 0.10 < share < 0.20
        lost = server.answered.total() - len(asked_in(ledger))
        assert 0 <= lost <= 3 * 8  # those under way at a kill
        # a calm run, from a ledger of its own
        server.script = lambda prompt, before: misbehave(prompt, 2)
        subprocess.run(command(tmp_path / "calm.jsonl"), check=True)
    assert out.read_bytes() == (tmp_path / "calm.jsonl").read_bytes()
    assert len(rows_in(out)) == size
    with Ledger(ledger) as book:
        assert book.count() == sum(row["reason"] != "too long" for row in rows_in(out))


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
        label(items, [api(server, wordings=["plain"])], tmp_path / "votes.jsonl")
    rows = rows_in(tmp_path / "votes.jsonl")
    assert len(rows) == 8
    for row in rows:
        assert row["answer"] == ("second" if row["order"] == [0, 1] else "first")
    votes = read_votes(tmp_path / "votes.jsonl", classes=PAIR).votes
    assert votes.counts.tolist() == [[1, 1]] * 4  # each pair was shown in both orders
    file = VotesFile(path=str(tmp_path / "votes.jsonl"))
    again = file.vote(Split((), np.zeros(0, np.int64)), [items.questions], PAIR, seed=0)[0]
    assert again.counts.tolist() == votes.counts.tolist()
