"""Variational Bayes for voters whose skills are drawn from a shared prior that is learnt.

Two models, `coin` (one accuracy per voter) and `rows` (a confusion matrix per voter), each fitted
with a lower bound on its log evidence, so that they can be compared; and `coin_leave_one_out`, for
votes that leave these models open to collapse.
"""

from dataclasses import dataclass

import numpy as np

from steelyard.reliability.dawid_skene import begin, row_prior
from steelyard.reliability.one_coin import begin as begin_coin
from steelyard.reliability.one_coin import coin_rows, rightness
from steelyard.reliability.vote_table import VoteTable, normalised, tally
from steelyard.types import Floats

PRIOR = (4.0, 1.0)
# Right and wrong votes of a voter's prior at the start, and of the one voter that is added to those
# from which the prior is learnt: what labels mean rests on the belief that voters beat chance.
WEAK_PRIOR = (0.8, 0.2)
# The same belief where the prior is not learnt, with the weight of one vote.
LARGEST_SHIFT = 0.1
# How far a spotter's weight differs from the average's at most.
LEAST_GAIN = float(np.log(1.5))
# The average voter's log odds, at least: no majority is turned round without trusted answers.
NEGLIGIBLE = 1e-6
# Expected votes below this are none: most cells of large confusion matrices.


@dataclass(frozen=True, eq=False)
class Fit:
    """What one model makes of the votes."""

    posterior: Floats  # (N, K)
    bound: float  # on ln P(votes and trusted answers), in nats
    accuracy: Floats  # (V,), posterior means
    prior: Floats  # of the voters, as learnt: (2,) right and wrong, or (K, S) answer and state
    confusion: Floats | None = None  # (V, K, K), posterior means
    log_rows: Floats | None = None  # (V, K, S), expected ln P(answer l | state s)
    log_shares: Floats | None = None  # (S,), expected ln P(state)


def coin(
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
    posterior = begin_coin(table)
    before = -np.inf
    for _ in range(iterations):
        right = rightness(table, posterior)
        wrong = np.maximum(table.voter_weight - right, 0)
        prior = _learn_coin(prior, right, wrong)
        bound = float((betaln(prior[0] + right, prior[1] + wrong) - betaln(*prior)).sum())
        bound += _entropy(posterior[answered]) - _wrong_ways(table, posterior)
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


def coin_leave_one_out(
    table: VoteTable,
    iterations: int,
    tolerance: float,
    *,
    equal_weights: bool,
    confusion: bool,
) -> Fit:
    """One accuracy a_v ~ Beta(0.8, 0.2) for each voter, by what the others say; equal classes.

    A vote counts as right as far as posteriors say in which it weighs like an average voter's,

        c_v = sum over its votes of P(l | all votes, its own from accuracy 0.8)

    so that no voter confirms itself. By plain Bayes three voters on open answers end with one of
    them always right, and labelling functions with all of one class right: nothing in their
    votes speaks against it. The model has no bound (nan). Ends when the posteriors move by less
    than `tolerance` on average.

    Args:
        table: votes; each example may have answers of its own.
        iterations: at most.
        tolerance: of the mean change of an example's posterior.
        equal_weights: in the end all votes have the average voter's weight, up to a tenth: the
            class that is named more rarely wins a tie, and no majority among nine votes changes.
        confusion: whether answers are classes that all examples share.
    """
    from scipy.special import digamma

    n, v, k = table.shape
    common = np.log(WEAK_PRIOR[0] / WEAK_PRIOR[1])
    posterior = begin_coin(table)
    gain = np.full(v, common)
    for _ in range(iterations):
        right = _right_leave_one_out(table, posterior, common - gain)
        wrong = np.maximum(table.voter_weight - right, 0)
        gain = digamma(WEAK_PRIOR[0] + right) - digamma(WEAK_PRIOR[1] + wrong)
        if table.votes.candidate_texts:
            gain = np.maximum(gain, 0)  # a wrong answer points at no other
        before = posterior
        posterior, _ = table.posterior_of(table.coin_logits(gain))
        if np.abs(posterior - before).sum() <= tolerance * n:
            break
    if equal_weights:
        mean = np.log(right.sum() + WEAK_PRIOR[0]) - np.log(wrong.sum() + WEAK_PRIOR[1])
        gain = max(mean, LEAST_GAIN) * (1 + LARGEST_SHIFT * _rarity(table))
        posterior, _ = table.posterior_of(table.coin_logits(gain))
    accuracy = (WEAK_PRIOR[0] + right) / (sum(WEAK_PRIOR) + table.voter_weight)
    confused = coin_rows(accuracy, k) if confusion else None
    return Fit(posterior, np.nan, accuracy, np.array(WEAK_PRIOR), confused)


def _rarity(table: VoteTable) -> Floats:
    """How rare the answers are that a voter gives, (V,), from -1 to 1 about a mean of 0.

    The mean over its votes of -ln(share of all votes that name the same answer). Where classes are
    about equally common, those that are named more often are named wrongly more often: a rule
    that holds for most examples says little, and yields to one made for few.
    """
    _, v, k = table.shape
    given = tally(table.answer, table.weight, k)
    surprise = -np.log(np.maximum(given, 1) / max(given.sum(), 1))
    rare = tally(table.voter, table.weight * surprise[table.answer], v)
    rare /= np.maximum(table.voter_weight, 1)
    rare -= rare.mean() if v else 0.0
    rarity: Floats = rare / max(np.abs(rare).max(initial=0.0), NEGLIGIBLE)
    return rarity


def _wrong_ways(table: VoteTable, posterior: Floats) -> float:
    """Expected wrong votes, each times ln of the number of wrong answers it could have been."""
    wrong = table.weight * (1 - posterior.ravel()[table.cell])
    return float(wrong @ table.log_wrong_answers[table.example])


def _right_leave_one_out(table: VoteTable, posterior: Floats, shift: Floats) -> Floats:
    """Expected right votes (V,), each vote's own log odds changed by its voter's `shift` (V,).

    A vote for l changes one logit: P'(l) = P(l) e^s / (1 - P(l) + P(l) e^s). Trusted answers stay.
    """
    old = posterior.ravel()[table.cell]
    new = old * np.exp(table.weight * shift[table.voter])
    change = new - old
    new /= 1 + change
    trusted = table.gold[table.example] >= 0
    new[trusted] = old[trusted]
    return tally(table.voter, table.weight * new, len(shift))


def _learn_coin(prior: Floats, right: Floats, wrong: Floats) -> Floats:
    """One step of Minka 2000 ("Estimating a Dirichlet distribution", equation 55) for h, (2,)."""
    from scipy.special import digamma

    seen = np.stack([right, wrong], axis=1)
    gained = prior * (digamma(prior + seen) - digamma(prior)).sum(axis=0)
    total = (digamma(prior.sum() + seen.sum(axis=1)) - digamma(prior.sum())).sum()
    learnt: Floats = (gained + PRIOR) / (total + 1)
    return learnt


def rows(
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
    with confusions of its own: votes that go wrong together then tell of a hard kind and not
    of another class. alpha has one value where the answer is the state's class and one elsewhere,
    shared by all voters and classes: the belief that voters are right, with no view of how they
    err. Classes are equally common, or their shares ~ Dirichlet(1) are learnt; so are those of
    the kinds. With n the expected votes and q the posterior over states,

        bound = sum_vs ln B(alpha_s + n_vs) / B(alpha_s) + ln P(expected states) + entropy of q

    Every step raises it, but for the pull of alpha to its first value. Ends when it gains less
    than `tolerance` per vote.

    Args:
        table: votes about classes that all examples share.
        iterations: at most.
        tolerance: in nats per vote.
        learn_shares: learn how common the classes are.
        kinds: of examples in each class.
        seed: of the first, random division into kinds.
        start: a fit of the same model to other votes of the same voters, to begin from.
    """
    n, _, k = table.shape
    alpha = np.repeat(row_prior(*PRIOR, k), kinds, axis=1)  # (K, S)
    if start is not None and start.log_rows is not None and start.log_shares is not None:
        states = _expect(table, start.log_rows, start.log_shares)
    else:
        division = np.random.default_rng(seed).dirichlet(np.full(kinds, 0.5), size=n)
        states = (begin(table)[:, :, None] * division[:, None, :]).reshape(n, -1)
        states[~table.answered] = 0.0
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
    counts /= counts.sum(axis=1, keepdims=True)
    of_kind = (mass + 1) / (mass + 1).sum(axis=1, keepdims=True)
    by_class = (counts.reshape(*counts.shape[:2], k, kinds) * of_kind).sum(axis=3)
    share = mass.sum(axis=1) / max(mass.sum(), NEGLIGIBLE)
    return Fit(
        posterior=table.fixed(states.reshape(n, k, kinds).sum(axis=2)),
        bound=float(bound),
        accuracy=np.einsum("k,vkk->v", share, by_class),
        prior=alpha,
        confusion=by_class.transpose(0, 2, 1),
        log_rows=log_rows,
        log_shares=log_shares,
    )


def _expect(table: VoteTable, log_rows: Floats, log_shares: Floats) -> Floats:
    """Posterior over states (N, S); of trusted examples those of the true class; 0 if silent."""
    logits = table.log_likelihood(log_rows)
    logits += log_shares
    trusted = np.flatnonzero(table.gold >= 0)
    if len(trusted):
        kinds = logits.shape[1] // table.shape[2]
        other = np.arange(logits.shape[1]) // kinds != table.gold[trusted, None]
        logits[trusted] = np.where(other, -np.inf, logits[trusted])
    states, _ = normalised(logits)
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
    counts_of_kind = mass + 1
    of_kind = digamma(counts_of_kind) - digamma(counts_of_kind.sum(axis=1, keepdims=True))
    of_class = digamma(mass.sum(axis=1) + 1) if learn_shares else np.zeros(len(mass))
    of_class -= digamma(mass.sum() + len(mass)) if learn_shares else np.log(len(mass))
    return log_rows, (of_class[:, None] + of_kind).ravel()


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
    heads = alpha.sum(axis=0)
    total = (digamma(counts.sum(axis=1) + heads) - digamma(heads)).sum()
    new = row_prior(
        (right + PRIOR[0]) / (total + 1), (gained.sum() - right + PRIOR[1]) / (total + 1), k
    )
    return np.repeat(new, alpha.shape[1] // k, axis=1)


def _rows_evidence(alpha: Floats, counts: Floats) -> float:
    """sum_vs ln B(alpha_s + n_vs) - ln B(alpha_s)."""
    from scipy.special import gammaln

    cells = np.flatnonzero(counts.ravel() > NEGLIGIBLE)
    old = alpha.ravel()[cells % alpha.size]
    heads = alpha.sum(axis=0)
    gained = (gammaln(counts.ravel()[cells] + old) - gammaln(old)).sum()
    return float(gained - (gammaln(counts.sum(axis=1) + heads) - gammaln(heads)).sum())


def _states_evidence(mass: Floats, learn_shares: bool) -> float:
    """ln P(expected states), with (K, kinds) expected examples of each kind of each class."""
    from scipy.special import gammaln

    def of(sizes: Floats) -> Floats:
        k = sizes.shape[-1]
        logs: Floats = gammaln(sizes + 1).sum(axis=-1) - gammaln(sizes.sum(axis=-1) + k)
        logs += gammaln(k)
        return logs

    classes = mass.sum(axis=1)
    shares = of(classes) if learn_shares else -classes.sum() * np.log(max(len(classes), 1))
    return float(of(mass).sum() + shares)


def _entropy(rows: Floats) -> float:
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    logs *= rows
    return -float(logs.sum())
