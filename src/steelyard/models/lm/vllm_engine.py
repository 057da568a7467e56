"""A language model in vLLM, which batches requests and keeps what prompts share.

Lines marked `GPU` are the only ones that need vLLM and, with it, a GPU.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from steelyard.errors import ConfigError
from steelyard.extras import require
from steelyard.models.lm.option_scores import OptionScores, option_scores, option_tokens
from steelyard.models.lm.prompt_tokens import end_token
from steelyard.models.lm.sampling import SampledReply, readable_prompts, sampled_reply
from steelyard.models.load import PretrainedLm, check_model, load_tokenizer, resolve_model
from steelyard.models.precision import Precision
from steelyard.prompts import PromptedQuestion

REQUESTS = 4096  # of one call: log-probabilities of prompts come back as a dict for each token
_KEPT: dict[tuple[PretrainedLm, Precision], Any] = {}


@dataclass(frozen=True, eq=False)
class VllmEngine:
    """Asks `vllm.LLM` by token ids, so that prompts and answers are those of Transformers.

    Samples have the seeds of their queries, but are other draws than Transformers' with the same
    seeds. vLLM gives log-probabilities only where it does not read its cache of prefixes, so the
    cache saves work for replies and not for scores.

    Source: vLLM, `SamplingParams.prompt_logprobs` and `skip_reading_prefix_cache`.
    """

    llm: Any
    tokenizer: Any

    @property
    def context(self) -> int:
        """Tokens that the model can read at once."""
        most = int(self.llm.llm_engine.model_config.max_model_len)
        return min(most, int(self.tokenizer.model_max_length))

    def score(self, asked: Sequence[PromptedQuestion]) -> OptionScores:
        """As `score_options`, by the log-probabilities of prompts that end with an answer."""
        from vllm import SamplingParams  # GPU

        texts, fits, truncated = option_tokens(self.tokenizer, asked, self.context - 1)
        width = max((len(question.answers) for question in asked), default=0)
        sums = np.full((len(asked), width), -np.inf)
        counts = np.zeros((len(asked), width), dtype=np.int64)
        cells = [
            (i, k, (*texts[i][0], *answer))
            for i in np.flatnonzero(fits).tolist()
            for k, answer in enumerate(texts[i][1])
        ]
        distinct = list(dict.fromkeys(ids for _, _, ids in cells))
        # one token must be written; only the prompt's log-probabilities are of use
        scoring = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=1, detokenize=False)
        outputs = self._generated(distinct, [scoring] * len(distinct))
        logs = {
            ids: [0.0, *(float(at[token].logprob) for token, at in pairs)]
            for ids, output in zip(distinct, outputs, strict=True)
            for pairs in [zip(ids[1:], output.prompt_logprobs[1:], strict=True)]
        }
        for i, k, ids in cells:
            start = len(texts[i][0])
            sums[i, k], counts[i, k] = sum(logs[ids][start:]), len(ids) - start
        return option_scores(asked, sums, counts, fits, truncated)

    def reply(
        self,
        asked: Sequence[PromptedQuestion],
        *,
        max_new_tokens: int,
        temperature: float,
        top_p: float,
    ) -> list[SampledReply]:
        """One reply to each prompt; the end tokens are those of the model's generation config.

        Raises:
            ConfigError: the tokenizer has no end token.
        """
        from vllm import SamplingParams  # GPU

        end_token(self.tokenizer)
        tokens = readable_prompts(self.tokenizer, asked, self.context, max_new_tokens)
        replies = [SampledReply("", "too long")] * len(asked)
        fit = [i for i, question in enumerate(asked) if question.whole in tokens]
        settings = {"max_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p}
        drawing = [
            SamplingParams(**settings, seed=asked[i].seed % 2**31, detokenize=False) for i in fit
        ]
        prompts = [tokens[asked[i].whole] for i in fit]
        outputs = self._generated([tuple(ids) for ids, _ in prompts], drawing)
        for i, (_, truncated), output in zip(fit, prompts, outputs, strict=True):
            written = output.outputs[0]
            ended = written.finish_reason == "stop"  # the end token is the last one then
            ids = list(written.token_ids)[: -1 if ended else None]
            replies[i] = sampled_reply(self.tokenizer, asked[i], ids, ended, truncated)
        return replies

    def _generated(
        self, prompts: Sequence[tuple[int, ...]], settings: Sequence[Any]
    ) -> Iterator[Any]:
        """vLLM's output for each prompt."""
        pairs = iter(zip(prompts, settings, strict=True))
        while part := list(islice(pairs, REQUESTS)):
            requests = [{"prompt_token_ids": list(ids)} for ids, _ in part]
            yield from self.llm.generate(requests, [s for _, s in part], use_tqdm=False)


def vllm_engine(pretrained: PretrainedLm, precision: Precision) -> VllmEngine:
    """A model in vLLM; the last one is kept, for the next call.

    Matrix products are in float32 with `precision: fp32`, else in float16 if that is the `dtype`,
    else in bfloat16.

    Raises:
        ConfigError: vLLM is not installed, there is no such model, or vLLM cannot load it.
    """
    require("`engine: vllm`", "vllm")
    check_model(pretrained)
    tokenizer = load_tokenizer(pretrained)
    key = (pretrained, precision)
    if key not in _KEPT:
        _KEPT.clear()  # its memory is needed
        _KEPT[key] = _load(pretrained, precision)
    return VllmEngine(_KEPT[key], tokenizer)


def _load(pretrained: PretrainedLm, precision: Precision) -> Any:
    from vllm import LLM  # GPU

    half = "float16" if pretrained.dtype == "float16" else "bfloat16"
    address = resolve_model(pretrained.model)
    try:
        return LLM(  # GPU
            model=address,
            tokenizer=address,
            revision=pretrained.revision,
            tokenizer_revision=pretrained.revision,
            trust_remote_code=pretrained.trust_remote_code,
            dtype="float32" if precision == "fp32" else half,
            tensor_parallel_size=torch.cuda.device_count() if pretrained.device_map else 1,
            enable_prefix_caching=True,
        )
    except (RuntimeError, ValueError, OSError, ImportError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ConfigError(
            f"vLLM could not load `model: {pretrained.model}` ({first}); set "
            "`engine: transformers`, or correct what it says."
        ) from error
