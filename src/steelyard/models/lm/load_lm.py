"""Load causal language models."""

from typing import Any

from steelyard.errors import ConfigError
from steelyard.models.load import Pretrained, load_config, load_weights, set_dropout


def load_causal(pretrained: Pretrained, dropout: float = 0.0) -> Any:
    """A causal language model, weights in float32, set to evaluate; `dropout` is for training.

    Checkpoints in half precision are widened: AdamW on bf16 weights rounds small steps away.

    Raises:
        ConfigError: there is no such model, or it is no language model.
    """
    import torch
    from transformers import AutoModelForCausalLM

    config = load_config(pretrained)
    set_dropout(config, dropout)
    model = load_weights(pretrained, AutoModelForCausalLM, config=config)
    model.eval()
    # an encoder loads as a language model too, and reads what it should predict
    ids = torch.tensor([[1, 2, 3], [1, 2, 4]])
    with torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, 0].float()
    if (logits[0] - logits[1]).abs().max() > 1e-4 * logits.abs().max():
        raise ConfigError(
            f"`model: {pretrained.model}` is no causal language model: its predictions depend on "
            "what comes after. Give a model that was made to write, such as a Llama or a GPT."
        )
    return model
