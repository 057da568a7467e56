"""Objectives of whole answers: what their settings pass on, and what they need."""

from pathlib import Path

import numpy as np
import pytest
import torch

from byte_models import save_byte_llama
from requests_for_tests import fit as train
from steelyard.errors import InputError
from steelyard.models.lm.words_across_tokenizers import words_of
from steelyard.objectives import Logconf, LogconfConfer
from steelyard.objectives.whole_answers import logconf, logconf_confer
from steelyard.student import LanguageModelStudent
from steelyard.types import Floats, Question, TokenTargets, WordProbabilities

ANSWERS = ("6 up", "7 down")
QUESTIONS = [Question(f"q{i}", "xo"[i % 2], ANSWERS) for i in range(8)]


def lists(entropies: Floats | None) -> TokenTargets:
    """Every question's first answer, which its supervisor finds certain."""
    spans = words_of([ANSWERS[0]] * 8)
    words = WordProbabilities(spans, np.zeros(len(spans.begin)))
    return TokenTargets(np.arange(8), np.zeros(8, dtype=np.int64), np.ones(8), words, entropies)


def losses_of(folder: Path, written: TokenTargets, epochs: int = 1) -> list[float]:
    student = LanguageModelStudent(
        model=save_byte_llama(folder / "bytes"),
        wording={"name": "s", "template": "<q>{item}</q>="},  # type: ignore[arg-type]
        lora=None,
        learning_rate=5e-3,
        batch_size=8,
        epochs=epochs,
        precision="fp32",
    )
    targets = np.tile([1.0, 0.0], (8, 1))
    more = {"seed": 0, "kind": "generation", "classes": (), "objective": Logconf()}
    return train(student, QUESTIONS, targets, np.ones(8), token_targets=written, **more).log.loss  # type: ignore[arg-type]


def test_an_answer_teaches_until_the_student_is_as_sure_as_the_list(tmp_path: Path) -> None:
    found = losses_of(tmp_path, lists(np.full(8, 1.0)), epochs=40)
    assert found[0] > 5  # ln 259 = 5.56
    assert min(loss for loss in found if loss) > 1
    assert 0 in found


def test_only_answers_of_sure_supervisors_teach(tmp_path: Path) -> None:
    """Of eight answers at 5.5 nats a token six stand in lists of more, and count as 0."""
    every = losses_of(tmp_path, lists(np.zeros(8)))[0]
    few = losses_of(tmp_path, lists(np.array([0, 9, 9, 9, 9, 0, 9, 9.0])))[0]
    assert few == pytest.approx(every * 2 / 8, rel=0.02)


@pytest.mark.parametrize("entropies", [None, np.array([1, 1, np.nan, 1, 1, 1, 1, 1])])
def test_answers_without_lists_are_refused(tmp_path: Path, entropies: Floats | None) -> None:
    with pytest.raises(InputError, match="the entropy of the supervisors' lists"):
        losses_of(tmp_path, lists(entropies))


def test_settings_reach_the_losses() -> None:
    logits = 3 * torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    labels, above = torch.arange(6), torch.arange(6) > 2
    found = LogconfConfer(maximum=1.2, warmup=0.5).token_losses(logits, labels, above, 0.25)
    torch.testing.assert_close(found, logconf_confer(logits, labels, above, 0.6))
    assert LogconfConfer().coefficient(1.0) == 0.25
    torch.testing.assert_close(
        Logconf().token_losses(logits, labels, above, 0.25), logconf(logits, labels, above)
    )
