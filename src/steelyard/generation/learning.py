"""Training rows made of scored continuations: a weak scorer supervises a strong generator.

The scorer that chooses must not be the one that measures the result: a model learns its mistakes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from steelyard.errors import InputError
from steelyard.generation.scored import ScoredContinuations
from steelyard.io.atomic import write_text
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Question


@dataclass(frozen=True, eq=False)
class CompletionRows:
    """Prompts with completions to learn, for `finetune_lm` and `steelyard train`."""

    ids: tuple[str, ...]  # (M,), one prompt may have several rows
    prompts: tuple[str, ...]
    completions: tuple[str, ...]  # with the white space in front of them
    weights: Floats  # (M,), >= 0, mean 1
    dropped: int = 0  # prompts without a continuation that can be learned

    def prompted(self) -> list[PromptedQuestion]:
        """The rows as `finetune_lm` takes them; `targets` are ones, (M, 1)."""
        return [
            PromptedQuestion(
                name, "0", prompt, (completion,), item=(0, len(prompt)), keeps_end=True
            )
            for name, prompt, completion in zip(
                self.ids, self.prompts, self.completions, strict=True
            )
        ]

    @property
    def targets(self) -> Floats:
        """All of each row is its completion, (M, 1)."""
        return np.ones((len(self.ids), 1))

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write `questions.jsonl` and `selection.jsonl`, which `steelyard train` reads.

        Completions lose the white space in front: the language-model student puts a space there.
        """
        folder.mkdir(parents=True, exist_ok=True)
        paths = (folder / "questions.jsonl", folder / "selection.jsonl")
        names = [f"{name}/{m}" for m, name in enumerate(self.ids)]
        questions = [
            {"id": name, "prompt": prompt} for name, prompt in zip(names, self.prompts, strict=True)
        ]
        labels = [
            {"id": name, "label": completion.strip(), "weight": float(weight)}
            for name, completion, weight in zip(names, self.completions, self.weights, strict=True)
        ]
        for path, rows in ((paths[0], questions), (paths[1], labels)):
            write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
        return paths


@dataclass(frozen=True, eq=False)
class ContinuationPairs:
    """Better and worse continuations, for `train_dpo` and preference students."""

    questions: tuple[Question, ...]  # (M,), the prompt with the better and the worse continuation
    targets: Floats  # (M, 2), P(choice is the better one)
    weights: Floats  # (M,)
    dropped: int = 0  # prompts without two continuations of different scores

    def write(self, path: Path) -> None:
        """Write rows of `id, prompt, chosen, rejected`, the preference data of a study."""
        rows = [
            {"id": q.id, "prompt": q.text, "chosen": q.choices[0], "rejected": q.choices[1]}
            for q in self.questions
        ]
        write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def best_of_n(scored: ScoredContinuations, lower_is_better: bool = True) -> CompletionRows:
    """The best continuation of each prompt, the first of equally good ones; never an empty one.

    Source: Stiennon et al. 2020, arXiv:2009.01325 (best of n); learning it: Touvron et al. 2023,
        arXiv:2307.09288, section 3.2.3 (rejection sampling).
    """
    losses = _losses(scored, lower_is_better)
    kept = np.flatnonzero(np.isfinite(losses).any(axis=1))
    cells = [(int(p), int(losses[p].argmin())) for p in kept]
    return _rows(scored, cells, np.ones(len(cells)))


def random_of_n(scored: ScoredContinuations, seed: int) -> CompletionRows:
    """The control of `best_of_n`: one continuation of each prompt at random, never an empty one."""
    rng = np.random.default_rng(seed)
    finite = np.isfinite(_losses(scored, True))
    kept = np.flatnonzero(finite.any(axis=1))
    cells = [(int(p), int(rng.choice(np.flatnonzero(finite[p])))) for p in kept]
    return _rows(scored, cells, np.ones(len(cells)))


def weighted(
    scored: ScoredContinuations, temperature: float = 0.1, lower_is_better: bool = True
) -> CompletionRows:
    """Every continuation that is not empty, weighted exp(-score / temperature) within its prompt.

    Each prompt has the same total weight. A low temperature is best-of-n, a high one plain SFT.

    Source: Peters and Schaal 2007, doi:10.1145/1273496.1273590 (reward-weighted regression).
    """
    if not temperature > 0:
        raise InputError(f"`temperature` must be above 0, got {temperature}.")
    losses = _losses(scored, lower_is_better)
    kept = np.flatnonzero(np.isfinite(losses).any(axis=1))
    powers = -(losses[kept] - losses[kept].min(axis=1, keepdims=True)) / temperature
    shares = np.exp(powers)
    shares /= shares.sum(axis=1, keepdims=True)
    cells = [(int(kept[i]), int(j)) for i, j in np.argwhere(shares > 0)]
    return _rows(scored, cells, shares[shares > 0])


def preference_pairs(
    scored: ScoredContinuations, flip: float = 0.1, lower_is_better: bool = True
) -> ContinuationPairs:
    """The best against the worst continuation of each prompt, for conservative DPO.

    Args:
        scored: by the weak scorer.
        flip: how often the scorer is taken to be wrong, from 0 to below 0.5: targets are
            (1 - flip, flip).
        lower_is_better: whether a low score is good.

    Source: Rafailov et al. 2023, arXiv:2305.18290; conservative: Mitchell 2023, "A note on DPO
        with noisy preferences".
    """
    if not 0 <= flip < 0.5:
        raise InputError(f"`flip` must be from 0 to below 0.5, got {flip}.")
    losses = _losses(scored, lower_is_better)
    questions = []
    for p, row in enumerate(losses):
        finite = np.flatnonzero(np.isfinite(row))
        if len(finite) and row[finite].max() > row[finite].min():
            best, worst = finite[row[finite].argmin()], finite[row[finite].argmax()]
            prompt, texts = scored.prompts[p], scored.texts[p]
            choices = (texts[int(best)], texts[int(worst)])
            questions.append(Question(prompt.id, prompt.text, choices))
    _check_some(questions)
    count = len(questions)
    targets = np.tile([1 - flip, flip], (count, 1))
    return ContinuationPairs(tuple(questions), targets, np.ones(count), len(losses) - count)


def shuffled_scores(scored: ScoredContinuations, seed: int) -> ScoredContinuations:
    """The same continuations with the scores of each prompt shuffled among its different texts.

    It is the control of `weighted` and `preference_pairs`: every prompt keeps its scores, and so
    its number of rows or pairs, and nothing tells which text is better. Equal texts keep equal
    scores; empty ones are not touched.
    """
    rng, scores = np.random.default_rng(seed), scored.scores.copy()
    for p, texts in enumerate(scored.texts):
        first = {text: j for j, text in reversed([*enumerate(texts)]) if text.strip()}
        cells = sorted(first.values())
        drawn = dict(zip(cells, rng.permutation(scores[p, cells]).tolist(), strict=True))
        for j, text in enumerate(texts):
            if text.strip():
                scores[p, j] = drawn[first[text]]
    return replace(scored, scores=scores)


def _losses(scored: ScoredContinuations, lower_is_better: bool) -> Floats:
    """What is minimised, (P, n); inf for empty continuations, which nobody can learn from."""
    empty = np.array([[not text.strip() for text in texts] for texts in scored.texts])
    return np.where(empty, np.inf, scored.scores if lower_is_better else -scored.scores)


def _rows(
    scored: ScoredContinuations, cells: list[tuple[int, int]], weights: Floats
) -> CompletionRows:
    _check_some(cells)
    prompts = [scored.prompts[p] for p, _ in cells]
    return CompletionRows(
        ids=tuple(prompt.id for prompt in prompts),
        prompts=tuple(prompt.text for prompt in prompts),
        completions=tuple(scored.texts[p][j] for p, j in cells),
        weights=weights / weights.mean(),
        dropped=len(scored.prompts) - len({p for p, _ in cells}),
    )


def _check_some(rows: Sequence[object]) -> None:
    if not rows:
        raise InputError(
            "No prompt has continuations to learn from: all are empty, or all have one score. "
            "Take more continuations (`samples`), or another scorer."
        )
