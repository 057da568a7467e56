"""The bridge between tokenizers: by hand, on all pairs of real ones, and on texts they garble."""

from itertools import product
from math import exp, inf, log
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from byte_models import save_byte_llama
from shared_data import MODELS
from steelyard.errors import ConfigError
from steelyard.models.lm.words_across_tokenizers import (
    answer_spans,
    bridge,
    word_log_probs,
    words_of,
)
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.objectives.tokens import token_confidences
from steelyard.prompts import PromptedQuestion
from steelyard.types import Spans, WordProbabilities

REAL = ("stories260K", "TinyStories-656K", "nlu-llama-base", "nlu-llama-small")
TEXTS = (
    ' [{"type": "date", "filler": "tomorrow \'s"}]',
    "wake me  up at five",
    " 42",
    "",
    "   ",
    "...",
    "  lead and trail \n",
    "a\tb\nc",
    "naïve café über straße",
    "e\u0301 and \ufb01ve 🎉🎉 x\u200by\u00a0z",
    "日本語 です",
    "unbelievably" * 5,
)


def spans(*texts: list[tuple[int, int]]) -> Spans:
    table = np.array([span for text in texts for span in text], dtype=np.int64).reshape(-1, 2)
    return Spans(np.cumsum([0, *map(len, texts)]), table[:, 0], table[:, 1])


def answers(*texts: str, prompt: str = "say:") -> list[PromptedQuestion]:
    return [PromptedQuestion("q", "0", prompt, texts)]


# Words of tokens


def test_tokens_are_summed_over_their_word_by_hand() -> None:
    # "set  alarm" as s|et|(space)| alarm|(end): words "set" and "alarm", white space goes to what
    # follows it and the end to the last word: -.1 - .2 = -.3 and -.4 - .5 - .6 = -1.5
    tokens = spans([(0, 1), (1, 3), (3, 4), (4, 10), (10, 10)])
    words = word_log_probs(
        words_of(["set  alarm"]), tokens, np.array([-0.1, -0.2, -0.4, -0.5, -0.6])
    )
    np.testing.assert_allclose(words.log_probs, [-0.3, -1.5])
    assert words.spans.begin.tolist() == [0, 5]


def test_words_that_a_token_joins_are_one() -> None:
    # "to be or": the token "o be" stands in two words, which nobody can tell apart: -1 -2 = -3.
    tokens = spans([(0, 1), (1, 5), (5, 8), (8, 8)])
    words = word_log_probs(words_of(["to be or"]), tokens, np.array([-1.0, -2.0, -4.0, -8.0]))
    np.testing.assert_allclose(words.log_probs, [-3, -12])
    assert words.spans.begin.tolist() == [0, 6]
    assert words.spans.end.tolist() == [5, 8]


def test_a_word_without_a_token_goes_with_the_one_before_it() -> None:
    # "a # b c": no token stands for "#", nor, in the second text, for the first two words.
    texts = ["a # b", "# # c"]
    tokens = spans([(0, 1), (4, 5), (5, 5)], [(4, 5), (5, 5)])
    words = word_log_probs(words_of(texts), tokens, np.array([-1.0, -2, -4, -8, -16]))
    assert words.spans.rows.tolist() == [0, 2, 3]
    assert words.spans.begin.tolist() == [0, 4, 0]
    assert words.spans.end.tolist() == [3, 5, 5]
    np.testing.assert_allclose(words.log_probs, [-1, -6, -24])


def test_useless_offsets_make_one_word_of_a_text_and_invent_nothing() -> None:
    tokens = spans([(0, 0)] * 4, [(0, 1), (2, 3), (3, 3)])
    words = word_log_probs(words_of(["a b c", "d e"]), tokens, np.full(7, -1.0))
    np.testing.assert_allclose(words.log_probs, [-4, -1, -2])
    # the end token of the first text is at 0 too, so that no token is behind its first word


def test_nothing_to_do_is_no_error() -> None:
    words = word_log_probs(words_of([]), spans(), np.zeros(0))
    assert len(words.log_probs) == 0
    assert words.spans.rows.tolist() == [0]


# Shares


def strengths(tops: list[float], temperature: float, p: float = 0.3) -> list[float]:
    word = torch.zeros(len(tops), dtype=torch.int64)
    found = token_confidences(torch.tensor(tops), word, torch.tensor([log(p)]), temperature)
    return [float(value) for value in found]


def test_shares_by_hand() -> None:
    # m = .9, .13, .6, P = .3, T = 1: e^-m = .4066, .8781, .5488, sum 1.8335
    # share .2217, .4789, .2993; s = exp(share * ln .3) = .7657, .5618, .6974
    assert strengths([0.9, 0.13, 0.6], 1) == pytest.approx([0.7657, 0.5618, 0.6974], abs=5e-5)
    # T = .3: share .0597, .7779, .1624
    assert strengths([0.9, 0.13, 0.6], 0.3) == pytest.approx([0.9306, 0.3920, 0.8224], abs=5e-5)
    # even: .3 ** (1/3) = .6694
    assert strengths([0.9, 0.13, 0.6], inf) == pytest.approx([0.3 ** (1 / 3)] * 3)


def test_a_word_of_one_token_has_the_words_probability() -> None:
    assert strengths([0.2], 0.01, p=0.7) == pytest.approx([0.7])


@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.3, 1.0, inf]))
def test_the_product_over_a_word_is_its_probability(seed: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    word = torch.from_numpy(np.concatenate([np.arange(5), rng.integers(0, 5, 12)]))
    logs = torch.from_numpy(-rng.exponential(3, 5))
    tops = torch.from_numpy(rng.random(17)).bfloat16().requires_grad_()
    found = token_confidences(tops, word, logs, temperature)
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert ((found > 0) & (found <= 1)).all()
    sums = torch.zeros(5).index_add(0, word, found.log())
    torch.testing.assert_close(sums, logs.float(), rtol=1e-4, atol=1e-4)


def test_words_of_a_batch_do_not_touch_each_other() -> None:
    tops = torch.tensor([0.9, 0.13, 0.6, 0.5])
    word = torch.tensor([1, 1, 1, 0])
    found = token_confidences(tops, word, torch.tensor([log(0.8), log(0.3)]))
    torch.testing.assert_close(found[:3], torch.tensor(strengths([0.9, 0.13, 0.6], 1)))
    assert float(found[3]) == pytest.approx(0.8)


# Tokenizers


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A byte-level one, and the real ones that lie beside the checkout."""
    found = {"bytes": AutoTokenizer.from_pretrained(save_byte_llama(tmp_path_factory.mktemp("b")))}
    folder = MODELS
    for name in REAL:
        if (folder / name).is_dir():
            found[name] = load_tokenizer(Pretrained(model=str(folder / name)))
    pieces = load_tokenizer(Pretrained(model="minilm"))
    pieces.eos_token = "[SEP]"  # lower-cases, strips accents, drops control characters
    found["wordpiece"] = pieces
    return found


PAIRS = list(product(("bytes", "wordpiece", *REAL), repeat=2))


@pytest.mark.parametrize(("weak", "strong"), PAIRS, ids=lambda name: str(name))
def test_every_pair_of_tokenizers_keeps_a_texts_probability(
    weak: str, strong: str, tokenizers: dict[str, Any]
) -> None:
    if weak not in tokenizers or strong not in tokenizers:
        pytest.skip("real models are not there: ../shared/models")
    asked = [*answers(*TEXTS), *answers(*TEXTS, prompt="other: \n")]
    texts = [text for one in asked for text in one.answers]
    taught, learner = (answer_spans(tokenizers[name], asked) for name in (weak, strong))
    logs = -np.random.default_rng(0).exponential(1, len(taught.ids))
    words = word_log_probs(words_of(texts), taught.spans, logs)
    joined, word = bridge(words, learner.spans)
    size = len(texts)
    total = np.bincount(taught.spans.text, weights=logs, minlength=size)
    for found in (words, joined):
        sums = np.bincount(found.spans.text, weights=found.log_probs, minlength=size)
        np.testing.assert_allclose(sums, total)
        inside = found.spans.text[1:] == found.spans.text[:-1]  # in order, apart from each other
        assert (found.spans.begin[1:] > found.spans.end[:-1])[inside].all()
    assert len(word) == len(learner.ids)
    assert (joined.spans.text[word] == learner.spans.text).all()
    assert (np.bincount(word, minlength=len(joined.log_probs)) > 0).all()
    last = joined.spans.rows[1:] - 1  # the end belongs to the last word
    assert (word[learner.spans.rows[1:] - 1] == last).all()
    found = token_confidences(
        torch.rand(len(word), generator=torch.Generator().manual_seed(0)),
        torch.from_numpy(word),
        torch.from_numpy(joined.log_probs),
    )
    products = np.bincount(word, weights=found.double().log().numpy())
    np.testing.assert_allclose(products, joined.log_probs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["bytes", "nlu-llama-base", "nlu-llama-small", "stories260K"])
def test_the_words_of_byte_level_tokenizers_are_those_of_the_text(
    name: str, tokenizers: dict[str, Any]
) -> None:
    if name not in tokenizers:
        pytest.skip("real models are not there: ../shared/models")
    tokens = answer_spans(tokenizers[name], answers(*TEXTS))
    assert tokens.spelled.all()
    words = words_of(TEXTS)
    found = word_log_probs(words, tokens.spans, np.zeros(len(tokens.ids)))
    assert found.spans.begin.tolist() == words.begin.tolist()
    assert found.spans.rows.tolist() == words.rows.tolist()


def test_the_tokens_are_those_that_are_taught(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["bytes"]
    tokens = answer_spans(tokenizer, answers(" é", "b"))
    # one byte for the space, two for the letter, the end; then one byte and the end
    assert tokens.spans.begin.tolist() == [0, 1, 1, 2, 0, 1]
    assert tokens.spans.end.tolist() == [1, 2, 2, 2, 1, 1]
    assert tokenizer.decode(tokens.ids[:3]) == " é"
    assert tokens.ids[[3, 5]].tolist() == [tokenizer.eos_token_id] * 2


def test_a_text_that_a_tokenizer_garbles_is_not_spelled(tokenizers: dict[str, Any]) -> None:
    found = answer_spans(tokenizers["wordpiece"], answers("plain words", "Café", "🎉", "x\u200by"))
    assert found.spelled.tolist() == [True, False, False, False]
    if "TinyStories-656K" in tokenizers:
        found = answer_spans(tokenizers["TinyStories-656K"], answers(" a dog", ' {"a": 1}', " []"))
        assert found.spelled.tolist() == [True, False, False]


def test_a_compatibility_form_is_the_same_text(tokenizers: dict[str, Any]) -> None:
    assert answer_spans(tokenizers["bytes"], answers("e\u0301 \ufb01ve")).spelled.all()


def test_a_tokenizer_without_an_end_or_offsets_is_refused() -> None:
    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    with pytest.raises(ConfigError, match="has no end token"):
        answer_spans(plain, answers("a"))

    class Slow:
        is_fast, eos_token_id = False, 1

    with pytest.raises(ConfigError, match="Slow gives no character offsets"):
        answer_spans(Slow(), answers("a"))


def test_bridging_to_the_same_tokens_changes_nothing() -> None:
    words = WordProbabilities(
        words_of(["set an alarm", "x"]), np.array([log(0.5), log(0.25), log(0.5), -1.0])
    )
    tokens = spans([(0, 3), (3, 6), (6, 12), (12, 12)], [(0, 1), (1, 1)])
    joined, word = bridge(words, tokens)
    assert word.tolist() == [0, 1, 2, 2, 3, 3]
    found = token_confidences(
        torch.rand(6), torch.from_numpy(word), torch.from_numpy(joined.log_probs)
    )
    assert found[:2].tolist() == pytest.approx([0.5, 0.25])
    assert float(found[2] * found[3]) == pytest.approx(0.5)
    assert float(found[4] * found[5]) == pytest.approx(exp(-1))
