"""A causal language model that learns which of two answers people prefer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from steelyard.models.finetune import StatesCache
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.preference_training import PreferenceTuning, Preferrer, train_dpo
from steelyard.models.lm.save_lm import (
    SavedWeights,
    check_saved_weights,
    has_adapter,
    save_lm,
    with_saved_adapter,
)
from steelyard.models.load import Pretrained, PretrainedLm, load_tokenizer
from steelyard.models.train import VERSION as TRAINING
from steelyard.student.protocol import (
    BaseStudent,
    BaseTrainedStudent,
    TrainingData,
    TrainingOptions,
)
from steelyard.types import Question
from steelyard.types.predictions import ModelAnswers
from steelyard.types.task_kinds import AnswerForm, Kind


class PreferenceStudent(PretrainedLm, PreferenceTuning, BaseStudent):
    """Direct preference optimization of weighted pairs with a flip probability each.

    See `objectives.dpo`. A pair is a question with two choices. The target (1 - eps, eps) holds the
    probability eps that its label is wrong, the weight how much it counts: a soft selection is
    conservative DPO, a weighted one CW-PO, and a filtered one drops pairs. The prompt is used
    unchanged. Predictions are P(answer is the better one) by the model's implicit rewards.

    Source: Rafailov et al. 2023, arXiv:2305.18290; weak labels for it: Tao and Li 2025,
        arXiv:2409.08813, and CW-PO 2026, arXiv:2603.04968.
    """

    version: ClassVar[int] = 1 + TRAINING
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft")
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("pair", "options")
    answers_what: ClassVar[str] = "A preference student learns from pairs of answers"
    instead: ClassVar[str] = "`task: preference`, or another student"
    minimises: ClassVar[str] = "a preference student minimises its `loss`"
    has_rewards: ClassVar[bool] = True

    kind: Literal["preference"] = "preference"
    model: str = Field()
    """A Hub name or a folder of a causal language model; unchanged, it is also the reference."""

    def check_export(self, weights: SavedWeights) -> None:
        check_saved_weights(self.pretrained, self.trains_adapters, weights)

    def loaded_by(self, weights: SavedWeights) -> str:
        return "adapter" if weights == "adapter" else "merged"

    def planned_steps(self, kept: int) -> int:
        return self.steps(kept)

    def fit(self, data: TrainingData, options: TrainingOptions) -> "TrainedPreferenceStudent":
        """Train on pairs (N) with targets (N, 2) and weights (N,); see `models.lm.dpo`."""
        preferrer = train_dpo(
            self.pretrained,
            self,
            data.questions,
            data.targets,
            data.weights,
            seed=options.seed,
            steps=options.steps,
            checkpoints=options.checkpoints,
        )
        return TrainedPreferenceStudent(**vars(preferrer), settings=self)

    def load(
        self, folder: Path, kind: Kind, classes: tuple[str, ...]
    ) -> "TrainedPreferenceStudent":
        """The trained model of a folder, with the model that it was made from as the reference."""
        saved = Pretrained(model=str(folder))
        if has_adapter(folder):
            base = load_causal(self.pretrained, trained="adapters", precision=self.precision)
            adapted = with_saved_adapter(base, folder, self.pretrained)
            fields = (self.pretrained, self, adapted, load_tokenizer(self.pretrained))
            return TrainedPreferenceStudent(*fields, truncated=0, dropped={}, settings=self)
        model, tokenizer = load_causal(saved, precision=self.precision), load_tokenizer(saved)
        untrained = (self.pretrained, self, model, tokenizer)
        return TrainedPreferenceStudent(*untrained, truncated=0, dropped={}, settings=self)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedPreferenceStudent(Preferrer, BaseTrainedStudent):
    """A trained language model that prefers."""

    settings: PreferenceStudent

    def predict(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> ModelAnswers:
        """P(answer is the better one), as `Preferrer.probabilities` has it."""
        return ModelAnswers(self.probabilities(questions))

    def training_record(self) -> dict[str, Any]:
        """How many pairs were truncated and dropped."""
        return {"truncated": self.truncated, "dropped": sum(self.dropped.values())}

    def export(self, folder: Path, classes: Sequence[str], weights: SavedWeights) -> None:
        """The given weights, merged ones in the type of their checkpoint."""
        save_lm(self.model, self.tokenizer, folder, weights, self.settings.pretrained)
