"""How many items are of each class: the shares of labels, corrected for the labels' errors."""

from dataclasses import dataclass

import numpy as np

from steelyard.diagnostics.leave_one_out import voter_labels
from steelyard.diagnostics.resampling import RESAMPLES, percentile_interval, ratio
from steelyard.types import ABSTAIN, Floats, Interval, Ints, Votes

MOST_CLASSES = 20
MOST_VOTERS = 12
FEWEST_TRUE = 10  # items of known truth that a correction needs
LEAST_YOUDEN = 0.1  # of TPR + TNR - 1, below which Rogan-Gladen is too unstable


@dataclass(frozen=True)
class ClassShare:
    """The share of one class by one source of labels; None where it cannot be estimated."""

    name: str
    raw: float  # share of the labels that name it
    truth: Interval | None  # by the items of known truth alone
    ppi: Interval | None
    rogan_gladen: Interval | None


@dataclass(frozen=True)
class ShareEstimates:
    """Shares of all classes by the labels of a method ("") or of one voter."""

    voter: str
    items: int  # labelled
    true_items: int  # of these with known truth
    classes: tuple[ClassShare, ...]


def class_shares(votes: Votes, label: Ints, truth: Ints) -> tuple[ShareEstimates, ...]:
    """Class shares by the labels, then by each voter, corrected with the items of known truth.

    Valid where the items of known truth are a random draw from all. A voter's shares are about the
    items that it answered. At most the 12 voters with most answers.

    Args:
        votes: closed answers of at most 20 classes; otherwise there is no result.
        label: (N,), labels, ABSTAIN for none.
        truth: (N,), true classes, ABSTAIN where unknown.
    """
    k = votes.num_classes
    if votes.candidate_texts or not 2 <= k <= MOST_CLASSES:
        return ()
    labels = voter_labels(votes)
    sources = [("", label)]
    for v in np.argsort(-labels.per_voter, kind="stable")[:MOST_VOTERS]:
        answer = np.full(len(votes.ids), ABSTAIN, dtype=np.int64)
        rows = labels.voter == v
        answer[labels.example[rows]] = labels.answer[rows]
        sources.append((votes.voters[v], answer))
    return tuple(_estimates(name, answer, truth, votes.class_names) for name, answer in sources)


def _estimates(voter: str, label: Ints, truth: Ints, names: tuple[str, ...]) -> ShareEstimates:
    labelled = label != ABSTAIN
    in_gold = labelled & (truth >= 0)
    rest = labelled & ~in_gold
    shares = []
    for k, name in enumerate(names):
        names_it, is_it = (label == k).astype(float), (truth == k).astype(float)
        arrays = is_it[in_gold], names_it[in_gold], names_it[rest]
        enough = len(arrays[0]) >= FEWEST_TRUE
        shares.append(
            ClassShare(
                name=name,
                raw=float(names_it[labelled].mean()) if labelled.any() else 0.0,
                truth=ppi_mean(arrays[0], arrays[1], np.empty(0)) if enough else None,
                ppi=ppi_mean(*arrays) if enough else None,
                rogan_gladen=rogan_gladen(*arrays) if enough else None,
            )
        )
    return ShareEstimates(voter, int(labelled.sum()), int(in_gold.sum()), tuple(shares))


def ppi_mean(truth: Floats, predicted: Floats, unlabelled: Floats) -> Interval:
    """The mean of the truth over all items, by few true values and many predictions (PPI++).

    >>> truth, judge = np.repeat([1.0, 0.0], 50), np.repeat([1.0, 0.0], [60, 40])
    >>> round(ppi_mean(truth, judge, np.repeat([1.0, 0.0], [900, 100])).value, 2)
    0.8

    With f the predictions, y the truth, n items with both and N with a prediction alone,

        theta = mean_n(y) + lam (mean_N(f) - mean_n(f))
        lam = cov_n(y, f) / ((1 + n / N) var(f)), clipped to [0, 1]
        variance = lam^2 var(f) / N + var_n(y - lam f) / n

    var(f) is over all n + N items. The 95 % interval is Student's t with n - 1 degrees of freedom;
    the second variance is at least 1 / (2 n), as where one item errs by chance. Values are
    clipped to [0, 1]. Without predictions on further items it is the mean of the truth.

    Args:
        truth: (n,), in [0, 1].
        predicted: (n,), in [0, 1], on the same items.
        unlabelled: (N,), in [0, 1], on the other items.

    Source: Angelopoulos, Duchi and Zrnic 2023, arXiv:2311.01453 (PPI++, mean, power tuning).
    """
    from scipy.special import stdtrit

    n, size = len(truth), len(unlabelled)
    spread = float(np.concatenate([predicted, unlabelled]).var(ddof=1)) if n + size > 1 else 0.0
    lam = 0.0
    if size and n > 1 and spread > 0:
        lam = float(np.cov(truth, predicted)[0, 1]) / ((1 + n / size) * spread)
        lam = min(1.0, max(0.0, lam))
    value = float(truth.mean())
    variance = float((truth - lam * predicted).var(ddof=1)) / n if n > 1 else 0.25
    variance = max(variance, 0.5 / n**2)
    if size:
        value += lam * float(unlabelled.mean() - predicted.mean())
        variance += lam**2 * spread / size
    half = float(stdtrit(max(1, n - 1), 0.975)) * variance**0.5
    value = min(1.0, max(0.0, value))
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def rogan_gladen(
    truth: Floats, predicted: Floats, unlabelled: Floats, *, resamples: int = RESAMPLES
) -> Interval | None:
    """The share of positive items, from a test with known errors.

    >>> truth, judge = np.repeat([1.0, 0.0], 50), np.repeat([1.0, 0.0], [60, 40])
    >>> round(rogan_gladen(truth, judge, np.repeat([1.0, 0.0], [900, 100])).value, 2)
    0.84

        theta = (p + TNR - 1) / (TPR + TNR - 1), clipped to [0, 1]

    p is the share of positive predictions on all items, TPR and TNR are measured where the truth
    is known. Both parts are resampled for the 95 % interval.

    Args:
        truth: (n,), 0 or 1.
        predicted: (n,), 0 or 1, on the same items.
        unlabelled: (N,), 0 or 1, on the other items.
        resamples: number of resamples.

    Returns:
        None where a class has no known item, or where TPR + TNR - 1 may be below 0.1: then the
        predictions say too little.

    Source: Rogan and Gladen 1978, doi:10.1093/oxfordjournals.aje.a112510.
    """
    rng = np.random.default_rng(0)
    cell = (2 * truth + predicted).astype(np.int64)
    counts = np.bincount(cell, minlength=4)  # TN, FP, FN, TP
    if not len(truth) or counts[:2].sum() == 0 or counts[2:].sum() == 0:
        return None
    drawn = rng.multinomial(len(truth), counts / len(truth), size=resamples)
    tables = np.concatenate([counts[None], drawn]).astype(float)
    positive = np.full(1 + resamples, unlabelled.sum())
    if len(unlabelled):
        positive[1:] = rng.binomial(len(unlabelled), unlabelled.mean(), size=resamples)
    share = (positive + tables[:, 1] + tables[:, 3]) / (len(truth) + len(unlabelled))
    specificity = ratio(tables[:, 0], tables[:, :2].sum(axis=1))
    youden = ratio(tables[:, 3], tables[:, 2:].sum(axis=1)) + specificity - 1
    if np.nanquantile(youden, 0.025) < LEAST_YOUDEN:
        return None
    return percentile_interval(np.clip(ratio(share + specificity - 1, youden), 0, 1))
