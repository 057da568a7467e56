"""A causal language model that learns which of two answers people prefer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.models.finetune import StatesCache
from steelyard.models.lm.dpo import PreferenceTuning, Preferrer, train_dpo
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.train import VERSION as TRAINING
from steelyard.models.train import TrainingLog, device
from steelyard.objectives import Objective
from steelyard.student.protocol import BaseStudent, TrainingData, TrainingOptions
from steelyard.types import Floats, Question
from steelyard.types.predictions import ModelAnswers
from steelyard.types.task_kinds import AnswerForm, Kind


class PreferenceStudent(Pretrained, PreferenceTuning, BaseStudent):
    """Direct preference optimization of weighted pairs with a flip probability each.

    See `objectives.dpo`. A pair is a question with two choices. The target (1 - eps, eps) holds the
    probability eps that its label is wrong, the weight how much it counts: a soft selection is
    conservative DPO, a weighted one CW-PO, a filtered one neither trains on nor pays for the pairs
    that it drops. The prompt is used unchanged.

    What the model prefers is read from its implicit rewards, so that the same model is judged as a
    chooser is: by how often its order of the two answers is the true one.

    Source: Rafailov et al. 2023, arXiv:2305.18290; weak labels for it: Tao and Li 2025,
        arXiv:2409.08813, and CW-PO 2026, arXiv:2603.04968.
    """

    version: ClassVar[int] = 1 + TRAINING
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft")
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("pair", "options")
    answers_what: ClassVar[str] = "A preference student learns from pairs of answers"
    instead: ClassVar[str] = "`task: preference`, or another student"
    has_rewards: ClassVar[bool] = True

    kind: Literal["preference"] = "preference"
    model: str = Field()
    """A Hub name or a folder of a causal language model; as it is, it is also the reference."""

    def check_objective(self, objective: Objective) -> None:
        """Refuse any objective but the one of `loss`.

        Raises:
            ConfigError: naming it.
        """
        raise ConfigError(
            f"`objective: {objective.kind}` is for a classifier or chooser; a preference student "
            "minimises its `loss`."
        )

    @property
    def tuning(self) -> PreferenceTuning:
        """How they are trained."""
        return PreferenceTuning(**self.model_dump(include=set(PreferenceTuning.model_fields)))

    def planned_steps(self, kept: int) -> int:
        """Optimizer steps for so many kept pairs."""
        return self.steps(kept)

    def fit(self, data: TrainingData, options: TrainingOptions) -> "TrainedPreferenceStudent":
        """Train on pairs (N) with targets (N, 2) and weights (N,); see `models.lm.dpo`."""
        preferrer = train_dpo(
            self.pretrained,
            self.tuning,
            data.questions,
            data.targets,
            data.weights,
            seed=options.seed,
            steps=options.steps,
            checkpoints=options.checkpoints,
        )
        return TrainedPreferenceStudent(self, preferrer)

    def load(
        self, folder: Path, kind: Kind, classes: tuple[str, ...]
    ) -> "TrainedPreferenceStudent":
        """The trained model of a folder, with the model that it was made from as the reference."""
        saved = Pretrained(model=str(folder))
        model, tokenizer = load_causal(saved).to(device()), load_tokenizer(saved)
        preferrer = Preferrer(
            self.pretrained, self.tuning, model, tokenizer, truncated=0, dropped={}
        )
        return TrainedPreferenceStudent(self, preferrer)


@dataclass(frozen=True, eq=False)
class TrainedPreferenceStudent:
    """A taught language model that prefers."""

    settings: PreferenceStudent
    preferrer: Preferrer

    @property
    def truncated(self) -> int:
        """Training pairs whose prompt was truncated."""
        return self.preferrer.truncated

    @property
    def dropped(self) -> int:
        """Training pairs of equal, empty or too long answers."""
        return sum(self.preferrer.dropped.values())

    @property
    def log(self) -> TrainingLog:
        return self.preferrer.log

    def rewards(self, questions: Sequence[Question]) -> Floats:
        """Implicit rewards of both answers, (N, 2); NaN of a pair that does not fit."""
        return self.preferrer.rewards(questions)

    def probabilities(self, questions: Sequence[Question], states: Any = None) -> Floats:
        """P(answer is the better one), (N, 2), or (N, 3) as `Preferrer.probabilities` says."""
        return self.preferrer.probabilities(questions)

    def predict(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> ModelAnswers:
        """P(answer is the better one), as `probabilities` has it."""
        return ModelAnswers(self.probabilities(questions))

    def training_record(self) -> dict[str, Any]:
        """How many pairs were truncated and dropped."""
        return {"truncated": self.truncated, "dropped": self.dropped}

    def save(self, folder: Path) -> None:
        """Write weights, adapters merged, config and tokenizer in Hugging Face's format."""
        self.preferrer.save(folder)
