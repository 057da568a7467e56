"""A causal language model that learns which of two answers people prefer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.lm.dpo import PreferenceTuning, Preferrer, train_dpo
from steelyard.models.load import Pretrained
from steelyard.models.train import TrainingLog
from steelyard.objectives import Objective
from steelyard.types import Floats, Question


class PreferenceStudent(Pretrained, PreferenceTuning):
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

    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft")

    kind: Literal["preference"] = "preference"
    model: str = Field()
    """A Hub name or a folder of a causal language model; as it is, it is also the reference."""

    def check_task(self, kind: str) -> None:
        """Refuse a task without pairs.

        Raises:
            ConfigError: naming it.
        """
        if kind not in ("preference", "multiple_choice"):
            raise ConfigError(
                f"A preference student learns from pairs of answers, and the task is {kind}; "
                "use `task: preference`, or another student."
            )

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

    def fit(
        self,
        questions: Sequence[Question],
        targets: Floats,
        weights: Floats,
        *,
        seed: int,
        steps: int | None = None,
        checkpoints: Checkpoints | None = None,
        states: Any = None,
    ) -> "TrainedPreferenceStudent":
        """Train on pairs (N) with targets (N, 2) and weights (N,); see `models.lm.dpo`."""
        preferrer = train_dpo(
            self.pretrained,
            self.tuning,
            questions,
            targets,
            weights,
            seed=seed,
            steps=steps,
            checkpoints=checkpoints,
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

    def save(self, folder: Path) -> None:
        """Write weights, adapters merged, config and tokenizer in Hugging Face's format."""
        self.preferrer.save(folder)
