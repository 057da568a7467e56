"""How a weak scorer supervises a strong generator: its scores choose, weigh or prefer.

Each strategy has a control of the same size, whose rows carry nothing of the scorer's judgement.
"""

from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from steelyard.generation.learning import (
    CompletionRows,
    ContinuationPairs,
    best_of_n,
    preference_pairs,
    random_of_n,
    shuffled_scores,
    weighted,
)
from steelyard.generation.scored import ScoredContinuations
from steelyard.models.lm.finetune_lm import Tuning, finetune_lm
from steelyard.models.lm.preference_training import PreferenceTuning, train_dpo
from steelyard.models.load import Pretrained


class TunedGenerator(Protocol):
    """A causal language model after training."""

    @property
    def model(self) -> Any:
        """The network."""

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""

    def save(self, folder: Path) -> None:
        """Write the model to a folder, for `Pretrained(model=folder)`."""


class BaseStrategy(BaseModel):
    """Frozen settings of a strategy."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    version: ClassVar[int] = 1
    """Raised when its rows change without a change of settings."""

    strategy: str
    lower_is_better: bool = True
    """Whether a low score is good, as that of toxicity."""

    def train(
        self,
        pretrained: Pretrained,
        scored: ScoredContinuations,
        *,
        seed: int,
        control: bool = False,
    ) -> TunedGenerator:
        """The model after training on its continuations.

        Args:
            pretrained: the strong model.
            scored: continuations with the weak scorer's scores.
            seed: of the training and of the control.
            control: train the control instead.

        Raises:
            InputError: no prompt has continuations to learn from.
        """
        raise NotImplementedError


class _Completions(BaseStrategy):
    """Strategies that fine-tune on continuations with weights."""

    tuning: Tuning = Tuning()
    """How the model is trained."""

    def rows(self, scored: ScoredContinuations, seed: int, control: bool = False) -> CompletionRows:
        """What the model, or its control, is trained on."""
        raise NotImplementedError

    def train(
        self,
        pretrained: Pretrained,
        scored: ScoredContinuations,
        *,
        seed: int,
        control: bool = False,
    ) -> TunedGenerator:
        rows = self.rows(scored, seed, control)
        learned = (rows.prompted(), rows.targets, rows.weights)
        return finetune_lm(pretrained, self.tuning, *learned, seed=seed)


class BestOfN(_Completions):
    """The scorer chooses: fine-tuning on the best continuation of each prompt.

    Control: a random continuation of each prompt. See `learning.best_of_n`.
    """

    strategy: Literal["best_of_n"] = "best_of_n"

    def rows(self, scored: ScoredContinuations, seed: int, control: bool = False) -> CompletionRows:
        """One continuation of each prompt."""
        return random_of_n(scored, seed) if control else best_of_n(scored, self.lower_is_better)


class Weighted(_Completions):
    """The scorer weighs: fine-tuning on all continuations, weighted by their scores.

    Control: the weights of each prompt, shuffled among its texts. See `learning.weighted`.
    """

    strategy: Literal["weighted"] = "weighted"
    temperature: float = Field(0.1, gt=0)
    """Weights are exp(-score / temperature), normalised within each prompt."""

    def rows(self, scored: ScoredContinuations, seed: int, control: bool = False) -> CompletionRows:
        """Every continuation that is not empty."""
        scored = shuffled_scores(scored, seed) if control else scored
        return weighted(scored, self.temperature, self.lower_is_better)


class Dpo(BaseStrategy):
    """The scorer prefers: conservative DPO on the best and the worst continuation of each prompt.

    Control: two random continuations of each of these prompts. See `learning.preference_pairs`.
    """

    strategy: Literal["dpo"] = "dpo"
    flip: float = Field(0.1, ge=0, lt=0.5)
    """How often the scorer is taken to be wrong."""
    tuning: PreferenceTuning = PreferenceTuning()
    """How the model is trained."""

    def pairs(
        self, scored: ScoredContinuations, seed: int, control: bool = False
    ) -> ContinuationPairs:
        """What the model, or its control, is trained on."""
        scored = shuffled_scores(scored, seed) if control else scored
        return preference_pairs(scored, self.flip, self.lower_is_better)

    def train(
        self,
        pretrained: Pretrained,
        scored: ScoredContinuations,
        *,
        seed: int,
        control: bool = False,
    ) -> TunedGenerator:
        pairs = self.pairs(scored, seed, control)
        learned = (pairs.questions, pairs.targets, pairs.weights)
        return train_dpo(pretrained, self.tuning, *learned, seed=seed)
