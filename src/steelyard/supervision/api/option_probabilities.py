"""A distribution over the options, from the log-probabilities of a reply's first token."""

from collections.abc import Sequence

import numpy as np

from steelyard.supervision.parsed_replies import Logprobs
from steelyard.types import Floats

MIN_OPTION_MASS = 0.5
"""Least probability of first tokens that begin an option; below it the reply begins otherwise."""
MAX_AMBIGUOUS_MASS = 0.05
"""Largest probability of first tokens that begin two options."""
MARKS = " \t\n*\"'`([{_"
"""Characters that may precede an answer in its first token."""


def option_probabilities(top: Logprobs, answers: Sequence[str]) -> Floats | None:
    """P(option) of a closed question, (K,), sums to 1; None if the first token does not show it.

    A token counts for the option that it equals, begins, or ends with punctuation ("A", " A", "A.",
    "spa" of "spam"); all tokens of one option are added up. An option that no listed token begins
    has the smaller of the smallest listed probability and an equal share of what is not listed.

    Args:
        top: the most probable first tokens and their natural log-probabilities.
        answers: K possible replies, such as " A" or " spam".

    Returns:
        None if there are no log-probabilities, one is NaN or above 0, less than half of the mass is
        on options, or more than a twentieth on tokens that begin two of them ("not" of "not so" and
        "not yet").
    """
    values = [value for _, value in top]
    if not top or any(value is None or value > 1e-3 for value in values):
        return None
    probs = np.exp([float(value) for value in values if value is not None])
    mass = np.zeros(len(answers))
    covered = np.zeros(len(answers), dtype=bool)
    ambiguous = 0.0
    for (token, _), prob in zip(top, probs, strict=True):
        options = [o for o, answer in enumerate(answers) if begins(token, answer)]
        covered[options] = True
        if len(options) == 1:
            mass[options[0]] += prob
        elif options:
            ambiguous += prob
    if mass.sum() < MIN_OPTION_MASS or ambiguous > MAX_AMBIGUOUS_MASS:
        return None
    missed = ~covered
    if missed.any():
        rest = max(1.0 - probs.sum(), 0.0) / missed.sum()
        mass[missed] = min(rest, probs.min())
    share: Floats = mass / mass.sum()
    return share


def begins(token: str, answer: str) -> bool:
    """Whether a reply whose first token this is may be the answer.

    Letters keep their case: "a" begins an English sentence.
    """
    answer, token = answer.strip(), token.lstrip(MARKS).rstrip()
    if len(answer) > 1:
        answer, token = answer.casefold(), token.casefold()
    if not token:
        return False
    if token.startswith(answer):
        return not token[len(answer) :][:1].isalnum()
    return answer.startswith(token)


def goes_on(text: str, answer: str) -> bool:
    """Whether a truncated reply says more than an answer: "Spam: n" may become "Spam: no".

    >>> goes_on("**Spam.", " spam"), goes_on("Spam: n", " spam")
    (False, True)
    """
    shown, answer = text.strip(MARKS + ".,:;!)]}").casefold(), answer.strip().casefold()
    return shown.startswith(answer) and bool(shown[len(answer) :])
