"""What saves memory when a language model is trained, and how much memory that takes.

Sizes: L blocks, d hidden units, f units of the feed-forward layer, V tokens of the vocabulary.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from steelyard.errors import ConfigError
from steelyard.models.batches import CPU_TOKENS, Batcher
from steelyard.models.precision import Precision, autocast
from steelyard.models.score import without_adapters
from steelyard.objectives.chunks import ENTRIES, OutputLayer

BYTES_HIDDEN = 62  # kept for the gradients of a block, for each token and hidden unit
BYTES_INNER = 26  # the same for each unit of the feed-forward layer


def output_layer(model: Any, precision: Precision) -> OutputLayer | None:
    """The layer that makes the logits; None where it alone does not make those of the model.

    Some models scale or cap their logits behind it; the logits of three tokens show it.
    """
    inner = without_adapters(model)
    layer = inner.get_output_embeddings()
    if not isinstance(getattr(layer, "weight", None), Tensor):
        return None

    def logits(states: Tensor) -> Tensor:
        with autocast(inner, precision):
            return torch.as_tensor(layer(states))

    ids = torch.tensor([[1, 2, 3]], device=inner.device)
    with torch.inference_mode(), autocast(inner, precision):
        whole = inner(input_ids=ids).logits
        try:
            parts = logits(inner.base_model(input_ids=ids).last_hidden_state)
        except (AttributeError, RuntimeError):
            return None
    if whole.shape != parts.shape or not torch.allclose(whole.float(), parts.float(), rtol=1e-3):
        return None
    return OutputLayer(logits, whole.shape[-1])


@contextmanager
def gradient_checkpointing(model: Any, wanted: bool) -> Iterator[None]:
    """Inside, training keeps the states between blocks alone.

    Raises:
        ConfigError: the model's architecture cannot do so.
    """
    if not wanted:
        yield
        return
    inner = without_adapters(model)
    name = "activation" if hasattr(inner, "activation_checkpointing_enable") else "gradient"
    try:
        getattr(inner, f"{name}_checkpointing_enable")({"use_reentrant": False})
    except ValueError as error:
        raise ConfigError(
            f"`gradient_checkpointing: true`: {type(inner).__name__} cannot do so; set it to false."
        ) from error
    try:
        yield
    finally:
        getattr(inner, f"{name}_checkpointing_disable")()


def wants_checkpointing(tuning: Any, model: Any, batcher: Batcher) -> bool:
    """Whether to use gradient checkpointing: as set, or where memory may not suffice."""
    if tuning.gradient_checkpointing != "auto":
        return bool(tuning.gradient_checkpointing)
    if not getattr(model, "supports_gradient_checkpointing", False):
        return False
    longest = int(batcher.encoded.costs.max())
    tokens = pass_tokens(tuning.token_budget, longest, batcher.device)
    return activation_bytes(model.config, tokens) > available_memory(batcher.device) / 2


def pass_tokens(token_budget: int, longest: int, device: str) -> int:
    """Padded tokens of the largest pass: the budget, or one example that is longer."""
    budget = min(token_budget, CPU_TOKENS) if device == "cpu" else token_budget
    return max(budget, longest)


def activation_bytes(config: Any, tokens: int, checkpointing: bool = False) -> int:
    """Estimated bytes of what a pass over `tokens` tokens keeps for its gradients.

    Of a block without checkpointing the inputs of its products, in bfloat16, and of its norms,
    adapters and dropout, in float32; with it the states between blocks (float32), one block in
    full, and the logits of one chunk. Counted on a Llama with adapters; within a third or so.
    """
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    d, blocks = int(config.hidden_size), int(config.num_hidden_layers)
    inner = int(getattr(config, "intermediate_size", None) or 4 * d)
    block = tokens * (BYTES_HIDDEN * d + BYTES_INNER * inner)
    chunk = 4 * min(ENTRIES, tokens * int(config.vocab_size)) * 3
    return (blocks * tokens * 4 * d + block if checkpointing else blocks * block) + chunk


def available_memory(device: str) -> int:
    """Bytes that are free on a GPU, or in the main memory."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info()[0])
    import psutil  # which accelerate needs

    return int(psutil.virtual_memory().available)
