"""Alignment tasks with bad input, through the command line: one line, or a row with its reason."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from drawn_models import built
from score_server import ScoreServer, perspective

Refused = Callable[..., str]


def results(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return content


def study(steelyard: Callable[..., Any], tmp_path: Path) -> dict[str, Any]:
    run = steelyard("study", "study.yaml", "--workers", "1", "--out", "run")
    assert run.code == 0, run.err
    return results(tmp_path / "run")


DATA: dict[str, Any] = {"train": "train.jsonl", "test": "test.jsonl", "weak_train": 12}


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("slu_f1", ["slu_f1` scores slots", "task: generation"]),
        ("reward_margin", ["reward_margin", "accuracy"]),
        (
            {"kind": "group_exact_match"},
            ["metric: group_exact_match` needs groups", "`data.group`"],
        ),
        ({"kind": "f1", "of": "soup"}, ["'soup'", "'cook'", "'trip'"]),
    ],
)
def test_a_metric_that_the_task_has_not_is_one_line(
    metric: Any, words: list[str], refused: Refused
) -> None:
    error = refused(metric=metric)
    assert all(word in error for word in words), error


def test_a_class_that_no_test_row_has_leaves_no_main_metric(refused: Refused) -> None:
    rows = {number: {"label": "cook"} for number in range(1, 17)}
    error = refused(test=rows, metric={"kind": "f1", "of": "trip"})
    assert "no test row is of class 'trip'" in error


def test_a_class_that_one_test_set_lacks_is_a_row_with_its_reason(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    other = [{"id": f"o{i}", "text": f"the soup {i}", "label": "cook"} for i in range(12)]
    lines = "".join(json.dumps(row) + "\n" for row in other)
    sets = {**DATA, "test": {"main": "test.jsonl", "other": "other.jsonl"}}
    put(
        tmp_path,
        {"other.jsonl": lines},
        data=sets,
        metrics=[{"kind": "f1", "of": "trip"}],
    )
    part = study(steelyard, tmp_path)["test_sets"]["other"]["metrics"]
    assert "no test row is of class 'trip'" in part["f1 of trip"]["reason"]
    assert part["accuracy"]["ceiling"]["value"] is not None


def test_contradictory_labels_are_counted_and_dropped_on_request(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    twice = {1: {"text": "the same", "label": "cook"}, 2: {"text": "The same!", "label": "trip"}}
    put(tmp_path, train=twice)
    assert study(steelyard, tmp_path)["data"]["contradictory"] == 1
    assert "labels" in (tmp_path / "run" / "report.md").read_text()
    put(tmp_path, train=twice, data={**DATA, "contradictions": "drop"})
    data = study(steelyard, tmp_path)["data"]
    assert sum(data["dropped"].values()) == 2
    assert data["weak_train"] + data["strong_train"] == 46


def test_a_group_on_both_sides_of_a_given_split_is_one_line(refused: Refused) -> None:
    train = {number: {"doc": f"a{number // 2}"} for number in range(1, 49)}
    test = {number: {"doc": "a3" if number == 5 else f"b{number}"} for number in range(1, 17)}
    error = refused(train=train, test=test, data={**DATA, "group": "doc"})
    assert "Group 'a3'" in error
    assert "`data.leaks: drop`" in error


def test_a_slice_of_two_rows_has_no_interval_and_says_so(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    test = {number: {"kind": "rare" if number < 3 else "usual"} for number in range(1, 17)}
    put(tmp_path, test=test, data={**DATA, "slice": "kind"})
    found = study(steelyard, tmp_path)["slices"]["metrics"]["accuracy"]
    assert found["rare"]["reason"] == "2 independent rows: fewer than 10 have no interval."
    assert found["rare"]["ceiling"]["low"] is None
    assert found["usual"]["ceiling"]["low"] is not None
    assert "fewer than 10 have no interval" in (tmp_path / "run" / "report.md").read_text()


# Generated text


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator, and another that ends at once: its hidden states all point to the end token."""
    folder = tmp_path_factory.mktemp("generators")
    model, words = built("gpt2")
    for name in ("usual", "mute"):
        if name == "mute":
            with torch.no_grad():
                model.transformer.ln_f.weight.zero_()
                model.transformer.ln_f.bias.fill_(1.0)
                model.transformer.wte.weight.zero_()
                model.transformer.wte.weight[words.eos_token_id] = 10.0
        model.save_pretrained(folder / name)
        words.save_pretrained(folder / name)
    prompts = [{"id": f"p{i}", "prompt": "the film is " * (1 + 40 * (i == 3))} for i in range(12)]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    return folder


def generate(
    steelyard: Callable[..., Any], folder: Path, scorer: str, *names: str, out: Path
) -> Any:
    models = [word for name in names for word in ("--model", f"{name}={folder / name}")]
    return steelyard(
        *("generate", str(folder / "prompts.jsonl"), *models, "--samples", "2"),
        *("--max-new-tokens", "4", "--scorer", scorer, "--out", str(out)),
    )


def settings(server: ScoreServer, **changes: Any) -> str:
    plain = {"kind": "http", "base_url": server.url, "first_wait": 0.0, "longest_wait": 0.01}
    return json.dumps({**plain, "tries": 2, "concurrency": 1, **changes})


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((200, perspective("73")), "is 73, and scores are from 0 to 1"),  # percent
        ((200, perspective("-2.3")), "is -2.3, and scores are from 0 to 1"),  # logits
        ((200, perspective("NaN")), "is nan, and scores are from 0 to 1"),
        ((500, "down"), "got no score from"),
        (None, "timeout: none in 0.05 s"),
    ],
)
def test_a_scorer_that_gives_no_score_is_one_line_that_names_the_continuation(
    reply: Any,
    message: str,
    steelyard: Callable[..., Any],
    generators: Path,
    tmp_path: Path,
) -> None:
    def answer(text: str, number: int) -> tuple[int, str]:
        if reply is None:
            time.sleep(0.2)
        return reply or (200, perspective("0.1"))

    with ScoreServer(answer) as server:
        scorer = settings(server, timeout=0.05 if reply is None else 30)
        run = generate(steelyard, generators, scorer, "usual", out=tmp_path / "out")
    assert run.code == 2
    error = run.err.splitlines()[-1]
    assert error.startswith("error: The scorer")
    assert message in error
    assert "continuation" in error
    assert "prompt 'p" in error
    assert "Traceback" not in run.err


def test_empty_continuations_and_a_prompt_longer_than_the_context_are_said(
    steelyard: Callable[..., Any], generators: Path, tmp_path: Path
) -> None:
    """A model that says nothing has toxicity 0, no text is scored, and a caution says why."""
    with ScoreServer(lambda text, number: (200, perspective("0.6"))) as server:
        run = generate(
            *(steelyard, generators, settings(server)), "usual", "mute", out=tmp_path / "out"
        )
    assert run.code == 0, run.err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())["models"]
    mute = summary["mute"]["slices"]["all prompts"]
    assert mute["empty"]["value"] == 1.0
    assert mute["expected_maximum_toxicity"]["value"] == 0.0
    assert summary["mute"]["truncated_prompts"] == summary["usual"]["truncated_prompts"] == 1
    assert "the context is shorter than 1 prompt, which lost the beginning" in run.out
    assert "caution" in run.out
