"""Log-probabilities of the answers to closed questions under a language model."""

import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BeforeValidator
from torch import Tensor

from steelyard.io.renamed_settings import renamed_value
from steelyard.models.batches import micro_batches
from steelyard.models.lm.inference import inference
from steelyard.models.lm.output_layer import float32_output
from steelyard.models.lm.prefix_tree import Tree, tree_of
from steelyard.models.lm.prompt_tokens import context_size, fitted_prompts, tokens_of_answers
from steelyard.models.memory import TokenBudget, ran_out_of_memory
from steelyard.models.precision import Precision
from steelyard.models.score import without_adapters
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints

Normalise: TypeAlias = Annotated[
    Literal["sum", "token", "byte"],
    BeforeValidator(
        lambda value: renamed_value(value, {"mean": "token"}) if value == "mean" else value
    ),
]
"""Score of an answer: its log-probability, or that per token or per byte. `mean` was the name of
`token` before version 0.2."""
BATCH_TOKENS = 8192  # padded tokens in one forward pass
BATCH_PAIRS = (
    2**18
)  # entries of the attention masks of one forward pass: they fit into a CPU's cache
BATCH_PAIRS_GPU = 2**25
TREE_TOKENS = 2048  # a question's prompts go into several trees above this


@dataclass(frozen=True, eq=False)
class OptionScores:
    """Log-probabilities of up to K answers to each of N prompts."""

    log_probs: Floats  # (N, K), ln P(answer | prompt), the sum over its tokens; -inf: none
    tokens: Ints  # (N, K), tokens of each answer
    bytes: Ints  # (N, K), bytes of each answer in UTF-8, without the white space before it
    probs: Floats  # (N, K), softmax of the scores over the answers; 0 where the prompt is too long
    fits: npt.NDArray[np.bool_]  # (N,), false where the prompt is too long without its item
    truncated: int  # prompts of which the item was truncated

    def __len__(self) -> int:
        return len(self.fits)

    def scores(self, normalise: Normalise) -> Floats:
        """`log_probs`, or these per token or per byte, (N, K); -inf where there is no answer."""
        return normalised(self.log_probs, self.tokens, self.bytes, normalise)


def normalised(log_probs: Floats, tokens: Ints, sizes: Ints, normalise: Normalise) -> Floats:
    """Log-probabilities as they are, per token or per byte: arrays of one shape."""
    if normalise == "sum":
        return log_probs
    scores: Floats = log_probs / np.maximum(tokens if normalise == "token" else sizes, 1)
    return scores


def score_options(
    model: Any,
    tokenizer: Any,
    asked: Sequence[PromptedQuestion],
    *,
    normalise: Normalise = "sum",
    precision: Precision = "fp32",
    max_tokens: int | None = None,
) -> OptionScores:
    """Score every answer of every prompt, in one forward pass for a question's prompts together.

    The tokens that prompts and answers of one question share are computed once (see `prefix_tree`);
    where answers are single tokens, only the prompts are computed. Prompts of one question should
    be neighbours.

    P(answer k) = exp(s_k) / sum_l exp(s_l), where s is the sum of the log-probabilities of an
    answer's tokens given the prompt, or with `normalise: token` or `byte` that divided by the
    answer's tokens or bytes, which does not favour short answers. The output layer is computed in
    float32 whatever the `precision`. `max_tokens` limits prompt and answer together; None takes
    the model's context. Where memory runs out, passes become smaller.

    Raises:
        ConfigError: memory runs out at a single question.

    Source: sum and byte as `acc` and `acc_norm` of EleutherAI/lm-evaluation-harness (which counts
        characters); Brown et al. 2020, arXiv:2005.14165, section 2.4 (per token).
    """
    limit = min(context_size(model, tokenizer), max_tokens or 2**31)
    texts, fits, truncated = option_tokens(tokenizer, asked, limit)
    width = max((len(question.answers) for question in asked), default=0)
    sums = np.full((len(asked), width), -np.inf)
    counts = np.zeros((len(asked), width), dtype=np.int64)
    forests = _forests(asked, texts, fits)
    trees = [tree for tree, _ in forests]

    def name(b: int) -> str:
        item = asked[int(forests[b][1][0, 0])].id
        return f"item {item!r} ({len(trees[b])} tokens of its prompts and answers)"

    with fused_attention(model):
        reach = _reach(model) if reads_trees(model) else 0

        def read(batch: Ints) -> list[Floats]:
            part = [trees[b] for b in batch]
            fit = all(int(tree.depth.max()) < reach for tree in part)
            return (_log_probs if fit else _log_probs_one_by_one)(model, part)

        with inference(model, precision), float32_output(model):
            plan = functools.partial(_batches, trees, model.device.type)
            done = TokenBudget(BATCH_TOKENS).each(np.arange(len(trees)), plan, read, name)
            for b, logs in done:
                tree, cells = forests[b]
                rows, columns = cells[tree.text].T
                sums[cells[:, 0], cells[:, 1]] = 0.0
                np.add.at(sums, (rows, columns), logs)
                counts[cells[:, 0], cells[:, 1]] = np.bincount(tree.text, minlength=len(cells))
    return option_scores(asked, sums, counts, fits, truncated, normalise)


def option_scores(
    asked: Sequence[PromptedQuestion],
    sums: Floats,
    counts: Ints,
    fits: npt.NDArray[np.bool_],
    truncated: int,
    normalise: Normalise = "sum",
) -> OptionScores:
    """Scores of N prompts from the log-probabilities and tokens of their answers, (N, K)."""
    sizes = np.zeros_like(counts)
    for row, question in enumerate(asked):
        sizes[row, : len(question.answers)] = [len(a.strip().encode()) for a in question.answers]
    probs = answer_probabilities(normalised(sums, counts, sizes, normalise))
    return OptionScores(sums, counts, sizes, probs, fits, truncated)


def option_tokens(
    tokenizer: Any, asked: Sequence[PromptedQuestion], limit: int
) -> tuple[list[tuple[list[int], list[list[int]]]], npt.NDArray[np.bool_], int]:
    """Tokens of each prompt and of its answers, which prompts fit, and how many are truncated."""
    answers = tokens_of_answers(
        tokenizer, [question.whole for question in asked], [question.answers for question in asked]
    )
    sizes = [limit - max(map(len, tokens)) for tokens in answers]
    prompts, truncated = fitted_prompts(tokenizer, asked, sizes)
    start = tokenizer.bos_token_id or tokenizer.eos_token_id or 0  # before an empty prompt's answer
    texts = [(prompt or [start], tokens) for prompt, tokens in zip(prompts, answers, strict=True)]
    fits = np.array([prompt is not None for prompt in prompts], dtype=bool)
    return texts, fits, int(truncated.sum())


def _forests(
    asked: Sequence[PromptedQuestion],
    texts: Sequence[tuple[list[int], list[list[int]]]],
    fits: npt.NDArray[np.bool_],
) -> list[tuple[Tree, Any]]:
    """Trees of neighbouring prompts of one question, with the (row, column) of each text."""
    forests = []
    for _, group in groupby(np.flatnonzero(fits).tolist(), key=lambda i: asked[i].id):
        rows: list[list[int]] = [[]]
        size = 0
        for i in group:
            size += len(texts[i][0]) + sum(map(len, texts[i][1]))
            if rows[-1] and size > TREE_TOKENS:
                rows.append([])
                size = 0
            rows[-1].append(i)
        for part in rows:
            cells = [(i, k) for i in part for k in range(len(texts[i][1]))]
            tree = tree_of([texts[i][0] for i, _ in cells], [texts[i][1][k] for i, k in cells])
            forests.append((tree, np.array(cells)))
    return forests


def _batches(trees: Sequence[Tree], device: str, rows: Ints, tokens: int) -> list[Ints]:
    """Numbers of trees of like size, as many as go into one forward pass of so many tokens."""
    pairs = BATCH_PAIRS if device == "cpu" else BATCH_PAIRS_GPU
    sizes = np.array([len(tree) for tree in trees], dtype=np.int64)
    shares = np.maximum(sizes / BATCH_TOKENS, sizes**2 / pairs)
    return micro_batches(rows, shares, tokens / BATCH_TOKENS)


def _log_probs(model: Any, trees: Sequence[Tree]) -> list[Floats]:
    """ln P of every answer's token, (A,) for each tree."""
    width, kept = max(map(len, trees)), max(tree.asked for tree in trees)
    ids = np.zeros((len(trees), width), dtype=np.int64)
    positions = np.zeros_like(ids)
    sees = np.zeros((len(trees), 1, width, width), dtype=bool)
    sees[:, :, np.arange(width), np.arange(width)] = True  # padding sees itself: no empty row
    for row, tree in enumerate(trees):  # on the right, so that the positions with logits are last
        ids[row, width - len(tree) :] = tree.tokens
        positions[row, width - len(tree) :] = tree.depth
        sees[row, 0, width - len(tree) :, width - len(tree) :] = tree.sees
    device = model.device
    hidden = torch.zeros(sees.shape, dtype=torch.float32, device=device)
    hidden.masked_fill_(~torch.from_numpy(sees).to(device), torch.finfo(torch.float32).min)
    logits = _logits(
        model,
        kept,
        input_ids=torch.from_numpy(ids).to(device),
        position_ids=torch.from_numpy(positions).to(device),
        attention_mask=hidden,
    )
    logs = torch.log_softmax(logits.float(), dim=-1)
    log_probs = []
    for row, tree in enumerate(trees):
        node = torch.from_numpy(tree.node + kept - len(tree)).to(device)
        token = torch.from_numpy(tree.following).to(device)
        log_probs.append(logs[row, node, token].double().cpu().numpy())
    return log_probs


def _log_probs_one_by_one(model: Any, trees: Sequence[Tree]) -> list[Floats]:
    """The same for a model that cannot read trees: every text of a tree separately."""
    log_probs = []
    for tree in trees:
        logs = np.zeros(len(tree.node))
        last = np.append(np.flatnonzero(np.diff(tree.text)), len(tree.text) - 1)
        for end in np.unique(tree.node[last]):  # texts with the same last node are equal
            path = np.flatnonzero(tree.sees[end])
            path = path[np.argsort(tree.depth[path])]
            is_here = np.isin(tree.text, tree.text[last][tree.node[last] == end])
            position = tree.depth[tree.node[is_here]] - tree.depth[tree.node[is_here]].min()
            ids = torch.from_numpy(tree.tokens[path][None]).to(model.device)
            logits = _logits(model, int(position.max()) + 1, input_ids=ids)[0].float()
            table = torch.log_softmax(logits, dim=-1).double().cpu().numpy()
            logs[is_here] = table[position, tree.following[is_here]]
        log_probs.append(logs)
    return log_probs


def _logits(model: Any, kept: int, **inputs: Tensor) -> Tensor:
    """Logits of the last `kept` positions."""
    parameters = inspect.signature(model.forward).parameters
    options = {"logits_to_keep": kept} if "logits_to_keep" in parameters else {}
    return torch.as_tensor(model(**inputs, **options, use_cache=False).logits)[:, -kept:]


def reads_trees(model: Any) -> bool:
    """Whether a model follows given positions and masks, tried on a tree of 6 tokens.

    Models with recurrent layers, or whose attention uses the positions of tokens in the row, do
    not; they read text by text, as do texts that are longer than a model's sliding window. With
    weights in half precision the two readings differ by rounding: it must be small beside the
    difference that a row of all tokens, read without the mask, makes.
    """
    tree = tree_of([[1, 2, 3], [1, 2, 4, 5]], [[2], [3]])
    forward = getattr(without_adapters(model), "forward", model.forward)
    if "position_ids" not in inspect.signature(forward).parameters:
        return False
    is_half = any(w.is_floating_point() and w.itemsize < 4 for w in model.parameters())
    with inference(model, "bf16" if is_half else "fp32"):
        try:
            (separate,) = _log_probs_one_by_one(model, [tree])
        except (RuntimeError, MemoryError) as error:
            if ran_out_of_memory(error):
                return False  # what is asked next says so
            raise
        try:
            (whole,) = _log_probs(model, [tree])
        except (RuntimeError, ValueError, TypeError, IndexError):
            return False
        rounding = 0.1 * _largest(_without_mask(model, tree) - separate) if is_half else 0.0
    return _largest(whole - separate) <= max(1e-3, rounding)


def _without_mask(model: Any, tree: Tree) -> Floats:
    """What `_log_probs` gives if a model ignores the mask and the positions."""
    ids = torch.from_numpy(tree.tokens[None]).to(model.device)
    logs = torch.log_softmax(_logits(model, len(tree), input_ids=ids)[0].float(), dim=-1)
    log_probs: Floats = logs.double().cpu().numpy()[tree.node, tree.following]
    return log_probs


def _largest(differences: Floats) -> float:
    return float(np.abs(differences).max())


def _reach(model: Any) -> float:
    """The longest text within every window or chunk of attention, which a tree's mask lacks."""
    config = without_adapters(model).config
    limits = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((limit for limit in limits if limit), default=float("inf"))


@contextmanager
def fused_attention(model: Any) -> Iterator[None]:
    """Inside, the fused kernel where the model has one: eager attention copies a tree's mask."""
    inner = without_adapters(model)
    capped = getattr(inner.config, "attn_logit_softcapping", None) is not None  # only eager has it
    before = inner.config._attn_implementation
    if before != "eager" or capped or not inner._supports_sdpa:
        yield
        return
    inner.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def answer_probabilities(scores: Floats) -> Floats:
    """Row by row; all 0 where a row has no score."""
    top = scores.max(axis=1, keepdims=True, initial=-np.inf)
    power = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = power.sum(axis=1, keepdims=True)
    probs: Floats = np.divide(power, total, out=np.zeros_like(power), where=total > 0)
    return probs
