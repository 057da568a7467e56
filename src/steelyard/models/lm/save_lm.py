"""Save a trained language model as people load it: merged weights, its adapter, or both."""

import copy
import warnings
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch

from steelyard.errors import ConfigError
from steelyard.models.load import (
    Pretrained,
    PretrainedLm,
    adapter_base,
    load_config,
    resolve_model,
)

SavedWeights: TypeAlias = Literal["merged", "adapter", "both"]
"""Weights with the adapter merged, the adapter alone, or the former with it in `adapter`."""
ADAPTER = "adapter"  # folder of the adapter beside merged weights, where nothing loads it by itself


def check_saved_weights(
    pretrained: PretrainedLm, trains_adapters: bool, weights: SavedWeights
) -> None:
    """Raise ConfigError if a trained model cannot be saved so; called before training."""
    if weights == "merged":
        if pretrained.quantization is not None:
            raise ConfigError(
                "Quantized weights cannot be merged with their adapter without loss; save the "
                "`adapter` alone."
            )
        return
    if not trains_adapters:
        raise ConfigError("With `lora: null` all weights are trained: there is no adapter to save.")
    if pretrained.layers is not None:
        raise ConfigError(
            "The adapter of a student with `layers` would be loaded with all layers elsewhere; "
            "save it merged."
        )


def save_lm(
    model: Any,
    tokenizer: Any,
    folder: Path,
    weights: SavedWeights = "merged",
    base: PretrainedLm | None = None,
) -> None:
    """Write weights, config of generation and tokenizer to a folder.

    Args:
        model: with adapters, or without.
        tokenizer: of the model.
        folder: exists.
        weights: which are written.
        base: what the model was made from; merged weights take the type of its checkpoint. None
            keeps the type that they have in memory.

    Raises:
        ConfigError: there is no adapter, or the weights are quantized and cannot be merged without
            loss.
    """
    adapted = hasattr(model, "merge_and_unload")
    if weights != "merged":
        if not adapted:
            raise ConfigError("The model has no adapter to save; save it merged.")
        target = folder if weights == "adapter" else folder / ADAPTER
        _save_adapter(model, target, base)
        inner = model.get_base_model()
        inner.generation_config.save_pretrained(folder)
    if weights != "adapter":
        if getattr(model, "is_quantized", False) or getattr(model, "quantization_method", None):
            raise ConfigError(
                "Quantized weights cannot be merged with their adapter without loss; save the "
                "adapter alone."
            )
        merged = copy.deepcopy(model).merge_and_unload() if adapted else model
        dtype = None if base is None else getattr(load_config(base), "dtype", None)
        if isinstance(dtype, torch.dtype):
            merged = (merged if adapted else copy.deepcopy(merged)).to(dtype)
        merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def with_saved_adapter(model: Any, folder: Path, base: Pretrained) -> Any:
    """The base model with the adapter of a folder.

    Raises:
        ConfigError: the adapter belongs to another model, by its name or by its sizes.
    """
    from peft import PeftModel

    written = adapter_base(folder)
    if written and _last_name(written) != _last_name(resolve_model(base.model)):
        raise ConfigError(
            f"The adapter in {folder} was trained on {written}, and its base model here is "
            f"{base.model}; give that model, or correct `base_model_name_or_path` in "
            "adapter_config.json if it is the same."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 uses a renamed name
            adapted = PeftModel.from_pretrained(model, str(folder))
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"The adapter in {folder} does not fit its base model ({str(error).splitlines()[0]}); "
            "give the folder of the model that it was trained on."
        ) from error
    return adapted.eval()


def _last_name(address: str) -> str:
    """The last part of a Hub name or of a folder's path, of the Hub's cache that of its model."""
    parts = address.rstrip("/").split("/")
    if len(parts) > 2 and parts[-2] == "snapshots":
        return parts[-3].split("--")[-1]
    return parts[-1]


def has_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter alone."""
    return (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()


def _save_adapter(model: Any, folder: Path, base: Pretrained | None) -> None:
    if base is not None:
        address = resolve_model(base.model)
        name = str(Path(address).resolve()) if Path(address).is_dir() else address
        for config in model.peft_config.values():
            config.base_model_name_or_path, config.revision = name, base.revision
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's card, all blanks
