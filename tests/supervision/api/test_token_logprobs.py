"""From a server's tokens to the words of an open answer."""

import itertools
import re
from math import exp, isnan, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byte_models import save_byte_llama
from faulty_server import Body, FaultyServer, completion
from open_rows import ANSWERS, WORDS, lines
from requests_for_tests import vote
from steelyard.errors import ConfigError, InputError
from steelyard.models.lm.beam_search import beam_entropy
from steelyard.reliability import BeamEntropy, JointDecoding
from steelyard.store.reply_ledger import Ledger
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.study import study
from steelyard.supervision import Api
from steelyard.supervision.api.token_logprobs import answer_words
from steelyard.types import ABSTAIN, Question, Split, Votes

NOTHING = Split((), np.zeros(0, dtype=np.int64))


def said(*pairs: tuple[str, float], cut: str = "stop") -> Body:
    """A choice with the tokens of its text."""
    content = [
        {"token": text, "logprob": value, "bytes": list(text.encode())} for text, value in pairs
    ]
    return {"logprobs": {"content": content}, "finish_reason": cut}


def spoken(answer: str, *pairs: tuple[str, float | None], whole: bool = False) -> Any:
    found = answer_words(answer, "".join(text for text, _ in pairs), pairs, whole=whole)
    if found is None:
        return None
    spans, logs = found.words.spans, found.words.log_probs
    words = [
        (answer[b:e], round(float(x), 9))
        for b, e, x in zip(spans.begin, spans.end, logs, strict=True)
    ]
    return words, found.tokens


def test_a_word_has_the_sum_of_its_tokens_wherever_the_answer_stands() -> None:
    reply = (
        ("It", -1.0),
        (" is:", -1.0),
        (" two", -0.5),
        (" wor", -0.25),
        ("ds", -0.125),
        (".", -9.0),
    )
    assert spoken("two words", *reply) == ([("two", -0.5), ("words", -0.375)], 3)


def test_the_last_place_counts_and_white_space_does_not() -> None:
    reply = (("4", -3.0), ("2", -3.0), (" no ", -1.0), ("4", -0.25), ("\n", -0.5), ("2", -0.125))
    # the line break belongs to what follows it: -.25 -.5 -.125
    assert spoken("42", *reply) == ([("42", -0.875)], 3)


def test_words_that_a_token_joins_are_one() -> None:
    assert spoken("a b c", ("a b", -0.5), (" c", -0.25)) == ([("a b", -0.5), ("c", -0.25)], 2)


def test_an_answer_spelled_otherwise_is_one_word_if_it_is_all_of_the_reply() -> None:
    reply = (("{'b': 'x y',", -0.5), (" 'a': 'z'}", -0.25))
    answer = '{"a": "z", "b": "x y"}'
    assert spoken(answer, *reply, whole=True) == ([(answer, -0.75)], 2)
    assert spoken("1200", ("1,", -0.5), ("200", -0.25)) is None


@pytest.mark.parametrize(
    "tokens",
    [(), (("yes", None),), (("ye", -0.1),), (("yes", -0.1), ("!", -0.1))],
    ids=["none", "without a value", "too few", "too many"],
)
def test_tokens_that_are_not_the_replys_say_nothing(tokens: Any) -> None:
    assert answer_words("yes", "yes", tokens, whole=True) is None


def api(server: FaultyServer, **changes: Any) -> Api:
    settings = {"word_probs": True, "answer_format": "text", "answer": "text", "first_wait": 0.001}
    return Api(base_url=server.url, model="m", **{"queries": 1, **settings, **changes})


def ask(server: FaultyServer, answers: Any = None, **changes: Any) -> Votes:
    questions = (Question("a", "text 0"), Question("b", "text 1"))
    return vote(api(server, **changes), NOTHING, [questions], (), seed=0, replies=answers)[0]


def table(votes: Votes) -> list[list[float]]:
    """ln P of each candidate, one row for each vote."""
    words = votes.word_probs
    assert words is not None
    sums = np.add.reduceat(words.log_probs, words.spans.rows[:-1])
    return np.split(sums, np.cumsum(votes.candidates[votes.example])[:-1])


def sampled(body: Body) -> Body:
    """Three samples: twice "red wine", once "rum"; the second question has no log-probabilities."""
    if "text 1" in body["messages"][-1]["content"]:
        return completion("beer", body)
    if body["seed"] % 3 == 0:
        return completion("rum", body, **said(("r", -1.0), ("um", -1.0)))
    return completion("red wine", body, **said(("red", -0.25), (" wine", -0.75)))


def test_samples_are_a_list_whose_words_every_vote_of_the_voter_has(tmp_path: Path) -> None:
    with FaultyServer(sampled) as server, Ledger(tmp_path / "l.sqlite") as ledger:
        votes = ask(server, ledger, samples=6, temperature=1.0)
        assert all(body["logprobs"] is True for body in server.bodies)
        assert not any("top_logprobs" in body for body in server.bodies)
        asked = server.requests
        again = ask(server, ledger, samples=6, temperature=1.0)
        assert server.requests == asked
    assert votes.candidate_texts == (("red wine", "rum"), ("beer",))
    rows = table(votes)
    for row in rows[:6]:
        np.testing.assert_allclose(row, [-1.0, -2.0])
    assert all(isnan(row[0]) for row in rows[6:])
    # pi = e^-1, e^-2 over their sum = .731, .269; H = .731 * 1/2 + .269 * 2/2
    pi = exp(-1) / (exp(-1) + exp(-2))
    assert votes.word_probs is not None
    assert again.word_probs is not None
    assert votes.entropy is not None
    assert again.entropy is not None
    np.testing.assert_allclose(votes.entropy[:6], pi / 2 + (1 - pi))
    assert np.isnan(votes.entropy[6:]).all()
    np.testing.assert_array_equal(votes.entropy, again.entropy)
    np.testing.assert_array_equal(votes.word_probs.log_probs, again.word_probs.log_probs)
    score = BeamEntropy().estimate(votes).score
    np.testing.assert_allclose(score, [exp(-pi / 2 - (1 - pi)), 0.0])
    pooled = JointDecoding(weights="certainty").estimate(votes)
    np.testing.assert_allclose(pooled.posterior[0], votes.shares()[0])


def test_characters_of_several_tokens_come_back() -> None:
    def halves(body: Body) -> Body:
        raw = "é".encode()
        content = [
            {"token": "caf", "logprob": -0.5, "bytes": [99, 97, 102]},
            {"token": "\\xc3", "logprob": -0.25, "bytes": [raw[0]]},
            {"token": "\\xa9", "logprob": -0.125, "bytes": [raw[1]]},
        ]
        return completion("café", body, logprobs={"content": content})

    with FaultyServer(halves) as server:
        votes = ask(server)
    assert votes.word_probs is not None
    np.testing.assert_allclose(votes.word_probs.log_probs, [-0.875, -0.875])


@pytest.mark.parametrize(
    "content",
    [None, [], "x", [{"token": "yes"}], [{"token": 3, "logprob": -1}],
     [{"token": "yes", "logprob": "x"}],
     [{"token": "yes", "logprob": None}], [{"token": "yes", "logprob": -1, "bytes": "x"}],
     [{"token": "yes", "logprob": -1, "bytes": [999]}], [7]],
)  # fmt: skip
def test_odd_log_probabilities_are_none(content: Any) -> None:
    with FaultyServer(
        lambda body: completion("yes", body, logprobs={"content": content})
    ) as server:
        votes = ask(server)
    assert votes.answer.tolist() == [0, 0]
    assert np.isnan(np.concatenate(table(votes))).all()


def test_votes_that_abstain_have_no_words() -> None:
    with FaultyServer(lambda body: completion("", body, **said(("", -0.5)))) as server:
        votes = ask(server)
    assert (votes.answer == ABSTAIN).all()
    assert np.isnan(np.concatenate(table(votes))).all()


def test_words_are_of_open_answers() -> None:
    with pytest.raises(ConfigError, match="is for open answers"):
        Api(base_url="http://localhost:1/v1", model="m", word_probs=True).check_task(
            "classification"
        )


def open_study(folder: Path, url: str, **supervisor: Any) -> dict[str, Any]:
    save_byte_llama(folder / "model", context=128)
    for name, size in (("train", 24), ("test", 8)):
        rows = [
            {"id": f"{name}-{i}", "prompt": f"{WORDS[i % 4]} {i}", "answer": ANSWERS[i % 4]}
            for i in range(size)
        ]
        (folder / f"{name}.jsonl").write_text(lines(rows))
    asker = {"kind": "api", "base_url": url, "model": "m", "first_wait": 0.001, "word_probs": True}
    return {
        "name": "words",
        "task": "generation",
        "data": {
            **{name: str(folder / f"{name}.jsonl") for name in ("train", "test")},
            "weak_train": 0,
        },
        "supervisors": [{**asker, **supervisor}],
        "student": {
            "kind": "language_model",
            "model": str(folder / "model"),
            "wording": {"name": "s", "template": "<q>{item}</q>="},
            "lora": None,
            "learning_rate": 5e-3,
            "batch_size": 8,
            "epochs": 2,
            "precision": "fp32",
            "max_new_tokens": 6,
        },
        "arms": [
            "naive",
            {"name": "words", "selection": "hard", "objective": "soft"},
            {"name": "sure", "reliability": "beam_entropy", "selection": "keep"},
        ],
        "seeds": 1,
    }


def solve(body: Body) -> Body:
    prompt = body["messages"][-1]["content"]
    word = re.findall(r"\b(xx?|oo?) \d", prompt)[-1]
    answer = str(ANSWERS[WORDS.index(word)])
    return completion(answer, body, **said((answer, log(0.8))))


def test_a_student_learns_from_a_servers_words(tmp_path: Path) -> None:
    with FaultyServer(solve) as server:
        settings = open_study(tmp_path, server.url)
        run = Run(make_study(settings), Store(tmp_path / "store"))
        lesson = select_labels(run, 0, run.study.arm("words"))[0]
        assert lesson.token_targets is not None
        np.testing.assert_allclose(lesson.token_targets.words.log_probs, log(0.8))
        found = study(settings, tmp_path / "run", workers=1).results
    assert set(found["arms"]) >= {"naive", "words", "sure"}
    assert found["votes"]["accuracy"] == 1


def test_an_objective_of_words_says_which_voters_have_them(tmp_path: Path) -> None:
    with FaultyServer(lambda body: "7") as server:
        settings = open_study(tmp_path, server.url, word_probs=False)
        with pytest.raises(InputError, match="`api` supervisors with `words`"):
            study({**settings, "arms": settings["arms"][:2]}, tmp_path / "run", workers=1)


def test_the_entropy_is_that_of_a_beam() -> None:
    np.testing.assert_allclose(  # .2443: Cui et al., their example of three
        beam_entropy(np.array([-1.2, -2.0, -3.5]), np.array([6, 7, 7]), np.zeros(3, int), 1),
        0.24426,
        atol=1e-5,
    )


@given(
    st.lists(st.sampled_from(["ab", "c", "de f", " "]), max_size=3),
    st.lists(st.sampled_from(["x", "yz", "xx"]), min_size=1, max_size=4),
    st.data(),
)
def test_the_words_sum_is_that_of_the_tokens_that_touch_the_answer(
    before: list[str], words: list[str], data: st.DataObject
) -> None:
    answer = " ".join(words)
    reply = "".join(before) + answer + data.draw(st.sampled_from(["", ".", " end", "\n"]))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(reply) - 1, 1)))))
    edges = [0, *(cut for cut in cuts if cut < len(reply)), len(reply)]
    tokens = tuple((reply[a:b], -1.0 - a) for a, b in itertools.pairwise(edges))
    found = answer_words(answer, reply, tokens, whole=False)
    assert found is not None
    place = len("".join(before))
    touching = [
        -1.0 - a for a, b in itertools.pairwise(edges) if b > place and a < place + len(answer)
    ]
    assert found.words.log_probs.sum() == pytest.approx(sum(touching))
    assert found.tokens == len(touching)
    said = [
        part
        for b, e in zip(found.words.spans.begin, found.words.spans.end, strict=True)
        for part in answer[b:e].split()
    ]
    assert said == words
