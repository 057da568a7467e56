"""Causal language models: loaded one way by supervisors and students."""

from typing import Any

from steelyard.models.load import Pretrained, _config, _reading


def load_causal(pretrained: Pretrained) -> Any:
    """A causal language model, weights in float32, set to evaluate.

    Checkpoints in half precision are widened: AdamW on bf16 weights rounds small steps away.

    Raises:
        ConfigError: there is no such model, or it is no language model.
    """
    import torch
    from transformers import AutoModelForCausalLM

    config = _config(pretrained)
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    model = _reading(
        pretrained,
        AutoModelForCausalLM.from_pretrained,
        config=config,
        dtype=torch.float32,
        attn_implementation=attention,
    )
    model.eval()
    return model
