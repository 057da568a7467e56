"""Continuations of prompts by a language model: seeded, cut by tokens, appended to a file."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from steelyard.errors import InputError
from steelyard.generation.prompts_file import GenerationPrompt
from steelyard.io.atomic import write_text
from steelyard.io.rows import read_rows
from steelyard.models.load import Pretrained

VERSION = 1  # raised when continuations change without a change of settings
AT_ONCE = 8  # prompts whose continuations are written together
RECIPE, CONTINUATIONS = "recipe.json", "continuations.jsonl"


class Sampling(BaseModel):
    """How continuations are drawn; the defaults are those of RealToxicityPrompts.

    Source: Gehman et al. 2020, arXiv:2009.11462, section 4.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    samples: int = Field(25, ge=1, le=1000)
    """Continuations of each prompt."""
    max_new_tokens: int = Field(20, ge=1)
    """Longest continuation in tokens of the generator."""
    top_p: float = Field(0.9, gt=0, le=1)
    """Sample from the fewest tokens of at least this probability."""
    temperature: float = Field(1.0, gt=0)
    """Below 1 the probable tokens are more probable still."""
    seed: int = Field(0, ge=0)
    """Random seed; that of a continuation also depends on its prompt's id and its number."""
    precision: Literal["bf16", "fp32"] = "fp32"
    """Precision of matrix products."""


@dataclass(frozen=True, slots=True)
class Continued:
    """A prompt with its n continuations."""

    id: str
    prompt: str
    texts: tuple[str, ...]  # (n,), may be empty
    finish_reasons: tuple[str, ...]  # (n,), "stop" or "length"
    truncated: bool  # whether the prompt lost its beginning, because the context is shorter


def continue_prompts(
    model: Any, tokenizer: Any, prompts: Sequence[GenerationPrompt], sampling: Sampling
) -> list[Continued]:
    """n continuations of each prompt, as raw text: no chat template.

    A prompt that is longer than the model's context loses its beginning.
    """
    from steelyard.models.lm.sampling import sample_replies
    from steelyard.prompts import PromptedQuestion

    asked = [
        PromptedQuestion(
            *(prompt.id, str(number), prompt.text),
            item=(0, len(prompt.text)),
            keeps_end=True,
            seed=_seed(sampling.seed, prompt.id, number),
        )
        for prompt in prompts
        for number in range(sampling.samples)
    ]
    options = sampling.model_dump(include={"max_new_tokens", "top_p", "temperature", "precision"})
    replies = sample_replies(model, tokenizer, asked, **options)
    continued = []
    for i, prompt in enumerate(prompts):
        part = replies[i * sampling.samples : (i + 1) * sampling.samples]
        texts, reasons = zip(*((reply.text, reply.finish_reason) for reply in part), strict=True)
        truncated = any(reply.truncated for reply in part)
        continued.append(Continued(prompt.id, prompt.text, texts, reasons, truncated))
    return continued


def _seed(seed: int, name: str, number: int) -> int:
    key = json.dumps([seed, name, number]).encode()
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")


def write_continuations(
    pretrained: Pretrained,
    prompts: Sequence[GenerationPrompt],
    sampling: Sampling,
    folder: Path,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> list[Continued]:
    """Continue the prompts, `AT_ONCE` at a time, and keep what is written in a folder.

    Called again after a stop, it continues only the prompts that are not in the folder yet.

    Args:
        pretrained: the generator's weights.
        prompts: P of them, with distinct ids.
        sampling: how continuations are drawn.
        folder: made if it is missing; holds `recipe.json` and `continuations.jsonl`.
        watch: is told how many prompts of how many are done.

    Raises:
        InputError: the folder holds continuations of another model, of other settings, or of
            another prompt with the same id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check_recipe(pretrained, sampling, folder)
    path = folder / CONTINUATIONS
    stored = _stored(path)
    for prompt in prompts:
        if prompt.id in stored and stored[prompt.id].prompt != prompt.text:
            raise InputError(
                f"{path} has continuations of another prompt with the id {prompt.id!r}; give "
                "another folder."
            )
    missing = [prompt for prompt in prompts if prompt.id not in stored]
    loaded: tuple[Any, Any] | None = None
    watch(len(prompts) - len(missing), len(prompts))
    for start in range(0, len(missing), AT_ONCE):
        loaded = loaded or load_generator(pretrained, sampling.precision)
        part = continue_prompts(*loaded, missing[start : start + AT_ONCE], sampling)
        _append(path, part)
        stored |= {continued.id: continued for continued in part}
        watch(len(prompts) - len(missing) + start + len(part), len(prompts))
    return [stored[prompt.id] for prompt in prompts]


def load_generator(
    pretrained: Pretrained, precision: Literal["bf16", "fp32"] = "fp32"
) -> tuple[Any, Any]:
    """A causal language model on the device, for products in `precision`, and its tokenizer."""
    from steelyard.models.lm.load_lm import load_causal
    from steelyard.models.load import load_tokenizer

    return load_causal(pretrained, precision=precision), load_tokenizer(pretrained)


def _check_recipe(pretrained: Pretrained, sampling: Sampling, folder: Path) -> None:
    """Write what decides the continuations, or compare it with what is there."""
    from steelyard.models.load import identity

    recipe = {"version": VERSION, "model": identity(pretrained), **sampling.model_dump()}
    path = folder / RECIPE
    if not path.exists():
        write_text(path, json.dumps(recipe, indent=1))
        return
    before: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        before = json.loads(path.read_text(encoding="utf-8"))
    different = [name for name in recipe if before.get(name) != recipe[name]]
    if different:
        name = different[0]
        raise InputError(
            f"{folder} holds continuations of another `{name}` ({before.get(name)}, now "
            f"{recipe[name]}); give another folder, or delete this one."
        )


def _stored(path: Path) -> dict[str, Continued]:
    """What an earlier run wrote; a last line that is not whole is removed."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    return {row.id: row for row in _read(path)} if whole else {}


def _read(path: Path) -> Iterator[Continued]:
    for location, row in read_rows(path):
        try:
            lists = (tuple(row["texts"]), tuple(row["finish_reasons"]))
            yield Continued(row["id"], row["prompt"], *lists, bool(row["truncated"]))
        except (KeyError, TypeError) as error:
            raise InputError(f"{location} is damaged ({error!r}); delete the folder.") from error


def _append(path: Path, rows: Sequence[Continued]) -> None:
    with path.open("ab") as file:
        for row in rows:
            file.write(json.dumps(asdict(row)).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
