"""From several answers, scored by several supervisors, to pairs: the best and the worst."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from steelyard.errors import InputError
from steelyard.types import Floats, Ints, Question, Selection

ONE_TEXT = "fewer than two distinct answers"
UNSCORED = "no supervisor scored all answers"
EQUAL_SCORES = "equal scores"


@dataclass(frozen=True, eq=False)
class BestAndWorst:
    """P pairs of N questions, in their order, and why the other questions have none."""

    question: Ints  # (P,), number of the question
    chosen: tuple[str, ...]  # P
    rejected: tuple[str, ...]  # P
    flip_probability: Floats  # (P,), weight share of supervisors that prefer the rejected, [0, 1]
    dropped: dict[str, int]  # reason -> questions

    def training_set(self, questions: Sequence[Question]) -> tuple[tuple[Question, ...], Selection]:
        """The pairs of a preference student, with targets (1 - eps, eps) of flip probability eps.

        Args:
            questions: N of them; their choices, if they have any, are replaced.
        """
        pairs = tuple(
            replace(questions[int(i)], choices=(best, worst))
            for i, best, worst in zip(self.question, self.chosen, self.rejected, strict=True)
        )
        targets = np.stack([1 - self.flip_probability, self.flip_probability], axis=1)
        ids = tuple(question.id for question in pairs)
        return pairs, Selection(ids, targets, np.ones(len(pairs)), ("",) * len(pairs))


def best_and_worst(
    texts: Sequence[Sequence[str]], scores: Sequence[Floats], shares: Floats | None = None
) -> BestAndWorst:
    """Pairs of the answers with the highest and the lowest pooled score of the supervisors.

    With the score s_m(y) that supervisor m gives to answer y and its share lambda_m,

        s(y) = sum_m lambda_m s_m(y)       chosen = argmax s       rejected = argmin s
        eps = sum_m lambda_m [s_m(rejected) > s_m(chosen)], half of lambda_m where they are equal

    Equal texts (without surrounding white space) count once, empty ones never. A
    supervisor without a score (NaN) of some answer of a question is ignored for this question, and
    its share goes to the others. The flip probability eps may be above 1/2: one supervisor's large
    lead may outweigh the small leads of the others.

    Args:
        texts: of N questions, H_i answers each: an n-best list of the student.
        scores: of N questions, (H_i, M) each: larger is better, such as ln P(answer | prompt).
        shares: (M,), >= 0, sum above 0; None is even.

    Raises:
        InputError: shapes that do not match, infinite scores, or invalid shares.

    Source: Cui et al. 2024, arXiv:2406.03199, preference stage, from the authors' code
        `train_weak_to_strong_dpo.py` (theirs has one flip probability for all pairs, and
        takes pairs of equal answers too; one for each pair is ours).
    """
    width = scores[0].shape[1] if len(scores) else 0
    weight = np.ones(width) if shares is None else np.asarray(shares, dtype=np.float64)
    fair = weight.shape == (width,) and (weight >= 0).all() and np.isfinite(weight).all()
    if not fair or (width and not weight.any()):
        raise InputError(
            f"`shares` must be {width} numbers >= 0, not all 0, one for each supervisor; "
            f"got {weight.tolist()}."
        )
    pairs: list[tuple[int, str, str, float]] = []
    dropped = {ONE_TEXT: 0, UNSCORED: 0, EQUAL_SCORES: 0}
    for i, (answers, table) in enumerate(zip(texts, scores, strict=True)):
        if table.shape != (len(answers), width) or np.isinf(table).any():
            raise InputError(
                f"`scores` of question {i} must be finite, ({len(answers)}, {width}), or NaN where "
                f"a supervisor has no score; got shape {table.shape}. Correct them."
            )
        pair = _pair(answers, table, weight)
        if isinstance(pair, str):
            dropped[pair] += 1
        else:
            pairs.append((i, *pair))
    number, chosen, rejected, flips = zip(*pairs, strict=True) if pairs else ((), (), (), ())
    return BestAndWorst(
        np.array(number, dtype=np.int64), chosen, rejected, np.array(flips, dtype=float), dropped
    )


def _pair(answers: Sequence[str], table: Floats, weight: Floats) -> tuple[str, str, float] | str:
    """Best, worst and flip probability of one question, or why there is no pair."""
    first: dict[str, int] = {}
    for h, answer in enumerate(answers):
        if answer.strip():
            first.setdefault(answer.strip(), h)
    if len(first) < 2:
        return ONE_TEXT
    rows = list(first.values())
    share = np.where(np.isnan(table[rows]).any(axis=0), 0.0, weight)
    if not share.any():
        return UNSCORED
    share = share / share.sum()
    scores = np.nan_to_num(table[rows])
    together = scores @ share
    best, worst = int(together.argmax()), int(together.argmin())
    if together[best] == together[worst]:
        return EQUAL_SCORES
    against = (scores[worst] > scores[best]) + 0.5 * (scores[worst] == scores[best])
    return answers[rows[best]], answers[rows[worst]], float(against @ share)
