"""The rounds of self-training: predict, relabel, keep the surest, repeat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.reliability.cross_fitting import Fold, FoldPredictor
from steelyard.types import Floats, Ints, Votes, one_hot

SMALLEST = 1e-3
"""Least probability in a geometric mean: no vote and no prediction is taken for certain."""
TIED = 1e-9
"""Difference up to which two probabilities are equal."""
EXPONENTS = (0.2, 0.3, 0.5, 0.7, 1.0, 1.4)
"""Exponents tried on the predictions of a model that is trained on trusted examples alone."""


@dataclass(frozen=True)
class Rounds:
    """How labels are refined; the settings of the estimators explain them."""

    rounds: int
    folds: int
    keep: float
    votes_share: float
    seed: int
    by_class: bool = True
    """Whether answers are classes, so that each class has its share of what is trained on."""

    def sizes(self, examples: int, trusted: int) -> tuple[int, ...]:
        """Examples of each model that is trained, up to the rounding up in each class.

        Args:
            examples: with a readable vote.
            trusted: of known truth.
        """
        alone = [trusted, *[self._without_fold(trusted)] * self.folds] if trusted else []
        first = self.keep if trusted else 1.0
        kept = [share * examples for share in (first, *[self.keep] * (self.rounds - 1))]
        sizes = [self._without_fold(size) + trusted for size in kept]
        return (*alone, *(size for size in sizes for _ in range(self.folds)))

    def _without_fold(self, size: float) -> int:
        """Examples outside one fold, rounded up."""
        return int(np.ceil(size * (self.folds - 1) / self.folds - 1e-9))


@dataclass(frozen=True, eq=False)
class _Trusted:
    """Trusted examples, and what a model of these alone says about the others."""

    rows: Ints  # (M,)
    answers: Ints  # (M,)
    weights: Floats  # (M,), mean 1; of classes each with the same sum
    prediction: Floats  # (N, K)
    exponent: float


def refine(
    votes: Votes, settings: Rounds, predict: FoldPredictor, trusted: Ints | None = None
) -> Floats:
    """Posterior (N, K) after the rounds; the mean votes where they name one class or nothing.

    Args:
        votes: on N examples.
        settings: of the rounds.
        predict: trains the models of folds; its rows are the examples, then the trusted ones.
        trusted: (M,), answers of other examples.
    """
    mean, answered = votes.means(), np.flatnonzero(votes.answered)
    named = mean[answered].max(axis=0) > 0 if len(answered) else np.zeros(0)
    if not len(answered) or (settings.by_class and named.sum() < 2):
        return mean
    loop = _Loop(votes, settings, predict, answered)
    shares = np.maximum(mean[answered].mean(axis=0), SMALLEST)
    start = mean
    if settings.by_class:
        start = mean / shares
        start[~votes.answered] = 1.0
        start /= start.sum(axis=1, keepdims=True)
    gold = None
    if trusted is not None and _can_train(trusted, settings):
        gold = loop.of_trusted(trusted)
        start = loop.mean((start, gold.prediction), (1.0, gold.exponent))
    posterior = start
    kept_share = 1.0 if gold is None else settings.keep
    for number in range(settings.rounds):
        weights = class_weights(
            posterior, answered, kept_share, np.sqrt(shares), by_class=settings.by_class
        )
        prediction = loop.predicted(posterior, weights, gold, settings.seed + number)
        posterior = loop.mean((prediction, start), (1 - settings.votes_share, settings.votes_share))
        kept_share = settings.keep
    return posterior


@dataclass(frozen=True, eq=False)
class _Loop:
    """What all rounds share."""

    votes: Votes
    settings: Rounds
    predict: FoldPredictor
    answered: Ints

    def mean(self, rows: Sequence[Floats], exponents: Sequence[float]) -> Floats:
        """The geometric mean, 0 beyond an example's options."""
        return geometric_mean(rows, exponents, self.votes.possible)

    def predicted(
        self, posterior: Floats, weights: Floats, gold: _Trusted | None, seed: int
    ) -> Floats:
        """Predictions (N, K) of each example by a model that is trained without its fold."""
        size, k = posterior.shape
        label = posterior.argmax(axis=1)
        fold = np.full(size, -1)
        order = np.random.default_rng(seed).permutation(len(self.answered))
        fold[self.answered] = order % self.settings.folds
        others = np.flatnonzero(fold < 0)
        folds = []
        for number in range(self.settings.folds):
            used = np.flatnonzero((weights > 0) & (fold != number))
            targets, weight = one_hot(label[used], k), weights[used]
            if gold is not None:
                used = np.concatenate([used, gold.rows])
                targets = np.concatenate([targets, one_hot(gold.answers, k)])
                weight = np.concatenate([weight, gold.weights])
            folds.append(Fold(used, targets, weight, (np.flatnonzero(fold == number), others)))
        usable = [part for part in folds if self._usable(part)]
        prediction = self.votes.uniform()
        if not usable:
            return prediction
        mean_size = float(np.mean([part.weights.sum() for part in usable]))
        answers = self.predict(usable, mean_size)
        of_others = []
        for part, answer in zip(usable, answers, strict=True):
            if answer is not None:
                prediction[part.asked[0]] = answer[0]
                of_others.append(answer[1])
        if len(others) and of_others:
            prediction[others] = np.mean(of_others, axis=0)
        return prediction

    def of_trusted(self, answers: Ints) -> _Trusted:
        """What the trusted rows, those behind the examples, say about the examples."""
        size, k = self.votes.counts.shape
        index, every = size + np.arange(len(answers)), np.arange(size)
        weights = np.ones(len(answers))
        if self.settings.by_class:
            counts = np.bincount(answers, minlength=k)
            weights = len(answers) / (counts > 0).sum() / counts[answers]
        order = np.random.default_rng(self.settings.seed).permutation(len(answers))
        fold = order % self.settings.folds
        folds = [Fold(index, one_hot(answers, k), weights, (every,))]
        for number in range(self.settings.folds):
            used, asked = fold != number, index[fold == number]
            targets = one_hot(answers[used], k)
            folds.append(Fold(index[used], targets, weights[used], (asked,)))
        usable = [part for part in folds if self._usable(part)]
        predictions = self.predict(usable, float(len(answers)))
        held_out = np.full((len(answers), k), 1 / k)
        prediction = self.votes.uniform()
        for part, answer in zip(usable, predictions, strict=True):
            if answer is None:
                continue
            if part is folds[0]:
                prediction = answer[0]
            else:
                held_out[part.asked[0] - size] = answer[0]
        likelihood = [
            np.log(geometric_mean((held_out,), (t,))[np.arange(len(answers)), answers]).mean()
            for t in EXPONENTS
        ]
        exponent = EXPONENTS[int(np.argmax(likelihood))]
        return _Trusted(index, answers, weights, prediction, exponent)

    def _usable(self, fold: Fold) -> bool:
        """Whether a model can be trained: on two classes, or on any example with options."""
        classes = int((fold.weights @ fold.targets > 0).sum()) if len(fold.rows) else 0
        return classes > (1 if self.settings.by_class else 0)


def class_weights(
    posterior: Floats,
    answered: Ints,
    share: float,
    of_class: Floats,
    *,
    by_class: bool = True,
) -> Floats:
    """Weights (N,) of the surest examples of each class, mean 1 of those that are kept.

    Args:
        posterior: (N, K); the label of an example is its largest entry.
        answered: rows that may be kept, unless two labels are equally probable.
        share: of each class that is kept, rounded up.
        of_class: (K,), in proportion to which the weights of each class sum.
        by_class: False keeps the share of all examples and weighs them equally.
    """
    label, score = posterior.argmax(axis=1), posterior.max(axis=1)
    clear = (posterior >= score[:, None] - TIED).sum(axis=1) == 1
    answered = answered[clear[answered]]
    weights = np.zeros(len(posterior))
    if not by_class:
        label, of_class = np.zeros_like(label), np.ones(1)
    for k, total in enumerate(of_class):
        rows = answered[label[answered] == k]
        count = int(np.ceil(share * len(rows)))
        if count:
            best = rows[np.argsort(-score[rows], kind="stable")[:count]]
            weights[best] = total / count
    kept = weights > 0
    if kept.any():
        weights[kept] /= weights[kept].mean()
    return weights


def geometric_mean(
    rows: Sequence[Floats],
    exponents: Sequence[float],
    possible: npt.NDArray[np.bool_] | None = None,
) -> Floats:
    """Distributions (N, K) in proportion to the product of powers of the given ones.

    Args:
        rows: the distributions, (N, K) each.
        exponents: their powers.
        possible: (N, K), which answers each example has; the others get 0.
    """
    logs = [t * np.log(np.maximum(part, SMALLEST)) for part, t in zip(rows, exponents, strict=True)]
    total = np.sum(logs, axis=0)
    if possible is not None and not possible.all():
        total = np.where(possible, total, -np.inf)
    powers = np.exp(total - total.max(axis=1, keepdims=True))
    mean: Floats = powers / powers.sum(axis=1, keepdims=True)
    return mean


def _can_train(answers: Ints, settings: Rounds) -> bool:
    """Whether trusted answers tell anything apart."""
    return len(np.unique(answers)) > 1 if settings.by_class else len(answers) > 0
