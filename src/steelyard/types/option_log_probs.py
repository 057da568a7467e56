"""Raw log-probabilities behind votes that were scored, so that they can be normalised again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.types.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class OptionLogProbs:
    """Log-probabilities of the answers' texts behind the prompts of M votes, as they came out.

    Neither normalised nor calibrated; nan (and 0 tokens) where there is none.
    """

    log_probs: Floats  # (M, K), ln P(answer | prompt), the sum over its tokens
    tokens: Ints  # (M, K), tokens of each answer
    bytes: Ints  # (M, K), its bytes in UTF-8, without the white space before it

    def take(self, rows: Ints) -> "OptionLogProbs":
        """Those of some of the votes."""
        return OptionLogProbs(self.log_probs[rows], self.tokens[rows], self.bytes[rows])

    @staticmethod
    def unknown(votes: int, answers: int) -> "OptionLogProbs":
        """Of votes that were not scored."""
        counts = np.zeros((2, votes, answers), dtype=np.int64)
        return OptionLogProbs(np.full((votes, answers), np.nan), counts[0], counts[1])

    @staticmethod
    def stack(parts: "Sequence[OptionLogProbs]") -> "OptionLogProbs":
        """The votes of all parts, one part after the other."""
        return OptionLogProbs(
            np.concatenate([part.log_probs for part in parts]),
            np.concatenate([part.tokens for part in parts]),
            np.concatenate([part.bytes for part in parts]),
        )
