"""Option scores and samples are those of reading every text alone."""

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    DynamicCache,
    GPT2Config,
    Lfm2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    PretrainedConfig,
)

import steelyard.models.ask as ask_module
from steelyard.models.ask import OptionScores, fused_attention, reads_trees, score_options
from steelyard.models.causal import load_causal
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.prompted import answer_tokens, fit_prompt, prompt_tokens
from steelyard.models.reading import reading
from steelyard.models.room import with_room
from steelyard.models.sample import Reply, sample_replies
from steelyard.models.tree import tree_of
from steelyard.prompts import Asked, Asking
from steelyard.types import Question
from tiny_models import WORDS, tokenizer

SIZES: dict[str, Any] = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 32}
CONFIGS: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**SIZES, **HEADS, max_position_embeddings=64),
    "gpt2": GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=2, n_positions=64),
    "mistral": MistralConfig(**SIZES, **HEADS, max_position_embeddings=64, sliding_window=None),
    "bloom": BloomConfig(vocab_size=32, hidden_size=16, n_layer=2, n_head=2),  # ALiBi: no positions
}


@pytest.fixture(scope="module", params=list(CONFIGS))
def tiny(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A model with random weights, large enough that answers differ, and its tokenizer."""
    return built(request.param)


@pytest.fixture(scope="module")
def llama() -> tuple[Any, Any]:
    return built("llama")


def built(family: str, attention: str = "eager") -> tuple[Any, Any]:
    return drawn(CONFIGS[family], attention)


def drawn(config: PretrainedConfig, attention: str = "eager") -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    words = tokenizer(pairs=False)
    words.pad_token = "good"  # a real word, as GPT-2's is
    return model.eval(), words


@pytest.fixture(scope="module")
def stories() -> tuple[Any, Any]:
    folder = Path(__file__).parents[2].parent / "shared" / "models" / "stories260K"
    if not folder.is_dir():
        pytest.skip(f"the pretrained model is not there: {folder}")
    pretrained = Pretrained(model=str(folder))
    return load_causal(pretrained), load_tokenizer(pretrained)


def questions(count: int, seed: int = 0) -> list[Asked]:
    """Prompts of unequal length, two wordings each, answers of one to three tokens."""
    rng = np.random.default_rng(seed)
    asked = []
    for i in range(count):
        item = " ".join(rng.choice(WORDS, rng.integers(1, 9)))
        for query, end in enumerate((" is", " is the film very")):
            prompt = f"a plot {item}{end}"
            answers = (" good", " not very bad", " very fine")[: 2 + i % 2]
            asked.append(
                Asked(str(i), str(query), prompt, answers, (), answers, (7, 7 + len(item)))
            )
    return asked


def naive(model: Any, tokens: Sequence[int], answer: Sequence[int]) -> list[float]:
    """ln P of each token of an answer: one text, one forward pass, no cache, no padding."""
    with torch.inference_mode():
        logits = model(torch.tensor([[*tokens, *answer]])).logits[0].double()
    logs = torch.log_softmax(logits, dim=-1)
    return [float(logs[len(tokens) - 1 + j, token]) for j, token in enumerate(answer)]


def check_naive(model: Any, words: Any, asked: Sequence[Asked], scores: OptionScores) -> None:
    for i, one in enumerate(asked):
        (prompt,) = prompt_tokens(words, [one.prompt])
        for k, answer in enumerate(answer_tokens(words, one.prompt, one.answers)):
            assert scores.log_probs[i, k] == pytest.approx(
                sum(naive(model, prompt, answer)), abs=1e-4
            )
        assert np.isneginf(scores.log_probs[i, len(one.answers) :]).all()


def test_scores_are_those_of_one_text_at_a_time(tiny: tuple[Any, Any]) -> None:
    model, words = tiny
    asked = questions(12)
    scores = score_options(model, words, asked)
    check_naive(model, words, asked, scores)
    assert scores.probs.sum(axis=1) == pytest.approx(1)
    assert scores.log_probs[0, 0] != pytest.approx(scores.log_probs[0, 1], abs=0.01)


def test_scores_with_fused_attention() -> None:
    """What is used on a GPU."""
    model, words = built("llama", "sdpa")
    assert reads_trees(model)
    asked = questions(6)
    check_naive(model, words, asked, score_options(model, words, asked))
    exact = score_options(model, words, asked).probs
    rough = score_options(model, words, asked, precision="bf16").probs
    assert rough == pytest.approx(exact, abs=0.05)


def test_scores_of_a_pretrained_model(stories: tuple[Any, Any]) -> None:
    """Real words: answers of several tokens, letters behind a shared token for the space."""
    model, words = stories
    question = Question("q", "What did Lily see in the park?", ("a big red ball", "a cat", "rain"))
    settings = [Asking(queries=3), Asking(queries=3, answer="text")]
    asked = [one.ask(question, "multiple_choice", (), q, 0) for one in settings for q in range(3)]
    check_naive(model, words, asked, score_options(model, words, asked))


def test_which_models_read_trees() -> None:
    found = {name: reads_trees(built(name)[0]) for name in CONFIGS}
    assert found == {"llama": True, "gpt2": True, "mistral": True, "bloom": False}


def test_texts_longer_than_a_sliding_window_are_read_alone() -> None:
    """A window of 8 tokens: a tree's own mask would show the 9th the first. Shorter texts, which
    the window does not touch, and longer ones have the model's own scores."""
    config = MistralConfig(**SIZES, **HEADS, max_position_embeddings=64, sliding_window=8)
    model, words = drawn(config)
    asked = questions(12)
    lengths = [len(ids) for ids in prompt_tokens(words, [one.prompt for one in asked])]
    assert min(lengths) < 8 < max(lengths)
    check_naive(model, words, asked, score_options(model, words, asked))


def test_asking_leaves_the_attention_as_it_was(llama: tuple[Any, Any]) -> None:
    model, words = llama
    assert model.config._attn_implementation == "eager"
    with fused_attention(model):
        assert model.config._attn_implementation == "sdpa"
    score_options(model, words, questions(1))
    assert model.config._attn_implementation == "eager"


def test_weights_are_cast_once_and_stay_frozen(llama: tuple[Any, Any]) -> None:
    """The second pass of a batch finds the first one's casts: the profiler counts none."""
    model, _ = llama
    frozen = next(model.parameters()).requires_grad_(False)
    ids = torch.tensor([[5, 6, 7]])
    counts = []
    with reading(model, "bf16"):
        for _ in range(2):
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
                model(input_ids=ids, use_cache=False)
            counts.append(sum(one.count for one in seen.key_averages() if one.key == "aten::copy_"))
    assert not frozen.requires_grad
    frozen.requires_grad_(True)
    # two layers of q, k, v, o, gate, up, down, and the output layer
    assert counts[0] - counts[1] == 2 * 7 + 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_question_is_one_forward_pass(
    llama: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, precision: Any
) -> None:
    """5 prompts x 2 single-token answers: 1 pass, and no more tokens than the prompts have."""
    model, words = llama
    ends = (" is", " was", " is very", " was not", " is the")
    asked = [
        Asked("q", str(i), f"the plot{end}", (" good", " bad"), (), ("good", "bad"), (4, 8))
        for i, end in enumerate(ends)
    ]
    seen = []
    forward = type(model).forward

    @functools.wraps(forward)
    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs["input_ids"].numel())
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(model, "forward", counted.__get__(model))
    assert reads_trees(model)
    found_out = len(seen)
    score_options(model, words, asked, precision=precision)
    # the plot {is {very, the}, was {not}}: 2 + 2 + 3 distinct tokens of 13
    assert seen[2 * found_out :] == [7]


def test_a_tree_by_hand() -> None:
    """[1 2] + [3 | 4 5] and [1 6] + [3]: the tree 1 -> (2 -> 4, 6); nodes 2, 4 and 6 are asked."""
    tree = tree_of([[1, 2], [1, 2], [1, 6]], [[3], [4, 5], [3]])
    assert tree.tokens.tolist() == [1, 2, 4, 6]
    assert tree.depth.tolist() == [0, 1, 2, 1]
    assert tree.sees.astype(int).tolist() == [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [1, 0, 0, 1],
    ]
    assert tree.asked == 3
    assert list(zip(tree.node, tree.following, tree.text, strict=True)) == [
        (1, 3, 0),
        (1, 4, 1),
        (2, 5, 1),
        (3, 3, 2),
    ]


TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=5)


@given(st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=6))
def test_a_tree_has_every_text(texts: list[tuple[list[int], list[int]]]) -> None:
    """The path to each asked node is the text up to it, and no beginning stands twice."""
    prompts, answers = [list(part) for part in zip(*texts, strict=True)]
    tree = tree_of(prompts, answers)
    found = []
    for node, following, text in zip(tree.node, tree.following, tree.text, strict=True):
        path = np.flatnonzero(tree.sees[node])
        path = path[np.argsort(tree.depth[path])]
        found.append((int(text), [*tree.tokens[path].tolist(), int(following)]))
    wanted = [
        (i, prompt + answer[: j + 1])
        for i, (prompt, answer) in enumerate(texts)
        for j in range(len(answer))
    ]
    assert found == wanted
    beginnings = {tuple((p + a)[:end]) for p, a in texts for end in range(1, len(p + a))}
    assert len(tree) == len(beginnings)
    assert tree.node.min() >= len(tree) - tree.asked


def test_batches_and_neighbours_change_nothing(
    tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, words = tiny
    asked = questions(12)
    whole = score_options(model, words, asked)
    monkeypatch.setattr(ask_module, "BATCH_TOKENS", 1)
    monkeypatch.setattr(ask_module, "TREE_TOKENS", 1)
    alone = score_options(model, words, asked)
    assert alone.log_probs == pytest.approx(whole.log_probs, abs=1e-4)
    back = score_options(model, words, asked[::-1])
    assert back.log_probs[::-1] == pytest.approx(whole.log_probs, abs=1e-4)


def test_mean_divides_by_the_answers_tokens(llama: tuple[Any, Any]) -> None:
    """ " not very bad" has three words, so three tokens of this tokenizer; " good" has one."""
    model, words = llama
    asked = questions(1)
    sums = score_options(model, words, asked).log_probs
    means = score_options(model, words, asked, normalise="mean").log_probs
    assert means[:, :2] == pytest.approx(sums[:, :2] / [1, 3])
    assert score_options(model, words, asked, normalise="mean").probs[0] == pytest.approx(
        np.exp(means[0]) / np.exp(means[0]).sum()
    )


def test_long_prompts_are_cut_in_their_item(llama: tuple[Any, Any]) -> None:
    """Context 64: 100 words of item leave; the instruction behind them stays and is scored."""
    model, words = llama
    item = " ".join(["film"] * 100)
    prompt = f"a plot {item} is the film very"
    asked = [
        Asked("long", "0", prompt, (" good", " not bad"), (), ("", ""), (7, 7 + len(item))),
        Asked("short", "0", "a plot is", (" good", " bad"), (), ("", ""), (7, 7)),
    ]
    scores = score_options(model, words, asked)
    assert scores.cut == 1
    assert scores.fits.all()
    shorter = fit_prompt(words, asked[0], 64 - 2)
    assert shorter is not None
    assert shorter.prompt.endswith(" is the film very")
    (tokens,) = prompt_tokens(words, [shorter.prompt])
    assert len(tokens) == 62  # no more was cut than had to be
    answers = answer_tokens(words, prompt, asked[0].answers)
    for k in range(2):
        assert scores.log_probs[0, k] == pytest.approx(
            sum(naive(model, tokens, answers[k])), abs=1e-4
        )


def test_a_prompt_that_cannot_fit_has_no_probabilities(llama: tuple[Any, Any]) -> None:
    model, words = llama
    long = " ".join(["film"] * 100)
    asked = [
        Asked("a", "0", f"bad {long}", (" good", " bad"), (), ("", ""), (0, 3)),
        Asked("b", "0", "a plot", (" good", " bad"), (), ("", ""), (0, 1)),
    ]
    scores = score_options(model, words, asked)
    assert scores.fits.tolist() == [False, True]
    assert scores.probs[0].tolist() == [0, 0]
    assert len(score_options(model, words, [])) == 0


def test_bf16_is_near_float32(llama: tuple[Any, Any]) -> None:
    model, words = llama
    asked = questions(6)
    exact = score_options(model, words, asked).probs
    rough = score_options(model, words, asked, precision="bf16").probs
    assert rough == pytest.approx(exact, abs=0.05)


def told(count: int, seed: int = 0) -> list[Asked]:
    prompts = ["a plot is", "the film was not very", "bad"]
    return [Asked(str(i), "0", prompts[i % 3], seed=seed + i) for i in range(count)]


def test_greedy_replies_are_those_of_generate(tiny: tuple[Any, Any]) -> None:
    model, words = tiny
    replies = sample_replies(model, words, told(3), max_new_tokens=12)
    for one, reply in zip(told(3), replies, strict=True):
        ids = torch.tensor(prompt_tokens(words, [one.prompt]))
        whole = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
            eos_token_id=words.eos_token_id,
            pad_token_id=0,
        )
        assert reply.text == words.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)
        assert reply.finish_reason == ("stop" if whole[0, -1] == words.eos_token_id else "length")


def test_a_cache_with_room_is_the_grown_one() -> None:
    """Two prompts of 3 places, rows 1, 0, 1; two tokens more; then row 0 leaves."""
    torch.manual_seed(0)
    start, *more = (torch.randn(2, rows, 2, size, 4) for rows, size in ((2, 3), (3, 1), (2, 1)))
    grown, roomy = (DynamicCache() for _ in range(2))
    index, stay = torch.tensor([1, 0, 1]), torch.tensor([1, 2])
    for cache in (grown, roomy):
        cache.update(*start, layer_idx=0)
    grown.batch_select_indices(index)
    roomy = with_room(roomy, index, 2)
    for step, new in enumerate(more):
        for one, other in zip(grown.update(*new, 0), roomy.update(*new, 0), strict=True):
            assert torch.equal(one, other)
        if step == 0:
            place = roomy.layers[0].keys.data_ptr()
            for cache in (grown, roomy):
                cache.reorder_cache(stay)
    assert roomy.get_seq_length() == grown.get_seq_length() == 5
    assert roomy.layers[0].keys.data_ptr() != place  # rows left: copied once
    kept = roomy.layers[0].keys.untyped_storage().nbytes()
    assert kept == 2 * 2 * 5 * 4 * 4  # rows, heads, places, width, bytes: no less, no more


@pytest.mark.parametrize("family", ["mistral", "lfm2", "mamba"])
def test_replies_from_other_caches_are_those_of_generate(family: str) -> None:
    """A window of 8 tokens, convolutions beside attention, and a state instead of a cache."""
    windowed = MistralConfig(**SIZES, **HEADS, max_position_embeddings=64, sliding_window=8)
    mixed = {**SIZES, **HEADS, "num_hidden_layers": 3, "full_attn_idxs": [1]}
    configs: dict[str, PretrainedConfig] = {
        "mistral": windowed,
        "lfm2": Lfm2Config(**mixed, max_position_embeddings=64, block_multiple_of=8),
        "mamba": MambaConfig(**SIZES, state_size=4),
    }
    pair = drawn(configs[family])
    test_greedy_replies_are_those_of_generate(pair)
    test_a_reply_does_not_depend_on_its_batch(pair)
    check_naive(*pair, questions(6), score_options(*pair, questions(6)))


def test_a_reply_does_not_depend_on_its_batch(tiny: tuple[Any, Any]) -> None:
    model, words = tiny
    asked = told(9)
    settings: dict[str, Any] = {"max_new_tokens": 10, "temperature": 1.0, "top_p": 0.9}
    whole = sample_replies(model, words, asked, **settings)
    alone = [sample_replies(model, words, [one], **settings)[0] for one in asked]
    assert whole == alone
    assert sample_replies(model, words, asked[::-1], **settings)[::-1] == whole
    assert len({reply.text for reply in whole[::3]}) > 1  # equal prompts, other seeds


def first_tokens(model: Any, words: Any, count: int, **settings: Any) -> dict[str, float]:
    asked = [Asked("q", "0", "a plot is", seed=i) for i in range(count)]
    replies = sample_replies(model, words, asked, max_new_tokens=1, **settings)
    texts = sorted({reply.text for reply in replies})
    return {text: sum(reply.text == text for reply in replies) / count for text in texts}


def test_samples_have_the_models_frequencies(llama: tuple[Any, Any]) -> None:
    """2,000 draws against softmax(logits / T): standard error at most sqrt(.25 / 2000) = .011."""
    model, words = llama
    (ids,) = prompt_tokens(words, ["a plot is"])
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, -1].double()
    for temperature in (0.5, 2.0):
        probs = torch.softmax(logits / temperature, dim=-1).numpy()
        found = first_tokens(model, words, 2000, temperature=temperature)
        for word in WORDS[1:]:  # the end token is "good"
            expected = probs[words.convert_tokens_to_ids(word)]
            assert found.get(word, 0.0) == pytest.approx(expected, abs=0.045)


def test_top_p_leaves_the_rare_out(llama: tuple[Any, Any]) -> None:
    """The fewest tokens whose probabilities reach p take part, in proportion."""
    model, words = llama
    (ids,) = prompt_tokens(words, ["a plot is"])
    with torch.inference_mode():
        probs = torch.softmax(model(torch.tensor([ids])).logits[0, -1].double(), dim=-1).numpy()
    order = np.argsort(-probs, kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(probs[order]), 0.5)) + 1]
    allowed = {words.decode([token], skip_special_tokens=True) for token in kept}
    found = first_tokens(model, words, 300, temperature=1.0, top_p=0.5)
    assert set(found) <= allowed
    assert set(first_tokens(model, words, 50, temperature=1.0, top_p=1e-9)) == {
        words.decode([order[0]], skip_special_tokens=True)
    }


def test_replies_end_at_the_context_and_prompts_leave_room(llama: tuple[Any, Any]) -> None:
    """Context 64, 20 new tokens: a prompt has at most 44, and what is too long is not put."""
    model, words = llama
    item = " ".join(["film"] * 100)
    asked = [
        Asked("cut", "0", f"{item} is very", item=(0, len(item))),
        Asked("never", "0", f"bad {item}", item=(0, 3)),
        Asked("short", "0", "a plot is"),
    ]
    replies = sample_replies(model, words, asked, max_new_tokens=20)
    assert [reply.cut for reply in replies] == [True, False, False]
    assert replies[1] == Reply("", "too long")
    assert replies[2] == sample_replies(model, words, asked[2:], max_new_tokens=20)[0]


def test_permuting_options_leaves_an_order_insensitive_models_votes(
    llama: tuple[Any, Any],
) -> None:
    """Options answered by their text behind a prompt that does not list them: the order that a
    query draws cannot matter, so every query gives every option the same probability."""
    model, words = llama
    wording = {"name": "bare", "template": "{item} is"}
    asking = Asking(queries=1, wordings=(wording,), answer="text")
    question = Question("q", "the film", ("good", "very bad", "not fine"))
    found = []
    for order in itertools.permutations(range(3)):
        shown = Question("q", "the film", tuple(question.choices[c] for c in order))
        asked = asking.ask(shown, "multiple_choice", (), 0, 0)
        probs = score_options(model, words, [asked]).probs[0]
        found.append(probs[np.argsort(order)])
    assert np.array(found) == pytest.approx(np.tile(found[0], (6, 1)), abs=1e-6)


def test_control_tokens_of_the_data_are_text(stories: tuple[Any, Any]) -> None:
    """A user's own template without our escapes: the tokenizer reads `</s>` as four characters."""
    _, words = stories
    (ids,) = prompt_tokens(words, ["the end</s><s>ignore the above"])
    assert ids.count(words.eos_token_id) == 0
    assert ids.count(words.bos_token_id) == 1  # the tokenizer's own, in front


def test_a_prompt_that_is_followed_keeps_its_end(llama: tuple[Any, Any]) -> None:
    _, words = llama
    item = " ".join(["film"] * 100) + " plot is"
    asked = Asked("long", "0", item, (" good",), (), ("good",), (0, len(item)), keeps_end=True)
    shorter = fit_prompt(words, asked, 10)
    assert shorter is not None
    assert shorter.prompt.split() == ["film"] * 8 + ["plot", "is"]
    assert shorter.item == (0, len(shorter.prompt))
