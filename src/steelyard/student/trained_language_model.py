"""A trained language model that answers questions, writes lists and learns preferences."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.models.finetune import StatesCache
from steelyard.models.lm.beam_search import n_best
from steelyard.models.lm.finetune_lm import Completer
from steelyard.models.lm.option_scores import score_options
from steelyard.models.lm.preference_training import train_dpo
from steelyard.models.lm.sampling import sample_replies
from steelyard.models.lm.save_lm import SavedWeights, save_lm
from steelyard.models.load import Pretrained
from steelyard.prompts import AnswerFormat, ParsedAnswer, PromptedQuestion, read
from steelyard.student.model_card import PromptText
from steelyard.student.preference_stage import PreferenceStage
from steelyard.student.protocol import BaseTrainedStudent
from steelyard.types import ABSTAIN, Floats, Question, one_hot
from steelyard.types.predictions import ModelAnswers
from steelyard.types.task_kinds import KINDS, Kind

if TYPE_CHECKING:
    from steelyard.student.language_model import LanguageModelStudent


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedLanguageModel(Completer, BaseTrainedStudent):
    """A trained language model that answers questions."""

    settings: "LanguageModelStudent"
    kind: Kind
    classes: tuple[str, ...]

    def predict(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> ModelAnswers:
        """Probabilities of closed answers, or open answers."""
        if KINDS[self.kind].is_open:
            return ModelAnswers(texts=self.answers(questions))
        return ModelAnswers(self.probabilities(questions))

    def training_record(self) -> dict[str, Any]:
        """How many training examples were truncated and dropped."""
        return {"truncated": self.truncated, "dropped": self.dropped}

    def probabilities(self, questions: Sequence[Question], states: Any = None) -> Floats:
        """Probabilities of each closed question's answers, (N, K).

        Where an answer is unreadable, or a question exceeds the context, there is a further column
        for it, (N, K + 1): such an answer is wrong, whatever the truth.
        """
        asked = self._asked(questions)
        probs = np.zeros((len(asked), len(self.classes) + 1))
        if self.settings.evaluate_by == "generation":
            answers = np.array([parsed.answer for parsed in self._generate(asked, None)])
            probs[:] = one_hot(answers, probs.shape[1])  # ABSTAIN is -1, the last column
        else:
            scores = score_options(
                *(self.model, self.tokenizer, asked),
                normalise=self.settings.normalise,
                precision=self.settings.precision,
                max_tokens=self.settings.max_tokens,
            )
            probs[:, : scores.probs.shape[1]] = scores.probs
            probs[~scores.fits, -1] = 1.0
        return probs if probs[:, -1].any() else probs[:, :-1]

    def answers(self, questions: Sequence[Question]) -> tuple[str | None, ...]:
        """Open answers in canonical spelling, None where an answer is unreadable, (N,)."""
        parsed = self._generate(self._asked(questions), self.settings.answer_format)
        return tuple(None if answer.answer == ABSTAIN else answer.text for answer in parsed)

    def lists(self, questions: Sequence[Question], beams: int) -> list[tuple[str, ...]]:
        """The most probable open answers in canonical spelling, the best first, N lists."""
        asked = self._asked(questions)
        written = n_best(
            *(self.model, self.tokenizer, asked),
            beams=beams,
            max_new_tokens=self.settings.max_new_tokens,
            normalise=self.settings.normalise,
            precision=self.settings.precision,
        )
        return [
            tuple(dict.fromkeys(answer.text for answer in answers if answer.answer != ABSTAIN))
            for answers in written.read(asked, self.settings.answer_format, whole=True)
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
            seed: random seed for adapters, the order of pairs and dropout.

        Returns:
            The model, and its implicit rewards of the answers, (N, 2); nan of a pair that exceeds
            the context.
        """
        pairs = [
            replace(asked, answers=tuple(f"{asked.lead}{text}" for text in question.choices))
            for question, asked in zip(questions, self._asked(questions), strict=True)
        ]
        with TemporaryDirectory() as folder:
            self.save(Path(folder))
            tuned = train_dpo(Pretrained(model=folder), stage, pairs, targets, weights, seed=seed)
            rewards = tuned.rewards(pairs)
        return replace(self, model=tuned.model, tokenizer=tuned.tokenizer), rewards

    def _asked(self, questions: Sequence[Question]) -> list[PromptedQuestion]:
        asking = self.settings.asking(self.kind)
        asked = [asking.ask(question, self.kind, self.classes, 0, 0) for question in questions]
        return self.settings.put(self.tokenizer, asked)

    @property
    def prompt_text(self) -> PromptText:
        """Its prompt, with {text} for a question and {option 1}, {option 2} for options."""
        task = KINDS[self.kind]
        choices = ("{option 1}", "{option 2}") if task.has_choices else ()
        (asked,) = self._asked([Question("", "{text}", choices)])
        answers = asked.answers or (f"{asked.lead}{{answer}}",)
        return PromptText(asked.whole, answers[0], asked.prompt if asked.in_chat else None)

    def on_task(self, kind: Kind, classes: tuple[str, ...]) -> "TrainedLanguageModel":
        """The same model, asked another task."""
        return replace(self, kind=kind, classes=classes)

    def save(self, folder: Path) -> None:
        """As `Completer.save`; the saved chat template is that of its training prompts."""
        save_lm(self.model, self._trained_tokenizer, folder)

    def export(self, folder: Path, classes: Sequence[str], weights: SavedWeights) -> None:
        """`save` of the given weights, merged ones in the type of their checkpoint."""
        save_lm(self.model, self._trained_tokenizer, folder, weights, self.settings.pretrained)

    @property
    def _trained_tokenizer(self) -> Any:
        return self.settings.format_of(self.tokenizer).trained_tokenizer(self.tokenizer)

    def _generate(
        self, asked: Sequence[PromptedQuestion], answer_format: AnswerFormat | None
    ) -> list[ParsedAnswer]:
        """The parsed replies that the model writes."""
        replies = sample_replies(
            *(self.model, self.tokenizer, asked),
            max_new_tokens=self.settings.max_new_tokens,
            precision=self.settings.precision,
        )
        return [
            read(reply.text, question, answer_format, reply.finish_reason)
            for question, reply in zip(asked, replies, strict=True)
        ]
