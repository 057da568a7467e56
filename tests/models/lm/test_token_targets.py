"""Texts that are taught word by word: by hand, and against one text at a time."""

from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from byte_models import save_byte_llama
from steelyard.errors import InputError
from steelyard.models.lm.completion_batches import AnswerBatcher, encode_answers
from steelyard.models.lm.token_targets import (
    TokenTargetRows,
    encode_token_targets,
    of_examples,
    shifted,
)
from steelyard.models.lm.words_across_tokenizers import words_of
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.score import forward
from steelyard.objectives import LogconfConfer, ObjectiveState, Soft, TokenObjective, chunks
from steelyard.objectives.answers import answer_losses
from steelyard.objectives.tokens import TokenCrossEntropy, soft, token_confidences, xent
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, TokenTargets, WordProbabilities

PROMPT = "<q>set</q>="
LOGS = [log(0.9), log(0.5), log(0.25), log(0.8)]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_byte_llama(tmp_path_factory.mktemp("bytes"), context=64)


@pytest.fixture(scope="module")
def tokenizer(llama: str) -> Any:
    return load_tokenizer(Pretrained(model=llama))


def ask(*answers: str, prompt: str = PROMPT, item: tuple[int, int] = (3, 6)) -> PromptedQuestion:
    return PromptedQuestion(f"q{len(prompt)}", "s", prompt, answers, item=item)


def write(
    asked: list[PromptedQuestion], which: list[tuple[int, int, float]], logs: Any = None
) -> tuple[TokenTargets, list[str]]:
    """(example, candidate, share) of each text, with ln P of its words in turn from LOGS."""
    texts = [asked[i].answers[c] for i, c, _ in which]
    spans = words_of(texts)
    drawn = np.resize(LOGS, len(spans.begin)) if logs is None else np.asarray(logs, dtype=float)
    example, candidate, share = (np.array(column) for column in zip(*which, strict=True))
    return TokenTargets(
        example, candidate, share.astype(float), WordProbabilities(spans, drawn)
    ), texts


def rows_of(
    tokenizer: Any, asked: list[PromptedQuestion], which: Any, limit: int = 64, **more: Any
) -> Any:
    return encode_token_targets(tokenizer, asked, write(asked, which, **more)[0], limit)


def gradient(
    llama: str, batcher: AnswerBatcher, goal: TokenObjective, shares: Floats, weights: Any
) -> Any:
    """Loss of all examples at once, and its gradient."""
    model = AutoModelForCausalLM.from_pretrained(llama)
    rows = np.arange(len(shares))
    logits = forward(model, batcher, rows, shares.shape[1], "fp32")
    targets = batcher.targets(shares, rows)
    loss = goal.loss(logits, targets, torch.tensor(weights).float(), ObjectiveState(0.5))
    loss.backward()
    flat = torch.cat([p.grad.ravel() for p in model.parameters() if p.grad is not None])
    return loss.detach(), flat


def learned(llama: str, rows: TokenTargetRows) -> Any:
    batcher = AnswerBatcher(rows.encoded, answers=rows)
    return gradient(llama, batcher, Soft(), rows.shares, np.ones(len(rows.fit)))


def test_a_row_for_each_text_with_the_words_of_its_tokens(tokenizer: Any) -> None:
    asked = [ask(" a", " b cd"), ask(" e", prompt=PROMPT + "!")]
    rows = rows_of(tokenizer, asked, [(0, 1, 0.75), (0, 1, 0.25), (1, 0, 1)])
    # " b cd" has five bytes and the end: words b (space, b) and cd (space, c, d, end)
    assert rows.words.word.tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4]
    np.testing.assert_allclose(rows.words.log_probs, [*LOGS, LOGS[0]])
    assert rows.words.first.tolist() == [0, 6, 12]
    assert rows.shares.tolist() == [[0.75, 0.25], [1, 0]]
    assert rows.encoded.rows.tolist() == [0, 2, 3]
    said = [
        tokenizer.decode(rows.encoded.tokens[a:b])
        for a, b in zip(rows.encoded.starts, rows.encoded.starts[1:], strict=False)
    ]
    assert said == [f"<s>{PROMPT} b cd</s>"] * 2 + [f"<s>{PROMPT}! e</s>"]
    assert (rows.dropped, rows.encoded.truncated, rows.fit.tolist()) == (0, 0, [0, 1])


@pytest.mark.parametrize("temperature", [1.0, 0.3, None])
@pytest.mark.parametrize("trims", [False, True])
def test_losses_are_those_of_each_text_alone(
    llama: str, tokenizer: Any, temperature: float | None, trims: bool
) -> None:
    # A second implementation: one text at a time, no padding, no parts.
    asked = [ask(" on", " off now"), ask(" e f g", prompt=PROMPT + " and so on")]
    which = [(0, 0, 0.25), (0, 1, 0.75), (1, 0, 1.0)]
    rows = rows_of(tokenizer, asked, which)
    weights = np.array([0.5, 1.5])
    batcher = AnswerBatcher(rows.encoded, answers=rows, trims=trims)
    found, slope = gradient(llama, batcher, Soft(temperature=temperature), rows.shares, weights)
    model = AutoModelForCausalLM.from_pretrained(llama)
    losses = []
    word_logs = iter(LOGS * 2)
    for i, c, _ in which:
        prompt = tokenizer(asked[i].prompt)["input_ids"]
        answer = [*tokenizer(asked[i].answers[c], add_special_tokens=False)["input_ids"], 2]
        logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        # a space belongs to the word behind it, and the end to the last word
        word = np.cumsum([byte == " " for byte in asked[i].answers[c]]) - 1
        word = torch.tensor([*word, word[-1]])
        logs = torch.tensor([next(word_logs) for _ in range(int(word[-1]) + 1)])
        tops = torch.softmax(logits, dim=1).amax(dim=1)
        strengths = token_confidences(tops, word, logs, temperature or float("inf"))
        losses.append(soft(logits, torch.tensor(answer), strengths).mean())
    shares = torch.tensor([0.5 * 0.25, 0.5 * 0.75, 1.5])
    alone = (shares * torch.stack(losses)).sum() / 2
    alone.backward()
    torch.testing.assert_close(found, alone.detach(), atol=1e-6, rtol=1e-5)
    flat = torch.cat([p.grad.ravel() for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(slope, flat, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("entries", [2**21, 600])
def test_an_answer_is_taught_by_its_own_mean(
    llama: str, tokenizer: Any, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    # A second implementation: one text at a time, no padding, no chunks. Untaught, a token has
    # about ln 259 = 5.56 nats: the lists of 9 stop their answers, those of 1 do not.
    asked = [ask(" on", " off now"), ask(" e f g", prompt=PROMPT + " and so on"), ask(" h")]
    which = [(0, 0, 0.25), (0, 1, 0.75), (1, 0, 1.0), (2, 0, 1.0)]
    words = write(asked, which)[0]
    entropies = [1.0, 9.0, 1.0, 9.0]
    listed = replace(words, entropy=np.array(entropies))
    rows = encode_token_targets(tokenizer, asked, listed, 64)
    goal = LogconfConfer(maximum=0.3, warmup=0.5)  # half way, where c is 0.3
    monkeypatch.setattr(chunks, "CPU_ENTRIES", entries)
    batcher = AnswerBatcher(rows.encoded, answers=rows)
    found, slope = gradient(llama, batcher, goal, rows.shares, np.ones(3))
    model = AutoModelForCausalLM.from_pretrained(llama)
    alone = torch.zeros(())
    for (i, c, share), entropy in zip(which, entropies, strict=True):
        prompt = tokenizer(asked[i].prompt)["input_ids"]
        answer = [*tokenizer(asked[i].answers[c], add_special_tokens=False)["input_ids"], 2]
        logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        weak = cross_entropy(logits, torch.tensor(answer))
        own = 0.3 * cross_entropy(logits, logits.argmax(dim=1))
        alone = alone + share / 3 * (weak if weak > entropy else own)
    alone.backward()
    torch.testing.assert_close(found, alone.detach(), atol=1e-6, rtol=1e-5)
    flat = torch.cat([p.grad.ravel() for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(slope, flat, atol=1e-6, rtol=1e-4)


def test_certain_words_teach_the_cross_entropy(llama: str, tokenizer: Any) -> None:
    asked = [ask(" on", " off now"), ask(" e", prompt=PROMPT + " and so on")]
    which = [(0, 0, 0.25), (0, 1, 0.75), (1, 0, 1.0)]
    rows = rows_of(tokenizer, asked, which, logs=[0.0] * 4)
    plain = encode_answers(tokenizer, asked, rows.shares, 64)
    weights = np.array([0.5, 1.5])
    theirs = gradient(
        llama,
        AnswerBatcher(plain.encoded, answers=plain),
        TokenCrossEntropy(),
        rows.shares,
        weights,
    )
    ours = gradient(llama, AnswerBatcher(rows.encoded, answers=rows), Soft(), rows.shares, weights)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


def test_two_that_say_the_same_are_one(llama: str, tokenizer: Any) -> None:
    asked = [ask(" on now", " off"), ask(" e f")]
    logs = [log(0.9), log(0.5)]
    one = rows_of(tokenizer, asked, [(0, 0, 1), (1, 0, 1)], logs=logs * 2)
    two = rows_of(tokenizer, asked, [(0, 0, 0.5), (0, 0, 0.5), (1, 0, 1)], logs=logs * 3)
    for a, b in zip(learned(llama, one), learned(llama, two), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)
    other = rows_of(tokenizer, asked, [(0, 0, 0.5), (0, 1, 0.5), (1, 0, 1)])
    assert not torch.allclose(learned(llama, one)[1], learned(llama, other)[1], atol=1e-3)


def test_chunks_change_nothing(llama: str, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [ask(" on now", " off"), ask(" e f")]
    rows = rows_of(tokenizer, asked, [(0, 0, 0.5), (0, 1, 0.5), (1, 0, 1)])
    whole = learned(llama, rows)
    monkeypatch.setattr(chunks, "CPU_ENTRIES", 600)  # two tokens
    for a, b in zip(whole, learned(llama, rows), strict=True):
        torch.testing.assert_close(a, b, atol=1e-7, rtol=1e-6)


def test_padded_mean_divides_by_the_longest_row(llama: str, tokenizer: Any) -> None:
    # Two texts of 3 and 5 tokens with their end; the longest row has 1 + 11 + 5 tokens, 16 next.
    rows = rows_of(tokenizer, [ask(" a"), ask(" abc")], [(0, 0, 1), (1, 0, 1)])
    tables = []
    for reduction in ("row_mean", "padded_mean"):
        batcher = AnswerBatcher(rows.encoded, answers=rows, reduction=reduction)
        model = AutoModelForCausalLM.from_pretrained(llama)
        with torch.inference_mode():
            logits = forward(model, batcher, np.arange(2), 1, "fp32")
            targets = batcher.targets(rows.shares, np.arange(2))
            tables.append(answer_losses(xent(logits, targets.tokens), targets))
    torch.testing.assert_close(tables[1], tables[0] * torch.tensor([[3 / 16], [5 / 16]]))


def test_examples_are_chosen_with_their_texts_and_words() -> None:
    asked = [ask(" a b"), ask(" c", " d e f"), ask(" g")]
    written, _ = write(asked, [(0, 0, 1), (1, 0, 0.5), (1, 1, 0.5), (2, 0, 1)])
    assert of_examples(written, np.array([1, 2])).entropy is None
    listed = replace(written, entropy=np.array([0.1, 0.2, 0.3, 0.4]))
    some = of_examples(listed, np.array([1, 2]))
    assert some.entropy is not None
    assert some.entropy.tolist() == [0.2, 0.3, 0.4]
    assert some.example.tolist() == [0, 0, 1]
    assert some.candidate.tolist() == [0, 1, 0]
    assert some.share.tolist() == [0.5, 0.5, 1]
    np.testing.assert_allclose(some.words.log_probs, np.resize(LOGS, 7)[2:])
    moved = shifted(some, 1).words
    assert (moved.spans.begin - some.words.spans.begin).tolist() == [1] * 5
    assert (moved.spans.end - some.words.spans.end).tolist() == [1] * 5


# What cannot be taught


def test_a_long_prompt_is_cut_in_its_item(tokenizer: Any) -> None:
    # 30 tokens: <s>, <q>, the item's first 17, </q>= (5), " on" and the end (4).
    long = ask(" on", prompt=f"<q>{'x' * 40}</q>=", item=(3, 43))
    rows = rows_of(tokenizer, [ask(" a"), long], [(0, 0, 1), (1, 0, 1)], limit=30)
    text = tokenizer.decode(rows.encoded.tokens[rows.encoded.starts[1] :])
    assert text == f"<s><q>{'x' * 17}</q>= on</s>"
    assert (rows.encoded.truncated, rows.dropped) == (1, 0)


def test_a_text_that_is_too_long_gives_its_share_to_the_others(tokenizer: Any) -> None:
    # 20 tokens: <s>, <q>, </q>= and the end are 10, so 10 of the text fit, and not 12.
    asked = [ask(" a", " b" + "b" * 10, " c"), ask(" " + "d" * 11, prompt=PROMPT + "!")]
    asked.append(ask(" " + "e" * 9))
    which = [(0, 0, 0.5), (0, 1, 0.3), (0, 2, 0.2), (1, 0, 1.0), (2, 0, 1.0)]
    rows = rows_of(tokenizer, asked, which, limit=20)
    assert rows.dropped == 2
    assert rows.words.entropy is None
    written = replace(write(asked, which)[0], entropy=np.arange(5.0))
    assert encode_token_targets(tokenizer, asked, written, 20).words.entropy.tolist() == [0, 2, 4]
    assert rows.fit.tolist() == [0, 2]
    np.testing.assert_allclose(rows.shares, [[0.5 / 0.7, 0, 0.2 / 0.7], [1, 0, 0]])
    assert rows.candidate.tolist() == [0, 2, 0]
    with pytest.raises(InputError, match="cannot spell 0, and 1 are too long for 20"):
        rows_of(tokenizer, asked[1:2], [(0, 0, 1.0)], limit=20)


def test_a_text_that_cannot_be_spelled_is_left_out(tokenizer: Any) -> None:
    class Losing(PreTrainedTokenizerFast):  # type: ignore[misc]
        """Writes every z as a."""

        def __call__(self, text: Any, **more: Any) -> Any:
            return super().__call__([one.replace("z", "a") for one in text], **more)

    losing = Losing(
        tokenizer_object=tokenizer.backend_tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
    )
    asked = [ask(" a", " z"), ask(" zz")]
    which = [(0, 0, 0.5), (0, 1, 0.5), (1, 0, 1)]
    rows = rows_of(losing, asked, which)
    assert (rows.dropped, rows.fit.tolist(), rows.shares.tolist()) == (2, [0], [[1, 0]])
    with pytest.raises(InputError, match="cannot spell 1, and 0 are too long"):
        rows_of(losing, asked[1:], [(0, 0, 1)])


def test_an_empty_answer_is_its_end(llama: str, tokenizer: Any) -> None:
    rows = rows_of(tokenizer, [ask(" "), ask("")], [(0, 0, 1), (1, 0, 1)], logs=[log(0.5)] * 2)
    # one word each: of the space and the end, and of the end alone
    assert rows.words.word.tolist() == [0, 0, 1]
    assert torch.isfinite(learned(llama, rows)[1]).all()


@pytest.mark.parametrize("value", [np.nan, -np.inf, 0.5])
def test_a_log_probability_that_is_none_is_named(tokenizer: Any, value: float) -> None:
    with pytest.raises(InputError, match="a word of 'q12' has"):
        rows_of(
            tokenizer,
            [ask(" a"), ask(" b c", prompt=PROMPT + "!")],
            [(0, 0, 1), (1, 0, 1)],
            logs=[0, -1, value],
        )


def test_rounding_above_certainty_is_certainty(llama: str, tokenizer: Any) -> None:
    rows = rows_of(tokenizer, [ask(" a")], [(0, 0, 1)], logs=[1e-7])
    assert torch.isfinite(learned(llama, rows)[1]).all()


def test_an_example_without_a_text_is_named(tokenizer: Any) -> None:
    asked = [ask(" a"), ask(" b", prompt=PROMPT + "!")]
    with pytest.raises(InputError, match="'q12' has none"):
        rows_of(tokenizer, asked, [(0, 0, 1)])
