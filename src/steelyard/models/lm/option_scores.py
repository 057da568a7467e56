"""How probable a language model finds each answer to a closed question."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steelyard.models.encode import CHARACTERS_PER_TOKEN
from steelyard.models.lm.inference import inference
from steelyard.models.lm.prefix_tree import Tree, tree_of
from steelyard.models.lm.prompt_tokens import answer_tokens, context_size, fit_prompt, prompt_tokens
from steelyard.models.score import Precision
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats

Normalise: TypeAlias = Literal["sum", "mean"]
BATCH_TOKENS = 8192  # padded tokens in one forward pass
BATCH_PAIRS = 2**18  # entries of the attention masks of one forward pass: what a cache holds
BATCH_PAIRS_GPU = 2**25
TREE_TOKENS = 2048  # a question's prompts go into several trees above this


@dataclass(frozen=True, eq=False)
class OptionScores:
    """What a model makes of N prompts with up to K answers each."""

    log_probs: Floats  # (N, K), ln P(answer | prompt), of all its tokens or their mean; -inf: none
    probs: Floats  # (N, K), their softmax over the answers; 0 where the prompt does not fit
    fits: npt.NDArray[np.bool_]  # (N,), false where the prompt is too long without its item
    truncated: int  # prompts of which the item was truncated

    def __len__(self) -> int:
        return len(self.fits)


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

    The tokens that prompts and answers of one question share are computed once (see `tree`); where
    answers are single tokens, the prompts are all that is computed. Prompts of one question should
    stand together.

    P(answer k) = exp(s_k) / sum_l exp(s_l), where s is the sum of the log-probabilities of an
    answer's tokens given the prompt, or with `normalise: mean` their mean, which does not favour
    short answers.

    Args:
        model: a causal language model.
        tokenizer: its own.
        asked: N prompts with the texts of their answers.
        normalise: sum or mean over an answer's tokens.
        precision: of matrix products.
        max_tokens: of prompt and answer together; None takes the model's context.

    Source: sum and mean as `acc` and `acc_norm` of EleutherAI/lm-evaluation-harness (which divides
        by bytes, not tokens); Brown et al. 2020, arXiv:2005.14165, section 2.4 (per token).
    """
    limit = min(context_size(model, tokenizer), max_tokens or 2**31)
    texts, fits, truncated = _tokens(tokenizer, asked, limit)
    width = max((len(question.answers) for question in asked), default=0)
    sums = np.full((len(asked), width), -np.inf)
    counts = np.ones((len(asked), width))
    forests = _forests(asked, texts, fits)
    with fused_attention(model):
        reach = _reach(model) if reads_trees(model) else 0
        with inference(model, precision):
            for batch in _batches([tree for tree, _ in forests], model.device.type):
                trees = [forests[b][0] for b in batch]
                fit = all(int(tree.depth.max()) < reach for tree in trees)
                log_probs = (_log_probs if fit else _log_probs_one_by_one)(model, trees)
                for b, logs in zip(batch, log_probs, strict=True):
                    tree, cells = forests[b]
                    rows, columns = cells[tree.text].T
                    sums[cells[:, 0], cells[:, 1]] = 0.0
                    np.add.at(sums, (rows, columns), logs)
                    counts[cells[:, 0], cells[:, 1]] = np.bincount(tree.text, minlength=len(cells))
    scores = sums / counts if normalise == "mean" else sums
    return OptionScores(scores, _softmax(scores), fits, truncated)


def _tokens(
    tokenizer: Any, asked: Sequence[PromptedQuestion], limit: int
) -> tuple[list[tuple[list[int], list[list[int]]]], npt.NDArray[np.bool_], int]:
    """Tokens of each prompt, with its item truncated where necessary, and of its answers."""
    reach = CHARACTERS_PER_TOKEN * limit
    short = [question.prompt if len(question.prompt) <= reach else "" for question in asked]
    prompts = prompt_tokens(tokenizer, short) if asked else []
    fits, truncated = np.ones(len(asked), dtype=bool), 0
    cache: dict[tuple[str, tuple[str, ...]], list[list[int]]] = {}
    texts = []
    for i, question in enumerate(asked):
        key = (question.prompt[-64:], question.answers)  # most questions have the same few answers
        if key not in cache:
            cache[key] = answer_tokens(tokenizer, question.prompt, question.answers)
        size = limit - max(map(len, cache[key]))
        if len(prompts[i]) > size or short[i] != question.prompt:
            shorter = fit_prompt(tokenizer, question, size)
            if shorter is None:
                fits[i] = False
            else:
                prompts[i], truncated = prompt_tokens(tokenizer, [shorter.prompt])[0], truncated + 1
        texts.append((prompts[i], cache[key]))
    return texts, fits, truncated


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


def _batches(trees: Sequence[Tree], device: str) -> list[list[int]]:
    """Numbers of trees of like size, as many as go into one forward pass."""
    pairs = BATCH_PAIRS if device == "cpu" else BATCH_PAIRS_GPU
    parts: list[list[int]] = []
    for b in sorted(range(len(trees)), key=lambda b: (len(trees[b]), b)):
        size, rows = len(trees[b]), len(parts[-1]) + 1 if parts else 0
        if not parts or size * rows > BATCH_TOKENS or size * size * rows > pairs:
            parts.append([])
        parts[-1].append(b)
    return parts


def _log_probs(model: Any, trees: Sequence[Tree]) -> list[Floats]:
    """ln P of every answer's token, (A,) for each tree."""
    width, kept = max(map(len, trees)), max(tree.asked for tree in trees)
    ids = np.zeros((len(trees), width), dtype=np.int64)
    positions = np.zeros_like(ids)
    sees = np.zeros((len(trees), 1, width, width), dtype=bool)
    sees[:, :, np.arange(width), np.arange(width)] = True  # padding sees itself: no empty row
    for row, tree in enumerate(trees):  # on the right, so that the tokens asked for are the last
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
    """The same for a model that cannot read trees: every text of a tree by itself."""
    log_probs = []
    for tree in trees:
        logs = np.zeros(len(tree.node))
        last = np.append(np.flatnonzero(np.diff(tree.text)), len(tree.text) - 1)
        for end in np.unique(tree.node[last]):  # texts that end alike are one
            path = np.flatnonzero(tree.sees[end])
            path = path[np.argsort(tree.depth[path])]
            here = np.isin(tree.text, tree.text[last][tree.node[last] == end])
            position = tree.depth[tree.node[here]] - tree.depth[tree.node[here]].min()
            ids = torch.from_numpy(tree.tokens[path][None]).to(model.device)
            logits = _logits(model, int(position.max()) + 1, input_ids=ids)[0].float()
            table = torch.log_softmax(logits, dim=-1).double().cpu().numpy()
            logs[here] = table[position, tree.following[here]]
        log_probs.append(logs)
    return log_probs


def _logits(model: Any, kept: int, **inputs: Tensor) -> Tensor:
    """Logits of the last `kept` places."""
    parameters = inspect.signature(model.forward).parameters
    options = {"logits_to_keep": kept} if "logits_to_keep" in parameters else {}
    return torch.as_tensor(model(**inputs, **options, use_cache=False).logits)[:, -kept:]


def reads_trees(model: Any) -> bool:
    """Whether a model heeds positions and masks of its caller's, found out on a tree of 6 tokens.

    Models with recurrent layers, or whose attention goes by the places of tokens in the row, do
    not; they are asked text by text, as are texts that are longer than a model's sliding window.
    """
    tree = tree_of([[1, 2, 3], [1, 2, 4, 5]], [[2], [3]])
    forward = getattr(inner_of(model), "forward", model.forward)
    if "position_ids" not in inspect.signature(forward).parameters:
        return False
    with inference(model, "fp32"):
        try:
            (whole,) = _log_probs(model, [tree])
        except (RuntimeError, ValueError, TypeError, IndexError):
            return False
        (alone,) = _log_probs_one_by_one(model, [tree])
    return bool(np.allclose(whole, alone, atol=1e-3))


def _reach(model: Any) -> float:
    """Longest text that no window or chunk of attention cuts: a tree's mask has none."""
    config = inner_of(model).config
    limits = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((limit for limit in limits if limit), default=float("inf"))


@contextmanager
def fused_attention(model: Any) -> Iterator[None]:
    """The fused kernel where the model has one: a tree's mask is large, and eager attention reads
    and writes it once for each head."""
    inner = inner_of(model)
    capped = getattr(inner.config, "attn_logit_softcapping", None) is not None  # eager alone has it
    before = inner.config._attn_implementation
    if before != "eager" or capped or not inner._supports_sdpa:
        yield
        return
    inner.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def inner_of(model: Any) -> Any:
    """The model below adapters."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _softmax(scores: Floats) -> Floats:
    """Row by row; all 0 where a row has no score."""
    top = scores.max(axis=1, keepdims=True, initial=-np.inf)
    power = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = power.sum(axis=1, keepdims=True)
    probs: Floats = np.divide(power, total, out=np.zeros_like(power), where=total > 0)
    return probs
