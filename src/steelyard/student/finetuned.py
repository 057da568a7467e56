"""A pretrained model fine-tuned on the selection: classifier or chooser."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from steelyard.errors import ConfigError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import Finetuned, Finetuning, StatesCache, finetune
from steelyard.objectives import CROSS_ENTROPY, Objective, refuse_tokens
from steelyard.types import Floats, Question, SupervisorTargets


class _Finetuned(Finetuning):
    """What classifier and chooser share: one loop, one loss."""

    version: ClassVar[int] = 2  # smaller passes on a CPU
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
        objective: Objective = CROSS_ENTROPY,
        apart: SupervisorTargets | None = None,
    ) -> Finetuned:
        """Train on questions (N) with targets (N, K) and weights (N,); see `models.finetune`.

        An objective of several supervisors takes their labels apart, (N, M, K), for targets.
        """
        if objective.several and apart is not None:
            targets = apart.targets
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
            objective=objective,
            supervisor_weights=None if apart is None else apart.weights,
        )

    def check_objective(self, objective: Objective) -> None:
        """Refuse an objective that this student cannot have.

        Raises:
            ConfigError: naming it.
        """
        refuse_tokens(objective, type(self).__name__.lower())

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
    """A score for each question-option pair, and a softmax over the options.

    Of preferences it is a reward model: the softmax over two scores is the model of Bradley and
    Terry.
    """

    kind: Literal["chooser"] = "chooser"

    def check_task(self, kind: str) -> None:
        if kind not in ("multiple_choice", "preference"):
            raise ConfigError(
                f"A chooser answers multiple choice and preferences, and the task is {kind}; "
                "use `student: {kind: classifier, ...}`."
            )

    def check_objective(self, objective: Objective) -> None:
        super().check_objective(objective)
        if getattr(objective, "threshold", None) == "prior":
            raise ConfigError(
                f"`objective: {{kind: {objective.kind}, threshold: prior}}` matches the shares of "
                "classes, and the options of multiple choice have none; set `threshold: argmax`."
            )
