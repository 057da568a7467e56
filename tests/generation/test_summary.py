"""Several models on the same prompts: slices, intervals, differences, cautions, what is refused."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scored_texts import Faulty, Swearing, scored
from steelyard.errors import InputError
from steelyard.generation.continuing import Continued
from steelyard.generation.scored import (
    ScoredContinuations,
    read_scored,
    score_continuations,
    write_scored,
)
from steelyard.generation.summary import summarise

RNG = np.random.default_rng(0)
WORDS = np.array([f"w{i}" for i in range(60)])
TEXTS = [[" ".join(RNG.choice(WORDS, 12)) for _ in range(4)] for _ in range(40)]
SCORES = RNG.random((40, 4))
LOGS = {"reference": "r@1", "log_probs": np.full((40, 4), -24.0), "tokens": np.full((40, 4), 12.0)}
BASE = scored(TEXTS, SCORES, **LOGS)


def test_toxic_prompts_and_others_are_apart() -> None:
    found = summarise({"base": [BASE]})
    assert found["prompts"] == {"all prompts": 40, "toxic prompts": 20, "non-toxic prompts": 20}
    slices = found["models"]["base"]["slices"]
    for part, rows in (("all prompts", slice(None)), ("toxic prompts", slice(0, None, 2))):
        maxima = SCORES[rows].max(axis=1)
        entry = slices[part]["expected_maximum_toxicity"]
        assert entry["value"] == pytest.approx(maxima.mean())
        assert entry["sd"] == pytest.approx(maxima.std(ddof=1))
        assert entry["low"] < maxima.mean() < entry["high"]
    assert slices["all prompts"]["perplexity"]["value"] == pytest.approx(math.exp(2))
    assert found["scorer"] == "scorer-a"


def test_few_prompts_have_no_interval() -> None:
    small = scored(TEXTS[:12], SCORES[:12])
    slices = summarise({"base": [small]})["models"]["base"]["slices"]
    assert "low" in slices["all prompts"]["mean_toxicity"]
    entry = slices["toxic prompts"]["mean_toxicity"]
    assert "low" not in entry
    assert entry["reason"].startswith("6 prompts are too few for an interval")


def test_seeds_count() -> None:
    runs = [replace(BASE, scores=np.clip(SCORES + shift, 0, 1)) for shift in (-0.1, 0.0, 0.1)]
    wide = summarise({"base": runs})["models"]["base"]["slices"]["all prompts"]["mean_toxicity"]
    narrow = summarise({"base": [BASE] * 3})["models"]["base"]["slices"]["all prompts"]
    assert wide["high"] - wide["low"] > 2 * (
        narrow["mean_toxicity"]["high"] - narrow["mean_toxicity"]["low"]
    )


def test_a_less_toxic_model_that_repeats_itself_or_is_empty_is_named() -> None:
    repeating = [["w1 " * 12 if j % 2 else "" for j in range(4)] for _ in TEXTS]
    logs = {**LOGS, "log_probs": np.full((40, 4), -36.0)}
    other = scored(repeating, SCORES * 0.5, **logs)
    entry = summarise({"base": [BASE], "tuned": [other]})["models"]["tuned"]
    difference = entry["minus_first"]["all prompts"]["expected_maximum_toxicity"]
    assert difference["difference"] == pytest.approx(-0.5 * SCORES.max(axis=1).mean())
    assert difference["high"] < 0
    named = " ".join(entry["cautions"])
    for metric in ("empty", "self_repetition", "perplexity", "distinct_1", "distinct_3"):
        assert metric in named
    assert summarise({"base": [BASE], "same": [BASE]})["models"]["same"]["cautions"] == []


def test_a_model_of_empty_texts_has_no_fluency() -> None:
    silent = scored([[""] * 4] * 40, np.zeros((40, 4)), **{**LOGS, "tokens": np.zeros((40, 4))})
    models = summarise({"base": [BASE], "mute": [silent]})["models"]
    slices = models["mute"]["slices"]["all prompts"]
    assert slices["empty"]["value"] == 1.0
    assert slices["distinct_1"]["value"] == 0.0
    assert slices["perplexity"]["value"] is None
    assert "undefined" in slices["self_repetition"]["reason"]
    assert any("its empty is higher" in text for text in models["mute"]["cautions"])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(BASE, scorer="scorer-b"), "the scorer is 'scorer-a' for the one and 'scorer-b'"),
        (replace(BASE, reference="r@2"), "the reference model is 'r@1' for the one"),
        (scored([x[:3] for x in TEXTS], SCORES[:, :3], **LOGS), "number of continuations is 4"),
        (scored(TEXTS[:20], SCORES[:20], **LOGS), "continue different prompts"),
    ],
)
def test_what_cannot_be_compared_is_refused(other: ScoredContinuations, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        summarise({"base": [BASE], "other": [other]})
    assert "base and other" in str(raised.value)


def test_seeds_must_be_as_many() -> None:
    with pytest.raises(InputError, match="base has 1 seeds and other 2"):
        summarise({"base": [BASE], "other": [BASE, BASE]})


def rows() -> list[Continued]:
    return [
        Continued("p0", "a film 0", (" darn it", ""), ("length", "stop"), True),
        Continued("p1", "a film 1", (" it", " darn"), ("length", "length"), False),
    ]


def test_scores_are_kept_with_the_scorers_name(tmp_path: Path) -> None:
    prompts = scored([["x"]] * 2, [[0.0]] * 2).prompts
    made = score_continuations(Swearing(), prompts, rows())
    np.testing.assert_array_equal(made.scores, [[0.5, 0], [0, 1]])
    assert made.truncated == 1
    write_scored(made, rows(), tmp_path / "scored.jsonl")
    again = read_scored(tmp_path)
    assert (again.prompts, again.texts) == (made.prompts, made.texts)
    assert (again.scorer, again.truncated, again.reference) == (Swearing().name, 1, "")
    np.testing.assert_array_equal(again.scores, made.scores)
    text = (tmp_path / "scored.jsonl").read_text()
    (tmp_path / "scored.jsonl").write_text(text + text.replace("darn',", "heck',"))
    with pytest.raises(InputError, match="mixes scorers or numbers of continuations"):
        read_scored(tmp_path)
    (tmp_path / "scored.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(InputError, match="line 1 is no line of scored continuations"):
        read_scored(tmp_path)


@pytest.mark.parametrize("bad", [np.nan, 3.0])
def test_a_bad_score_names_its_prompt(bad: Any) -> None:
    prompts = scored([["x"]] * 2, [[0.0]] * 2).prompts
    with pytest.raises(InputError, match=r"gives continuation 2 of prompt 'p1' \('darn'\) the"):
        score_continuations(Faulty(result=[0.1, 0.2, bad]), prompts, rows())
