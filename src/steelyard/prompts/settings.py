"""How many prompts a language model gets for each question, and how they vary."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from steelyard.errors import ConfigError, InputError
from steelyard.io.renamed_settings import renamed
from steelyard.prompts import parse_answer, templates
from steelyard.prompts.escaping import escape_tokens, tags_of
from steelyard.prompts.option_orders import draw_seed, num_orders, order_of
from steelyard.prompts.paraphrases import read_paraphrases
from steelyard.prompts.parse_answer import AnswerFormat
from steelyard.prompts.prompted_question import PromptedQuestion
from steelyard.prompts.shown_answers import either, listed_options, set_off
from steelyard.prompts.templates import UNCHANGED, PromptTemplate, default_templates, fill
from steelyard.types import Question
from steelyard.types.task_kinds import KINDS

Answer: TypeAlias = Literal["letter", "text", "cloze", "auto"]


class PromptSettings(BaseModel):
    """K queries for each question: templates x option orders x class aliases x paraphrases.

    Query q uses template q mod T (of T), then the next class names, then the next paraphrase (the
    template varies fastest), and the option order (q + q // lcm(S, O)) mod O, where S is the number
    of such combinations and O the number of orders: both vary with every query, and no two of the
    first S x O queries are equal. Each query is sent `samples` times. Its exact text, order and
    seed follow from its name, the seed and the question.

    Source: Guo and Yang 2024, arXiv:2406.19032 (variations of the input); option orders, the order
        of the two answer words and paraphrases are theirs, templates and class aliases ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    scores_answers: ClassVar[bool] = False
    """Whether the probability of a given text is known, for `cloze` and `auto`."""
    old_names: ClassVar[Mapping[str, str]] = {"wordings": "templates", "reader": "answer_format"}
    queries: int = Field(5, ge=1, le=10_000)
    """Number of different prompts for each question."""
    templates: tuple[PromptTemplate | str, ...] | None = Field(None, min_length=1)
    """Prompt templates: names of built-in ones, or `{name, template}`; null takes all five of the
    task."""
    orders: bool | int = True
    """Show options in random orders (true), in this many random orders, or unchanged (false)."""
    aliases: dict[str, tuple[str, ...]] | None = None
    """Alternative names of each class, the same number for each: `{ham: [fine], spam: [junk]}`."""
    answer: Answer | None = None
    """Whether the model answers with an option's `letter` or its `text`; null takes letters for
    multiple choice and preferences. The `text` of a preference is scored as the continuation of
    its unchanged prompt, which has a single variant. `cloze` and `auto` are for models whose
    answers are scored here: the text behind the question alone, without a list of options, and
    whichever suits the model."""
    paraphrases: str | None = None
    """A file of rows `id, texts` with paraphrases, which replace the question's text."""
    samples: int = Field(1, ge=1, le=10_000)
    """Number of replies sampled for each prompt; more than one needs a temperature above 0."""
    temperature: float = Field(0.0, ge=0, le=10)
    """Sampling temperature of replies; 0 takes the most probable token."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus sampling: sample from the fewest tokens that together have this probability."""
    max_new_tokens: int = Field(256, ge=1)
    """Largest number of tokens in a reply; a reply truncated before its answer abstains."""
    answer_format: AnswerFormat | None = None
    """How replies to open questions are parsed: `number`, `json`, `slots` or `text`; null is
    `text`."""

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        return renamed(values, cls.old_names)

    @field_validator("orders")
    @classmethod
    def _check_orders(cls, value: bool | int) -> bool | int:
        if value is not False and value < 1:
            raise ValueError(f"must be true, false or a number from 1, got {value}")
        return value

    @model_validator(mode="after")
    def _check_combination(self) -> "PromptSettings":
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"`samples: {self.samples}` at `temperature: 0` are copies of one reply; "
                "set a temperature above 0"
            )
        names = [t if isinstance(t, str) else t.name for t in self.templates or ()]
        if len(set(names)) < len(names):
            raise ValueError(f"`templates` must have distinct names, got {names}")
        if self.aliases is not None and len({len(v) for v in self.aliases.values()}) != 1:
            raise ValueError("`aliases` must have the same number of names for each class")
        return self

    def prompt_versions(self) -> int:
        """Sum of the versions of the prompts' texts and of the parsers of replies."""
        return templates.VERSION + parse_answer.VERSION

    def check_asking(self, kind: str, classes: Sequence[str] = ()) -> None:
        """Refuse settings that do not fit the task and its classes, if these are available already.

        Raises:
            ConfigError: an unknown template, one that lists no options, aliases of other classes,
                or fewer prompt variants than queries.
        """
        task, templates = KINDS[kind], self.templates_of(kind)
        if self.aliases is not None and not task.has_classes:
            raise ConfigError(f"`aliases` rename classes, and the task is {kind}; remove them.")
        if self.answer_format is not None and not task.is_open:
            raise ConfigError(
                f"`answer_format: {self.answer_format}` is for open answers, and the task is "
                f"{kind}; remove it."
            )
        if self.answer in ("cloze", "auto") and not self.scores_answers:
            raise ConfigError(
                f"`answer: {self.answer}` needs the probability of a given text, which only "
                "supervisors of kind `language_model` have; use `letter` or `text`."
            )
        if self.answer == "cloze" and task.is_open:
            raise ConfigError(f"`answer: cloze` is for closed answers, and the task is {kind}.")
        listing = [t.name for t in templates if t.lists]
        if self.answer == "cloze" and listing:
            raise ConfigError(
                f"Template {listing[0]!r} lists the answers, and `answer: cloze` asks without; "
                "remove {options} and {answers}, or set `answer: text`."
            )
        unlisted = [] if task.is_open else [t.name for t in templates if not t.lists]
        if unlisted and self._lettered(kind):
            raise ConfigError(
                f"Template {unlisted[0]!r} must list {{options}} or {{answers}} to be answered by "
                "letter; add them, or set `answer: text`."
            )
        if self.aliases is not None and classes and set(self.aliases) != set(classes):
            raise ConfigError(
                f"`aliases` must name the classes {', '.join(classes)}; "
                f"got {', '.join(self.aliases)}."
            )
        listed = not task.is_open and not unlisted
        if self.paraphrases is not None or (listed and self._orders > 1 and not classes):
            return  # the number of variants depends on the question
        most = len(templates) * self._alias_sets()
        if listed:
            most *= min(self._orders, num_orders(len(classes)))
        if self.queries > most:
            raise ConfigError(
                f"`queries: {self.queries}` is more than the number of different prompt variants, "
                f"{most}; lower it, or add templates, orders, aliases, paraphrases or samples."
            )

    def templates_of(self, kind: str) -> tuple[PromptTemplate, ...]:
        """The prompt templates of a task, names looked up among the built-in ones.

        Raises:
            ConfigError: a name is not among them.
        """
        defaults = default_templates(kind, self.answer == "cloze")
        defaults = (UNCHANGED,) if self._follows(kind) else defaults
        built_in = {template.name: template for template in defaults}
        chosen = tuple(built_in) if self.templates is None else self.templates
        for name in chosen:
            if isinstance(name, str) and name not in built_in:
                raise ConfigError(
                    f"`templates`: {name!r} is not a built-in template of {kind}, which has "
                    f"{', '.join(built_in)}; use one of these, or give {{name, template}}."
                )
        return tuple(built_in[t] if isinstance(t, str) else t for t in chosen)

    def query_names(self, kind: str) -> tuple[str, ...]:
        """A name for each query, in their order: "0-plain", "1-list", ... and "/sample"."""
        templates = self.templates_of(kind)
        names = [f"{q}-{templates[q % len(templates)].name}" for q in range(self.queries)]
        if self.samples == 1:
            return tuple(names)
        return tuple(f"{name}/{s}" for name in names for s in range(self.samples))

    def ask_all(
        self, questions: Sequence[Question], kind: str, classes: Sequence[str], seed: int
    ) -> list[PromptedQuestion]:
        """Every query about the first question, then about the second, ..."""
        queries = range(len(self.query_names(kind)))
        return [self.ask(q, kind, classes, query, seed) for q in questions for query in queries]

    def ask(
        self,
        question: Question,
        kind: str,
        classes: Sequence[str],
        query: int,
        seed: int,
        turn: int = 0,
    ) -> PromptedQuestion:
        """One query about one question.

        Args:
            question: the question of the data.
            kind: "classification", "multiple_choice", "preference" or "generation".
            classes: names of the classes; only classification uses them.
            query: a number below `len(self.query_names(kind))`.
            seed: random seed for option orders and sampling.
            turn: by how many places the order of the options is rotated.

        Raises:
            InputError: a paraphrase is missing.
        """
        templates, texts = self.templates_of(kind), self._texts(question)
        variant = query // self.samples
        styles = len(templates) * self._alias_sets() * len(texts)
        rest, template_number = divmod(variant % styles, len(templates))
        text_number, alias = divmod(rest, self._alias_sets())
        template, item = templates[template_number], texts[text_number]
        if question.context:
            item = f"{question.context}\n{item}"
        names: Sequence[str] = classes
        if not KINDS[kind].has_classes:
            names = question.choices
        elif alias > 0 and self.aliases is not None:
            names = [self.aliases[name][alias - 1] for name in classes]
        order = self._order(question, len(names) * template.lists, variant, styles, seed)
        order = (*order[turn:], *order[:turn]) or tuple(range(len(names)))
        tags = tags_of(template.template)
        shown = tuple(" ".join(escape_tokens(name, tags=tags).split()) for name in names)
        options, answers = listed_options(shown, order, lettered=self._lettered(kind))
        alternatives = either([answers[c].strip() for c in order])
        prompt, span = fill(template, escape_tokens(item, tags=tags), options, alternatives)
        if self._follows(kind):
            answers = tuple(set_off(prompt, escape_tokens(text)) for text in names)
        return PromptedQuestion(
            id=question.id,
            query=self.query_names(kind)[query],
            prompt=prompt,
            answers=answers,
            order=order,
            options=shown,
            item=span,
            keeps_end=self._follows(kind),
            seed=draw_seed("sample", seed, question.id, query),
        )

    def _lettered(self, kind: str) -> bool:
        usual = "letter" if KINDS[kind].has_choices else "text"
        given = None if self.answer == "auto" else self.answer
        return (given or usual) == "letter"

    def _follows(self, kind: str) -> bool:
        """Whether an answer is scored as the continuation of the unchanged prompt."""
        return KINDS[kind].is_pair and not self._lettered(kind)

    def _alias_sets(self) -> int:
        """Number of lists of class names: the original names, and each list of aliases."""
        return 1 + (len(next(iter(self.aliases.values()))) if self.aliases else 0)

    def _texts(self, question: Question) -> tuple[str, ...]:
        """The question's text, or its paraphrases."""
        if self.paraphrases is None:
            return (question.text,)
        texts = read_paraphrases(self.paraphrases).get(question.id, ())
        if not texts:
            raise InputError(
                f"{self.paraphrases} has no paraphrase of id {question.id!r}; "
                "every question needs one."
            )
        return texts

    @property
    def _orders(self) -> int:
        """Largest number of option orders; a question of few options has fewer."""
        return num_orders(20) if self.orders is True else int(self.orders) or 1

    def _order(
        self, question: Question, size: int, variant: int, styles: int, seed: int
    ) -> tuple[int, ...]:
        if self.orders is False or size == 0:
            return tuple(range(size))
        count = min(num_orders(size), self._orders)
        cycle = variant // math.lcm(styles, count)
        return order_of(seed, question.id, size, (variant + cycle) % count)
