"""How a language model on this machine is asked: the settings that score its answers."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from steelyard.errors import ConfigError
from steelyard.models.lm.finetune_lm import Tuning
from steelyard.models.lm.option_scores import Normalise
from steelyard.models.lm.prompt_format import (
    Chat,
    PromptFormat,
    check_options,
    check_templates,
    uses_chat,
)
from steelyard.models.load import PretrainedLm
from steelyard.models.precision import Precision
from steelyard.prompts import PromptedQuestion
from steelyard.prompts.settings import Answer
from steelyard.supervision.closed_answers import Calibrate, Priors
from steelyard.supervision.conventions import Convention
from steelyard.supervision.few_shot import Example, shots_of, solved_examples
from steelyard.supervision.protocol import PromptedSupervisor
from steelyard.supervision.trained_voters import model_name
from steelyard.types import Split
from steelyard.types.task_kinds import KINDS

RESERVED = (
    *("messages", "conversation", "tools", "documents", "chat_template", "tokenize", "padding"),
    *("add_generation_prompt", "continue_final_message", "truncation", "max_length"),
)


class AskedModel(PretrainedLm, PromptedSupervisor):
    """Settings of a language model whose answers are scored here."""

    scores_answers: ClassVar[bool] = True

    model: str
    """A Hub name or a folder of a causal language model."""
    voters: int = Field(1, ge=1)
    """Number of voters; several need `finetune`, and each then has its own random seed and its own
    bootstrap sample of weak_train."""
    finetune: Tuning | None = None
    """How the model is first trained on the true answers of weak_train; null asks it unchanged."""
    answer: Answer | None = "auto"
    """How closed answers are asked for. `letter`: of a listed option. `text`: of a listed option or
    class. `cloze`: its text behind the question alone, with nothing listed. `auto`: with
    `normalise`, `calibrate` and `chat` as far as they are left open, what is (within a
    standard error) most accurate on weak_train's rows, or without rows what a rule says; a model
    with `finetune` learns letters for multiple choice and preferences, and class names. null:
    letters or class names, always."""
    normalise: Normalise | None = None
    """Score of an answer: its log-probability (`sum`), or that per `token` or per `byte`; null is
    what `answer: auto` finds, else the sum."""
    calibrate: Calibrate | None = None
    """What is taken out of the scores: nothing (`none`); the answer's log-probability without the
    item (`unconditional`); its probability behind items without content (`content_free`); the mean
    score of its class, or of its position where options are listed, over the first 200 questions
    (`batch`). No truth is needed. null is what `answer: auto` finds, else `none`."""
    priors: Priors | None = None
    """Means for `calibrate: batch`, of each query for each class or position; null takes them from
    the questions."""
    average_orders: bool = False
    """Show the options of each prompt in every cyclic order and take the mean: as many times the
    work as there are options, and no option gains by its position."""
    pool_forms: bool = False
    """Add up the probabilities of an answer as it is, capitalised, and in lower case."""
    chat: Chat = "auto"
    """Ask through the tokenizer's chat template: `auto` where it has one (and `answer: auto` finds
    it better), true, or false for plain text."""
    chat_options: dict[str, JsonValue] = Field(default_factory=dict)
    """Further variables of the chat template, such as `{enable_thinking: true}` (Qwen 3) or
    `{thinking: false}` (DeepSeek V3.1, Granite). `enable_thinking` is false unless it is given.
    What a model thinks is read past in its reply."""
    system: str = ""
    """System message; without a chat template, or with one that refuses it, the beginning of the
    text or of the first message."""
    examples: int | tuple[Example, ...] = 0
    """Examples before each question: a number of rows of weak_train, balanced over the answers, or
    a list of `{item, answer, choices}`."""
    precision: Precision = "bf16"
    """Precision of matrix products while the model is asked."""
    asked_because: str = ""
    """Why `answer` is what it is; written where `auto` has chosen."""

    @field_validator("chat_options")
    @classmethod
    def _check_options(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in value:
            if name in RESERVED or name.startswith("return_"):
                raise ValueError(f"must not have {name!r}, which is set elsewhere")
        return value

    @model_validator(mode="after")
    def _check_chat(self) -> Self:
        if self.chat_options and self.chat is False:
            raise ValueError("`chat_options` are for a chat template, and `chat` is false")
        return self

    def check_asking(self, kind: str, classes: Sequence[str] = ()) -> None:
        """As `PromptSettings`; with `answer: auto` one way to ask must fit."""
        check_templates(self.templates_of(kind))
        if self.answer != "auto" or self.finetune is not None:
            return super().check_asking(kind, classes)
        answers_to_try = self.answers_to_try(kind, classes)
        if not answers_to_try:
            super().check_asking(kind, classes)
        return None

    def answers_to_try(self, kind: str, classes: Sequence[str] = ()) -> list[Answer]:
        """The answers_to_try to answer that `answer: auto` chooses among; none for open answers."""
        task = KINDS[kind]
        names: tuple[Answer, ...] = ("text", "cloze") if task.has_classes else ("letter", "cloze")
        fitting: list[Answer] = []
        for answer in ("letter", "text") if task.is_pair else names:
            try:
                super(AskedModel, self._asked_as(answer)).check_asking(kind, classes)
            except ConfigError:
                continue
            fitting.append(answer)
        return [] if task.is_open else fitting

    def _asked_as(self, answer: Answer) -> Self:
        return self.model_copy(update={"answer": answer})

    def deciding_settings(self) -> dict[str, Any]:
        """Without later settings that have their defaults, so that older votes stay valid."""
        later = {"chat_options": {}, "engine": "transformers"}
        settings = super().deciding_settings()
        return {name: v for name, v in settings.items() if name not in later or v != later[name]}

    def voter_names(self) -> list[str]:
        """A name for each voter."""
        return [f"{model_name(self)}/{v}" for v in range(self.voters)]

    @property
    def training(self) -> Tuning | None:
        return self.finetune

    @property
    def uses_labels(self) -> bool:
        return self.needs_labels or self.answer == "auto"

    @property
    def asked_notes(self) -> tuple[str, ...]:
        if not self.asked_because or self.answer is None:
            return ()
        convention = Convention(
            self.answer, self.chat is True, self.normalise or "sum", self.calibrate or "none"
        )
        return (f"{model_name(self)} is asked by {convention}: {self.asked_because}.",)

    def put(
        self, tokenizer: Any, asked: Sequence[PromptedQuestion], *, written: bool
    ) -> list[PromptedQuestion]:
        """Prompts as they are read, without examples.

        A trained model is asked as it was trained, whether it writes or not.
        """
        return self.format_of(tokenizer).apply(
            tokenizer, asked, written=written and self.finetune is None
        )

    def format_of(self, tokenizer: Any) -> PromptFormat:
        """What stands around prompts, without examples.

        Raises:
            ConfigError: `chat: true`, and there is no chat template, or it has no such option.
        """
        check_options(tokenizer, self.chat_options, self.model)
        chat = uses_chat(tokenizer, self.chat, self.model)
        return PromptFormat(chat, self.system, options=self.chat_options)

    def shots(
        self, labelled: Split, kind: str, classes: tuple[str, ...], seed: int
    ) -> dict[str, tuple[tuple[str, str], ...]]:
        """The examples before the questions of each query."""
        solved = solved_examples(self.examples, labelled, kind, classes, seed)
        return shots_of(solved, self, kind, classes, seed, self.answer_format)
