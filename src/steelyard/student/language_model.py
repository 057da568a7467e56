"""A causal language model that learns to answer: the student of closed and open tasks alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from steelyard.errors import ConfigError
from steelyard.io.renamed_settings import renamed
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.lm.beam_search import n_best
from steelyard.models.lm.dpo import PreferenceTuning, train_dpo
from steelyard.models.lm.finetune_lm import Completer, Tuning, finetune_lm
from steelyard.models.lm.option_scores import Normalise, score_options
from steelyard.models.lm.sampling import SampledReply, sample_replies
from steelyard.models.lm.token_targets import shifted
from steelyard.models.load import Pretrained
from steelyard.models.train import TrainingLog
from steelyard.objectives import CROSS_ENTROPY, Objective
from steelyard.prompts import AnswerFormat, PromptedQuestion, PromptSettings, PromptTemplate, read
from steelyard.student.preference_stage import PreferenceStage
from steelyard.types import ABSTAIN, Floats, Ints, Question, TokenTargets, one_hot

FRONT = " "  # of an open answer as it is taught, behind its prompt


class LanguageModelStudent(Pretrained, Tuning):
    """A language model taught the answers that follow a prompt (see `models.completion`).

    Every arm, the ceiling and the test are asked with the same prompt: one template, options in
    their original order.

    Source: Guo and Yang 2024, arXiv:2406.19032 (completion loss, LoRA and its sizes; one prompt for
        every arm, the end token taught and a mean over the answer alone: ours).
    """

    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft")

    kind: Literal["language_model"] = "language_model"
    model: str = Field()
    """A Hub name or a folder of a causal language model."""
    template: PromptTemplate | str | None = None
    """The prompt template: name of a built-in one, or `{name, template}`; null takes the task's
    first."""
    answer: Literal["letter", "text"] | None = None
    """Answer with an option's `letter` or its `text`; None: letters for multiple choice."""
    evaluate_by: Literal["scores", "generation"] = "scores"
    """How closed answers are asked for: by the probability of each, or by reading what the model
    writes (unreadable is wrong, and counted). Open answers are always written."""
    normalise: Normalise = "sum"
    """Log-probability of an answer: the sum over its tokens or their mean."""
    answer_format: AnswerFormat | None = None
    """How open answers are parsed and compared: `number`, `json`, `slots` or `text`; null is
    `text`."""
    max_new_tokens: int = Field(64, ge=1)
    """Longest answer that is written."""

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        return renamed(values, {"wording": "template", "reader": "answer_format"})

    def check_task(self, kind: str) -> None:
        """Refuse a template or an answer format that does not suit the task.

        Raises:
            ConfigError: naming it.
        """
        self.asking(kind).check_asking(kind)

    def asking(self, kind: str) -> PromptSettings:
        """The one way in which this model is taught and tested."""
        whole = PromptSettings(queries=1, orders=False, answer=self.answer)
        template = whole.templates_of(kind)[0] if self.template is None else self.template
        return whole.model_copy(
            update={
                "templates": (template,),
                "answer_format": self.answer_format,
                "max_new_tokens": self.max_new_tokens,
            }
        )

    @property
    def spelling(self) -> AnswerFormat:
        """How open answers are read and compared."""
        return self.answer_format or "text"

    def check_objective(self, objective: Objective) -> None:
        """Refuse any objective but the cross-entropy and those of single tokens.

        Raises:
            ConfigError: naming it.
        """
        if objective != CROSS_ENTROPY and not objective.tokens:
            raise ConfigError(
                f"`objective: {objective.kind}` is for a classifier or chooser; a language model "
                "minimises the cross-entropy, or a loss of single tokens such as `soft`."
            )

    def planned_steps(self, kept: int) -> int:
        """Optimizer steps for so many kept examples."""
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
        kind: str,
        classes: tuple[str, ...],
        objective: Objective = CROSS_ENTROPY,
        written: TokenTargets | None = None,
    ) -> "TrainedLanguageModel":
        """Train on questions (N) with targets (N, K) and weights (N,).

        An objective of single tokens takes the texts of `written` for targets.

        Args:
            questions: N of them; open ones have their candidates as `choices`.
            targets: (N, K), rows sum to 1.
            weights: (N,), >= 0.
            seed: of adapters, the order of examples and dropout.
            steps: optimizer steps; None takes `epochs` over the kept examples.
            checkpoints: where a killed run goes on.
            states: has no part in it.
            kind: of the task.
            classes: names of the classes; of multiple choice the option numbers.
            objective: the cross-entropy, or one of single tokens.
            written: what is taught word by word; for an objective of single tokens.

        Raises:
            ConfigError: another objective.
            InputError: as `models.completion.teach_answers`.
        """
        self.check_objective(objective)
        asking = self.asking(kind)
        asked = [taught(asking, question, kind, classes) for question in questions]
        run: Any = objective.begin(targets, None) if objective.tokens else None
        completer = finetune_lm(
            self.pretrained,
            Tuning(**self.model_dump(include=set(Tuning.model_fields))),
            asked,
            targets,
            weights,
            seed=seed,
            steps=steps,
            checkpoints=checkpoints,
            objective=run,
            written=None if written is None else shifted(written, len(FRONT)),
        )
        return TrainedLanguageModel(self, kind, classes, completer)


@dataclass(frozen=True, eq=False)
class TrainedLanguageModel:
    """A taught language model that answers questions."""

    settings: LanguageModelStudent
    kind: str
    classes: tuple[str, ...]
    completer: Completer

    @property
    def cut(self) -> int:
        """Training examples whose item was cut."""
        return self.completer.cut

    @property
    def left_out(self) -> int:
        """Training examples whose answer did not fit."""
        return self.completer.left_out

    @property
    def log(self) -> TrainingLog:
        return self.completer.log

    def probabilities(self, questions: Sequence[Question], states: Any = None) -> Floats:
        """Probabilities of each closed question's answers, (N, K).

        Where some question has no readable answer, or does not fit, there is a further column for
        it, (N, K + 1): such an answer is wrong, whatever the truth.
        """
        asked = self._asked(questions)
        probs = np.zeros((len(asked), len(self.classes) + 1))
        if self.settings.evaluate_by == "generation":
            answers = self._read(asked)
            probs[:] = one_hot(answers, probs.shape[1])  # ABSTAIN is -1, the last column
        else:
            scores = score_options(
                self.completer.model,
                self.completer.tokenizer,
                asked,
                normalise=self.settings.normalise,
                precision=self.settings.precision,
                max_tokens=self.settings.max_tokens,
            )
            probs[:, : scores.probs.shape[1]] = scores.probs
            probs[~scores.fits, -1] = 1.0
        return probs if probs[:, -1].any() else probs[:, :-1]

    def answers(self, questions: Sequence[Question]) -> tuple[str | None, ...]:
        """Open answers in canonical spelling, None where there is none to read, (N,)."""
        asked = self._asked(questions)
        found = [
            read(reply.text, one, self.settings.answer_format, reply.finish_reason)
            for one, reply in zip(asked, self._replies(asked), strict=True)
        ]
        return tuple(None if one.answer == ABSTAIN else one.text for one in found)

    def lists(self, questions: Sequence[Question], beams: int) -> list[tuple[str, ...]]:
        """The most probable open answers in canonical spelling, the best first, N lists."""
        asked = self._asked(questions)
        found = n_best(
            self.completer.model,
            self.completer.tokenizer,
            asked,
            beams=beams,
            max_new_tokens=self.settings.max_new_tokens,
            normalise=self.settings.normalise,
            precision=self.settings.precision,
        )
        return [
            tuple(dict.fromkeys(one.text for one in own if one.answer != ABSTAIN))
            for own in found.read(asked, self.settings.answer_format, whole=True)
        ]

    def prefer(
        self,
        questions: Sequence[Question],
        targets: Floats,
        weights: Floats,
        stage: PreferenceStage,
        *,
        seed: int,
    ) -> tuple["TrainedLanguageModel", Floats]:
        """The model after preference training, with itself as the reference.

        Args:
            questions: N of them, with two open answers each as `choices`.
            targets: (N, 2), P(answer is the better one).
            weights: (N,), >= 0.
            stage: how it is tuned.
            seed: of adapters, the order of pairs and dropout.

        Returns:
            The model, and its implicit rewards of the answers, (N, 2); nan of a pair without room.
        """
        pairs = [
            Question(one.id, asked.prompt, tuple(f"{FRONT}{text}" for text in one.choices))
            for one, asked in zip(questions, self._asked(questions), strict=True)
        ]
        tuning = PreferenceTuning(**stage.model_dump(include=set(PreferenceTuning.model_fields)))
        with TemporaryDirectory() as folder:
            self.completer.save(Path(folder))
            taught = train_dpo(Pretrained(model=folder), tuning, pairs, targets, weights, seed=seed)
            rewards = taught.rewards(pairs)
        before = self.completer
        after = Completer(taught.model, taught.tokenizer, before.cut, before.left_out, before.log)
        return replace(self, completer=after), rewards

    def save(self, folder: Path) -> None:
        """Write weights, adapters merged, config and tokenizer in Hugging Face's format."""
        self.completer.save(folder)

    def _asked(self, questions: Sequence[Question]) -> list[PromptedQuestion]:
        asking = self.settings.asking(self.kind)
        return [asking.ask(question, self.kind, self.classes, 0, 0) for question in questions]

    def _read(self, asked: Sequence[PromptedQuestion]) -> Ints:
        return np.array(
            [
                read(reply.text, one, None, reply.finish_reason).answer
                for one, reply in zip(asked, self._replies(asked), strict=True)
            ],
            dtype=np.int64,
        )

    def _replies(self, asked: Sequence[PromptedQuestion]) -> list[SampledReply]:
        return sample_replies(
            self.completer.model,
            self.completer.tokenizer,
            asked,
            max_new_tokens=self.settings.max_new_tokens,
            precision=self.settings.precision,
        )


def taught(
    asking: PromptSettings, question: Question, kind: str, classes: tuple[str, ...]
) -> PromptedQuestion:
    """The question as it is asked; an open one with its candidates as answers to be taught."""
    asked = asking.ask(question, kind, classes, query=0, seed=0)
    if kind != "generation":
        return asked
    return replace(asked, answers=tuple(f"{FRONT}{text}" for text in question.choices))
