"""A causal language model that learns to answer: the student of closed and open tasks alike."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from steelyard.errors import ConfigError
from steelyard.io.renamed_settings import renamed
from steelyard.models.lm.finetune_lm import Completer, Tuning, finetune_lm
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.option_scores import Normalise
from steelyard.models.lm.prompt_format import Chat, PromptFormat, check_templates, uses_chat
from steelyard.models.lm.save_lm import (
    SavedWeights,
    check_saved_weights,
    has_adapter,
    with_saved_adapter,
)
from steelyard.models.lm.token_targets import shifted
from steelyard.models.load import Pretrained, PretrainedLm, load_tokenizer
from steelyard.models.train import VERSION as TRAINING
from steelyard.objectives import CROSS_ENTROPY, Objective, TokenObjective
from steelyard.prompts import (
    AnswerFormat,
    PromptedQuestion,
    PromptSettings,
    PromptTemplate,
)
from steelyard.student.protocol import BaseStudent, TrainingData, TrainingOptions
from steelyard.student.trained_language_model import TrainedLanguageModel
from steelyard.types import Question
from steelyard.types.task_kinds import KINDS, AnswerForm, Kind

ANSWER_PREFIX = " "  # between a prompt and an open answer that is learned


class ScoredPrompt(PromptSettings):
    """The prompt of a model that gives the probability of any text."""

    scores_answers: ClassVar[bool] = True


class LanguageModelStudent(PretrainedLm, Tuning, BaseStudent):
    """A language model trained on the answers that follow a prompt (see `models.lm.finetune_lm`).

    Every arm, the ceiling and the test use the same prompt: one template, options in their original
    order.

    Source: Guo and Yang 2024, arXiv:2406.19032 (completion loss, LoRA and its sizes; one prompt for
        every arm, the end token learned and a mean over the answer only: ours).
    """

    version: ClassVar[int] = 2 + TRAINING  # 2: the output layer is float32
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft")
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "options", "pair", "texts")
    knows_classes: ClassVar[bool] = True
    writes_lists: ClassVar[bool] = True
    takes_levels: ClassVar[bool] = True
    answers_untrained: ClassVar[bool] = True
    answers_other_tasks: ClassVar[bool] = True

    kind: Literal["language_model"] = "language_model"
    model: str = Field()
    """A Hub name or a folder of a causal language model."""
    template: PromptTemplate | str | None = None
    """The prompt template: name of a built-in one, or `{name, template}`; null takes the task's
    first."""
    answer: Literal["letter", "text", "cloze"] | None = None
    """Answer with an option's `letter` or its `text`, with the options listed, or with its text
    behind the question alone (`cloze`, the form that small models know best). null: letters for
    multiple choice."""
    evaluate_by: Literal["scores", "generation"] = "scores"
    """How closed answers are asked for: by the probability of each, or by reading what the model
    writes (unreadable is wrong, and counted). Open answers are always written."""
    normalise: Normalise = "sum"
    """Score of an answer: its log-probability (`sum`), or that per `token` or per `byte`."""
    answer_format: AnswerFormat | None = None
    """How open answers are parsed and compared: `number`, `json`, `slots` or `text`; null is
    `text`."""
    max_new_tokens: int = Field(64, ge=1)
    """Longest answer that is written."""
    chat: Chat = "auto"
    """Teach and ask through the tokenizer's chat template: `auto` where it has one, true, or false
    for plain text."""
    system: str = ""
    """System message; without a chat template, or with one that refuses it, the beginning of the
    text or of the first message."""

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        return renamed(values, {"wording": "template", "reader": "answer_format"})

    def check_task(self, kind: str) -> None:
        """Raise ConfigError if a template or the answer format does not suit the task."""
        if self.answer == "cloze" and self.evaluate_by == "generation":
            raise ConfigError(
                "`evaluate_by: generation` reads what the student writes, and with `answer: cloze` "
                "it is not shown the answers; set `evaluate_by: scores`, or `answer: text`."
            )
        self.asking(kind).check_asking(kind)
        check_templates(self.asking(kind).templates_of(kind))

    def asking(self, kind: str) -> PromptSettings:
        """Settings of the single prompt with which this model is trained and tested."""
        whole = ScoredPrompt(queries=1, orders=False, answer=self.answer)
        template = whole.templates_of(kind)[0] if self.template is None else self.template
        return whole.model_copy(
            update={
                "templates": (template,),
                "answer_format": self.answer_format,
                "max_new_tokens": self.max_new_tokens,
            }
        )

    def put(self, tokenizer: Any, asked: Sequence[PromptedQuestion]) -> list[PromptedQuestion]:
        """Prompts as this model reads them, in training and in tests.

        Raises:
            ConfigError: `chat: true`, and there is no chat template.
        """
        return self.format_of(tokenizer).apply(tokenizer, asked)

    def format_of(self, tokenizer: Any) -> PromptFormat:
        """What stands around each prompt; see `put`."""
        return PromptFormat(uses_chat(tokenizer, self.chat, self.model), self.system)

    @property
    def spelling(self) -> AnswerFormat:
        return self.answer_format or "text"

    def check_objective(self, objective: Objective) -> None:
        """Refuse any objective but the cross-entropy and those of single tokens."""
        if objective != CROSS_ENTROPY and not objective.token_level:
            raise ConfigError(
                f"`objective: {objective.kind}` is for a classifier or chooser; a language model "
                "minimises the cross-entropy, or a loss of single tokens such as `soft`."
            )

    def planned_steps(self, kept: int) -> int:
        return self.steps(kept)

    def versions(self) -> int:
        """Versions of the student, of prompts and of the parsers of answers."""
        return self.version + PromptSettings().prompt_versions()

    def fit(self, data: TrainingData, options: TrainingOptions) -> TrainedLanguageModel:
        """Train on the examples with a weight.

        An objective of single tokens takes the texts of `token_targets` for targets.

        Raises:
            ConfigError: another objective.
            InputError: as `models.lm.finetune_lm`.
        """
        objective, texts = data.objective, data.token_targets
        self.check_objective(objective)
        asking = self.asking(data.kind)
        plain = [training_prompt(asking, q, data.kind, data.classes) for q in data.questions]
        asked = self.put(load_tokenizer(self.pretrained), plain)
        lead = asked[0].lead if asked else ANSWER_PREFIX
        completer = finetune_lm(
            self.pretrained,
            self,
            asked,
            data.targets,
            data.weights,
            seed=options.seed,
            steps=options.steps,
            checkpoints=options.checkpoints,
            objective=objective if isinstance(objective, TokenObjective) else None,
            token_targets=None if texts is None else shifted(texts, len(lead)),
            levels=data.levels,
        )
        return self._trained(completer, data.kind, data.classes)

    def check_export(self, weights: SavedWeights) -> None:
        check_saved_weights(self.pretrained, self.trains_adapters, weights)

    def loaded_by(self, weights: SavedWeights) -> str:
        return "adapter" if weights == "adapter" else "merged"

    def untrained(self, kind: Kind, classes: tuple[str, ...]) -> TrainedLanguageModel:
        model = load_causal(self.pretrained, precision=self.precision)
        completer = Completer(model, load_tokenizer(self.pretrained), truncated=0, dropped=0)
        return self._trained(completer, kind, classes)

    def fit_writer(self, data: TrainingData, options: TrainingOptions) -> TrainedLanguageModel:
        """`fit`: the trained model writes lists of answers."""
        return self.fit(data, options)

    def load(self, folder: Path, kind: Kind, classes: tuple[str, ...]) -> TrainedLanguageModel:
        """The trained model of a folder, with its adapters merged or beside its base model."""
        saved = Pretrained(model=str(folder))
        if has_adapter(folder):
            base = load_causal(self.pretrained, trained="adapters", precision=self.precision)
            fields = (
                with_saved_adapter(base, folder, self.pretrained),
                load_tokenizer(self.pretrained),
            )
            return self._trained(Completer(*fields, truncated=0, dropped=0), kind, classes)
        model = load_causal(saved, precision=self.precision)
        settings = self.model_copy(update={"lora": None, "model": str(folder), "layers": None})
        completer = Completer(model, load_tokenizer(saved), truncated=0, dropped=0)
        return settings._trained(completer, kind, classes)

    def _trained(
        self, completer: Completer, kind: Kind, classes: tuple[str, ...]
    ) -> TrainedLanguageModel:
        return TrainedLanguageModel(**vars(completer), settings=self, kind=kind, classes=classes)


def training_prompt(
    asking: PromptSettings, question: Question, kind: str, classes: tuple[str, ...]
) -> PromptedQuestion:
    """The question with its prompt; an open one with its candidates as answers to learn."""
    asked = asking.ask(question, kind, classes, query=0, seed=0)
    return replace(asked, answers=_prefixed(question.choices)) if KINDS[kind].is_open else asked


def _prefixed(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{ANSWER_PREFIX}{text}" for text in texts)
