"""How often and in which ways a language model is asked about each question."""

import math
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from steelyard.errors import ConfigError, InputError
from steelyard.prompts import parse_answer, templates
from steelyard.prompts.escaping import escape, tags_of
from steelyard.prompts.option_orders import draw_seed, order_of, ways
from steelyard.prompts.paraphrases import read_paraphrases
from steelyard.prompts.parse_answer import AnswerFormat
from steelyard.prompts.prompted_question import PromptedQuestion
from steelyard.prompts.templates import AS_IT_STANDS, Wording, default_wordings, fill
from steelyard.types import Question
from steelyard.types.task_kinds import KINDS

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class PromptSettings(BaseModel):
    """K queries of one question: wordings x option orders x other label names x paraphrases.

    Query q uses wording q mod W, then the next label names, then the next paraphrase (the wording
    varies fastest), and the option order (q + q // lcm(S, O)) mod O, where S is the number of such
    combinations and O the number of orders: both vary with every query, and no two of the first
    S x O queries are alike. Each is asked `samples` times. A query's exact text, order and seed
    follow from its name, the seed and the question.

    Source: Guo and Yang 2024, arXiv:2406.19032 (variations of the input); option orders, the order
        of the two answer words and paraphrases are theirs, wordings and other label names ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    queries: int = Field(5, ge=1, le=10_000)
    """How many different prompts each question is put in."""
    wordings: tuple[Wording | str, ...] | None = Field(None, min_length=1)
    """Names of default wordings or `{name, template}`; None takes all five of the task."""
    orders: bool | int = True
    """Show options in random orders (true), in so many of them, or as they stand (false)."""
    aliases: dict[str, tuple[str, ...]] | None = None
    """Other names of each class, the same number for each: `{ham: [fine], spam: [junk]}`."""
    answer: str | None = Field(None, pattern="^(letter|text)$")
    """Answer with an option's `letter` or its `text`; None: letters for multiple choice and
    preferences. The `text` of a preference follows its prompt as that stands, in one way."""
    paraphrases: str | None = None
    """A file of rows `id, texts`: questions in other words, asked instead of the question."""
    samples: int = Field(1, ge=1, le=10_000)
    """Replies drawn for each prompt; more than one needs a temperature."""
    temperature: float = Field(0.0, ge=0, le=10)
    """Of sampled replies; 0 takes the most probable token."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Sample from the fewest tokens that have this much probability."""
    max_new_tokens: int = Field(256, ge=1)
    """Longest reply; one that is cut off there and has no answer yet abstains."""
    reader: AnswerFormat | None = None
    """How replies to open questions are read: `number`, `json`, `slots` or `text`; None is text."""

    @field_validator("orders")
    @classmethod
    def _some_orders(cls, value: bool | int) -> bool | int:
        if value is not False and value < 1:
            raise ValueError(f"must be true, false or a number from 1, got {value}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> "PromptSettings":
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"`samples: {self.samples}` at `temperature: 0` are copies of one reply; "
                "set a temperature above 0"
            )
        names = [w.name for w in self.wordings or () if isinstance(w, Wording)]
        names += [w for w in self.wordings or () if isinstance(w, str)]
        if len(set(names)) < len(names):
            raise ValueError(f"`wordings` must have distinct names, got {names}")
        if self.aliases is not None and len({len(v) for v in self.aliases.values()}) != 1:
            raise ValueError("`aliases` must have the same number of names for each class")
        return self

    def prompt_versions(self) -> int:
        """Sum of the versions of the prompts' texts and of the parsers of replies."""
        return templates.VERSION + parse_answer.VERSION

    def changed_paths(self, change: Callable[[str], str]) -> dict[str, str]:
        """The changed path of the file of paraphrases; nothing where there is none."""
        return {} if self.paraphrases is None else {"paraphrases": change(self.paraphrases)}

    def check_asking(self, kind: str, classes: Sequence[str] = ()) -> None:
        """Refuse what cannot be asked of a task, before anything is.

        Args:
            kind: of the task.
            classes: names of the classes, where they are known yet.

        Raises:
            ConfigError: an unknown wording, one that lists no options, aliases of other classes,
                or fewer ways of asking than queries.
        """
        wordings = self.wordings_of(kind)
        if self.aliases is not None and not KINDS[kind].has_classes:
            raise ConfigError(f"`aliases` rename classes, and the task is {kind}; leave them out.")
        if self.reader is not None and not KINDS[kind].is_open:
            raise ConfigError(
                f"`reader: {self.reader}` is of open answers, and the task is {kind}; leave it out."
            )
        for wording in wordings:
            if self._lettered(kind) and not KINDS[kind].is_open and not wording.lists:
                raise ConfigError(
                    f"Wording {wording.name!r} must list {{options}} or {{answers}} to be answered "
                    "by letter; add them, or set `answer: text`."
                )
        if self.aliases is not None and classes and set(self.aliases) != set(classes):
            raise ConfigError(
                f"`aliases` must name the classes {', '.join(classes)}; "
                f"got {', '.join(self.aliases)}."
            )
        listed = not KINDS[kind].is_open and all(wording.lists for wording in wordings)
        if self.paraphrases is not None or (listed and self._orders > 1 and not classes):
            return  # how many there are depends on the question
        most = self._styles(kind) * (min(self._orders, ways(len(classes))) if listed else 1)
        if self.queries > most:
            raise ConfigError(
                f"`queries: {self.queries}` are more than the {most} different ways of asking; "
                "ask fewer, or add wordings, orders, aliases, paraphrases or samples."
            )

    def wordings_of(self, kind: str) -> tuple[Wording, ...]:
        """The wordings of a task, names looked up among its default ones.

        Raises:
            ConfigError: a name is not among them.
        """
        defaults = (AS_IT_STANDS,) if self._follows(kind) else default_wordings(kind)
        known = {wording.name: wording for wording in defaults}
        chosen = tuple(known) if self.wordings is None else self.wordings
        for name in chosen:
            if isinstance(name, str) and name not in known:
                raise ConfigError(
                    f"`wordings`: {name!r} is no default wording of {kind}; "
                    f"it has {', '.join(known)}, or give {{name, template}}."
                )
        return tuple(known[w] if isinstance(w, str) else w for w in chosen)

    def query_names(self, kind: str) -> tuple[str, ...]:
        """A name for each query, in their order: "0-plain", "1-list", ... and "/sample"."""
        wordings = self.wordings_of(kind)
        names = [f"{q}-{wordings[q % len(wordings)].name}" for q in range(self.queries)]
        if self.samples == 1:
            return tuple(names)
        return tuple(f"{name}/{s}" for name in names for s in range(self.samples))

    def ask(
        self,
        question: Question,
        kind: str,
        classes: Sequence[str],
        query: int,
        seed: int,
    ) -> PromptedQuestion:
        """One query about one question.

        Args:
            question: what is asked.
            kind: "classification", "multiple_choice", "preference" or "generation".
            classes: names of the classes; only classification uses them.
            query: number below `len(self.query_names(kind))`.
            seed: of orders and samples.

        Raises:
            InputError: a paraphrase is missing.
        """
        prompt_number = query // self.samples
        wordings = self.wordings_of(kind)
        texts = self._texts(question)
        styles = self._styles(kind) * len(texts)
        style = prompt_number % styles
        wording = wordings[style % len(wordings)]
        style //= len(wordings)
        names = self._names(question, kind, classes, style % self._alias_sets())
        style //= self._alias_sets()
        item = texts[style % len(texts)]
        if question.context:
            item = f"{question.context}\n{item}"
        order = self._order(question, len(names), prompt_number, styles, seed)
        tags = tags_of(wording.template)
        shown = tuple(" ".join(escape(name, tags=tags).split()) for name in names)
        options, answers = self._listed(shown, order, kind)
        prompt, span = fill(
            wording, escape(item, tags=tags), options, _either([answers[c].strip() for c in order])
        )
        if self._follows(kind):
            answers = tuple(set_off(prompt, escape(text)) for text in names)
        name = self.query_names(kind)[query]
        return PromptedQuestion(
            id=question.id,
            query=name,
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
        return (self.answer or usual) == "letter"

    def _follows(self, kind: str) -> bool:
        """Whether an answer is what a prompt goes on with, as it stands in the data."""
        return KINDS[kind].is_pair and not self._lettered(kind)

    def _alias_sets(self) -> int:
        """Lists of label names: the classes' own and each alias."""
        return 1 + (len(next(iter(self.aliases.values()))) if self.aliases else 0)

    def _styles(self, kind: str) -> int:
        return len(self.wordings_of(kind)) * self._alias_sets()

    def _names(
        self, question: Question, kind: str, classes: Sequence[str], alias: int
    ) -> Sequence[str]:
        if KINDS[kind].is_open:
            return ()
        if KINDS[kind].has_choices:
            return question.choices
        if alias == 0 or self.aliases is None:
            return classes
        return [self.aliases[name][alias - 1] for name in classes]

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
        """Orders at most, where a question has so many."""
        return ways(20) if self.orders is True else int(self.orders) or 1

    def _order(
        self, question: Question, size: int, prompt_number: int, styles: int, seed: int
    ) -> tuple[int, ...]:
        if self.orders is False or size == 0:
            return tuple(range(size))
        count = min(ways(size), self._orders)
        turn = prompt_number // math.lcm(styles, count)
        return order_of(seed, question.id, size, (prompt_number + turn) % count)

    def _listed(
        self, shown: tuple[str, ...], order: tuple[int, ...], kind: str
    ) -> tuple[str, tuple[str, ...]]:
        """What `{options}` becomes, and the answer of each candidate."""
        if not self._lettered(kind):
            return "\n".join(f"- {shown[c]}" for c in order), tuple(f" {text}" for text in shown)
        marks = LETTERS if len(shown) <= len(LETTERS) else tuple(map(str, range(1, len(shown) + 1)))
        mark = {c: marks[place] for place, c in enumerate(order)}
        lines = [f"{mark[c]}. {shown[c]}" for c in order]
        return "\n".join(lines), tuple(f" {mark[c]}" for c in range(len(shown)))


def set_off(prompt: str, answer: str) -> str:
    """The answer where it follows the prompt: after a space, unless one of the two brings one.

    >>> set_off("Why?", "Because."), set_off("Why?\\n", "Because.")
    (' Because.', 'Because.')
    """
    joined = not prompt or prompt[-1].isspace() or answer[:1].isspace()
    return answer if joined else f" {answer}"


def _either(names: Sequence[str]) -> str:
    """ "A, B or C" """
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
