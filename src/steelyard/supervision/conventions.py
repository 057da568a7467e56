"""How a model's scores become an answer: the ways there are, and the choice of one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.models.lm.option_scores import Normalise, answer_probabilities
from steelyard.prompts.settings import Answer
from steelyard.supervision.closed_answers import Calibrate, ClosedScores
from steelyard.supervision.vote_patterns import FEWEST, ONE_CLASS, POSITION
from steelyard.types import Floats, Ints
from steelyard.types.arrays import expected_hits
from steelyard.types.task_kinds import KINDS

SHORT = 8.0  # tokens; options of at most so many on average are compared by their sums
ROWS = 200  # rows on which a convention is chosen, each asked with one of the queries


@dataclass(frozen=True)
class Convention:
    """One way to ask and to score."""

    answer: Answer
    chat: bool
    normalise: Normalise
    calibrate: Calibrate

    def __str__(self) -> str:
        chat = "chat template" if self.chat else "plain text"
        per = {"sum": "sum of log-probabilities", "token": "per token", "byte": "per byte"}
        calibrated = "" if self.calibrate == "none" else f", {self.calibrate} calibration"
        return f"{self.answer}, {chat}, {per[self.normalise]}{calibrated}"


@dataclass(frozen=True)
class Choice:
    """The convention that was chosen, and why in a sentence."""

    convention: Convention
    reason: str


def calibrations(answer: Answer, kind: str) -> tuple[Calibrate, ...]:
    """Those that fit: a mean over the batch needs classes, or positions that are shown."""
    if KINDS[kind].has_classes:
        return ("none", "batch", "content_free")
    return ("none", "batch") if answer == "letter" else ("none", "unconditional")


def normalisations(answer: Answer) -> tuple[Normalise, ...]:
    """Letters are single tokens."""
    return ("sum",) if answer == "letter" else ("sum", "token", "byte")


def choose_convention(
    kind: str,
    asked: dict[tuple[Answer, bool], ClosedScores],
    allowed: Callable[[Convention], bool],
    truth: Ints | None,
) -> Choice:
    """The way for a model and a task.

    With the truth it is the first in the order of the rule that is as accurate as the best one,
    within the standard error of their difference: a few dozen rows say no more. Without it is the
    first whose answers follow neither a position nor one class.
    The order of the rule: for classes, listed texts with a mean over the batch; for options the
    cloze, in plain text, by the sum where the options are short (8 tokens on average), else per
    byte; letters last.

    Args:
        kind: of the task.
        asked: scores of the same N prompts for each answer and use of a chat template.
        allowed: whether the settings leave a convention open.
        truth: (N,), right answers of the rows; None without.
    """
    conventions = [
        Convention(answer, chat, normalise, calibrate)
        for answer, chat in asked
        for normalise in normalisations(answer)
        for calibrate in calibrations(answer, kind)
    ]
    rank = _rule(kind, asked)
    ordered = sorted((way for way in conventions if allowed(way)), key=rank)
    scores = {
        way: asked[way.answer, way.chat].scores(way.normalise, way.calibrate) for way in ordered
    }
    if truth is not None:
        return _by_truth(ordered, scores, truth)
    return _by_rule(ordered, scores, asked, KINDS[kind].has_classes)


def _by_truth(
    ordered: Sequence[Convention], scores: dict[Convention, Floats], truth: Ints
) -> Choice:
    hits = {way: expected_hits(truth, answer_probabilities(scores[way])) for way in ordered}
    right = {way: float(hits[way].mean()) for way in ordered}
    top = max(ordered, key=lambda way: right[way])  # the first of equal ones
    best = next(way for way in ordered if _is_as_good(hits[way], hits[top]))
    others: list[str] = []
    for answer, chat in dict.fromkeys((way.answer, way.chat) for way in ordered):
        group = [way for way in ordered if (way.answer, way.chat) == (answer, chat) and way != best]
        if group:
            first = max(group, key=lambda way: right[way])
            others.append(f"{first}: {right[first]:.3f}")
    plain = f"; others at best: {'; '.join(others)}" if others else ""
    reason = (
        f"the first by rule within a standard error of the most accurate on {len(truth)} labelled "
        f"rows, {right[best]:.3f}"
    )
    return Choice(best, reason + plain)


def _is_as_good(hits: Floats, best: Floats) -> bool:
    """Whether the mean lead of `best` over N rows is at most its standard error.

    Source: Breiman et al. 1984, Classification and Regression Trees, section 3.4.3 (one standard
        error; that of the differences on the same rows: ours).
    """
    lead = best - hits
    return bool(lead.mean() <= lead.std() / np.sqrt(len(lead)))


def _by_rule(
    ordered: Sequence[Convention],
    scores: dict[Convention, Floats],
    asked: dict[tuple[Answer, bool], ClosedScores],
    by_class: bool,
) -> Choice:
    rejected: list[str] = []
    for way in ordered:
        why = one_sided(scores[way], asked[way.answer, way.chat].slots, by_class=by_class)
        if not why:
            return Choice(way, _rule_reason(rejected))
        rejected.append(f"{way}: {why}")
    return Choice(ordered[0], f"every convention is one-sided ({'; '.join(rejected[:3])})")


def _rule_reason(rejected: Sequence[str]) -> str:
    if not rejected:
        return "by rule, as there are no labelled rows"
    return f"by rule, as there are no labelled rows; rejected: {'; '.join(rejected[:3])}"


def one_sided(scores: Floats, slots: Ints, *, by_class: bool) -> str:
    """Why answers say nothing, such as "198 of 200 in place 1"; "" if they may say something.

    At least 95 % are one class, or the share of a position is more than half of the way from chance
    to 1.
    """
    there = np.isfinite(scores).any(axis=1)
    top = slots[there, scores[there].argmax(axis=1)]
    if len(top) < FEWEST:
        return ""
    counts = np.bincount(top)
    share = float(counts.max() / len(top))
    chance = float((1 / np.isfinite(scores[there]).sum(axis=1)).mean())
    limit = ONE_CLASS if by_class else chance + POSITION * (1 - chance)
    if share < limit or chance == 1:
        return ""
    return f"{counts.max()} of {len(top)} answers in place {int(counts.argmax()) + 1}"


def _rule(
    kind: str, asked: dict[tuple[Answer, bool], ClosedScores]
) -> Callable[[Convention], tuple[int, ...]]:
    tokens = [s.raw.tokens[_there(s)].mean() for (a, _), s in asked.items() if a != "letter"]
    short = not tokens or max(tokens) <= SHORT
    sizes = ("sum", "byte", "token") if short else ("byte", "token", "sum")
    has_classes = KINDS[kind].has_classes
    answers = ("text", "cloze", "letter") if has_classes else ("cloze", "text", "letter")
    calibrated = ("batch", "content_free", "none", "unconditional")
    plain = ("none", "unconditional", "batch", "content_free")

    def rank(way: Convention) -> tuple[int, ...]:
        order = calibrated if has_classes or way.answer == "letter" else plain
        return (
            answers.index(str(way.answer)),
            int(way.chat != has_classes),
            order.index(way.calibrate),
            sizes.index(way.normalise),
        )

    return rank


def _there(scores: ClosedScores) -> npt.NDArray[np.bool_]:
    return np.isfinite(scores.raw.log_probs)
