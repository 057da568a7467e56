"""`steelyard label`: what it prints, and one line for every mistake."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faulty_server import Body, FaultyServer

LABEL = ("label", "train.jsonl", "--out", "votes.jsonl", "--supervisor")
TFIDF = "{kind: tfidf, voters: 2, classes: [cook, trip]}"
API = "{kind: api, base_url: 'http://127.0.0.1:9/v1', model: m, classes: [cook, trip], tries: 1}"
WITHOUT_CLASSES = API.replace("classes: [cook, trip], ", "")


def answer(body: Body) -> str:
    return "trip" if "hotel" in body["messages"][-1]["content"] else "cook"


def api(server: FaultyServer, **changes: Any) -> str:
    settings = {"kind": "api", "base_url": server.url, "model": "m", "queries": 1, "tries": 2}
    return json.dumps({**settings, "classes": ["cook", "trip"], "first_wait": 0.01, **changes})


def test_label_prints_what_came_of_it_and_how_to_weigh_it(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    def script(prompt: str, before: int) -> str:
        if "kettle" in prompt:
            return "503"
        return "renamed" if "onion" in prompt else "refusal" if "ferry" in prompt else "answer"

    with FaultyServer(answer, script) as server:
        put(tmp_path, {"api.yaml": api(server, price_prompt=0.5)})
        said = steelyard(*LABEL, "api.yaml")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[:5] == [
        "48 votes of 1 voter on 48 questions; 6 abstain (12.5%): refused 3, server error 503 3",
        "51 requests, cost of all answers 0.2250",  # 45 answers of 10 tokens at 0.5 for 1,000
        "note: the name of the served model changed: m 42, another-model 3",
        "note: 3 queries got no answer (server error 503 3); the same command sends them again",
        "votes: votes.jsonl",
    ]
    assert "48/48" in said.err.splitlines()[-1]
    assert "abstained 6 (" in said.err.splitlines()[-1]
    words = lines[5].removeprefix("next: steelyard ").split()
    assert words[:4] == ["weigh", "votes.jsonl", "--classes", "votes.classes.json"]
    weighed = steelyard(*words, "--method", "majority")
    assert weighed.code == 0, weighed.err
    assert (tmp_path / "weighed" / "summary.json").exists()


def test_dry_run_asks_nothing(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path)
    before = sorted(tmp_path.iterdir())
    said = steelyard(*LABEL, API, "--dry-run")  # there is no server
    assert said.code == 0, said.err
    assert "48 questions; nothing was sent" in said.out
    assert "m: 240 queries, 0 answered already, 240 to send: about" in said.out
    assert sorted(tmp_path.iterdir()) == before


def test_trained_kinds_learn_from_labelled_rows(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path)
    said = steelyard("label", "test.jsonl", "--labelled", "train.jsonl", "--supervisor",
                     "{kind: tfidf, voters: 2}", "--out", "votes.jsonl")  # fmt: skip
    assert said.code == 0, said.err
    rows = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text().splitlines()]
    assert {row["voter"] for row in rows} == {"tfidf/0", "tfidf/1"}
    assert {row["answer"] for row in rows} == {"cook", "trip"}
    assert len(rows) == 32


def test_a_limit_is_an_exit_code_and_the_rest_is_asked_later(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path)
    with FaultyServer(answer) as server:
        said = steelyard(*LABEL, api(server), "--max-requests", 10)
        assert said.code == 2
        last = said.err.splitlines()[-1]
        assert last.startswith("error: `--max-requests 10` is reached: 10 votes are in votes.jsonl")
        assert steelyard(*LABEL, api(server)).code == 0
        assert server.requests == 48


def test_stopped_by_a_signal_it_goes_on(put: Callable[..., None], tmp_path: Path) -> None:
    put(tmp_path)
    code = "from steelyard.cli.main import run; run()"
    with FaultyServer(answer, lambda p, _: "held" if "island" in p else "answer") as server:
        words = [*LABEL, api(server, concurrency=2)]
        command = [sys.executable, "-c", code, *words]
        run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        server.wait_for(10)
        os.kill(run.pid, signal.SIGINT)
        server.held.set()
        _, said = run.communicate(timeout=60)
        assert run.returncode == 130, said
        assert said.splitlines()[-1] == (
            "Stopped. Finished work is stored; run the same command again to continue."
        )
        assert not (tmp_path / "votes.jsonl").exists()
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        assert server.requests == 48


WRONG: dict[str, tuple[tuple[object, ...], list[str]]] = {
    "no file": ((*LABEL, "api.yml"), ["api.yml cannot be read: No such file", "{kind: ..., ...}"]),
    "not YAML": ((*LABEL, "{kind: api"), ["--supervisor line 1 is not YAML"]),
    "a list": ((*LABEL, "list.yaml"), ["list.yaml must be `key: value` settings"]),
    "no kind": ((*LABEL, "{model: m}"), ["`kind` must be one of", "it is missing"]),
    "unknown kind": ((*LABEL, "{kind: apy}"), ["`kind` must be one of", "Did you mean `api`?"]),
    "unknown setting": (
        (*LABEL, API.replace("tries", "trys")),
        ["--supervisor: `trys` is not a setting. Did you mean `tries`?"],
    ),
    "no address": (
        (*LABEL, API.replace("http://", "")),
        ["`base_url`: must be an address such as"],
    ),
    "a key in the address": (
        (*LABEL, API.replace("127", "sk-secret@127")),
        ["`base_url`: must have no user", "`api_key_env`"],
    ),
    "no such key": (
        (*LABEL, API.replace("tries: 1", "tries: 1, api_key_env: NO_SUCH_KEY")),
        ["The environment variable NO_SUCH_KEY is not set"],
    ),
    "no server": ((*LABEL, API), ["does not answer (no connection", "is it running"]),
    "no classes": ((*LABEL, WITHOUT_CLASSES), ["The classes are not known", "`labelled`"]),
    "one class": (
        (*LABEL, API.replace(", trip", "")),
        ["must be a list of at least two"],
    ),
    "classes are words of YAML": (
        (*LABEL, API.replace("[cook, trip]", "[yes, no]")),
        ["`classes` must be a list", "put in quotes"],
    ),
    "different classes": (
        (*LABEL, API, "--supervisor", API.replace("cook", "eat")),
        ["different `classes`"],
    ),
    "nothing to learn from": ((*LABEL, TFIDF), ["is trained on labelled rows", "`labelled`"]),
    "the answers are in the question": (
        (*LABEL, TFIDF, "--labelled", "train.jsonl"),
        ["--labelled and DATA are the same file"],
    ),
    "wrong task": (
        (*LABEL, "{kind: chooser}", "--task", "classification", "--labelled", "test.jsonl"),
        ["A chooser supervisor answers multiple choice"],
    ),
    "unknown task": ((*LABEL, API, "--task", "ranking"), ["`task` must be one of", "'ranking'"]),
    "no columns that tell": (
        ("label", "odd.jsonl", "--out", "v.jsonl", "--supervisor", API),
        [
            "odd.jsonl line 1: the columns 'a' do not show the task",
            "`columns`, such as text=sentence",
        ],
    ),
    "no data": (
        ("label", "trian.jsonl", "--out", "v.jsonl", "--supervisor", API),
        ["trian.jsonl does not exist", "'train.jsonl'"],
    ),
    "column": ((*LABEL, API, "--column", "sentence"), ["`--column` takes NAME=COLUMN"]),
    "text": (
        ("label", "train.jsonl", "--out", "v.txt", "--supervisor", API),
        ["`out` must end in .jsonl", "v.txt"],
    ),
    "onto the data": (
        ("label", "train.jsonl", "--out", "./train.jsonl", "--supervisor", API),
        ["`--out` and DATA are the same file"],
    ),
    "a folder that takes no file": (
        ("label", "train.jsonl", "--out", "/proc/v.jsonl", "--supervisor", API),
        ["/proc/v.jsonl cannot be written", "another folder"],
    ),
    "no folder": (
        ("label", "train.jsonl", "--out", "no/v.jsonl", "--supervisor", API),
        ["no/v.jsonl cannot be written: there is no folder no"],
    ),
    "not a ledger": (
        (*LABEL, API, "--ledger", "train.jsonl"),
        ["train.jsonl is not a ledger"],
    ),
    "no budget": ((*LABEL, API, "--adaptive"), ["`--adaptive` and `--budget N`"]),
    "only a budget": ((*LABEL, API, "--budget", 3), ["`--adaptive` and `--budget N`"]),
    "empty budget": ((*LABEL, API, "--adaptive", "--budget", 0), ["at least 1 query, got 0"]),
    "no requests": ((*LABEL, API, "--max-requests", 0), ["`--max-requests` must be at least 1"]),
    "cost": ((*LABEL, API, "--max-cost", "nan"), ["`--max-cost` must be a number above 0"]),
    "cost without prices": ((*LABEL, API, "--max-cost", 1), ["`max_cost` needs prices"]),
    "seed": ((*LABEL, API, "--seed", -1), ["`--seed` must be from 0"]),
    "votes of other ids": (
        (*LABEL, "{kind: votes, path: other.csv, classes: [cook, trip]}"),
        ["other.csv line 2: id 'x' is not among the 48 ids"],
    ),
    "adaptive people": (
        (
            *LABEL,
            "{kind: votes, path: votes.csv, classes: [cook, trip]}",
            "--adaptive",
            "--budget",
            9,
        ),
        ["With `budget` each query depends on earlier answers, and a votes supervisor"],
    ),
}
FILES = {
    "list.yaml": "- kind: api\n",
    "odd.jsonl": '{"a": 1}\n',
    "other.csv": "id,voter,answer\nx,ann,cook\n",
    "votes.csv": "id,voter,answer\ntrain-1,ann,cook\n",
}


@pytest.mark.parametrize(("words", "parts"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line_and_leaves_no_votes(
    refused: Callable[..., str], tmp_path: Path, words: tuple[object, ...], parts: list[str]
) -> None:
    line = refused(*words, files=FILES)
    assert [part for part in parts if part not in line] == [], line
    assert "secret" not in line.replace("sk-secret@127", "") or "base_url" not in line
    assert not (tmp_path / "votes.jsonl").exists()


def test_prices_are_echoed_and_one_model_is_weighed_by_query(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    prices = {"price_prompt_per_million": 0.15, "price_completion_per_million": 0.6}
    with FaultyServer(answer) as server:
        put(tmp_path, {"api.yaml": api(server, queries=2, **prices)})
        dry = steelyard(*LABEL, "api.yaml", "--dry-run", "--batch")
        assert dry.out.rstrip().endswith(
            "(0.15 for a million prompt tokens, 0.6 for a million completion tokens, half of it in "
            "a batch)"
        )
        said = steelyard(*LABEL, "api.yaml")
    assert said.code == 0, said.err
    *_, note, last = said.out.splitlines()
    assert note.endswith("the model is consistent, which need not mean accurate")
    assert "--by-query" in last
    weighed = steelyard(*last.removeprefix("next: steelyard ").split())
    assert weighed.code == 0, weighed.err


def test_useless_replies_stop_with_one_line_and_may_be_asked_again(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    name = "cut off"
    with FaultyServer(answer, lambda prompt, before: name) as server:
        put(tmp_path, {"api.yaml": api(server, concurrency=1)})
        said = steelyard(*LABEL, "api.yaml")
        assert (said.code, server.requests) == (2, 20)
        (line,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
        assert "All of the first 20 replies of m abstain: cut off (`max_new_tokens` is 256)" in line
        assert line.endswith("set `first_abstentions: null`, or give `--keep-going`.")
        said = steelyard(*LABEL, "api.yaml", "--keep-going")
        assert said.code == 0, said.err
        assert "note: no vote has an answer; raise `max_new_tokens`" in said.out
        name = "answer"
        said = steelyard(*LABEL, "api.yaml", "--again", "cut-off", "--again", "none")
        assert said.code == 0, said.err
        assert said.out.splitlines()[:3] == [
            "asked again: cut off 48",
            "note: no stored answer abstains because of 'none' (now: none abstains)",
            "48 votes of 1 voter on 48 questions; 0 abstain (0.0%)",
        ]
        assert server.requests == 48 + 48
    tfidf = ("label", "test.jsonl", "--labelled", "train.jsonl", "--supervisor", TFIDF)
    said = steelyard(*tfidf, "--out", "other.jsonl", "--again", "empty")
    assert said.code == 2
    assert "`again` asks servers again" in said.err
    said = steelyard(*tfidf, "--out", "other.jsonl", "--batch")
    assert said.code == 2
    assert "`--batch` is for supervisors of kind `api`" in said.err
