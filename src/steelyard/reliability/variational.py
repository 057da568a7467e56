"""Variational Bayes for voters whose skills have a shared, learnt prior.

`fit_coin` (one accuracy per voter) and `fit_rows` (a confusion matrix per voter) have a lower bound
on their log evidence, so that they can be compared; `fit_coin_leave_one_out` is for votes with
which these models may collapse.
"""

from dataclasses import dataclass

import numpy as np

from steelyard.reliability.dawid_skene import initial_posterior, row_prior
from steelyard.reliability.one_coin import coin_rows, initial_coin_posterior, rightness
from steelyard.reliability.vote_table import VoteTable, softmax_rows
from steelyard.types import Floats
from steelyard.types.arrays import tally

PRIOR = (4.0, 1.0)
"""Right and wrong votes of a voter's prior at the start, and of the imagined voter that is added
when the prior is learnt: that voters beat chance gives the labels their meaning."""
WEAK_PRIOR = (0.8, 0.2)
"""The same where the prior is not learnt, with the weight of one vote."""
LARGEST_SHIFT = 0.1
"""Largest relative change of a voter's weight by the rarity of its answers."""
LEAST_GAIN = float(np.log(1.5))
"""Smallest log odds of the average voter: no majority is inverted without trusted answers."""
NEGLIGIBLE = 1e-6
"""Expected votes below this count as none: most cells of large confusion matrices."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A model fitted to the votes."""

    posterior: Floats  # (N, K)
    bound: float  # on ln P(votes and trusted answers), in nats
    accuracy: Floats  # (V,), posterior means
    prior: Floats  # of the voters, as learnt: (2,) right and wrong, or (K, S) answer and state
    confusion: Floats | None = None  # (V, K, K), posterior means
    log_rows: Floats | None = None  # (V, K, S), expected ln P(answer l | state s)
    log_shares: Floats | None = None  # (S,), expected ln P(state)


def fit_coin(
    table: VoteTable, iterations: int, tolerance: float, *, learn_shares: bool, confusion: bool
) -> Fit:
    """One accuracy a_v ~ Beta(h_1, h_2) for each voter, h learnt; uniform errors.

    Answers are equally common, or the classes' shares ~ Dirichlet(1) are learnt. With c_v the
    expected right votes of voter v, of n_v, and q the posterior over answers,

        bound = sum_v ln B(h_1 + c_v, h_2 + n_v - c_v) / B(h) + ln P(expected classes)
                - sum over expected wrong votes of ln(K_i - 1) + entropy of q

    Ends when it gains less than `tolerance` per vote.
    """
    from scipy.special import betaln, digamma

    k = table.shape[2]
    answered = table.answered
    prior = np.array(PRIOR)
    posterior = initial_coin_posterior(table)
    before = -np.inf
    for _ in range(iterations):
        right = rightness(table, posterior)
        wrong = np.maximum(table.voter_weight - right, 0)
        prior = _learn_coin(prior, right, wrong)
        bound = float((betaln(prior[0] + right, prior[1] + wrong) - betaln(*prior)).sum())
        bound += _entropy(posterior[answered]) - _log_wrong_answers(table, posterior)
        if learn_shares:
            mass = (answered @ posterior)[:, None]
            bound += _states_evidence(mass, True)
            shares = digamma(mass[:, 0] + 1)
        else:
            bound -= float(np.log(table.votes.candidates[answered]).sum())
            shares = np.zeros(k)
        if bound - before < tolerance * len(table.weight):
            break
        before = bound
        gain = digamma(prior[0] + right) - digamma(prior[1] + wrong)
        posterior, _ = table.posterior_of(table.coin_logits(gain) + shares)
    accuracy = (prior[0] + right) / (prior.sum() + table.voter_weight)
    return Fit(posterior, bound, accuracy, prior, coin_rows(accuracy, k) if confusion else None)


def fit_coin_leave_one_out(
    table: VoteTable,
    iterations: int,
    tolerance: float,
    *,
    equal_weights: bool,
    confusion: bool,
) -> Fit:
    """One accuracy a_v ~ Beta(0.8, 0.2) for each voter, from the other voters; equal classes.

    The expected number of right votes of voter v is

        c_v = sum over its votes of P(l | all votes, with v's accuracy set to 0.8)

    so that no voter confirms itself. Plain Bayes would make one of three voters on open answers
    always right, and the labelling functions of one class: no vote contradicts that. The model has
    no bound (nan). Ends when the posteriors change by less than `tolerance` on average.

    Args:
        table: votes; examples may have different candidates.
        iterations: maximum number of steps.
        tolerance: mean change of an example's posterior at which the fit ends.
        equal_weights: finally give all votes the average voter's weight, up to a tenth: the class
            that is named more rarely wins a tie, and no majority among nine votes changes.
        confusion: whether answers are classes that all examples share.
    """
    from scipy.special import digamma

    n, v, k = table.shape
    common = np.log(WEAK_PRIOR[0] / WEAK_PRIOR[1])
    posterior = initial_coin_posterior(table)
    gain = np.full(v, common)
    for _ in range(iterations):
        right = _right_leave_one_out(table, posterior, common - gain)
        wrong = np.maximum(table.voter_weight - right, 0)
        gain = digamma(WEAK_PRIOR[0] + right) - digamma(WEAK_PRIOR[1] + wrong)
        if table.votes.candidate_texts:
            gain = np.maximum(gain, 0)  # a wrong open answer is no evidence for another
        before = posterior
        posterior, _ = table.posterior_of(table.coin_logits(gain))
        if np.abs(posterior - before).sum() <= tolerance * n:
            break
    if equal_weights:
        mean = np.log(right.sum() + WEAK_PRIOR[0]) - np.log(wrong.sum() + WEAK_PRIOR[1])
        gain = max(mean, LEAST_GAIN) * (1 + LARGEST_SHIFT * _rarity(table))
        posterior, _ = table.posterior_of(table.coin_logits(gain))
    accuracy = (WEAK_PRIOR[0] + right) / (sum(WEAK_PRIOR) + table.voter_weight)
    matrices = coin_rows(accuracy, k) if confusion else None
    return Fit(posterior, np.nan, accuracy, np.array(WEAK_PRIOR), matrices)


def _rarity(table: VoteTable) -> Floats:
    """How rare the answers of each voter are, (V,), in [-1, 1] with mean 0.

    The mean over its votes of -ln(share of all votes that name the same answer). Where classes are
    about equally common, those that are named more often are named wrongly more often: a labelling
    function for most examples is less informative than one for few.
    """
    _, v, k = table.shape
    given = tally(table.answer, k, table.weight)
    surprise = -np.log(np.maximum(given, 1) / max(given.sum(), 1))
    rare = tally(table.voter, v, table.weight * surprise[table.answer])
    rare /= np.maximum(table.voter_weight, 1)
    rare -= rare.mean() if v else 0.0
    rarity: Floats = rare / max(np.abs(rare).max(initial=0.0), NEGLIGIBLE)
    return rarity


def _log_wrong_answers(table: VoteTable, posterior: Floats) -> float:
    """Sum over the expected wrong votes of ln of the example's number of wrong answers."""
    wrong = table.weight * (1 - table.at_votes(posterior))
    return float(wrong @ table.log_wrong_answers[table.example])


def _right_leave_one_out(table: VoteTable, posterior: Floats, shift: Floats) -> Floats:
    """Expected right votes (V,), each vote's log odds changed by its voter's `shift` (V,).

    A vote for l changes one logit: P'(l) = P(l) e^s / (1 - P(l) + P(l) e^s). Trusted answers stay.
    """
    old = table.at_votes(posterior)
    new = old * np.exp(table.weight * shift[table.voter])
    change = new - old
    new /= 1 + change
    trusted = table.gold[table.example] >= 0
    new[trusted] = old[trusted]
    return tally(table.voter, len(shift), table.weight * new)


def _learn_coin(prior: Floats, right: Floats, wrong: Floats) -> Floats:
    """One step of Minka 2000 ("Estimating a Dirichlet distribution", equation 55) for h, (2,)."""
    from scipy.special import digamma

    counts = np.stack([right, wrong], axis=1)
    gained = prior * (digamma(prior + counts) - digamma(prior)).sum(axis=0)
    total = (digamma(prior.sum() + counts.sum(axis=1)) - digamma(prior.sum())).sum()
    new: Floats = (gained + PRIOR) / (total + 1)
    return new


def fit_rows(
    table: VoteTable,
    iterations: int,
    tolerance: float,
    *,
    learn_shares: bool,
    kinds: int = 1,
    seed: int = 0,
    start: Fit | None = None,
) -> Fit:
    """A row pi_vs ~ Dirichlet(alpha_s) for each voter and state of an example, alpha learnt.

    A state is a class, or one of several `kinds` of examples within it (easy and hard, say), each
    with its own confusions: votes that are wrong together are then evidence of a hard kind and not
    of another class. alpha has one value where the answer is the state's class and one elsewhere,
    shared by all voters and classes: voters tend to be right, and errors are not modelled. Classes
    are equally common, or their shares ~ Dirichlet(1) are learnt; so are those of the kinds. With n
    the expected votes and q the posterior over states,

        bound = sum_vs ln B(alpha_s + n_vs) / B(alpha_s) + ln P(expected states) + entropy of q

    Every step raises it, apart from the imagined voter (PRIOR) of alpha. Ends when it gains less
    than `tolerance` per vote.

    Args:
        table: votes about classes that all examples share.
        iterations: maximum number of steps.
        tolerance: in nats per vote.
        learn_shares: learn how common the classes are.
        kinds: number of kinds of examples in each class.
        seed: random seed of the initial division into kinds.
        start: a fit of the same model to other votes of the same voters, to start from.
    """
    k = table.shape[2]
    alpha = np.repeat(row_prior(*PRIOR, k), kinds, axis=1)  # (K, S)
    if start is not None and start.log_rows is not None and start.log_shares is not None:
        states = _expect(table, start.log_rows, start.log_shares)
    else:
        states = _divide(table, kinds, seed)
    before = -np.inf
    for _ in range(iterations):
        counts = table.counts(states)  # (V, K, S)
        mass = states.sum(axis=0).reshape(k, kinds)
        alpha = _learn_rows(alpha, counts)
        bound = _rows_evidence(alpha, counts) + _entropy(states)
        bound += _states_evidence(mass, learn_shares)
        log_rows, log_shares = _expected_logs(alpha, counts, mass, learn_shares)
        if bound - before < tolerance * len(table.weight):
            break
        before = bound
        states = _expect(table, log_rows, log_shares)
    counts += alpha
    by_class = _mean_rows(counts, mass)
    share = mass.sum(axis=1) / max(mass.sum(), NEGLIGIBLE)
    return Fit(
        posterior=table.fixed(states.reshape(-1, k, kinds).sum(axis=2)),
        bound=float(bound),
        accuracy=np.einsum("k,vkk->v", share, by_class),
        prior=alpha,
        confusion=by_class.transpose(0, 2, 1),
        log_rows=log_rows,
        log_shares=log_shares,
    )


def _divide(table: VoteTable, kinds: int, seed: int) -> Floats:
    """The initial posterior over classes, divided at random into kinds, (N, S)."""
    n = table.shape[0]
    division = np.random.default_rng(seed).dirichlet(np.full(kinds, 0.5), size=n)
    states = (initial_posterior(table)[:, :, None] * division[:, None, :]).reshape(n, -1)
    states[~table.answered] = 0.0
    return states


def _mean_rows(counts: Floats, mass: Floats) -> Floats:
    """P(answer | class), (V, K, K), from votes (V, K, S) and examples of each kind (K, kinds).

    Overwrites `counts`.
    """
    counts /= counts.sum(axis=1, keepdims=True)
    share = (mass + 1) / (mass + 1).sum(axis=1, keepdims=True)
    rows: Floats = (counts.reshape(*counts.shape[:2], *mass.shape) * share).sum(axis=3)
    return rows


def _expect(table: VoteTable, log_rows: Floats, log_shares: Floats) -> Floats:
    """Posterior over states (N, S), of the true class where it is trusted; 0 without votes."""
    logits = table.log_likelihood(log_rows)
    logits += log_shares
    trusted = np.flatnonzero(table.gold >= 0)
    if len(trusted):
        kinds = logits.shape[1] // table.shape[2]
        other = np.arange(logits.shape[1]) // kinds != table.gold[trusted, None]
        logits[trusted] = np.where(other, -np.inf, logits[trusted])
    states, _ = softmax_rows(logits)
    states[~table.answered] = 0.0
    return states


def _expected_logs(
    alpha: Floats, counts: Floats, mass: Floats, learn_shares: bool
) -> tuple[Floats, Floats]:
    """Expected ln P(answer | state) of each voter (V, K, S) and ln P(state) (S,)."""
    from scipy.special import digamma

    nonzero = counts > NEGLIGIBLE
    log_rows = np.broadcast_to(digamma(alpha), counts.shape).copy()
    log_rows[nonzero] = digamma((counts + alpha)[nonzero])
    log_rows -= digamma(counts.sum(axis=1, keepdims=True) + alpha.sum(axis=0))
    log_kinds = digamma(mass + 1) - digamma((mass + 1).sum(axis=1, keepdims=True))
    log_classes = digamma(mass.sum(axis=1) + 1) if learn_shares else np.zeros(len(mass))
    log_classes -= digamma(mass.sum() + len(mass)) if learn_shares else np.log(len(mass))
    return log_rows, (log_classes[:, None] + log_kinds).ravel()


def _right_cells(alpha: Floats) -> Floats:
    """Whether answer l is the class of state s, (K, S)."""
    k, s = alpha.shape
    same: Floats = np.repeat(np.eye(k, dtype=bool), s // k, axis=1)
    return same


def _learn_rows(alpha: Floats, counts: Floats) -> Floats:
    """One step of Minka 2000, equation 55, for alpha (K, S), which has two values."""
    from scipy.special import digamma

    k = len(alpha)
    cells = np.flatnonzero(counts.ravel() > NEGLIGIBLE)
    position = cells % alpha.size
    old = alpha.ravel()[position]
    gained = old * (digamma(counts.ravel()[cells] + old) - digamma(old))
    right = gained @ _right_cells(alpha).ravel()[position]
    column = alpha.sum(axis=0)
    total = (digamma(counts.sum(axis=1) + column) - digamma(column)).sum()
    new = row_prior(
        (right + PRIOR[0]) / (total + 1), (gained.sum() - right + PRIOR[1]) / (total + 1), k
    )
    return np.repeat(new, alpha.shape[1] // k, axis=1)


def _rows_evidence(alpha: Floats, counts: Floats) -> float:
    """sum_vs ln B(alpha_s + n_vs) - ln B(alpha_s)."""
    from scipy.special import gammaln

    cells = np.flatnonzero(counts.ravel() > NEGLIGIBLE)
    old = alpha.ravel()[cells % alpha.size]
    column = alpha.sum(axis=0)
    gained = (gammaln(counts.ravel()[cells] + old) - gammaln(old)).sum()
    return float(gained - (gammaln(counts.sum(axis=1) + column) - gammaln(column)).sum())


def _states_evidence(mass: Floats, learn_shares: bool) -> float:
    """ln P(expected states), with (K, kinds) expected examples of each kind of each class."""
    from scipy.special import gammaln

    def log_evidence(sizes: Floats) -> Floats:
        k = sizes.shape[-1]
        logs: Floats = gammaln(sizes + 1).sum(axis=-1) - gammaln(sizes.sum(axis=-1) + k)
        logs += gammaln(k)
        return logs

    classes = mass.sum(axis=1)
    of_classes = -classes.sum() * np.log(max(len(classes), 1))
    of_classes = log_evidence(classes) if learn_shares else of_classes
    return float(log_evidence(mass).sum() + of_classes)


def _entropy(rows: Floats) -> float:
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    logs *= rows
    return -float(logs.sum())
