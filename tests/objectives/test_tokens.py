"""Objectives of single tokens: a language model learns by each, and says what it lacks."""

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from byte_models import save_byte_llama
from requests_for_tests import fit as train
from steelyard.errors import ConfigError, InputError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.lm.words_across_tokenizers import words_of
from steelyard.objectives import ObjectiveSettings
from steelyard.objectives import evidential_tokens as losses
from steelyard.objectives.answers import AnswerTargets
from steelyard.objectives.evidential_tokens import EdlStep
from steelyard.objectives.hardening import legacy_ramp, ramp
from steelyard.objectives.tokens import LogconfStep, Soft, SoftStep, token_confidences
from steelyard.student import LanguageModelStudent, TrainedLanguageModel
from steelyard.studies.arms import Arm
from steelyard.studies.config import make_study
from steelyard.types import Question, TokenTargets, WordProbabilities, one_hot

KINDS = ["soft", "soft_step", "logconf_step", "edl", "edl_step"]
KINDS += ["soft_confer", "edl_conf", "edl_confer", "dir", "logconf", "logconf_confer"]
ANSWERS = ("6 up", "7 down")
QUESTIONS = [Question(f"q{i}", "xo"[i % 2] * (i % 3 + 1), ANSWERS) for i in range(24)]
RIGHT = np.arange(24) % 2
TARGETS = one_hot(RIGHT, 2)
WEIGHTS = np.linspace(0.5, 1.5, 24)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_byte_llama(tmp_path_factory.mktemp("bytes"))


def objective(kind: str, **settings: Any) -> Any:
    return TypeAdapter(ObjectiveSettings).validate_python({"kind": kind, **settings})


def written(texts: list[list[tuple[int, float, float]]], entropy: float = 0.05) -> TokenTargets:
    """(candidate, share, ln P of each word) of each example's texts, and H of all lists."""
    example = [i for i, own in enumerate(texts) for _ in own]
    rows = [row for own in texts for row in own]
    candidate = np.array([c for c, _, _ in rows], dtype=np.int64)
    spans = words_of([ANSWERS[c] for c in candidate])
    logs = np.array([each for _, _, each in rows])[spans.text]
    shares = np.array([share for _, share, _ in rows], dtype=float)
    entropies = np.full(len(rows), entropy)
    return TokenTargets(
        np.array(example), candidate, shares, WordProbabilities(spans, logs), entropies
    )


def one_each(ln_p: float = log(0.9), **more: Any) -> TokenTargets:
    return written([[(int(k), 1.0, ln_p)] for k in RIGHT], **more)


def fit(model: str, goal: Any, words: TokenTargets | None, **changes: Any) -> TrainedLanguageModel:
    plain = {
        "wording": {"name": "s", "template": "<q>{item}</q>="},
        "lora": None,
        "learning_rate": 5e-3,
        "batch_size": 8,
        "epochs": 2,
        "precision": "fp32",
        "max_new_tokens": 8,
        **changes.pop("settings", {}),
    }
    more = {"seed": 0, "kind": "generation", "classes": (), **changes}
    student = LanguageModelStudent(model=model, **plain)
    return train(student, QUESTIONS, TARGETS, WEIGHTS, objective=goal, token_targets=words, **more)


def weights_of(fitted: TrainedLanguageModel) -> torch.Tensor:
    return torch.cat([p.detach().ravel() for p in fitted.model.parameters()])


@pytest.mark.parametrize("kind", KINDS)
def test_the_answers_are_learnt(llama: str, kind: str) -> None:
    settings = {"epochs": 50}
    fitted = fit(llama, objective(kind), one_each(), settings=settings)
    assert fitted.log.loss[-1] < 0.5 * fitted.log.loss[0]
    assert fitted.answers(QUESTIONS[:4]) == ("6 up", "7 down", "6 up", "7 down")


def test_each_kind_teaches_something_of_its_own(llama: str) -> None:
    doubtful = one_each(log(1e-6), entropy=5.2)  # the student is soon surer, ln 259 = 5.56 at first
    found = [fit(llama, objective(kind, **MORE.get(kind, {})), doubtful) for kind in KINDS]
    found.append(fit(llama, objective("cross_entropy"), None))
    for i, one in enumerate(found):
        for other in found[:i]:
            assert not torch.equal(weights_of(one), weights_of(other))


MORE: dict[str, Any] = {"edl": {"kl_weight": 1.0}, "edl_step": {"kl_weight": 1.0}}


@pytest.mark.parametrize(
    ("kind", "settings", "ln_p", "atol"),
    [
        ("logconf_step", {"maximum": 0.0}, log(0.9), 0.0),  # no share of its own: to the bit
        ("logconf", {}, log(0.9), 0.0),  # less sure than any list of H = .05
        ("logconf_confer", {}, log(0.9), 0.0),
        ("soft", {}, 0.0, 2e-5),  # no doubt
        ("soft_step", {"maximum": 0.0}, 0.0, 2e-5),
        ("soft_confer", {}, 0.0, 2e-5),
        ("dir", {"density_weight": 0.0}, 0.0, 2e-5),
    ],
)
def test_at_its_zero_it_is_the_cross_entropy(
    llama: str, kind: str, settings: dict[str, Any], ln_p: float, atol: float
) -> None:
    plain = fit(llama, objective("cross_entropy"), None, steps=1)
    other = fit(llama, objective(kind, **settings), one_each(ln_p), steps=1)
    torch.testing.assert_close(weights_of(plain), weights_of(other), atol=atol, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_supervisors_that_say_the_same_are_one(llama: str, kind: str) -> None:
    goal = objective(kind)
    one = fit(llama, goal, one_each(), steps=1)
    twice = written([[(int(k), 0.5, log(0.9))] * 2 for k in RIGHT])
    torch.testing.assert_close(
        weights_of(one), weights_of(fit(llama, goal, twice, steps=1)), atol=2e-5, rtol=0
    )
    apart = written([[(int(k), 0.5, log(0.9)), (1 - int(k), 0.5, log(0.2))] for k in RIGHT])
    assert not torch.allclose(
        weights_of(one), weights_of(fit(llama, goal, apart, steps=1)), atol=1e-3
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_of_a_step_change_nothing(llama: str, kind: str) -> None:
    apart = written([[(0, 0.7, log(0.9)), (1, 0.3, log(0.4))] for _ in RIGHT])
    whole = fit(llama, objective(kind), apart, steps=1)
    parts = fit(llama, objective(kind), apart, steps=1, settings={"token_budget": 64})
    torch.testing.assert_close(weights_of(whole), weights_of(parts), atol=2e-5, rtol=0)


@pytest.mark.parametrize("kind", ["soft", "edl_step"])
def test_a_killed_run_ends_bit_identical(llama: str, tmp_path: Path, kind: str) -> None:
    settings = {"checkpoint_steps": 1, "lora": {"rank": 2, "dropout": 0.2}}
    undisturbed = fit(llama, objective(kind), one_each(), settings=settings)
    fit(llama, objective(kind), one_each(), settings=settings, checkpoints=Stopping(tmp_path))
    torch.manual_seed(99)  # another process
    again = Checkpoints(tmp_path)
    resumed = fit(llama, objective(kind), one_each(), settings=settings, checkpoints=again)
    assert torch.equal(weights_of(undisturbed), weights_of(resumed))
    assert undisturbed.log == resumed.log
    assert len(resumed.log.loss) == 6


class Stopping(Checkpoints):
    """Keeps checkpoints up to step 3, as if the run had been killed there."""

    def save(self, step: int, *rest: Any) -> None:
        if step <= 3:
            super().save(step, *rest)


def test_examples_of_weight_zero_need_no_words(llama: str) -> None:
    questions, kept = QUESTIONS[:8], np.array([1, 1, 0, 1, 1, 0, 1, 1.0])
    texts = [[(int(k), 1.0, log(0.9))] if w else [] for k, w in zip(RIGHT[:8], kept, strict=True)]
    student = fit(llama, objective("soft"), one_each(), steps=1).settings
    more = {"seed": 0, "kind": "generation", "classes": (), "objective": objective("soft")}
    every = train(student, questions, TARGETS[:8], kept, token_targets=written(texts), **more)
    few = np.flatnonzero(kept)
    alone = train(
        student,
        [questions[i] for i in few],
        TARGETS[few],
        kept[few],
        token_targets=written([texts[i] for i in few]),
        **more,
    )
    assert torch.equal(weights_of(every), weights_of(alone))


def test_half_precision_of_words_that_are_certain_is_finite(llama: str) -> None:
    for kind in KINDS:
        settings = {"precision": "bf16", "epochs": 20, "learning_rate": 2e-2}
        fitted = fit(llama, objective(kind), one_each(0.0), settings=settings)
        assert np.isfinite(fitted.log.loss).all()
        assert fitted.log.loss[-1] < fitted.log.loss[0]


# What each passes on


def test_coefficients_rise_with_training() -> None:
    rising = SoftStep(maximum=0.4, warmup=0.5)
    assert [rising.coefficient(p) for p in (0, 0.25, 0.75)] == [0, 0.2, 0.4]
    assert ramp(0.4, 0.25, 0.5) == rising.coefficient(0.25)
    jumping = SoftStep(maximum=0.4, warmup=0.5, legacy_ramp=True)
    assert jumping.coefficient(0.25) == legacy_ramp(0.4, 0.25, 0.5) == 0.1


def test_the_divergence_is_annealed_over_the_whole_training() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(6, 9, generator=generator)
    labels, strengths = torch.arange(6), torch.rand(6, generator=generator)
    goal = EdlStep(maximum=0.5, warmup=0.5, kl_weight=0.2, clamp=None, evidence="relu")
    expected = losses.edl_step(
        logits, labels, strengths, 0.25, kl_weight=0.2 * 0.25, evidence="relu"
    )
    torch.testing.assert_close(goal.token_losses(logits, labels, strengths, 0.25), expected)
    clamped = EdlStep(maximum=0.5, warmup=0.5, kl_weight=0.2, clamp=1e-3, evidence="relu")
    plain = losses.edl_step(logits, labels, strengths, 0.25, kl_weight=0.0, evidence="relu")
    found = clamped.token_losses(logits, labels, strengths, 0.25)
    torch.testing.assert_close(found, plain + 1e-3, atol=1e-6, rtol=0)
    assert EdlStep().options(1.0) == {
        "coefficient": 0.25,
        "kl_weight": 1e-4,
        "evidence": "exp",
        "clamp": 20.0,  # 2e5 * 1e-4, as in the source
        "detached": True,
    }


@pytest.mark.parametrize("temperature", [0.01, 1.0, None])
def test_the_temperature_reaches_the_confidences(temperature: float | None) -> None:
    logits = 3 * torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    word, log_probs, nothing = torch.tensor([0, 0, 0, 1]), torch.tensor([-2.0, -0.5]), torch.ones(1)
    targets = AnswerTargets(
        *(
            torch.arange(4),
            torch.zeros(4, dtype=torch.long),
            nothing,
            nothing.long(),
            nothing[:, None],
        ),
        word=word,
        word_log_probs=log_probs,
    )
    tops = torch.softmax(logits, dim=1).amax(dim=1)
    expected = token_confidences(tops, word, log_probs, temperature or float("inf"))
    found = Soft(temperature=temperature).confidences(logits, targets)
    torch.testing.assert_close(found, expected)
    assert LogconfStep().confidences(logits, targets).tolist() == [1, 1, 1, 1]


# Who may have them


def test_without_words_it_says_what_is_needed(llama: str) -> None:
    with pytest.raises(InputError, match="needs the words' probabilities; use `language_model`"):
        fit(llama, objective("soft"), None)


def test_a_language_model_has_the_cross_entropy_and_losses_of_tokens(llama: str) -> None:
    with pytest.raises(ConfigError, match="`objective: confidence` is for a classifier or chooser"):
        fit(llama, objective("confidence"), one_each())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("task", "student", "said"),
    [
        ("classification", {"kind": "classifier"}, "a classifier student writes none"),
        ("classification", {"kind": "probe"}, "a probe student writes none"),
        ("multiple_choice", {"kind": "chooser"}, "a chooser student writes none"),
        ("classification", {"kind": "language_model"}, "compares the tokens of open answers"),
        ("multiple_choice", {"kind": "language_model"}, "and the task is multiple_choice"),
    ],
)
def test_others_refuse_them_by_name(
    kind: str, task: str, student: dict[str, str], said: str
) -> None:
    if student["kind"] == "language_model":
        student = {**student, "model": "nowhere"}
    study = {
        "task": task,
        "data": {"train": "a.jsonl", "test": "b.jsonl"},
        "supervisors": [{"kind": "chooser" if task == "multiple_choice" else "tfidf"}],
        "student": student,
        "arms": [{"name": "words", "selection": "hard", "objective": kind}],
    }
    with pytest.raises(ConfigError, match=rf"`objective: {kind}` .*{said}"):
        make_study(study)


def test_they_take_any_selection() -> None:
    for selection in ("hard", "apart"):
        arm = Arm(name="words", selection={"kind": selection}, objective="soft")  # type: ignore[arg-type]
        assert arm.objective.token_level
        assert not arm.objective.per_supervisor
