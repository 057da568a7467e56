"""A pretrained model fine-tuned on the selection: classifier or chooser."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from steelyard.errors import ConfigError
from steelyard.models.finetune import Finetuned, Finetuning, finetune
from steelyard.models.load import Pretrained, load_saved, load_tokenizer
from steelyard.models.train import VERSION as TRAINING
from steelyard.objectives import Objective, refuse_tokens
from steelyard.student.protocol import (
    BaseStudent,
    TrainingData,
    TrainingOptions,
)
from steelyard.types.task_kinds import AnswerForm, Kind


class _Finetuned(Finetuning, BaseStudent):
    """Training, loading and checks of classifiers and choosers."""

    version: ClassVar[int] = 2 + TRAINING  # 2: smaller passes on a CPU
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    takes_levels: ClassVar[bool] = True

    def fit(self, data: TrainingData, options: TrainingOptions) -> Finetuned:
        """Train on the examples with a weight; see `models.finetune`.

        An objective of several supervisors takes the labels of each, (N, M, K), for targets; one
        that opposes the truth takes it behind the labels, (N, 2, K).
        """
        targets, per_supervisor = data.targets, data.per_supervisor
        if data.objective.per_supervisor and per_supervisor is not None:
            targets = per_supervisor.targets
        if data.objective.opposes_truth and data.opposed is not None:
            targets = np.stack([targets, data.opposed], axis=1)
        return finetune(
            self,
            data.questions,
            targets,
            data.weights,
            seed=options.seed,
            steps=options.steps,
            checkpoints=options.checkpoints,
            states=options.states,
            objective=data.objective,
            supervisor_weights=None if per_supervisor is None else per_supervisor.weights,
            levels=data.levels,
        )

    def load(self, folder: Path, kind: Kind, classes: tuple[str, ...]) -> Finetuned:
        """The trained model of a folder, with its adapters merged."""
        saved = {"lora": None, "model": str(folder), "layers": None}
        tokenizer = load_tokenizer(Pretrained(model=str(folder)))
        model = (load_saved(folder), tokenizer, len(classes))
        return Finetuned(self.model_copy(update=saved), *model, trunk=None, truncated=0)

    def frozen_settings(self) -> Mapping[str, Any] | None:
        """Layers and precision, where only the top is trained."""
        if self.train_layers is None:
            return None
        names = ("kind", "layers", "train_layers", "precision", "max_tokens")
        return {name: getattr(self, name) for name in names}

    def check_objective(self, objective: Objective) -> None:
        refuse_tokens(objective, self.kind)

    def planned_steps(self, kept: int) -> int:
        return self.steps(kept)


class Classifier(_Finetuned):
    """A classification head on a pretrained model."""

    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes",)
    answers_what: ClassVar[str] = "A classifier answers classification"
    instead: ClassVar[str] = "`student: {kind: chooser, ...}`"

    kind: Literal["classifier"] = "classifier"


class Chooser(_Finetuned):
    """A score for each question-option pair, and a softmax over the options.

    Of preferences it is a reward model: the softmax over two scores is the model of Bradley and
    Terry.
    """

    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("options", "pair")
    answers_what: ClassVar[str] = "A chooser answers multiple choice and preferences"
    instead: ClassVar[str] = "`student: {kind: classifier, ...}`"
    has_rewards: ClassVar[bool] = True
    answers_other_tasks: ClassVar[bool] = True

    kind: Literal["chooser"] = "chooser"

    def check_objective(self, objective: Objective) -> None:
        super().check_objective(objective)
        if objective.matches_class_shares:
            raise ConfigError(
                f"`objective: {{kind: {objective.kind}, threshold: prior}}` matches the shares of "
                "classes, and the options of multiple choice have none; set `threshold: argmax`."
            )
