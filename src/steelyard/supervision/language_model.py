"""A language model on this machine, asked with K prompts per question, as a weak supervisor."""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from steelyard.errors import ConfigError
from steelyard.extras import require
from steelyard.models.lm.engines import LmEngine, TransformersEngine
from steelyard.models.lm.finetune_lm import Completer, finetune_lm
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.vllm_engine import vllm_engine
from steelyard.models.load import identity, load_tokenizer
from steelyard.models.train import VERSION as TRAINING
from steelyard.prompts import spelling
from steelyard.prompts.option_orders import draw_seed
from steelyard.supervision import nbest
from steelyard.supervision.asked_model import AskedModel
from steelyard.supervision.asking import is_left_open, settled
from steelyard.supervision.nbest import vote_by_beam
from steelyard.supervision.protocol import ListWriter, VoteRequest
from steelyard.supervision.trained_voters import training_rows
from steelyard.types import Votes, one_hot
from steelyard.types.task_kinds import KINDS

SETTLED = ("answer", "chat", "normalise", "calibrate", "priors", "asked_because")
"""Settings that may be left open."""


class LanguageModelVoters(AskedModel):
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

    version: ClassVar[int] = 5 + TRAINING  # 5: chat templates, conventions of asking
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    kind: Literal["language_model"] = "language_model"
    beams: int | None = Field(None, ge=1, le=64)
    """Generate open answers as lists of this many most probable ones, by beam search, and score the
    answers of all voters that do so: for `joint_decoding`, and for objectives of single tokens."""

    engine: Literal["transformers", "vllm"] = "transformers"
    """What asks the model: Transformers, or vLLM (on a GPU; the extra `vllm`), which is faster for
    large models and many questions. vLLM asks models without `finetune`, `beams`, `layers` and
    `quantization`; `device_map: auto` then spreads the weights over all GPUs."""

    @model_validator(mode="after")
    def _check_engine(self) -> "LanguageModelVoters":
        if self.engine == "transformers":
            return self
        others = ("finetune", "beams", "layers", "quantization", "attention")
        given = [name for name in others if getattr(self, name) not in (None, "auto")]
        if given:
            raise ValueError(f"`engine: vllm` takes no `{given[0]}`; remove one of them")
        if self.temperature > 2:
            raise ValueError("`engine: vllm` takes no `temperature` above 2")
        return self

    @model_validator(mode="after")
    def _check_voters(self) -> "LanguageModelVoters":
        if self.voters > 1 and self.finetune is None:
            raise ValueError(
                f"`voters: {self.voters}` without `finetune` are copies of one model; "
                "use `queries`, or train them with `finetune`"
            )
        if self.examples != 0 and self.finetune is not None:
            raise ValueError("`examples` are for a model without `finetune`; remove one of them")
        if self.beams is not None and (self.examples != 0 or self.system):
            raise ValueError("`beams` takes no `examples` and no `system`; remove them")
        return self

    @property
    def needs_labels(self) -> bool:
        return self.finetune is not None or (isinstance(self.examples, int) and self.examples > 0)

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
        if self.engine == "vllm":
            require("`engine: vllm`", "vllm")
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
        """Fingerprints of the weights and of the paraphrases, and the version of vLLM."""
        engine = {} if self.engine == "transformers" else {"engine": _version("vllm")}
        return {"model": identity(self.pretrained), **engine, **super().inputs()}

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
        parts: list[list[Any]] = [[] for _ in request.questions]
        asking = None
        for v in range(self.voters):
            voter = self.load_engine(request, v)
            asking = asking or settled(self, voter, request)
            for part, questions in zip(parts, request.questions, strict=True):
                part.append(asking.answers(voter, questions, v))
        assert asking is not None
        return [
            asking.votes(questions, part)
            for questions, part in zip(request.questions, parts, strict=True)
        ]

    def settle(self, request: VoteRequest) -> Self:
        """The same with all that is left open chosen, on the first questions of the request."""
        if not is_left_open(self, request.kind):
            return self
        voter = self.load_engine(request, 0)
        chosen = settled(self, voter, request).supervisor
        return self.model_copy(update={name: getattr(chosen, name) for name in SETTLED})

    def load_engine(self, request: VoteRequest, voter: int) -> LmEngine:
        """What asks voter number `voter`."""
        if self.engine == "vllm":
            return vllm_engine(self.pretrained, self.precision)
        completer = self.load_voter(request, voter)
        return TransformersEngine(completer.model, completer.tokenizer, self.precision)

    def load_voter(self, request: VoteRequest, voter: int) -> Completer:
        """Voter number `voter`, trained on the labelled rows if there is `finetune`."""
        labelled, kind, classes = request.labelled, request.kind, request.classes
        seed = request.seed
        if self.finetune is None:
            model = load_causal(self.pretrained, precision=self.precision)
            return Completer(model, load_tokenizer(self.pretrained), 0, 0)
        tokenizer = load_tokenizer(self.pretrained)
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
            self.put(tokenizer, examples, written=False),
            one_hot(labelled.truth[rows], max(len(example.answers) for example in examples)),
            np.ones(len(rows)),
            seed=int(rng.integers(2**31)),
            checkpoints=request.checkpoints(voter),
        )


def _version(library: str) -> str:
    """The version of a library, "" where it is not installed."""
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return ""
