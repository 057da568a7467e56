"""Load causal language models, each once per process.

A model that is not trained, or only through adapters, is kept: the next call shares its weights.
"""

import copy
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch

from steelyard.errors import ConfigError
from steelyard.extras import require
from steelyard.io.remembered_sums import folder_state
from steelyard.models.load import (
    Pretrained,
    PretrainedLm,
    load_config,
    load_weights,
    resolve_model,
    set_dropout,
)
from steelyard.models.precision import Precision, autocast, computed_in
from steelyard.models.train import device

Trained: TypeAlias = Literal["nothing", "adapters", "all"]
"""What is trained of a model: of its own weights something only with `all`."""
KEPT_SHARE = 0.25  # of the memory: larger models are kept one at a time
_KEPT: OrderedDict[tuple[Any, ...], Any] = OrderedDict()


def load_causal(
    pretrained: Pretrained,
    dropout: float = 0.0,
    *,
    trained: Trained = "nothing",
    precision: Precision = "bf16",
) -> Any:
    """A causal language model on the device, set to evaluate.

    Weights that are trained are float32: AdamW on bf16 weights rounds small steps away. Others keep
    the type of `pretrained.dtype`. Beside half-precision matrices, vectors such as norms and the
    states between the blocks are float32: under autocast, which they need, results are then those
    of widened weights.

    Args:
        pretrained: which weights.
        dropout: for training.
        trained: what will be trained; weights are shared between calls unless it is `all`.
        precision: of matrix products; `fp32` needs float32 weights.

    Raises:
        ConfigError: there is no such model, it is no language model, or it cannot be trained so.
    """
    lm = pretrained if isinstance(pretrained, PretrainedLm) else _plain(pretrained)
    config = load_config(lm)
    set_dropout(config, dropout)
    dtype = weights_dtype(lm, config, trained, precision)
    _check_trainable(lm, config, trained)
    if trained == "all" or (trained == "adapters" and (lm.quantization or lm.device_map)):
        return _load(lm, config, dtype)
    key = (lm, dropout, dtype, _state(lm), device())
    if key not in _KEPT:
        _make_space(lm)
        _KEPT[key] = _load(lm, config, dtype)
    _KEPT.move_to_end(key)
    model = _KEPT[key]
    if trained == "nothing":
        return model
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)  # modules of its own, which adapters can be added to


def _check_trainable(pretrained: PretrainedLm, config: Any, trained: Trained) -> None:
    """Refuse to train a checkpoint whose weights are quantized in its files.

    Raises:
        ConfigError: all its weights are to be trained, or adapters on a format that takes none.
    """
    quantized = getattr(config, "quantization_config", None)
    if quantized is None or trained == "nothing":
        return
    from transformers.quantizers import AutoHfQuantizer

    try:
        carries = (
            trained == "adapters"
            and AutoHfQuantizer.from_config(quantized, pre_quantized=True).is_trainable
        )
    except (ValueError, TypeError, KeyError, ImportError):  # unknown, or not installed
        carries = trained == "adapters"  # said where the weights are loaded
    if not carries:
        change = "" if trained == "adapters" else ", or train adapters (`lora: {}`)"
        raise ConfigError(
            f"`model: {pretrained.model}` has quantized weights, which cannot be trained; give the "
            f"checkpoint that they were made from{change}."
        )


def release_models() -> None:
    """Forget the models that are kept, so that their memory can be used."""
    _KEPT.clear()


def weights_dtype(
    pretrained: PretrainedLm, config: Any, trained: Trained, precision: Precision
) -> torch.dtype:
    """The type of a model's weights in memory.

    Raises:
        ConfigError: half precision where weights are trained, or where products are float32.
    """
    wanted, narrow = pretrained.dtype, ""
    if wanted in ("bfloat16", "float16"):
        narrow = f"`dtype: {wanted}`"
    if pretrained.quantization is not None:
        narrow = f"`quantization: {pretrained.quantization}`"
    if trained == "all" and narrow:
        raise ConfigError(
            f"{narrow} with `lora: null`: weights that are trained must be float32; train adapters "
            "(`lora: {}`), or remove it."
        )
    if precision == "fp32" and narrow:
        raise ConfigError(
            f"{narrow} with `precision: fp32`: its products need float32 weights; set "
            "`precision: bf16`, or remove it."
        )
    if trained == "all" or precision == "fp32":
        return torch.float32
    if wanted != "auto":
        return getattr(torch, wanted)  # type: ignore[no-any-return]
    if not pretrained.quantization and computed_in(precision, device()) == "fp32":
        return torch.float32
    checkpoint = getattr(config, "dtype", None)
    if pretrained.quantization and checkpoint not in (torch.bfloat16, torch.float16):
        return torch.bfloat16
    return checkpoint if isinstance(checkpoint, torch.dtype) else torch.float32


def _plain(pretrained: Pretrained) -> PretrainedLm:
    return PretrainedLm(**pretrained.model_dump(include=set(Pretrained.model_fields)))


def _load(pretrained: PretrainedLm, config: Any, dtype: torch.dtype) -> Any:
    """A model on the device, ready for autocast, with a look at whether it is a language model."""
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {"config": config, "dtype": dtype}
    if pretrained.attention != "auto":
        options["attn_implementation"] = pretrained.attention
    if pretrained.device_map is not None:
        options["device_map"] = pretrained.device_map
    if pretrained.quantization is not None:
        options["quantization_config"] = _quantization(pretrained.quantization, dtype)
        options.setdefault("device_map", {"": device()})
    model = load_weights(pretrained, AutoModelForCausalLM, **options)
    if "device_map" not in options:
        model.to(device())
    if dtype != torch.float32:
        _keep_states_wide(model)
    model.eval()
    _check_causal(model, pretrained)
    return model


def _quantization(bits: Literal["4bit", "8bit"], dtype: torch.dtype) -> Any:
    """How bitsandbytes loads the weights: NF4 with quantized constants, or LLM.int8().

    Source: Dettmers et al. 2023, arXiv:2305.14314 (4 bits); 2022, arXiv:2208.07339 (8 bits).
    """
    require(f"`quantization: {bits}`", "bitsandbytes")
    from transformers import BitsAndBytesConfig

    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def _keep_states_wide(model: Any) -> None:
    """Float32 vectors, and float32 states behind the embeddings: autocast narrows only products."""
    for weight in model.parameters():
        if weight.ndim < 2 and weight.is_floating_point():
            weight.data = weight.data.float()
    model.get_input_embeddings().register_forward_hook(_widen)


def _widen(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return output.float()


def _check_causal(model: Any, pretrained: Pretrained) -> None:
    """Refuse an encoder, which loads as a language model too and reads what it should predict."""
    ids = torch.tensor([[1, 2, 3], [1, 2, 4]], device=model.device)
    half = model.get_input_embeddings().weight.dtype != torch.float32
    with torch.inference_mode(), autocast(model, "bf16" if half else "fp32"):
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, 0].float()
    if (logits[0] - logits[1]).abs().max() > (1e-2 if half else 1e-4) * logits.abs().max():
        raise ConfigError(
            f"`model: {pretrained.model}` is no causal language model: its predictions depend on "
            "what comes after. Give a model that was made to write, such as a Llama or a GPT."
        )


def _state(pretrained: PretrainedLm) -> Any:
    """What tells that the files of a folder have changed."""
    folder = Path(resolve_model(pretrained.model))
    return folder_state(folder) if folder.is_dir() else None


def _make_space(pretrained: PretrainedLm) -> None:
    """Forget the models used longest ago until the rest take at most KEPT_SHARE of the memory."""
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
    else:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    while _KEPT and sum(map(_size, _KEPT.values())) > KEPT_SHARE * memory:
        _KEPT.popitem(last=False)


def _size(model: Any) -> int:
    return sum(weight.nbytes for weight in model.parameters())
