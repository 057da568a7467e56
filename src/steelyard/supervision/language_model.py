"""A language model on this machine, asked with K prompts per question, as a weak supervisor."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from steelyard.errors import ConfigError
from steelyard.models.lm.finetune_lm import Completer, Tuning, finetune_lm
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.option_scores import Normalise, score_options
from steelyard.models.lm.sampling import sample_replies
from steelyard.models.load import PretrainedLm, identity, load_tokenizer
from steelyard.models.score import Precision
from steelyard.models.train import VERSION as TRAINING
from steelyard.prompts import PromptedQuestion, read, spelling
from steelyard.prompts.option_orders import draw_seed
from steelyard.supervision import nbest
from steelyard.supervision.nbest import vote_by_beam
from steelyard.supervision.parsed_replies import ParsedReply, votes_of
from steelyard.supervision.protocol import ListWriter, PromptedSupervisor, VoteRequest
from steelyard.supervision.trained_voters import abstaining, model_name, training_rows
from steelyard.types import Floats, Question, Votes, one_hot
from steelyard.types.build_votes import votes_from_probabilities
from steelyard.types.task_kinds import KINDS

log = logging.getLogger(__name__)


class LanguageModelVoters(PretrainedLm, PromptedSupervisor):
    """A causal language model, asked unchanged or first trained on the answers of weak_train.

    Closed answers are scored and not generated: a vote's distribution is the softmax of the
    log-probabilities of the answers' texts after the prompt, so every vote is readable. Open
    answers are generated and parsed by `answer_format`; equal ones of a question are one
    candidate. With `beams` they are lists, and every voter scores the answers of all (see
    `nbest.vote_by_beam`). For a preference the letter of the better answer is scored, or with
    `answer: text` and `queries: 1` both answers after their prompt, as a model of the language
    alone would choose.

    Source: Guo and Yang 2024, arXiv:2406.19032 (fine-tuned weak supervisor, asked about
        variations of each question); theirs generates its letter, ours scores all letters.
    """

    version: ClassVar[int] = 3 + TRAINING  # 3: ties are drawn at random
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    kind: Literal["language_model"] = "language_model"
    model: str
    """A Hub name or a folder of a causal language model."""
    voters: int = Field(1, ge=1)
    """Number of voters; several need `finetune`, and each then has its own random seed and its own
    bootstrap sample of weak_train."""
    finetune: Tuning | None = None
    """How the model is first trained on the true answers of weak_train; null asks it unchanged."""
    normalise: Normalise = "sum"
    """Score an answer by the `sum` or the `mean` of its tokens' log-probabilities."""
    precision: Precision = "bf16"
    """Precision of matrix products while the model is asked."""
    beams: int | None = Field(None, ge=1, le=64)
    """Generate open answers as lists of this many most probable ones, by beam search, and score the
    answers of all voters that do so: for `joint_decoding`, and for objectives of single tokens."""

    @model_validator(mode="after")
    def _check_voters(self) -> "LanguageModelVoters":
        if self.voters > 1 and self.finetune is None:
            raise ValueError(
                f"`voters: {self.voters}` without `finetune` are copies of one model; "
                "use `queries`, or train them with `finetune`"
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

    def without_bootstrap(self) -> Self | None:
        if self.finetune is None or self.voters == 1:
            return None
        return self.model_copy(update={"voters": 1})

    @property
    def list_writer(self) -> ListWriter | None:
        return None if self.beams is None else self

    def versions(self) -> int:
        """Sum of its version and those of prompts, of parsers and, with `beams`, of lists."""
        return super().versions() + (0 if self.beams is None else nbest.VERSION)

    def sample_seed(self, seed: int, voter: int) -> int:
        """Each voter draws its own samples."""
        return draw_seed(seed, voter)

    def check_task(self, kind: str) -> None:
        self.check_asking(kind)
        is_open = KINDS[kind].is_open
        if self.beams is not None and (not is_open or self.temperature > 0):
            problem = "`temperature` draws them" if is_open else f"the task is {kind}"
            raise ConfigError(f"`beams: {self.beams}` is for open answers, and {problem}.")
        if not is_open and self.samples > 1:
            raise ConfigError(
                f"`samples: {self.samples}` is for open answers; the answers of {kind} are "
                "scored, not drawn. Remove it."
            )

    def inputs(self) -> dict[str, str]:
        """Fingerprints of the weights and of the paraphrases."""
        return {"model": identity(self.pretrained), **super().inputs()}

    def vote(self, request: VoteRequest) -> list[Votes]:
        """Train the model, if it is to be trained, and ask it about each list of questions.

        Raises:
            ConfigError: fewer prompt variants than queries, or aliases of other classes.
        """
        kind, classes, seed = request.kind, request.classes, request.seed
        self.check_asking(kind, classes if KINDS[kind].has_classes else ())
        if self.beams is not None:
            return vote_by_beam(
                [self], request.labelled, request.questions, seeds=[seed], work=request.work
            )
        prompts = [self.ask_all(questions, kind, classes, seed) for questions in request.questions]
        answers: list[list[Any]] = [[] for _ in prompts]
        for v in range(self.voters):
            voter = self.load_voter(request, v)
            for part, asked in zip(answers, prompts, strict=True):
                seeded = [replace(query, seed=self.sample_seed(query.seed, v)) for query in asked]
                part.append(self._answers(voter.model, voter.tokenizer, seeded, kind))
        table = self._open if KINDS[kind].is_open else self._closed
        return [
            table(questions, asked, part, classes, self.query_names(kind))
            for questions, asked, part in zip(request.questions, prompts, answers, strict=True)
        ]

    def load_voter(self, request: VoteRequest, voter: int) -> Completer:
        """Voter number `voter`, trained on the labelled rows if there is `finetune`."""
        labelled, kind, classes = request.labelled, request.kind, request.classes
        seed = request.seed
        if self.finetune is None:
            model = load_causal(self.pretrained, precision=self.precision)
            return Completer(model, load_tokenizer(self.pretrained), 0, 0)
        rows, rng = training_rows(labelled, self.voters, seed, voter)
        count = len(self.query_names(kind))
        examples = [  # the prompts alternate, so that the model is trained on each of them
            self.ask(labelled.questions[i], kind, classes, position % count, seed)
            for position, i in enumerate(rows)
        ]
        if KINDS[kind].is_open:
            texts = (spelling(labelled.reference_texts[i], self.answer_format) for i in rows)
            examples = [
                replace(example, answers=(f" {text}",))
                for example, text in zip(examples, texts, strict=True)
            ]
        return finetune_lm(
            self.pretrained,
            self.finetune,
            examples,
            one_hot(labelled.truth[rows], max(len(example.answers) for example in examples)),
            np.ones(len(rows)),
            seed=int(rng.integers(2**31)),
            checkpoints=request.checkpoints(voter),
        )

    def voter_names(self) -> list[str]:
        """A name for each voter."""
        return [f"{model_name(self)}/{v}" for v in range(self.voters)]

    def _answers(
        self, model: Any, tokenizer: Any, asked: Sequence[PromptedQuestion], kind: str
    ) -> Any:
        """Sampled replies to open questions, scores of the options of closed ones."""
        if KINDS[kind].is_open:
            settings = self.model_dump(
                include={"max_new_tokens", "temperature", "top_p", "precision"}
            )
            return sample_replies(model, tokenizer, asked, **settings)
        scores = score_options(
            model, tokenizer, asked, normalise=self.normalise, precision=self.precision
        )
        _warn_truncated(scores.truncated, len(asked))
        return scores

    def _closed(
        self,
        questions: Sequence[Question],
        asked: Sequence[PromptedQuestion],
        scores: Sequence[Any],
        classes: tuple[str, ...],
        queries: tuple[str, ...],
    ) -> Votes:
        """Votes of M = N x V x Q answers that were scored."""
        counts = np.array([len(query.answers) for query in asked], dtype=np.int64)
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
        return abstaining(votes, fits)

    def _open(
        self,
        questions: Sequence[Question],
        asked: Sequence[PromptedQuestion],
        written: Sequence[Any],
        classes: tuple[str, ...],
        queries: tuple[str, ...],
    ) -> Votes:
        """Votes of M = N x V x Q answers that were generated."""
        truncated = sum(reply.truncated for replies in written for reply in replies)
        _warn_truncated(truncated, len(asked) * len(written))
        parsed = []
        for v, replies in enumerate(written):
            for query, reply in zip(asked, replies, strict=True):
                read_as = read(reply.text, query, self.answer_format, reply.finish_reason)
                answer, reason, text = read_as.answer, read_as.reason, read_as.text
                parsed.append(ParsedReply(query, answer, reason, text, reply.text, voter=v))
        names = tuple(self.voter_names())
        return votes_of("generation", questions, classes, names, queries, parsed)


def _warn_truncated(truncated: int, asked: int) -> None:
    if truncated:
        log.warning("%d of %d prompts were too long and were truncated.", truncated, asked)
