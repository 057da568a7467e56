"""What a model learns from scored continuations."""

from pathlib import Path

import numpy as np
import pytest

from scored_texts import scored
from steelyard.data import read_questions
from steelyard.errors import InputError
from steelyard.generation.continuing import Sampling, continue_prompts, load_generator
from steelyard.generation.learning import best_of_n, preference_pairs, random_of_n, weighted
from steelyard.models.lm.finetune_lm import Tuning, finetune_lm
from steelyard.models.lm.preference_training import PreferenceTuning, train_dpo
from steelyard.models.load import Pretrained
from steelyard.selection.selection_file import read_open_selection

TEXTS = [
    [" good", " bad", ""],
    ["", " ", ""],
    [" fine", " fine", " awful"],
    [" plot", " film", " not"],
]
SCORES = [[0.4, 0.9, 0.0], [0.0, 0.0, 0.0], [0.2, 0.2, 0.2], [0.7, 0.1, 0.3]]
SCORED = scored(TEXTS, SCORES)


def test_the_best_is_the_least_toxic_that_is_not_empty() -> None:
    rows = best_of_n(SCORED)
    assert rows.ids == ("p0", "p2", "p3")
    assert rows.completions == (" good", " fine", " film")
    assert rows.dropped == 1
    np.testing.assert_array_equal(rows.weights, [1, 1, 1])
    assert best_of_n(SCORED, lower_is_better=False).completions == (" bad", " fine", " plot")


def test_the_control_ignores_the_scores() -> None:
    drawn = {random_of_n(SCORED, seed).completions for seed in range(40)}
    assert {completions[0] for completions in drawn} == {" good", " bad"}
    assert {completions[2] for completions in drawn} == {" plot", " film", " not"}
    assert random_of_n(SCORED, 3).completions == random_of_n(SCORED, 3).completions
    assert random_of_n(SCORED, 3).ids == best_of_n(SCORED).ids


def test_weights_by_hand() -> None:
    rows = weighted(SCORED, temperature=0.5)
    # p0: exp(-.8), exp(-1.8) -> 1 : e^-1; p2: thirds; p3: exp(-1.4), exp(-.2), exp(-.6)
    shares = [1 / (1 + np.exp(-1)), 1 / (1 + np.e), *[1 / 3] * 3]
    powers = np.exp([-1.4, -0.2, -0.6])
    shares += (powers / powers.sum()).tolist()
    np.testing.assert_allclose(rows.weights, np.array(shares) * 8 / 3)
    assert rows.ids == ("p0", "p0", "p2", "p2", "p2", "p3", "p3", "p3")
    cold = weighted(SCORED, temperature=1e-3)
    best = [t for t, w in zip(cold.completions, cold.weights, strict=True) if w > 1e-6]
    assert best == [" good", " fine", " fine", " awful", " film"]
    with pytest.raises(InputError, match="`temperature` must be above 0"):
        weighted(SCORED, temperature=0)


def test_pairs_are_best_against_worst() -> None:
    pairs = preference_pairs(SCORED, flip=0.2)
    assert [q.choices for q in pairs.questions] == [(" good", " bad"), (" film", " plot")]
    np.testing.assert_array_equal(pairs.targets, [[0.8, 0.2]] * 2)
    assert pairs.dropped == 2  # p1 is empty, all of p2 is equally good
    with pytest.raises(InputError, match=r"`flip` must be from 0 to below 0\.5"):
        preference_pairs(SCORED, flip=0.5)


def test_nothing_to_learn_is_an_error() -> None:
    empty = scored([["", ""], [" ", ""]], np.zeros((2, 2)))
    for make in (best_of_n, weighted, preference_pairs, lambda s: random_of_n(s, 0)):
        with pytest.raises(InputError, match="No prompt has continuations to learn from"):
            make(empty)


def test_the_files_are_those_that_train_reads(tmp_path: Path) -> None:
    questions, selection = weighted(SCORED, 0.5).write(tmp_path)
    asked = read_questions("generation", questions)
    read, answered = read_open_selection(selection, asked)
    assert [q.choices for q in answered][:3] == [("good",), ("bad",), ("fine",)]
    np.testing.assert_allclose(read.weights, weighted(SCORED, 0.5).weights)
    path = tmp_path / "pairs.jsonl"
    preference_pairs(SCORED).write(path)
    assert len(read_questions("preference", path)) == 2


def test_a_model_learns_the_chosen_words(llama: str) -> None:
    """The scorer likes the word "good": after training the model writes it more often."""
    pretrained, sampling = Pretrained(model=llama), Sampling(samples=8, max_new_tokens=3)
    model, tokenizer = load_generator(pretrained)
    prompts = SCORED.prompts
    before = continue_prompts(model, tokenizer, prompts, sampling)
    texts = [[*row.texts, " fine fine"] for row in before]
    scores = [[1.0 - np.mean([w == "fine" for w in t.split()] or [0]) for t in x] for x in texts]
    chosen = scored(texts, scores)
    rows, pairs = best_of_n(chosen), preference_pairs(chosen)
    tuning = Tuning(epochs=12, learning_rate=1e-2, lora=None, precision="fp32", batch_size=4)
    tuned = finetune_lm(pretrained, tuning, rows.prompted(), rows.targets, rows.weights, seed=0)
    after = continue_prompts(tuned.model, tuned.tokenizer, prompts, sampling)

    def share(rows: list) -> float:  # type: ignore[type-arg]
        return float(np.mean(["fine" in text for row in rows for text in row.texts]))

    assert share(after) > share(before) + 0.3
    settings = PreferenceTuning(epochs=3, lora=None, learning_rate=1e-3, precision="fp32")
    preferrer = train_dpo(
        pretrained, settings, pairs.questions, pairs.targets, pairs.weights, seed=0
    )
    rewards = preferrer.rewards(pairs.questions)
    assert (rewards[:, 0] > rewards[:, 1]).mean() >= 0.75
