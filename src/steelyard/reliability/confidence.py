"""How likely the labels of an estimator are right, when votes may depend on one another."""

from dataclasses import replace

import numpy as np

from steelyard.reliability.vote_table import VoteTable, softmax_rows
from steelyard.types import ABSTAIN, Floats, Ints, Reliability
from steelyard.types.weighted_shares import voter_accuracies, weighted_shares

TEMPERATURES = np.geomspace(0.02, 1.25, 16)
"""Factors tried on the log odds; 1 where votes are independent given the truth, less otherwise."""
HELD_OUT_VOTES = 100_000
"""About as many votes, of examples drawn at random, choose the factor."""
LEAST_LEAD = 1e-3  # share of its lead over the uniform probability that a label keeps


def with_confidence(table: VoteTable, reliability: Reliability) -> Reliability:
    """The same labels with a score that allows for dependent votes, and posteriors that match it.

    A model of independent voters is sure of too much. The score is the mean of two probabilities of
    the label, with a_v the mean posterior of voter v's answers (two mean votes added):

        s = (q + w) / 2
        q_k ~ exp(t sum_{votes for k} log odds(a_v)),  log odds = ln a_v (K - 1) / (1 - a_v)
        w_k = sum_{votes for k} (a_v - 1/K)+ / sum_votes (a_v - 1/K)+

    q takes votes for evidence that adds up, as far as the held-out votes bear it: t is the factor
    under which the votes are most likely, each predicted from the others of its example. w takes
    the voters for one source of evidence that does not add up. An answer's posterior moves
    towards or away from the uniform one until the label has the score, or hardly leads; no label
    changes. Trusted answers keep score 1, examples without votes 0.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (temperature); Genest and
        Zidek 1986, "Combining Probability Distributions", doi:10.1214/ss/1177013825 (logarithmic
        and linear pools). Held-out votes in the place of truth, and the mean of both, are ours.
    """
    n, _, k = table.shape
    answered = table.answered
    if k < 2 or not answered.any():
        return reliability
    posterior = reliability.posterior
    label = posterior.argmax(axis=1)
    accuracy = voter_accuracies(table.votes, posterior)
    gain = np.log(accuracy) - np.log1p(-accuracy)
    factor = _factor(table, gain, accuracy)
    pool, _ = softmax_rows(_possible(table, factor * table.coin_logits(gain)))
    rows = np.arange(n)
    score = (pool[rows, label] + weighted_shares(table.votes, accuracy)[rows, label]) / 2
    moved = answered & (table.gold == ABSTAIN)
    posterior, wanted = posterior.copy(), np.clip(score, 0, 1)[moved]
    posterior[moved] = _moved(posterior[moved], label[moved], wanted, table.votes.uniform()[moved])
    score = reliability.score.copy()
    score[moved] = posterior[moved, label[moved]]
    return replace(reliability, posterior=posterior, score=score)


def _factor(table: VoteTable, gain: Floats, accuracy: Floats) -> float:
    """The factor on log odds under which votes, each predicted from the others, are likeliest."""
    n = table.shape[0]
    votes_of = np.bincount(table.example, minlength=n)
    use = (votes_of > 1) & (table.gold == ABSTAIN)
    share = HELD_OUT_VOTES / max(1, len(table.weight))
    if share < 1:
        use &= np.random.default_rng(0).random(n) < share
    votes = np.flatnonzero(use[table.example])
    if not len(votes):
        return 1.0
    example, answer = table.example[votes], table.answer[votes]
    voter = table.voter[votes]
    unique, row = np.unique(example, return_inverse=True)
    logits = _possible(table, table.coin_logits(gain))[unique][row]
    rows = np.arange(len(votes))
    already = table.weight[votes] * (gain[voter] + table.log_wrong_answers[example])
    logits[rows, answer] -= already
    right = accuracy[voter]
    wrong = (1 - right) / np.exp(table.log_wrong_answers[example])
    likelihood = []
    for factor in TEMPERATURES:
        agree = softmax_rows(factor * logits)[0][rows, answer]
        likelihood.append(np.log(agree * right + (1 - agree) * wrong).sum())
    return float(TEMPERATURES[int(np.argmax(likelihood))])


def _possible(table: VoteTable, logits: Floats) -> Floats:
    """The logits, -inf for answers that an example does not have."""
    if (table.votes.candidates < table.shape[2]).any():
        logits[~table.votes.possible] = -np.inf
    return logits


def _moved(posterior: Floats, label: Ints, score: Floats, uniform: Floats) -> Floats:
    """Posteriors mixed with the uniform one, or with the label, until the label has the score."""
    rows = np.arange(len(label))
    former, even = posterior[rows, label], uniform[rows, label]
    down = np.divide(score - even, former - even, out=np.ones(len(former)), where=former > score)
    down = np.maximum(down, LEAST_LEAD)
    up = np.divide(score - former, 1 - former, out=np.zeros(len(former)), where=score > former)
    mixed: Floats = down[:, None] * posterior + (1 - down)[:, None] * uniform
    mixed *= (1 - up)[:, None]
    mixed[rows, label] += up
    return mixed
