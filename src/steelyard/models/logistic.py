"""Many logistic regressions on the same features, solved together.

Heads differ in labels and weights and share their rows: one product with the features is enough
for all, and one rotation of the features makes every problem well conditioned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError, TrainingError
from steelyard.models.lbfgs import minimise
from steelyard.types import Floats, Ints

Features = npt.NDArray[np.float32] | Floats

TOLERANCE = 3e-8
"""Largest slope of the mean loss, in nats per unit of any weight, at which a head has converged."""
STEPS = 3000
TABLE = 2**25  # entries of targets in memory at once: 256 MiB
PART = 2**18  # logits computed at once: they stay in the processor's cache


@dataclass(frozen=True, eq=False)
class HeadTargets:
    """The training set of one head."""

    rows: Ints  # (n,), different rows of the features
    targets: Floats  # (n, K), rows sum to 1
    weights: Floats  # (n,), >= 0


@dataclass(frozen=True, eq=False)
class Head:
    """A logistic regression: p = softmax(x W + b) over the classes that its targets have."""

    slopes: Floats  # (d, P)
    biases: Floats  # (P,)
    classes: Ints  # (P,), numbers below `num_classes`
    num_classes: int  # K

    def probabilities(self, features: Features) -> Floats:
        """Probabilities of each row's classes, (N, K); 0 of a class without targets."""
        logits = features @ self.slopes + self.biases
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs = np.zeros((len(logits), self.num_classes))
        probs[:, self.classes] = powers / powers.sum(axis=1, keepdims=True)
        return probs


def fit_heads(
    features: Features,
    targets_of: Sequence[HeadTargets],
    strength: float | Sequence[float],
    tolerance: float = TOLERANCE,
) -> list[Head]:
    """The head of each training set: the one that minimises over W (d, P) and b

        C sum_i w_i (-sum_k t_ik ln p_ik) + |W|^2 / 2

    with P columns for P classes; two classes have p = sigmoid(x W + b) with one column. This is the
    objective of scikit-learn's `LogisticRegression`, a soft target being a row for each class. The
    other heads change a head only within the tolerance.

    Args:
        features: (N, d), of a similar scale in all columns.
        targets_of: training sets, on the same rows or others.
        strength: C, above 0; of all heads, or of each.
        tolerance: slope of the mean loss at which a head has converged.

    Raises:
        InputError: targets of fewer than two classes.
        TrainingError: a head does not converge.
    """
    heads: dict[int, Head] = {}
    strengths = [strength] * len(targets_of) if isinstance(strength, float) else strength
    classes_of = [_classes(head) for head in targets_of]
    for binary in (True, False):
        alike = [i for i, classes in enumerate(classes_of) if (len(classes) == 2) == binary]
        for group in _groups(targets_of, alike):
            training_sets = [targets_of[i] for i in group]
            stack = _Stack.of(features, training_sets, binary, [strengths[i] for i in group])
            heads |= dict(zip(group, stack.solve(tolerance), strict=True))
    return [heads[i] for i in range(len(targets_of))]


def _classes(head: HeadTargets) -> Ints:
    classes = np.flatnonzero(head.weights @ head.targets)
    if len(classes) < 2:
        raise InputError(
            f"A logistic head needs labels of at least two classes, got {len(classes)} on "
            f"{int((head.weights > 0).sum())} rows of positive weight. Keep more rows."
        )
    return classes


def _groups(targets_of: Sequence[HeadTargets], alike: Sequence[int]) -> Iterator[list[int]]:
    """Training sets that share most of their rows, as many as fit into TABLE."""
    if not alike:
        return
    all_rows = np.unique(np.concatenate([targets_of[i].rows for i in alike]))
    by_rows: dict[bytes, list[int]] = {}
    for i in alike:
        shared = len(all_rows) <= 2 * len(targets_of[i].rows)
        by_rows.setdefault(b"" if shared else np.sort(targets_of[i].rows).tobytes(), []).append(i)
    for members in by_rows.values():
        entries = len(all_rows) * (targets_of[members[0]].targets.shape[1] + 1)
        size = max(1, TABLE // entries)
        for start in range(0, len(members), size):
            yield members[start : start + size]


@dataclass(frozen=True, eq=False)
class _Stack:
    """H heads on N rows, in coordinates in which the curvature of each is nearly diagonal.

    Features are centred and rotated to their principal axes. Classes are rotated too: with shares
    q the curvature in the logits is about diag(q) - q q', whose flat direction (all logits shifted
    alike) would otherwise take hundreds of small steps. The penalty does not depend on rotations.
    """

    inputs: Floats  # (N, d + 1), rotated, and a column of ones
    axes: Floats  # (d, d)
    centre: Floats  # (d,)
    spread: Floats  # (d + 1,), mean square of each input
    targets: Floats  # (N, H, F), F = 1 for two classes, else K
    weights: Floats  # (N, H), with C
    present: npt.NDArray[np.bool_]  # (H, K), which classes each head has
    rotations: Floats  # (H, F, F), of each head's classes
    curvatures: Floats  # (H, F), in the rotated logits

    @classmethod
    def of(
        cls,
        features: Features,
        targets_of: Sequence[HeadTargets],
        binary: bool,
        strengths: Sequence[float],
    ) -> "_Stack":
        kept = [head.rows[head.weights > 0] for head in targets_of]
        rows = np.unique(np.concatenate(kept))
        centred = np.asarray(features[rows], dtype=np.float64)
        centre = centred.mean(axis=0)
        centred -= centre
        squares, axes = np.linalg.eigh(centred.T @ centred / len(rows))
        inputs = np.ones((len(rows), centred.shape[1] + 1))
        np.matmul(centred, axes, out=inputs[:, :-1])
        num_classes = targets_of[0].targets.shape[1]
        targets = np.zeros((len(rows), len(targets_of), 1 if binary else num_classes))
        weights = np.zeros((len(rows), len(targets_of)))
        present = np.zeros((len(targets_of), num_classes), dtype=bool)
        for h, head in enumerate(targets_of):
            kept_rows, classes = head.weights > 0, _classes(head)
            position = np.searchsorted(rows, head.rows[kept_rows])
            columns = classes[1:] if binary else slice(None)
            weights[position, h] = strengths[h] * head.weights[kept_rows]
            targets[position, h] = head.targets[kept_rows][:, columns]
            present[h, classes] = True
        spread = np.append(np.maximum(squares, 0), 1.0)
        shares = np.einsum("nh,nhf->hf", weights, targets) / weights.sum(axis=0)[:, None]
        middle = shares[:, :, None] * np.eye(shares.shape[1]) - shares[:, :, None] * shares[:, None]
        curvatures, rotations = np.linalg.eigh(middle)
        return cls(inputs, axes, centre, spread, targets, weights, present, rotations, curvatures)

    def solve(self, tolerance: float) -> list[Head]:
        total = self.weights.sum(axis=0)  # (H,)
        shape = (len(total), self.inputs.shape[1], self.targets.shape[2])
        # the curvature for labels that features explain is about 0.7 times that of their shares
        curve = 0.7 * total[:, None, None] * self.spread[:, None] * self.curvatures[:, None]
        inverse = 1 / np.maximum(curve + self._penalty, 1e-3).reshape(len(total), -1)
        solved = minimise(self.evaluate, inverse, tolerance * total, STEPS)
        if solved is None:
            raise TrainingError(
                f"A logistic head on {len(self.inputs)} rows does not converge in {STEPS} steps; "
                "lower `regularization`."
            )
        solutions = enumerate(solved.reshape(shape))
        return [self._head(h, solution @ self.rotations[h].T) for h, solution in solutions]

    def evaluate(self, flat: Floats, heads: Ints) -> tuple[Floats, Floats]:
        """Objective (h,) and its slope (h, P) of some heads at `flat` (h, P)."""
        shape = (len(heads), self.inputs.shape[1], self.targets.shape[2])
        coefficients = flat.reshape(shape)
        turned = coefficients @ self.rotations[heads].transpose(0, 2, 1)
        across = np.ascontiguousarray(turned.transpose(1, 0, 2)).reshape(shape[1], -1)
        value = (coefficients**2 * self._penalty).sum(axis=(1, 2)) / 2
        slope = np.zeros_like(across)
        all_heads = len(heads) == self.weights.shape[1]
        size = max(64, PART // across.shape[1])
        for start in range(0, len(self.inputs), size):
            part = slice(start, start + size)
            inputs, targets, weights = self.inputs[part], self.targets[part], self.weights[part]
            if not all_heads:
                targets, weights = targets[:, heads], weights[:, heads]
            logits = (inputs @ across).reshape(targets.shape)
            loss, miss = self._loss(logits, targets, heads)
            value += (weights * loss).sum(axis=0)
            miss *= weights[:, :, None]
            slope += inputs.T @ miss.reshape(len(inputs), -1)
        back = (
            slope.reshape(shape[1], shape[0], shape[2]).transpose(1, 0, 2) @ self.rotations[heads]
        )
        return value, (back + coefficients * self._penalty).reshape(len(heads), -1)

    def _loss(self, logits: Floats, targets: Floats, heads: Ints) -> tuple[Floats, Floats]:
        """Cross-entropy (n, h), and its slope in the logits (n, h, F)."""
        if logits.shape[2] == 1:
            small = np.exp(-np.abs(logits))
            loss = np.log1p(small) + np.maximum(logits, 0) - targets * logits
            probs = np.where(logits > 0, 1.0, small) / (1 + small)
            return loss[:, :, 0], probs - targets
        top = logits.max(axis=2, keepdims=True)
        powers = np.exp(logits - top) * self.present[heads]
        total = powers.sum(axis=2, keepdims=True)
        loss = (np.log(total) + top)[:, :, 0] - np.einsum("nhf,nhf->nh", targets, logits)
        powers /= total
        powers -= targets
        return loss, powers

    @property
    def _penalty(self) -> Floats:
        """1 for each slope and 0 for the bias, (d + 1, 1)."""
        return np.append(np.ones(len(self.spread) - 1), 0.0)[:, None]

    def _head(self, h: int, solution: Floats) -> Head:
        classes = np.flatnonzero(self.present[h])
        slopes = self.axes @ solution[:-1]
        biases = solution[-1] - self.centre @ slopes
        if solution.shape[1] == 1:  # the first of two classes has logit 0
            slopes, biases = np.pad(slopes, ((0, 0), (1, 0))), np.append(0.0, biases)
        else:
            slopes, biases = slopes[:, classes], biases[classes]
        return Head(slopes, biases, classes, self.present.shape[1])
