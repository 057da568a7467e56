"""Fine-tune a pretrained model on questions with weighted targets, and ask it.

Weak supervisors (stage 2), students and ceilings (stage 5) are trained here.
"""

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from steelyard.errors import ConfigError
from steelyard.models.batches import Batcher
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.encode import Encoded, encode
from steelyard.models.frozen import Trunk
from steelyard.models.load import Pretrained, load_classifier, load_tokenizer
from steelyard.models.processes import by_all_processes
from steelyard.models.score import class_logits
from steelyard.models.train import Training, TrainingLog, device, train
from steelyard.objectives import CROSS_ENTROPY, BaseObjective
from steelyard.types import Floats, Ints, Question
from steelyard.types.predictions import ModelAnswers

Compute = Callable[[Sequence[Question]], tuple[Any, Ints]]
"""Hidden states (R, d) of questions (N), those of question i being `starts[i]:starts[i + 1]`: a row
for each token, or one for each text."""
StatesCache = Callable[[Sequence[Question], Compute], Any]
"""Returns the hidden states of questions, computing only those that are not stored."""


class Lora(BaseModel):
    """Low-rank adapters on every linear layer.

    Source: Hu et al. 2021, arXiv:2106.09685.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rank: int = Field(16, ge=1)
    """Rank of the two factors of an adapter."""
    alpha: float = Field(32, gt=0)
    """An adapter's output is multiplied by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout of an adapter's input."""


class Finetuning(Pretrained, Training):
    """A pretrained model and how it is trained: everything but the data."""

    lora: Lora | None = None
    """Train adapters and the head; None trains the weights themselves."""

    @property
    def trains_adapters(self) -> bool:
        return self.lora is not None


class PretrainedFormat:
    """A trained model with its tokenizer, saved as Transformers does."""

    model: Any
    tokenizer: Any

    def save(self, folder: Path) -> None:
        """Write weights (safetensors, adapters merged), config and tokenizer to a folder."""
        model = self.model
        if hasattr(model, "merge_and_unload"):  # a copy: others may share the weights
            model = copy.deepcopy(model).merge_and_unload()
        model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


@dataclass(frozen=True, eq=False)
class Finetuned(PretrainedFormat):
    """A trained model that answers questions."""

    settings: Finetuning
    model: Any
    tokenizer: Any
    num_classes: int  # K
    trunk: Trunk | None  # set where only the top was trained, on cached states
    truncated: int  # training examples of which a text was truncated
    log: TrainingLog = field(default_factory=TrainingLog)
    objective: BaseObjective = CROSS_ENTROPY

    prompt_text: ClassVar[None] = None

    def with_objective(self, objective: BaseObjective) -> "Finetuned":
        """The model after loading, which knows what it minimised."""
        return replace(self, objective=objective)

    def on_task(self, kind: str, classes: Sequence[str]) -> "Finetuned":
        """The same model with another number of answers, for a chooser."""
        return replace(self, num_classes=len(classes))

    def export(self, folder: Path, classes: Sequence[str], weights: str) -> None:
        """`save`, with the names of the classes in the model's config."""
        config = self.model.config
        if config.num_labels == len(classes) > 1:
            config.id2label = dict(enumerate(classes))
            config.label2id = {name: k for k, name in enumerate(classes)}
        self.save(folder)

    def encode(self, questions: Sequence[Question]) -> Encoded:
        return encode(self.tokenizer, questions, self.settings.max_tokens)

    def predict(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> ModelAnswers:
        """Probabilities (N, K), and `BaseObjective.uncertainties` by measure, (N,) each."""
        encoded = self.encode(questions)
        with self.batcher(questions, encoded, states) as batcher:
            logits = class_logits(self.model, batcher, self.num_classes, self.settings.precision)
        measures = self.objective.uncertainties(logits)
        return ModelAnswers(
            self.objective.probabilities(logits).numpy(),
            uncertainty={name: values.numpy() for name, values in measures.items()},
        )

    def probabilities(self, questions: Sequence[Question]) -> Floats:
        """Probabilities of each question's answers, (N, K)."""
        probs = self.predict(questions).probs
        assert probs is not None
        return probs

    def training_record(self) -> dict[str, Any]:
        """How many training examples were truncated."""
        return {"truncated": self.truncated}

    @contextmanager
    def batcher(
        self, questions: Sequence[Question], encoded: Encoded, cache: StatesCache | None
    ) -> Iterator[Batcher]:
        """Inputs of the questions: tokens, or where only the top is trained, hidden states."""
        device, trunk = str(next(self.model.parameters()).device), self.trunk
        if trunk is None:
            yield Batcher(encoded, None, device)
            return

        def compute(questions: Sequence[Question]) -> tuple[Any, Ints]:
            encoded = self.encode(questions)
            return trunk.states(encoded, self.settings.precision), encoded.starts[encoded.rows]

        states = compute(questions)[0] if cache is None else cache(questions, compute)
        with trunk.top():
            yield Batcher(encoded, states, device)


@by_all_processes
def finetune(
    settings: Finetuning,
    questions: Sequence[Question],
    targets: Floats,
    weights: Floats,
    *,
    seed: int,
    steps: int | None = None,
    checkpoints: Checkpoints | None = None,
    states: StatesCache | None = None,
    objective: BaseObjective = CROSS_ENTROPY,
    supervisor_weights: Floats | None = None,
    levels: Ints | None = None,
) -> Finetuned:
    """Train a classifier, or a chooser where the questions have options.

    Examples of weight 0 are dropped first: they cost nothing and change nothing.

    Args:
        settings: model and training.
        questions: N of them.
        targets: (N, K), rows sum to 1; (N, M, K) for objectives of M supervisors.
        weights: (N,), >= 0.
        seed: random seed for the head, the order of examples and dropout.
        steps: optimizer steps; None takes `settings.epochs` over the kept examples.
        checkpoints: from which a killed run resumes.
        states: cache of frozen hidden states, used with `train_layers`.
        objective: what is minimised.
        supervisor_weights: (M,), for objectives of M supervisors.
        levels: (N,), in whose order an epoch shows the examples; None: at random.
    """
    kept = np.flatnonzero(weights > 0)
    questions = [questions[int(i)] for i in kept]
    tokenizer = load_tokenizer(settings)
    outputs = 1 if questions[0].choices else targets.shape[-1]
    model = load_classifier(settings, outputs, settings.dropout, seed).to(device())
    encoded = encode(tokenizer, questions, settings.max_tokens)
    model, trunk = _prepare(settings, model, encoded, seed)
    fields = (settings, model, tokenizer, targets.shape[-1], trunk, encoded.truncated)
    untrained = Finetuned(*fields, objective=objective)
    with untrained.batcher(questions, encoded, states) as batcher:
        log = train(
            model,
            batcher,
            targets[kept],
            weights[kept],
            settings,
            steps=steps or settings.steps(len(kept)),
            seed=seed,
            checkpoints=checkpoints,
            objective=objective,
            supervisor_weights=supervisor_weights,
            levels=None if levels is None else levels[kept],
        )
    return replace(untrained, log=log)


def _prepare(
    settings: Finetuning, model: Any, encoded: Encoded, seed: int
) -> tuple[Any, Trunk | None]:
    """Adapters or frozen layers, as the settings say."""
    if settings.lora is not None:
        if settings.train_layers is not None:
            raise ConfigError("`lora` and `train_layers` exclude each other; give one.")
        return with_adapters(model, settings.lora, "SEQ_CLS", seed), None
    if settings.train_layers is None:
        return model, None
    trunk = Trunk.freeze(model, settings.train_layers)
    return model, trunk if trunk.fits(encoded) else None


def with_adapters(
    model: Any, lora: Lora, task: str, seed: int, targets: str | None = "all-linear"
) -> Any:
    """The model with adapters to train, everything else frozen.
    `task` is peft's, "SEQ_CLS" or "CAUSAL_LM". The adapters' first factors are drawn from `seed`,
    the second are zero. `targets` names layers; None takes those of the LoRA paper.
    """
    import torch
    from peft import LoraConfig, TaskType, get_peft_model

    torch.manual_seed(seed)  # peft draws from the global generator
    config = LoraConfig(
        task_type=TaskType(task),
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 uses a renamed name
        warnings.filterwarnings("ignore", "fan_in_fan_out")  # GPT-2's, which peft corrects
        return get_peft_model(model, config)
