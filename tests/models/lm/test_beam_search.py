"""N-best answers against a search through everything, and texts scored one by one."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from byte_models import save_byte_llama
from steelyard.models.finetune import Lora, with_adapters
from steelyard.models.lm.beam_search import beam_entropy, n_best
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.option_scores import Normalise, score_options
from steelyard.models.lm.sequence_scores import TOO_LONG, UNSPELLED, score_texts
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.prompts import PromptedQuestion

ALPHABET = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "Ġ": 4, "a": 5, "b": 6, "Ġa": 7}


def tokenizer_of_few_letters() -> Any:
    """Reads and writes a, b and spaces; " a" is a token of its own."""
    inner = Tokenizer(models.BPE(vocab=ALPHABET, merges=[("Ġ", "a")], unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=32,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )


def llama(seed: int) -> Any:
    """Random weights, large ones, so that some answers are far more probable than others."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(ALPHABET),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def gpt2(seed: int) -> Any:
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(ALPHABET),
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=32,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    return GPT2LMHeadModel(config).eval()


def asks(*prompts: str, texts: tuple[str, ...] = ()) -> list[PromptedQuestion]:
    return [
        PromptedQuestion(f"q{i}", "0", p, texts, item=(0, len(p))) for i, p in enumerate(prompts)
    ]


def log_prob(model: Any, prompt: list[int], answer: list[int]) -> float:
    """ln P of one answer in a pass of its own."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].double()
    logs = torch.log_softmax(logits, dim=-1)[len(prompt) - 1 : -1]
    return float(logs[torch.arange(len(answer)), torch.tensor(answer)].sum())


# The entropy of a beam


def test_beam_entropy_by_hand() -> None:
    # ln P -1.2, -2, -3.5 of 6, 7, 7 tokens: pi = .6453, .2900, .0647;
    # H = .6453 * .2 + .2900 * .2857 + .0647 * .5 = .12906 + .08286 + .03235 = .24426
    logs, lengths = np.array([-1.2, -2.0, -3.5]), np.array([6, 7, 7])
    found = beam_entropy(logs, lengths, np.zeros(3, dtype=np.int64), 1)
    np.testing.assert_allclose(found, [0.24426], atol=1e-5)


def test_beams_apart_and_answers_without_a_score() -> None:
    logs = np.array([-1.2, -2.0, -3.5, np.nan, -0.5, np.nan])
    lengths = np.array([6, 7, 7, 1, 2, 4])
    found = beam_entropy(logs, lengths, np.array([0, 0, 0, 0, 2, 3]), 5)
    np.testing.assert_allclose(found, [0.24426, np.nan, 0.25, np.nan, np.nan], atol=1e-5)


# The search


@pytest.mark.parametrize("normalise", ["sum", "token"])
@pytest.mark.parametrize("seed", range(3))
def test_a_beam_of_everything_finds_the_best_of_everything(seed: int, normalise: Normalise) -> None:
    model, tokenizer, longest = llama(seed), tokenizer_of_few_letters(), 3
    prompts = ["ab", "b a b", "a"]  # of unlike lengths: they are padded together
    found = n_best(
        model,
        tokenizer,
        asks(*prompts),
        beams=8**longest,
        max_new_tokens=longest,
        normalise=normalise,
    )
    for i, prompt in enumerate(prompts):
        ids = tokenizer(prompt)["input_ids"]
        everything = {}
        for size in range(longest):
            for tokens in product([t for t in range(8) if t != 2], repeat=size):
                everything[(*tokens, 2)] = log_prob(model, ids, [*tokens, 2])
        for tokens in product([t for t in range(8) if t != 2], repeat=longest):
            everything[tokens] = log_prob(model, ids, list(tokens))
        best: dict[str, bool] = {}
        for tokens in sorted(
            everything,
            key=lambda t: everything[t] / (len(t) if normalise == "token" else 1),
            reverse=True,
        ):
            text = tokenizer.decode([*ids, *tokens], skip_special_tokens=True)[len(prompt) :]
            best.setdefault(text.strip(), tokens[-1] == 2)
        mine = slice(found.scored.rows[i], found.scored.rows[i + 1])
        assert [text.strip() for text in found.scored.texts[mine]][:10] == list(best)[:10]
        assert found.ended[mine].tolist()[:10] == list(best.values())[:10]


def test_answers_are_distinct_and_scored_in_the_tokenizers_spelling() -> None:
    model, tokenizer = llama(0), tokenizer_of_few_letters()
    found = n_best(model, tokenizer, asks("ab", "b"), beams=30, max_new_tokens=3)
    again = score_texts(
        model,
        tokenizer,
        [
            replace(
                one, answers=found.scored.texts[found.scored.rows[i] : found.scored.rows[i + 1]]
            )
            for i, one in enumerate(asks("ab", "b"))
        ],
    )
    np.testing.assert_allclose(found.scored.log_probs, again.log_probs, atol=1e-4)
    for i in range(2):
        texts = found.scored.texts[found.scored.rows[i] : found.scored.rows[i + 1]]
        bare = [text.strip() for text in texts]
        assert len(set(bare)) == len(bare) < 30  # some of the 30 spell the same text
    assert found.reasons == ("", "")
    assert (found.entropy > 0).all()


def test_one_beam_is_greedy() -> None:
    model, tokenizer = llama(1), tokenizer_of_few_letters()
    found = n_best(model, tokenizer, asks("ab", "b a"), beams=1, max_new_tokens=4)
    for text, prompt in zip(found.scored.texts, ("ab", "b a"), strict=True):
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        theirs = model.generate(ids, max_new_tokens=4, do_sample=False)[0]
        assert prompt + text == tokenizer.decode(theirs, skip_special_tokens=True)


def test_what_a_checkpoint_says_of_generation_has_no_say() -> None:
    model, tokenizer = llama(0), tokenizer_of_few_letters()
    plain = n_best(model, tokenizer, asks("ab"), max_new_tokens=4)
    model.generation_config.repetition_penalty = 3.0
    model.generation_config.no_repeat_ngram_size = 1
    kept = model.generation_config
    found = n_best(model, tokenizer, asks("ab"), max_new_tokens=4)
    assert found.scored.texts == plain.scored.texts
    assert model.generation_config is kept


def test_adapters_take_part_in_the_search() -> None:
    model, tokenizer = llama(0), tokenizer_of_few_letters()
    plain = n_best(model, tokenizer, asks("ab"), max_new_tokens=4)
    adapted = with_adapters(model, Lora(), "CAUSAL_LM", 0, "all-linear")
    torch.manual_seed(0)
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights)
    adapted.eval()
    found = n_best(adapted, tokenizer, asks("ab"), max_new_tokens=4)
    assert found.scored.texts != plain.scored.texts
    merged = n_best(adapted.merge_and_unload(), tokenizer, asks("ab"), max_new_tokens=4)
    assert found.scored.texts == merged.scored.texts
    np.testing.assert_allclose(found.scored.log_probs, merged.scored.log_probs, atol=1e-4)


def always(model: Any, token: int) -> Any:
    """The model with next to all probability on one token, whatever came before."""
    with torch.no_grad():
        model.model.norm.weight.zero_()
        head = torch.nn.Linear(16, len(ALPHABET))
        head.weight.zero_()
        head.bias.copy_(torch.eye(len(ALPHABET))[token] * 20)
        model.lm_head = head
    return model


def test_an_empty_answer_is_the_empty_word() -> None:
    model, tokenizer = always(llama(0), 2), tokenizer_of_few_letters()
    found = n_best(model, tokenizer, asks("ab"), beams=1, empty=" []")
    assert found.scored.texts == (" []",)
    words = found.scored.words()
    assert words.spans.rows.tolist() == [0, 1]
    np.testing.assert_allclose(words.log_probs, found.scored.log_probs)
    np.testing.assert_allclose(words.log_probs, [0], atol=1e-6)
    as_it_is = n_best(model, tokenizer, asks("ab"), beams=1)
    assert as_it_is.scored.texts == ("",)


def test_an_answer_without_an_end_is_said_to_have_none() -> None:
    model, tokenizer = always(llama(0), 5), tokenizer_of_few_letters()
    found = n_best(model, tokenizer, asks("ab"), beams=1, max_new_tokens=3)
    assert found.scored.texts == ("aaa",)
    assert found.ended.tolist() == [False]
    np.testing.assert_allclose(found.scored.log_probs, [-20], atol=1e-3)  # the end that is missing


def test_prompts_longer_than_the_context_are_cut_or_left_out() -> None:
    model, tokenizer = llama(0), tokenizer_of_few_letters()
    long = "ab" * 40
    asked = [
        PromptedQuestion("q0", "0", long, (), item=(0, 80)),
        PromptedQuestion("q1", "0", long, ()),
        *asks("ab"),
    ]
    found = n_best(model, tokenizer, asked, beams=2, max_new_tokens=4)
    assert found.reasons == ("", TOO_LONG, "")
    assert found.scored.truncated.tolist() == [True, False, False]
    assert np.isnan(found.entropy).tolist() == [False, True, False]
    assert np.diff(found.scored.rows)[1] == 0
    shorter = n_best(model, tokenizer, asks(long[: 32 - 4 - 1]), beams=2, max_new_tokens=4)
    assert found.scored.texts[: found.scored.rows[1]] == shorter.scored.texts


def test_nobody_asked() -> None:
    found = n_best(llama(0), tokenizer_of_few_letters(), [])
    assert found.scored.texts == found.reasons == ()
    assert found.scored.table().shape == (0, 0)


# Given texts

TEXTS = ("a", " ab a", "", "b" * 9)


@pytest.mark.parametrize("make", [llama, gpt2])
def test_texts_are_scored_as_one_by_one(make: Any) -> None:
    model, tokenizer = make(0), tokenizer_of_few_letters()
    asked = [*asks("ab", "b a b a", "", texts=TEXTS), *asks("a"), *asks("bb", texts=(" a b",))]
    found = score_texts(model, tokenizer, asked)
    expected = []
    for one in asked:
        prompt = tokenizer(one.prompt)["input_ids"]
        for text in one.answers:
            ids = tokenizer(one.prompt + text)["input_ids"][len(prompt) :]
            expected.append(log_prob(model, prompt, [*ids, 2]))
    np.testing.assert_allclose(found.log_probs, expected, atol=1e-4)
    assert found.rows.tolist() == [0, 4, 8, 12, 12, 13]
    words = found.words()
    sums = np.bincount(words.spans.text, weights=words.log_probs)
    np.testing.assert_allclose(sums, found.log_probs)
    # " ab a" is the words "ab" and "a"; the other texts are one word each, the last two again
    assert np.diff(words.spans.rows).tolist() == [1, 2, 1, 1] * 3 + [2]
    table = found.table()
    np.testing.assert_allclose(table[:3].ravel(), found.log_probs[:12])
    assert np.isneginf(table[3]).all()
    np.testing.assert_allclose(found.table("token")[4, 0], found.log_probs[12] / found.lengths[12])


def test_options_and_texts_have_the_same_scores(tmp_path: Path) -> None:
    model = load_causal(Pretrained(model=save_byte_llama(tmp_path)))
    tokenizer = load_tokenizer(Pretrained(model=str(tmp_path)))
    asked = asks("Is it?", "What is it, café or 🎉?", texts=(" yes", " no, it is not", " 🎉"))
    found = score_texts(model, tokenizer, asked)
    without_end = [
        found.token_log_probs[start : end - 1].sum()
        for start, end in zip(found.tokens.spans.rows, found.tokens.spans.rows[1:], strict=False)
    ]
    theirs = score_options(model, tokenizer, asked).log_probs
    np.testing.assert_allclose(without_end, theirs.ravel(), atol=1e-4)


def test_a_batch_of_many_is_split_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = llama(0), tokenizer_of_few_letters()
    asked = asks("ab", "b a b a", "a", texts=TEXTS)
    whole = score_texts(model, tokenizer, asked)
    monkeypatch.setattr("steelyard.models.lm.sequence_scores.BATCH_TOKENS", 20)
    split = score_texts(model, tokenizer, asked)
    np.testing.assert_allclose(whole.log_probs, split.log_probs, atol=1e-4)
    monkeypatch.setattr("steelyard.models.lm.sequence_scores.BATCH_TOKENS", 8192)
    monkeypatch.setattr("steelyard.models.lm.sequence_scores.BATCH_LOGITS", 1)
    alone = score_texts(model, tokenizer, asked)
    np.testing.assert_allclose(whole.log_probs, alone.log_probs, atol=1e-4)


def test_texts_without_a_score_say_why() -> None:
    model, tokenizer = llama(0), tokenizer_of_few_letters()
    asked = [
        *asks("ab", texts=("a", "a{b")),
        PromptedQuestion("q1", "0", "ab" * 20, ("a", "b")),
        PromptedQuestion("q2", "0", "ab" * 20, ("a",), item=(0, 40)),
    ]
    found = score_texts(model, tokenizer, asked)
    assert found.reasons == ("", UNSPELLED, TOO_LONG, TOO_LONG, "")
    assert np.isfinite(found.log_probs).tolist() == [True, False, False, False, True]
    assert found.truncated.tolist() == [False, False, True]
    words = found.words()
    assert np.isnan(words.log_probs).tolist() == [False, True, True, True, False]
