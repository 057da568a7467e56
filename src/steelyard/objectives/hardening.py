"""The student's predictions as hard labels, in the proportions that the weak labels have.

A student that learns its own argmax drifts into the class it favours. So a threshold is chosen
such that the shares of the hardened predictions match the weak labels' prior. A threshold from the
current batch would depend on how a step was split to fit in memory, and on batches whose texts have
one length. `RecentPredictions` takes it from the last thousand or so examples of earlier steps,
fixed before a step begins.
"""

from collections import deque

import numpy as np
import torch
from torch import Tensor

from steelyard.errors import TrainingError
from steelyard.objectives.reduction import widened
from steelyard.types import Floats, Ints

_NEVER = -1e4  # score, relative to the best: less likely than any other mistake


def ramp(maximum: float, progress: float, warmup: float) -> float:
    """maximum * min(1, progress / warmup), the coefficient c of a loss.

    `progress` is steps done over steps planned, `warmup` the share of training over which c rises
    from 0; 0 starts at the maximum.

    Source: Burns et al. 2023, arXiv:2312.09390, appendix A.4 (warm-up over the first fifth).
    """
    return maximum if progress >= warmup else maximum * progress / warmup


def legacy_ramp(maximum: float, progress: float, warmup: float) -> float:
    """maximum * progress until the warm-up ends, then maximum: it jumps.

    For comparison with published numbers; with maximum 1/2 and warm-up 1/10, 0.05 becomes 0.5.

    Source: the code of Burns et al. 2023, `loss.py` of openai/weak-to-strong.
    """
    return maximum * (1.0 if progress > warmup else progress)


def harden(logits: Tensor, offsets: Tensor) -> Tensor:
    """One-hot rows at argmax_k (logits_ik + offsets_k), (B, K), without gradient.

    The lower index wins a tie. Of two classes that is p_i0 >= t with a threshold t; offsets of
    zeros are the argmax, and -inf excludes a class.
    """
    scores = widened(logits).detach()
    if scores.shape[1] == 2:  # p_0 >= t exactly: one difference against one number
        scores = scores - scores[:, 1:]
    best = (scores + offsets.to(scores)).argmax(dim=-1)
    return torch.nn.functional.one_hot(best, scores.shape[1]).to(scores.dtype)


def prior_offsets(logits: Tensor, prior: Tensor) -> Tensor:
    """Offsets under which `harden` gives each class its share of these examples, (K,).

    Each class gets prior_k * R examples, rounded: of two classes as the quantile rule of Burns et
    al. rounds, of more by the largest remainders. Among all assignments with these counts, the
    hardened one has the highest total log-probability; the offsets are the middle of those that
    give it. Examples with equal logits are hardened alike, even if the shares then differ. A
    class whose share rounds to 0 has offset -inf.

    Args:
        logits: (R, K) of the student.
        prior: (K,), sums to 1.

    Raises:
        TrainingError: a logit is not a number.

    Source: Burns et al. 2023, arXiv:2312.09390, the threshold of `logconf_loss_fn` in the authors'
        code (two classes; more by minimum-cost flow: ours).
    """
    scores = widened(logits).detach().double().cpu().numpy()
    if np.isnan(scores).any():
        row = int(np.isnan(scores).any(axis=1).argmax())
        raise TrainingError(
            f"The student's logits must be numbers to be hardened; those of row {row} are "
            f"{scores[row]}. Lower `learning_rate`, or use `precision: fp32`."
        )
    scores = scores.clip(-1e30, 1e30)
    shares = prior.detach().double().cpu().numpy()
    wanted = _counts(shares / shares.sum(), len(scores))
    if scores.shape[1] == 2:
        offsets = _two(scores[:, 0] - scores[:, 1], wanted)
    else:
        offsets = _many(np.maximum(scores - scores.max(axis=1, keepdims=True), _NEVER), wanted)
    return torch.from_numpy(offsets).to(logits.device)


def _counts(prior: Floats, size: int) -> Ints:
    """How many of `size` examples each class gets."""
    if len(prior) == 2:  # p >= quantile(p, prior_1) keeps those from the rank upwards
        first = size - int(np.ceil(np.float32(prior[1]) * np.float32(size - 1)))
        return np.array([first, size - first])
    counts = np.floor(prior * size).astype(np.int64)
    remainder = prior * size - counts
    counts[np.argsort(-remainder, kind="stable")[: max(0, size - int(counts.sum()))]] += 1
    return counts


def _two(lead: Floats, wanted: Ints) -> Floats:
    """Minus the middle of the smallest lead that gets class 0 and the largest that does not."""
    if 0 in wanted:
        return np.where(wanted == 0, -np.inf, 0.0)
    below, above = np.sort(lead)[wanted[1] - 1 : wanted[1] + 1]
    return np.array([-above if above == below else -(above + below) / 2, 0.0])


def _many(scores: Floats, wanted: Ints) -> Floats:
    """The middle of the offsets of the best assignment with the wanted counts.

    Successive shortest paths between classes: start from an assignment with nearly the wanted
    counts, and move one example at a time along the cheapest chain of switches from a class with
    too many to one with too few. The argmax under any offsets is the best for the counts it has.
    """
    row, num_classes = np.arange(len(scores)), scores.shape[1]
    taken = (scores + _nearly(scores, wanted)).argmax(axis=1)
    counts = np.bincount(taken, minlength=num_classes)
    while True:
        loss = scores[row, taken][:, None] - scores  # of switching example i to class k
        cost, mover = _cheapest(loss, taken)
        distance, via = _shortest(cost)
        over, under = np.flatnonzero(counts > wanted), np.flatnonzero(counts < wanted)
        if len(over) == 0:
            break
        costs = distance[np.ix_(over, under)]
        start, end = np.unravel_index(costs.argmin(), costs.shape)
        current, last = int(over[start]), int(under[end])
        counts[current] -= 1
        counts[last] += 1
        while current != last:
            after = int(via[current, last])
            taken[mover[current, after]] = after
            current = after
    return _middle(distance, counts)


def _nearly(scores: Floats, wanted: Ints) -> Floats:
    """Offsets with nearly the wanted counts: Sinkhorn's iteration, colder and colder."""
    with np.errstate(divide="ignore"):
        share = np.log(wanted / len(scores))
    offsets = np.zeros(len(wanted))
    for temperature in (1.0, 0.3, 0.1, 0.03, 0.01):
        for _ in range(8):
            power = (scores + offsets) / temperature
            power = np.exp(power - power.max(axis=1, keepdims=True))
            have = (power / power.sum(axis=1, keepdims=True)).mean(axis=0)
            offsets += temperature * (share - np.log(np.maximum(have, 1e-30)))
    return offsets


def _cheapest(loss: Floats, taken: Ints) -> tuple[Floats, Ints]:
    """The least loss of switching an example from class j to k, and which example, (K, K)."""
    num_classes = loss.shape[1]
    cost = np.full((num_classes, num_classes), np.inf)
    mover = np.zeros((num_classes, num_classes), dtype=np.int64)
    for j in range(num_classes):
        rows = np.flatnonzero(taken == j)
        if len(rows):
            best = loss[rows].argmin(axis=0)
            mover[j], cost[j] = rows[best], loss[rows[best], np.arange(num_classes)]
    return cost, mover


def _shortest(cost: Floats) -> tuple[Floats, Ints]:
    """Floyd and Warshall: distance from j to k, and the first class on the way."""
    distance = cost.copy()
    np.fill_diagonal(distance, 0.0)
    via = np.tile(np.arange(len(cost)), (len(cost), 1))
    for middle in range(len(cost)):
        through = distance[:, middle, None] + distance[middle]
        shorter = through < distance - 1e-9  # rounding makes no cycles
        distance[shorter] = through[shorter]
        via = np.where(shorter, via[:, middle, None], via)
    return distance, via


def _middle(distance: Floats, counts: Ints) -> Floats:
    """Offsets may rise to distance(r, k) above class r's and fall to -distance(k, r)."""
    used = counts > 0
    inner = distance[np.ix_(used, used)]
    offsets = np.full(len(counts), -np.inf)
    offsets[used] = (inner.mean(axis=0) - inner.mean(axis=1)) / 2
    return offsets


class RecentPredictions:
    """The student's logits and the weak labels of the last steps, and the offsets they give.

    Call `offsets` before a step, and `add` the step's examples after it, in any order. Before the
    first step there are no offsets, and a coefficient that rises from 0 needs none.

    Source: the rolling threshold of EleutherAI/w2s, `loss.py` (there the last 32 examples, with the
        prior of the current batch; whole steps, and labels of the same examples: ours).
    """

    def __init__(self, size: int = 1024) -> None:
        self.size = size  # examples that are kept at least, once so many were seen
        self.steps: deque[tuple[Tensor, Tensor]] = deque()  # logits and targets, (B, K) each

    def add(self, logits: Tensor, targets: Tensor) -> None:
        """Remember a step's logits and targets, (B, K) each; forget steps that are not needed."""
        self.steps.append((widened(logits).detach().cpu(), widened(targets).detach().cpu()))
        while sum(len(rows) for rows, _ in self.steps) - len(self.steps[0][0]) >= self.size:
            self.steps.popleft()

    def offsets(self) -> Tensor | None:
        """`prior_offsets` of the remembered steps, (K,); None before the first step."""
        if not self.steps:
            return None
        logits, targets = (torch.cat(rows) for rows in zip(*self.steps, strict=True))
        return prior_offsets(logits, targets.mean(dim=0))
