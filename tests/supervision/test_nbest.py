"""Language models that write lists of answers and weigh each other's."""

from math import inf, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byte_models import save_byte_llama
from requests_for_tests import vote
from steelyard.errors import ConfigError
from steelyard.supervision import LanguageModelVoters
from steelyard.supervision.nbest import (
    UNSCORED,
    Lists,
    ScoredLists,
    _candidates,
    _votes,
    vote_by_beam,
)
from steelyard.types import ABSTAIN, Question, Spans, Split, Votes, WordProbabilities

NOBODY = Split((), np.zeros(0, dtype=np.int64))
BARE = {"name": "bare", "template": "{item}"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_byte_llama(tmp_path_factory.mktemp("bytes"))


def weak(model: str, **settings: Any) -> LanguageModelVoters:
    plain = {"queries": 1, "wordings": (BARE,), "beams": 3, "max_new_tokens": 6}
    return LanguageModelVoters(model=model, **{**plain, "precision": "fp32", **settings})


def taught(model: str, **settings: Any) -> LanguageModelVoters:
    tuning = {"lora": None, "epochs": 40, "learning_rate": 1e-2, "batch_size": 8}
    return weak(model, finetune={**tuning, "precision": "fp32"}, **settings)


def asked(*texts: str) -> list[Question]:
    return [Question(f"q{i}", text) for i, text in enumerate(texts)]


LESSON = Split(
    tuple(Question(f"t{i}", ("one", "two", "three")[i % 3]) for i in range(24)),
    np.zeros(24, dtype=np.int64),
    ("a", "b", "go a") * 8,
)


@pytest.fixture(scope="module")
def voted(model: str) -> Votes:
    """Two voters of one supervisor and one of another, on three questions."""
    both = [taught(model, voters=2), taught(model, beams=2)]
    (votes,) = vote_by_beam(both, LESSON, [asked("one", "two", "three")], seeds=[0, 1])
    return votes


def test_taught_voters_say_what_they_were_taught(voted: Votes) -> None:
    said = [voted.candidate_texts[i][k] for i, k in zip(voted.example, voted.answer, strict=True)]
    assert len(voted.voters) == len(set(voted.voters)) == 3
    assert voted.example.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    right = [("a", "b", "go a")[i] for i in voted.example]
    assert sum(a == b for a, b in zip(said, right, strict=True)) >= 8


def test_every_voter_weighs_the_answers_of_all(voted: Votes) -> None:
    assert voted.probs is not None
    assert voted.word_probs is not None
    counts = voted.candidates[voted.example]
    assert (voted.probs > 0).sum(axis=1).tolist() == counts.tolist()
    assert len(voted.word_probs.spans.rows) == counts.sum() + 1
    sums = np.bincount(voted.word_probs.spans.text, weights=voted.word_probs.log_probs)
    for m, (count, start) in enumerate(zip(counts, counts.cumsum() - counts, strict=True)):
        whole = np.exp(sums[start : start + count])  # P(text, end) of its words' product
        np.testing.assert_allclose(voted.probs[m, :count], whole / whole.sum(), rtol=1e-6)
    assert voted.entropy is not None
    assert (voted.entropy > 0).all()


def test_words_are_those_of_the_candidates(voted: Votes) -> None:
    assert voted.word_probs is not None
    spans, text = voted.word_probs.spans, -1
    for m, i in enumerate(voted.example):
        for candidate in voted.candidate_texts[i]:
            text += 1
            part = slice(spans.rows[text], spans.rows[text + 1])
            pairs = zip(spans.begin[part], spans.end[part], strict=True)
            assert [candidate[a:b] for a, b in pairs] == candidate.split(), (m, candidate)


def test_one_untaught_voter_is_asked_as_it_is(model: str) -> None:
    (votes,) = vote(weak(model, queries=1), NOBODY, [asked("one", "two")], (), seed=0)
    assert votes.voters == (f"{Path(model).name}/0",)
    assert set(votes.answer.tolist()) <= {ABSTAIN, 0, 1, 2}


def lists(*answers: tuple[str, ...]) -> Lists:
    return Lists(list(answers), np.zeros(len(answers)), ["" if a else "no answer" for a in answers])


def test_an_answer_is_the_best_of_ones_own_list(model: str) -> None:
    """The first voter finds `c` likelier, but the second wrote it; one is silent, one cannot."""
    own = [lists(("a", "b"), ()), lists(("c",), ("d",))]
    candidates = _candidates([one.answers for one in own], 2)
    assert candidates == [("a", "b", "c"), ("d",)]
    nothing = WordProbabilities(
        Spans(np.arange(5), np.zeros(4, dtype=int), np.ones(4, dtype=int)), -np.ones(4)
    )
    weighed = [
        ScoredLists(np.array([[log(0.2), log(0.3), log(0.5)], [-1.0, -inf, -inf]]), nothing),
        ScoredLists(np.array([[-inf, -inf, inf], [-1.0, -inf, -inf]]), nothing),
    ]
    votes = _votes(
        weak(model).model_copy(update={"voters": 2}), ("x", "y"), candidates, own, weighed
    )
    assert votes.answer.tolist() == [1, ABSTAIN, ABSTAIN, 0]  # b; unspelled; silent; d
    assert votes.reasons == ("", UNSCORED, "no answer", "")
    np.testing.assert_allclose(votes.probs[0], [0.2, 0.3, 0.5])
    np.testing.assert_allclose(votes.probs[1], [1 / 3, 1 / 3, 1 / 3])


def test_lists_of_several_prompts_meet_in_their_question() -> None:
    own = [(("a",), ("b", "a"), (), ())]
    assert _candidates(own, 2) == [("a", "b"), ("",)]


@pytest.mark.parametrize(
    ("kind", "settings"), [("classification", {}), ("generation", {"temperature": 1})]
)
def test_lists_are_of_open_answers_that_are_not_drawn(model: str, kind: str, settings: Any) -> None:
    with pytest.raises(ConfigError, match="`beams: 3` is for open answers"):
        weak(model, **settings).check_task(kind)


def test_a_prompt_without_room_is_silent(model: str) -> None:
    template = "{item}" + "x" * 600
    long = weak(model, wordings=({"name": "long", "template": template},))
    (votes,) = vote(long, NOBODY, [asked("one")], (), seed=0)
    assert votes.answer.tolist() == [ABSTAIN]
    assert votes.reasons == ("too long",)
