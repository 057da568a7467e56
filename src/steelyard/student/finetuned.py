"""A pretrained model fine-tuned on the selection: classifier or chooser."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from steelyard.errors import ConfigError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import Finetuned, Finetuning, StatesCache, finetune
from steelyard.types import Floats, Question


class _Finetuned(Finetuning):
    """What classifier and chooser share: one loop, one loss."""

    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    def fit(
        self,
        questions: Sequence[Question],
        targets: Floats,
        weights: Floats,
        *,
        seed: int,
        steps: int | None = None,
        checkpoints: Checkpoints | None = None,
        states: StatesCache | None = None,
    ) -> Finetuned:
        """Train on questions (N) with targets (N, K) and weights (N,); see `models.finetune`."""
        settings = Finetuning(**self.model_dump(exclude={"kind"}))
        return finetune(
            settings,
            questions,
            targets,
            weights,
            seed=seed,
            steps=steps,
            checkpoints=checkpoints,
            states=states,
        )

    def planned_steps(self, kept: int) -> int:
        """Optimizer steps for so many kept examples."""
        return self.steps(kept)


class Classifier(_Finetuned):
    """A classification head on a pretrained model."""

    kind: Literal["classifier"] = "classifier"

    def check_task(self, kind: str) -> None:
        if kind != "classification":
            raise ConfigError(
                f"A classifier answers classification, and the task is {kind}; "
                "use `student: {kind: chooser, ...}`."
            )


class Chooser(_Finetuned):
    """A score for each question-option pair, and a softmax over the options."""

    kind: Literal["chooser"] = "chooser"

    def check_task(self, kind: str) -> None:
        if kind != "multiple_choice":
            raise ConfigError(
                f"A chooser answers multiple choice, and the task is {kind}; "
                "use `student: {kind: classifier, ...}`."
            )
