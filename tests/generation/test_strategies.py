"""The scores of a weak scorer choose, weigh or prefer; each strategy has its control."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scored_texts import Swearing, scored
from steelyard.errors import InputError
from steelyard.generation.continuing import Sampling, continue_prompts, load_generator
from steelyard.generation.learning import shuffled_scores
from steelyard.generation.scored import ScoredContinuations, score_continuations
from steelyard.generation.strategies import (
    BaseStrategy,
    BestOfN,
    Dpo,
    Weighted,
)
from steelyard.models.lm.finetune_lm import Tuning
from steelyard.models.lm.preference_training import PreferenceTuning
from steelyard.models.load import Pretrained

TEXTS = [[" good", " bad", ""], ["", " ", ""], [" plot", " film", " not"]]
SCORES = [[0.4, 0.9, 0.0], [0.0, 0.0, 0.0], [0.7, 0.1, 0.3]]
SCORED = scored(TEXTS, SCORES)
SFT = Tuning(epochs=12, learning_rate=1e-2, lora=None, precision="fp32", batch_size=4)
PAIRS = PreferenceTuning(epochs=6, learning_rate=1e-3, lora=None, precision="fp32", batch_size=4)
ALL = (BestOfN(tuning=SFT), Weighted(tuning=SFT, temperature=0.05), Dpo(tuning=PAIRS))


def test_choose_weigh_and_prefer_by_hand() -> None:
    assert BestOfN().rows(SCORED, 0).completions == (" good", " film")
    # p0: exp(-.4/.5) : exp(-.9/.5) = 1 : e^-1; p2: exp(-1.4) : exp(-.2) : exp(-.6)
    rows = Weighted(temperature=0.5).rows(SCORED, 0)
    shares = [1 / (1 + np.exp(-1)), 1 / (1 + np.e)]
    powers = np.exp([-1.4, -0.2, -0.6])
    expected = np.array([*shares, *(powers / powers.sum())]) * 5 / 2  # 5 rows, 2 in all
    np.testing.assert_allclose(rows.weights, expected)
    pairs = Dpo(flip=0.2).pairs(SCORED, 0)
    assert [q.choices for q in pairs.questions] == [(" good", " bad"), (" film", " plot")]
    np.testing.assert_array_equal(pairs.targets, [[0.8, 0.2]] * 2)


def test_a_high_score_may_be_good() -> None:
    assert BestOfN(lower_is_better=False).rows(SCORED, 0).completions == (" bad", " plot")
    pairs = Dpo(lower_is_better=False).pairs(SCORED, 0)
    assert [q.choices[0] for q in pairs.questions] == [" bad", " plot"]


def test_a_control_has_as_many_rows_and_no_information() -> None:
    """Over 300 seeds each text is chosen, or preferred, equally often: 150 +- 5 sd of 8.7."""
    seeds = range(300)
    chosen = [BestOfN().rows(SCORED, seed, control=True).completions[0] for seed in seeds]
    drawn = [Weighted(temperature=0.5).rows(SCORED, seed, control=True) for seed in seeds]
    heavy = [rows.completions[int(rows.weights[:2].argmax())] for rows in drawn]
    pairs = [Dpo().pairs(SCORED, seed, control=True) for seed in seeds]
    better = [pair.questions[0].choices[0] for pair in pairs]
    for found in (chosen, heavy, better):
        assert abs(found.count(" good") - 150) < 44
    whole = Weighted(temperature=0.5).rows(SCORED, 0)
    for rows in drawn:
        assert rows.completions == whole.completions
        np.testing.assert_allclose(np.sort(rows.weights[:2]), np.sort(whole.weights[:2]))
    assert {len(pair.questions) for pair in pairs} == {2}


@given(st.lists(st.lists(st.sampled_from(" ab c"), min_size=3, max_size=3), min_size=1), st.data())
def test_shuffling_keeps_each_prompts_scores(texts: list[list[str]], data: st.DataObject) -> None:
    """Equal texts keep equal scores, empty ones 0, and different texts exchange theirs."""
    levels = {text: data.draw(st.floats(0.1, 1)) for text in "abc"}
    scores = [[levels.get(text, 0.0) for text in row] for row in texts]
    given_ = scored(texts, scores)
    drawn = shuffled_scores(given_, data.draw(st.integers(0, 99)))
    for row, before, after in zip(texts, given_.scores, drawn.scores, strict=True):
        new = {}
        for text, score in zip(row, after, strict=True):
            assert new.setdefault(text, score) == score
            assert text.strip() or score == 0
        old = {text: float(score) for text, score in zip(row, before, strict=True)}
        assert sorted(new.values()) == sorted(old.values())


@pytest.mark.parametrize("strategy", ALL, ids=lambda s: s.strategy)
@pytest.mark.parametrize("control", [False, True])
def test_nothing_but_empty_continuations_is_an_error(
    strategy: BaseStrategy, control: bool, llama: str
) -> None:
    empty = scored([["", ""], [" ", ""]], np.zeros((2, 2)))
    with pytest.raises(InputError, match="No prompt has continuations to learn from"):
        strategy.train(Pretrained(model=llama), empty, seed=0, control=control)


@pytest.fixture(scope="module")
def disliked(llama: str) -> ScoredContinuations:
    """Continuations of a tiny model with a line of "fine" each, which the weak scorer dislikes."""
    sampling = Sampling(samples=6, max_new_tokens=3)
    rows = continue_prompts(*load_generator(Pretrained(model=llama)), SCORED.prompts, sampling)
    liked = [(*row.texts[:4], " fine fine", " bad bad") for row in rows]
    weak = Swearing(words=("bad",))
    rows = [replace(row, texts=texts) for row, texts in zip(rows, liked, strict=True)]
    return score_continuations(weak, SCORED.prompts, rows)


@pytest.mark.parametrize("strategy", ALL, ids=lambda s: s.strategy)
def test_a_model_learns_what_its_scorer_prefers(
    strategy: BaseStrategy, disliked: ScoredContinuations, llama: str, tmp_path: Path
) -> None:
    """After training the scorer's best texts are likelier against its worst ones than before."""

    def lead(model: str) -> float:
        network, tokenizer = load_generator(Pretrained(model=model))
        values = []
        for prompt in disliked.prompts:
            logs = []
            for text in (" fine fine", " bad bad"):
                ids = tokenizer(prompt.text + text, return_tensors="pt").input_ids
                front = len(tokenizer(prompt.text).input_ids)
                with torch.inference_mode():
                    scores = network(ids).logits[0, :-1].log_softmax(-1)
                logs.append(scores.gather(1, ids[0, 1:, None])[front - 1 :].sum().item())
            values.append(logs[0] - logs[1])
        return float(np.mean(values))

    tuned = strategy.train(Pretrained(model=llama), disliked, seed=0)
    tuned.save(tmp_path / "tuned")
    assert lead(str(tmp_path / "tuned")) > lead(llama) + 0.02


def test_settings_that_cannot_work_are_refused() -> None:
    assert {BestOfN().strategy, Weighted().strategy, Dpo().strategy} == {
        *("best_of_n", "weighted", "dpo"),
    }
    for strategy, wrong in (
        (Dpo, {"flipp": 1}),
        (Dpo, {"flip": 0.5}),  # a scorer that is wrong every other time says nothing
        (Weighted, {"temperature": 0}),
        (BestOfN, {"strategy": "dpo"}),
    ):
        with pytest.raises(ValidationError):
            strategy(**wrong)
