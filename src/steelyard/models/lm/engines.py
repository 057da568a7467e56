"""What answers prompts: a language model in Transformers, or in another program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from steelyard.models.lm.option_scores import OptionScores, score_options
from steelyard.models.lm.prompt_tokens import end_token
from steelyard.models.lm.sampling import SampledReply, end_tokens, sample_replies
from steelyard.models.precision import Precision
from steelyard.prompts import PromptedQuestion


class LmEngine(Protocol):
    """A loaded language model that is asked."""

    @property
    def tokenizer(self) -> Any: ...

    def score(self, asked: Sequence[PromptedQuestion]) -> OptionScores:
        """Log-probabilities of the answers to N prompts, (N, K)."""

    def reply(
        self,
        asked: Sequence[PromptedQuestion],
        *,
        max_new_tokens: int,
        temperature: float,
        top_p: float,
    ) -> list[SampledReply]:
        """A reply to each of N prompts, drawn with the prompt's seed."""


@dataclass(frozen=True, eq=False)
class TransformersEngine:
    """A model in this process."""

    model: Any
    tokenizer: Any
    precision: Precision

    def score(self, asked: Sequence[PromptedQuestion]) -> OptionScores:
        """See `score_options`."""
        return score_options(self.model, self.tokenizer, asked, precision=self.precision)

    def reply(
        self,
        asked: Sequence[PromptedQuestion],
        *,
        max_new_tokens: int,
        temperature: float,
        top_p: float,
    ) -> list[SampledReply]:
        """See `sample_replies`.

        Raises:
            ConfigError: nothing ends a reply.
        """
        if not end_tokens(self.model, self.tokenizer):
            end_token(self.tokenizer)
        return sample_replies(
            *(self.model, self.tokenizer, asked),
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_p=top_p,
            precision=self.precision,
        )
