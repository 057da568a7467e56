"""Objectives that teach an answer only while the student is less sure of it than the supervisor.

They compare the student's mean cross-entropy over the answer's tokens with the entropy of the
supervisor's list of answers, both in nats a token: see `losses.whole_answers`. They take the
supervisors' words, and not their probabilities.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field

from steelyard.objectives.tokens import _OfTokens, _Rising


class Logconf(_OfTokens):
    """Cross-entropy of an answer while the student's is above the entropy of the supervisor's list.

    Then the answer teaches nothing more. A supervisor whose list is even teaches least.

    Source: Cui et al. 2024, arXiv:2406.03199 (`logconf` in the authors' code, which averages over
        the answers that are taught; here each example counts).
    """

    by_entropy: ClassVar[bool] = True

    kind: Literal["logconf"] = "logconf"

    def losses(self, logits: Any, labels: Any, above: Any, progress: float) -> Any:
        from steelyard.objectives.losses import logconf

        return logconf(logits, labels, above)


class LogconfConfer(_Rising):
    """The same, and an answer below that entropy teaches c times the student's own tokens.

    Source: Cui et al. 2024, arXiv:2406.03199 (`logconf_confer` in the authors' code).
    """

    by_entropy: ClassVar[bool] = True

    kind: Literal["logconf_confer"] = "logconf_confer"
    maximum: float = Field(0.25, ge=0)
    """c after warm-up: a weight, and no share."""

    def losses(self, logits: Any, labels: Any, above: Any, progress: float) -> Any:
        from steelyard.objectives.losses import logconf_confer

        return logconf_confer(logits, labels, above, self.coefficient(progress))
