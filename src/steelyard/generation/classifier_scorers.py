"""Classifiers as scorers: the probability of one class."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import ConfigError, InputError
from steelyard.generation.protocol import BaseScorer
from steelyard.types import Floats, Interval, Question

HASH_SHOWN = 8  # characters of the weights' hash in a name


class TrainedScorer(BaseScorer):
    """A classifier that `steelyard train` saved."""

    kind: Literal["trained"] = "trained"
    model: str
    """The folder of the model."""
    of: str
    """The class whose probability is the score."""
    test: Path | None = None
    """A file of labelled rows on which the scorer itself is tested; its scores are printed."""

    @property
    def name(self) -> str:
        return _name(self.model, _identity(self.model), self.of)

    def score_texts(self, texts: Sequence[str]) -> Floats:
        trained, classes = self._load()
        questions = [Question(str(i), text) for i, text in enumerate(texts)]
        probs = trained.predict(questions).probs
        return np.asarray(probs[:, classes.index(self.of)], dtype=np.float64)

    def own_scores(self) -> dict[str, Interval]:
        """Every metric of classification on the rows of `test`."""
        from steelyard.data import read_labelled
        from steelyard.evaluation import draw_resamples, mean_interval, measure, metrics_of

        if self.test is None:
            return {}
        trained, classes = self._load()
        split = read_labelled("classification", self.test, classes)
        probs, resamples = trained.predict(split.questions).probs, draw_resamples(len(split.truth))
        scores = {}
        for metric in metrics_of("classification"):
            try:
                scores[metric] = mean_interval(measure(metric, split.truth, [[probs]], resamples))
            except InputError:  # such as auroc of rows of one class
                continue
        return scores

    def _load(self) -> tuple[Any, tuple[str, ...]]:
        trained, task, classes = _trained(self.model, _identity(self.model))
        if task != "classification":
            raise ConfigError(f"{self.model} answers {task}; a scorer needs a classifier.")
        _check_class(self.of, classes, self.model)
        return trained, classes


class TransformersScorer(BaseScorer):
    """A sequence classifier in Hugging Face's format: a folder or a Hub name."""

    kind: Literal["transformers"] = "transformers"
    model: str
    """A Hub name or a folder with a classification head."""
    of: str
    """The label whose probability is the score, one of the model's `id2label`."""
    revision: str | None = None
    """Branch, tag or commit of a Hub model."""
    activation: Literal["softmax", "sigmoid"] | None = None
    """How logits become probabilities; null takes sigmoid where the model says that labels are not
    exclusive, else softmax."""
    max_tokens: int = Field(512, ge=8)
    """Longest text in tokens; longer ones lose their end."""

    @property
    def name(self) -> str:
        model = self.model if self.activation is None else f"{self.model}({self.activation})"
        return _name(model, _identity(self.model, self.revision), self.of)

    def score_texts(self, texts: Sequence[str]) -> Floats:
        import torch

        from steelyard.models.batches import Batcher
        from steelyard.models.encode import encode
        from steelyard.models.score import class_logits

        model, tokenizer = _classifier(self.model, self.revision)
        labels = tuple(str(name) for _, name in sorted(model.config.id2label.items()))
        _check_class(self.of, labels, self.model)
        encoded = encode(
            tokenizer, [Question(str(i), text) for i, text in enumerate(texts)], self.max_tokens
        )
        batcher = Batcher(encoded, None, str(next(model.parameters()).device))
        logits = class_logits(model, batcher, len(labels), "fp32")
        several = model.config.problem_type == "multi_label_classification"
        sigmoid = self.activation == "sigmoid" or (self.activation is None and several)
        probs = torch.sigmoid(logits) if sigmoid or len(labels) == 1 else torch.softmax(logits, 1)
        return np.asarray(probs[:, labels.index(self.of)].numpy(), dtype=np.float64)


def _name(model: str, identity: str, label: str) -> str:
    """Short, and other weights have another name.

    >>> _name("models/detox", "0123456789abcdef", "toxic")
    'detox@01234567:toxic'
    """
    stem = Path(model).name
    return f"{stem}@{identity.rpartition('@')[2][:HASH_SHOWN]}:{label}"


def _check_class(label: str, classes: Sequence[str], model: str) -> None:
    if label not in classes:
        raise ConfigError(f"`of: {label}`: {model} has the classes {', '.join(classes)}.")


@functools.lru_cache(maxsize=32)
def _identity(model: str, revision: str | None = None) -> str:
    from steelyard.models.load import Pretrained, identity

    return identity(Pretrained(model=model, revision=revision))


@functools.lru_cache(maxsize=2)
def _trained(model: str, identity: str) -> tuple[Any, str, tuple[str, ...]]:
    from steelyard.student.saved import load_model

    return load_model(Path(model))


@functools.lru_cache(maxsize=2)
def _classifier(model: str, revision: str | None) -> tuple[Any, Any]:
    """A model with the head that it was trained with, and its tokenizer.

    Raises:
        ConfigError: the weights have no classification head: a fresh one would give random scores.
    """
    from transformers import AutoModelForSequenceClassification

    from steelyard.models.load import Pretrained, load_config, load_tokenizer, load_weights
    from steelyard.models.train import device

    pretrained = Pretrained(model=model, revision=revision)
    made = getattr(load_config(pretrained), "architectures", None) or ["no model"]
    if not made[0].endswith("ForSequenceClassification"):
        raise ConfigError(
            f"`model: {model}` is a {made[0]}, without a classification head; give a classifier."
        )
    weights = load_weights(pretrained, AutoModelForSequenceClassification)
    return weights.to(device()).eval(), load_tokenizer(pretrained)
