"""A language model is asked, and its replies and scores become votes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from steelyard.errors import ConfigError
from steelyard.models.lm.engines import LmEngine
from steelyard.models.lm.option_scores import OptionScores, answer_probabilities
from steelyard.models.lm.prompt_format import uses_chat
from steelyard.models.lm.sampling import SampledReply
from steelyard.prompts import PromptedQuestion, read
from steelyard.prompts.settings import Answer
from steelyard.supervision.asked_model import AskedModel
from steelyard.supervision.closed_answers import (
    NULL_ITEMS,
    Calibrate,
    ClosedScores,
    mean_over_orders,
    raw_of,
    score_closed,
)
from steelyard.supervision.conventions import (
    ROWS,
    Choice,
    Convention,
    calibrations,
    choose_convention,
)
from steelyard.supervision.parsed_replies import ParsedReply, votes_of
from steelyard.supervision.protocol import VoteRequest
from steelyard.supervision.trained_voters import abstaining
from steelyard.supervision.vote_patterns import vote_patterns
from steelyard.types import Floats, Ints, Question, Split, Votes
from steelyard.types.build_votes import votes_from_probabilities
from steelyard.types.task_kinds import KINDS, Kind

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Answers:
    """What one voter answered to N questions with Q queries each, question by question."""

    replies: Sequence[SampledReply] = ()  # to open questions
    raw: OptionScores | None = None  # of closed ones
    scores: Floats | None = None  # (N * Q, K), normalised and calibrated


@dataclass(frozen=True)
class Asking:
    """A supervisor with nothing left open, and what it is asked about."""

    supervisor: AskedModel
    kind: Kind
    classes: tuple[str, ...]
    labelled: Split
    seed: int

    @cached_property
    def queries(self) -> tuple[str, ...]:
        return self.supervisor.query_names(self.kind)

    def prompts(self, questions: Sequence[Question], turn: int = 0) -> list[PromptedQuestion]:
        """Plain prompts of all questions and queries."""
        asked = (self.kind, self.classes)
        return [
            self.supervisor.ask(question, *asked, query, self.seed, turn)
            for question in questions
            for query in range(len(self.queries))
        ]

    def framed(
        self, tokenizer: Any, asked: Sequence[PromptedQuestion], written: bool
    ) -> list[PromptedQuestion]:
        """The same with turns, system message and examples."""
        model = self.supervisor
        shots = model.shots(self.labelled, self.kind, self.classes, self.seed)
        written = written and model.finetune is None
        return replace(model.format_of(tokenizer), shots=shots).apply(
            tokenizer, asked, written=written
        )

    def answers(self, voter: LmEngine, questions: Sequence[Question], number: int) -> Answers:
        """What voter `number` answers."""
        model, is_open = self.supervisor, KINDS[self.kind].is_open
        if is_open:
            asked = self.framed(voter.tokenizer, self.prompts(questions), True)
            seeded = [
                replace(prompt, seed=model.sample_seed(prompt.seed, number)) for prompt in asked
            ]
            settings = model.model_dump(include={"max_new_tokens", "temperature", "top_p"})
            return Answers(voter.reply(seeded, **settings))
        turns = self.turns(questions)
        scored = self.scored(voter, questions, model.calibrate or "none", turns)
        _warn_truncated(scored.raw.truncated, len(scored.raw))
        final = scored.scores(model.normalise or "sum", model.calibrate or "none", model.priors)
        raw, final = mean_over_orders(scored, final, turns)
        return Answers(raw=raw, scores=final)

    def turns(self, questions: Sequence[Question]) -> int:
        """In how many orders each prompt is asked."""
        if not self.supervisor.average_orders:
            return 1
        return max([1, *(len(prompt.order) for prompt in self.prompts(questions[:1]))])

    def scored(
        self, voter: LmEngine, questions: Sequence[Question], calibrate: Calibrate, turns: int = 1
    ) -> ClosedScores:
        """Scores of each question with each query, in each of the orders, in this order."""
        by_turn = [self.prompts(questions, turn) for turn in range(turns)]
        asked = [prompt for prompts in zip(*by_turn, strict=True) for prompt in prompts]
        numbers = np.tile(np.repeat(np.arange(len(self.queries)), turns), len(questions))
        return self.scored_prompts(voter, asked, numbers, NULL_ITEMS[calibrate])

    def scored_prompts(
        self,
        voter: LmEngine,
        asked: Sequence[PromptedQuestion],
        query: Ints,
        null_items: Sequence[str],
    ) -> ClosedScores:
        return score_closed(
            voter,
            self.framed(voter.tokenizer, asked, False),
            query,
            by_class=KINDS[self.kind].has_classes,
            null_items=null_items,
            pool_forms=self.supervisor.pool_forms,
        )

    def votes(self, questions: Sequence[Question], answers: Sequence[Answers]) -> Votes:
        """Votes of V voters' answers, with what they give away at once."""
        asked = self.prompts(questions)
        is_open = KINDS[self.kind].is_open
        votes = (self._open if is_open else self._closed)(questions, asked, answers)
        row = votes.example * len(self.queries) + votes.query
        classes = self.classes if KINDS[self.kind].has_classes else ()
        sentences = vote_patterns(votes, [asked[int(r)] for r in row], classes)
        return replace(votes, notes=self.supervisor.asked_notes, warnings=tuple(sentences))

    def _closed(
        self,
        questions: Sequence[Question],
        asked: Sequence[PromptedQuestion],
        answers: Sequence[Answers],
    ) -> Votes:
        """Votes of M = N x V x Q answers that were scored."""
        width, queries = len(self.classes), self.queries
        counts = np.array([len(query.answers) for query in asked], dtype=np.int64)
        even = (np.arange(width) < counts[:, None]) / np.maximum(counts, 1)[:, None]
        probs: list[Floats] = []
        fits = []
        raws = []
        for answer in answers:
            assert answer.raw is not None
            assert answer.scores is not None
            rows = np.zeros_like(even)
            rows[:, : answer.scores.shape[1]] = answer_probabilities(answer.scores)
            rows = np.where(answer.raw.fits[:, None], rows, even)
            rows /= rows.sum(axis=1, keepdims=True)
            probs += [rows[q :: len(queries)] for q in range(len(queries))]
            fits += [answer.raw.fits[q :: len(queries)] for q in range(len(queries))]
            raws.append(answer.raw)
        names = self.supervisor.voter_names()
        votes = votes_from_probabilities(questions, self.classes, names, probs, queries)
        return replace(abstaining(votes, fits), raw=raw_of(raws, len(queries), width))

    def _open(
        self,
        questions: Sequence[Question],
        asked: Sequence[PromptedQuestion],
        answers: Sequence[Answers],
    ) -> Votes:
        """Votes of M = N x V x Q answers that were generated."""
        truncated = sum(reply.truncated for answer in answers for reply in answer.replies)
        _warn_truncated(truncated, len(asked) * len(answers))
        answer_format, parsed = self.supervisor.answer_format, []
        for v, answer in enumerate(answers):
            for query, reply in zip(asked, answer.replies, strict=True):
                got = read(reply.text, query, answer_format, reply.finish_reason)
                parsed.append(
                    ParsedReply(query, got.answer, got.reason, got.text, reply.text, voter=v)
                )
        names = tuple(self.supervisor.voter_names())
        return votes_of("generation", questions, self.classes, names, self.queries, parsed)


def is_left_open(supervisor: AskedModel, kind: str) -> bool:
    """Whether something has to be chosen before the model is asked."""
    if KINDS[kind].is_open:
        return False
    chooses = supervisor.answer == "auto" and supervisor.finetune is None
    return chooses or (supervisor.calibrate == "batch" and supervisor.priors is None)


def settled(supervisor: AskedModel, voter: LmEngine, request: VoteRequest) -> Asking:
    """What is left open, chosen with the first voter on rows of weak_train or the first questions.

    Raises:
        ConfigError: a calibration that does not fit the answers.
    """
    task, tokenizer = KINDS[request.kind], voter.tokenizer
    labelled, first = request.labelled, request.questions[0][:ROWS]
    chat = uses_chat(tokenizer, supervisor.chat, supervisor.model)
    asking = Asking(supervisor, request.kind, request.classes, labelled, request.seed)
    if task.is_open:
        return replace(asking, supervisor=supervisor.model_copy(update={"chat": chat}))
    changes: dict[str, Any] = {"chat": chat}
    if supervisor.answer == "auto" and supervisor.finetune is None and len(first):
        choice = _chosen(asking, voter, first)
        convention = choice.convention
        changes = {name: getattr(convention, name) for name in ("answer", "chat", "normalise")}
        changes |= {"calibrate": convention.calibrate, "asked_because": choice.reason}
    model = supervisor.model_copy(update=changes)
    asking = replace(asking, supervisor=model)
    _check_calibration(model, request.kind)
    if model.calibrate == "batch" and model.priors is None and len(first):
        priors = asking.scored(voter, first, "batch").priors(model.normalise or "sum")
        model = model.model_copy(update={"priors": priors})
    return replace(asking, supervisor=model)


def _chosen(asking: Asking, voter: LmEngine, first: Sequence[Question]) -> Choice:
    """The convention that suits the model, on labelled rows where there are any."""
    model, labelled = asking.supervisor, asking.labelled
    questions, truth = first, None
    if len(labelled.questions):
        rows = np.random.default_rng([asking.seed, 7]).permutation(len(labelled.questions))[:ROWS]
        questions, truth = [labelled.questions[i] for i in rows], labelled.truth[rows]
    has_template = uses_chat(voter.tokenizer, model.chat, model.model)
    chats = (False, True) if has_template and model.chat == "auto" else (has_template,)
    asked: dict[tuple[Answer, bool], ClosedScores] = {}
    for answer in model.answers_to_try(asking.kind, asking.classes):
        for chat in chats:
            tried = model.model_copy(update={"answer": answer, "chat": chat})
            part = replace(asking, supervisor=tried)
            query = np.arange(len(questions)) % len(part.queries)
            prompts = [
                tried.ask(question, asking.kind, asking.classes, int(q), asking.seed)
                for question, q in zip(questions, query, strict=True)
            ]
            kinds = calibrations(answer, asking.kind)
            items = dict.fromkeys(item for kind in kinds for item in NULL_ITEMS[kind])
            asked[answer, chat] = part.scored_prompts(voter, prompts, query, tuple(items))

    def allowed(convention: Convention) -> bool:
        return convention.normalise == (model.normalise or convention.normalise) and (
            convention.calibrate == (model.calibrate or convention.calibrate)
        )

    return choose_convention(asking.kind, asked, allowed, truth)


def _check_calibration(model: AskedModel, kind: str) -> None:
    answer: Answer = "letter" if model.answer in (None, "auto") else model.answer or "letter"
    if model.calibrate == "batch" and not KINDS[kind].has_classes and answer != "letter":
        raise ConfigError(
            "`calibrate: batch` takes a mean over questions with the same answers, and the texts "
            "of options differ; use `unconditional`, or `answer: letter`."
        )


def _warn_truncated(truncated: int, asked: int) -> None:
    if truncated:
        log.warning("%d of %d prompts were too long and were truncated.", truncated, asked)
