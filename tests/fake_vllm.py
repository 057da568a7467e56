"""A module in the place of vLLM, which computes by a model of Transformers, one request at a time.

What it takes and gives is named and shaped as in vLLM 0.10 and later.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM


@dataclass
class SamplingParams:
    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    max_tokens: int | None = 16
    prompt_logprobs: int | None = None
    detokenize: bool = True


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class LLM:
    model: str
    tokenizer: str
    revision: str | None
    tokenizer_revision: str | None
    trust_remote_code: bool
    dtype: str
    tensor_parallel_size: int
    enable_prefix_caching: bool
    requests: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._lm = AutoModelForCausalLM.from_pretrained(self.model).eval()
        size = self._lm.config.max_position_embeddings
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=size))

    def generate(
        self, prompts: Sequence[Any], sampling_params: Sequence[SamplingParams], use_tqdm: bool
    ) -> list[Any]:
        assert not use_tqdm
        self.requests += len(prompts)
        pairs = zip(prompts, sampling_params, strict=True)
        return [self._one(list(prompt["prompt_token_ids"]), params) for prompt, params in pairs]

    def _log_probs(self, ids: list[int]) -> torch.Tensor:
        with torch.no_grad():
            return torch.log_softmax(self._lm(torch.tensor([ids])).logits[0].double(), dim=-1)

    def _one(self, prompt: list[int], params: SamplingParams) -> Any:
        size = self.llm_engine.model_config.max_model_len
        if len(prompt) >= size:
            raise ValueError(f"The prompt (length {len(prompt)}) is longer than {size}")
        logprobs = None
        if params.prompt_logprobs is not None:  # the most probable tokens, and the prompt's own
            table = self._log_probs(prompt)[:-1]
            logprobs = [None]
            for row, token in zip(table, prompt[1:], strict=True):
                tokens = {*row.topk(params.prompt_logprobs).indices.tolist(), token}
                logprobs.append({t: Logprob(float(row[t])) for t in tokens})
        draw = torch.Generator().manual_seed(params.seed or 0)
        written: list[int] = []
        reason = "length"
        while len(written) < (params.max_tokens or size) and len(prompt) + len(written) < size:
            logs = self._log_probs(prompt + written)[-1]
            if params.temperature == 0:
                token = int(logs.argmax())
            else:
                probs = torch.softmax(logs / params.temperature, dim=-1)
                token = int(torch.multinomial(probs, 1, generator=draw))
            written.append(token)
            if token == self._lm.config.eos_token_id:
                reason = "stop"
                break
        output = SimpleNamespace(token_ids=written, finish_reason=reason, text="")
        return SimpleNamespace(prompt_logprobs=logprobs, outputs=[output])


@pytest.fixture
def fake_vllm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`vllm` is installed; its `made` are the models that were loaded."""
    module: Any = ModuleType("vllm")
    module.__spec__ = ModuleSpec("vllm", None)
    module.made = []

    def made(*args: Any, **options: Any) -> LLM:
        module.made.append(LLM(*args, **options))
        return module.made[-1]  # type: ignore[no-any-return]

    module.LLM, module.SamplingParams = made, SamplingParams
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setattr("steelyard.models.lm.vllm_engine._KEPT", {})
    return module
