"""A language model on this machine, asked in K ways, as a weak supervisor."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from steelyard.errors import ConfigError
from steelyard.io.atomic import file_sum
from steelyard.models.lm.finetune_lm import Completer, Tuning, finetune_lm
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.option_scores import Normalise, score_options
from steelyard.models.lm.sampling import sample_replies
from steelyard.models.load import Pretrained, identity, load_tokenizer
from steelyard.models.score import Precision
from steelyard.models.train import VERSION as TRAINING
from steelyard.models.train import device
from steelyard.prompts import PromptedQuestion, PromptSettings, read, spelling
from steelyard.prompts.option_orders import draw_seed
from steelyard.supervision import nbest
from steelyard.supervision.nbest import vote_by_beam
from steelyard.supervision.protocol import BaseSupervisor, ListWriter, VoteRequest
from steelyard.supervision.tfidf import bootstrap
from steelyard.types import ABSTAIN, Floats, Question, Split, Votes, one_hot
from steelyard.types.build_votes import open_votes, votes_from_probabilities
from steelyard.types.task_kinds import KINDS

log = logging.getLogger(__name__)


class LanguageModelVoters(Pretrained, PromptSettings, BaseSupervisor):
    """A causal language model, asked as it is or first taught the answers of weak_train.

    Closed answers are not written but weighed: a vote's distribution is the softmax of the
    log-probabilities of the answers' texts behind the prompt, so every vote is readable. Open
    answers are written and parsed by `answer_format`; equal ones of a question are one
    candidate. With `beams` they are lists, and every voter weighs the answers of all (see
    `beams.vote_by_beam`). Of a preference the letter of the better answer is weighed, or with
    `answer: text` and `queries: 1` both answers behind their prompt, as a model of the language
    alone would choose.

    Source: Guo and Yang 2024, arXiv:2406.19032 (fine-tuned weak supervisor, asked about
        variations of each question); theirs writes its letter, ours weighs all letters.
    """

    version: ClassVar[int] = 2 + TRAINING  # 2: draws go through the vocabulary in its own order
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    kind: Literal["language_model"] = "language_model"
    model: str
    """A Hub name or a folder of a causal language model."""
    voters: int = Field(1, ge=1)
    """Models taught with a seed and a bootstrap sample of weak_train of their own."""
    finetune: Tuning | None = None
    """How the model is taught the true answers of weak_train first; None asks it as it is."""
    normalise: Normalise = "sum"
    """Weigh an answer by the `sum` or the `mean` of its tokens' log-probabilities."""
    precision: Precision = "bf16"
    """Of matrix products while it is asked."""
    beams: int | None = Field(None, ge=1, le=64)
    """Write open answers as lists of the most probable ones, by beam search, and weigh the answers
    of all voters that do so: for `joint_decoding`, and for objectives of single tokens."""

    @model_validator(mode="after")
    def _taught(self) -> "LanguageModelVoters":
        if self.voters > 1 and self.finetune is None:
            raise ValueError(
                f"`voters: {self.voters}` without `finetune` are copies of one model; "
                "use `queries`, or teach them"
            )
        return self

    @property
    def needs_labels(self) -> bool:
        return self.finetune is not None

    @property
    def asks_in_parts(self) -> bool:
        return self.finetune is None

    @property
    def num_voters(self) -> int:
        return self.voters

    @property
    def prompts(self) -> PromptSettings:
        return self

    @property
    def list_writer(self) -> ListWriter | None:
        return None if self.beams is None else self

    def versions(self) -> int:
        """Its own, those of prompts and parsers, and that of lists."""
        return super().versions() + (0 if self.beams is None else nbest.VERSION)

    def with_paths(self, change: Callable[[str], str]) -> "LanguageModelVoters":
        return self.model_copy(update=self.changed_paths(change))

    def sample_seed(self, seed: int, voter: int) -> int:
        """Each voter draws samples of its own."""
        return draw_seed(seed, voter)

    def check_task(self, kind: str) -> None:
        self.check_asking(kind)
        is_open = KINDS[kind].is_open
        if self.beams is not None and (not is_open or self.temperature > 0):
            wrong = "`temperature` draws them" if is_open else f"the task is {kind}"
            raise ConfigError(f"`beams: {self.beams}` are of open answers, and {wrong}.")
        if not is_open and self.samples > 1:
            raise ConfigError(
                f"`samples: {self.samples}` are of open answers; the answers of {kind} are "
                "weighed, not drawn. Leave it out."
            )

    def inputs(self) -> dict[str, str]:
        """The weights and the paraphrases."""
        found = {"model": identity(self.pretrained)}
        if self.paraphrases is not None:
            found["paraphrases"] = file_sum(Path(self.paraphrases))
        return found

    def vote(self, request: VoteRequest) -> list[Votes]:
        """Train the model, if it is to be trained, and ask it about each list of questions.

        Raises:
            ConfigError: fewer ways of asking than queries, or aliases of other classes.
        """
        kind, classes, seed = request.kind, request.classes, request.seed
        labelled, asked = request.labelled, request.questions
        self.check_asking(kind, classes if KINDS[kind].has_classes else ())
        if self.beams is not None:
            return vote_by_beam([self], labelled, asked, seeds=[seed])
        prompts = [self.prompts_of(questions, kind, classes, seed) for questions in asked]
        found: list[list[Any]] = [[] for _ in asked]
        for v in range(self.voters):
            voter = self.voter(labelled, kind, classes, seed, v)
            for part, prompt in zip(found, prompts, strict=True):
                own = [replace(a, seed=self.sample_seed(a.seed, v)) for a in prompt]
                part.append(self._answers(voter.model, voter.tokenizer, own, kind))
        table = self._open if KINDS[kind].is_open else self._closed
        return [
            table(questions, prompt, part, classes, self.query_names(kind))
            for questions, prompt, part in zip(asked, prompts, found, strict=True)
        ]

    def prompts_of(
        self, questions: Sequence[Question], kind: str, classes: tuple[str, ...], seed: int
    ) -> list[PromptedQuestion]:
        """Every query about the first question, then about the second, ..."""
        queries = range(len(self.query_names(kind)))
        return [self.ask(one, kind, classes, query, seed) for one in questions for query in queries]

    def voter(
        self, labelled: Split, kind: str, classes: tuple[str, ...], seed: int, voter: int
    ) -> Completer:
        """Voter number `voter`, taught if it is to be."""
        if self.finetune is None:
            return Completer(
                load_causal(self.pretrained).to(device()), load_tokenizer(self.pretrained), 0, 0
            )
        rng = np.random.default_rng([seed, voter])
        rows = np.arange(len(labelled.questions))
        if self.voters > 1 and KINDS[kind].is_open:
            rows = rng.integers(0, len(rows), len(rows))
        elif self.voters > 1:
            rows = bootstrap(labelled.truth, rng)
        count = len(self.query_names(kind))
        lesson = [  # the prompts take turns, so that the model has met each of them
            self.ask(labelled.questions[i], kind, classes, place % count, seed)
            for place, i in enumerate(rows)
        ]
        if KINDS[kind].is_open:
            lesson = [
                replace(
                    one, answers=(f" {spelling(labelled.reference_texts[i], self.answer_format)}",)
                )
                for one, i in zip(lesson, rows, strict=True)
            ]
        return finetune_lm(
            self.pretrained,
            self.finetune,
            lesson,
            one_hot(labelled.truth[rows], max(len(one.answers) for one in lesson)),
            np.ones(len(rows)),
            seed=int(rng.integers(2**31)),
        )

    def _answers(
        self, model: Any, tokenizer: Any, asked: Sequence[PromptedQuestion], kind: str
    ) -> Any:
        if KINDS[kind].is_open:
            return sample_replies(
                model,
                tokenizer,
                asked,
                max_new_tokens=self.max_new_tokens,
                temperature=self.temperature,
                top_p=self.top_p,
                precision=self.precision,
            )
        scores = score_options(
            model, tokenizer, asked, normalise=self.normalise, precision=self.precision
        )
        _say_cut(scores.truncated, len(asked))
        return scores

    def _closed(
        self,
        questions: Sequence[Question],
        asked: Sequence[PromptedQuestion],
        scores: Sequence[Any],
        classes: tuple[str, ...],
        queries: tuple[str, ...],
    ) -> Votes:
        """Votes of M = N x V x Q answers that were weighed."""
        counts = np.array([len(one.answers) for one in asked], dtype=np.int64)
        even = (np.arange(len(classes)) < counts[:, None]) / np.maximum(counts, 1)[:, None]
        probs: list[Floats] = []
        fits = []
        for score in scores:
            rows = np.zeros_like(even)
            rows[:, : score.probs.shape[1]] = score.probs
            rows = np.where(score.fits[:, None], rows, even)
            rows /= rows.sum(axis=1, keepdims=True)
            probs += [rows[q :: len(queries)] for q in range(len(queries))]
            fits += [score.fits[q :: len(queries)] for q in range(len(queries))]
        votes = votes_from_probabilities(questions, classes, self.voter_names(), probs, queries)
        fit = np.stack(fits, axis=1).reshape(-1) if fits else np.ones(0, dtype=bool)
        if fit.all():
            return votes
        return replace(
            votes,
            answer=np.where(fit, votes.answer, ABSTAIN),
            reasons=tuple("" if good else "too long" for good in fit),
        )

    def _open(
        self,
        questions: Sequence[Question],
        asked: Sequence[PromptedQuestion],
        written: Sequence[Any],
        classes: tuple[str, ...],
        queries: tuple[str, ...],
    ) -> Votes:
        """Votes of M = N x V x Q answers that were written."""
        flat = [reply for part in written for reply in part]
        _say_cut(sum(reply.truncated for reply in flat), len(flat))
        found = [
            read(reply.text, one, self.answer_format, reply.finish_reason)
            for reply, one in zip(flat, [*asked] * len(written), strict=True)
        ]
        place = np.arange(len(flat))
        return open_votes(
            ids=tuple(question.id for question in questions),
            voters=tuple(self.voter_names()),
            queries=queries,
            example=place % len(asked) // len(queries) if len(asked) else place,
            voter=place // max(len(asked), 1),
            query=place % len(queries),
            answers=[None if one.answer == ABSTAIN else one.text for one in found],
            texts=tuple(reply.text for reply in flat),
            reasons=tuple(one.reason for one in found),
        )

    def voter_names(self) -> list[str]:
        """A name for each voter."""
        layers = "" if self.layers is None else f"-{self.layers}l"
        return [f"{self.model.rstrip('/').split('/')[-1]}{layers}/{v}" for v in range(self.voters)]


def _say_cut(cut: int, asked: int) -> None:
    if cut:
        log.warning("%d of %d prompts were too long: their items were cut at the end.", cut, asked)
