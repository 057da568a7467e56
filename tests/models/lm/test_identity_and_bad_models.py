"""What a model is known by, and models that cannot be asked or trained: one line each."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from steelyard.errors import ConfigError
from steelyard.io import remembered_sums
from steelyard.models.finetune import Lora, with_adapters
from steelyard.models.lm.engines import TransformersEngine
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.save_lm import save_lm, with_saved_adapter
from steelyard.models.load import PretrainedLm, identity, load_tokenizer
from steelyard.prompts import PromptedQuestion
from tiny_models import llama_config, tokenizer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def save(folder: Path) -> Path:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(llama_config(layers=1)).save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("m"))


@pytest.fixture
def cache(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub's cache with one model, as huggingface_hub lays it out."""
    repository = tmp_path / "hub" / "models--org--tiny"
    snapshot = repository / "snapshots" / COMMIT
    for folder in (snapshot, repository / "blobs", repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    for number, file in enumerate(sorted(model.iterdir())):
        shutil.copy(file, repository / "blobs" / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return snapshot


def test_a_hub_model_is_its_commit_and_no_file_is_read(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> str:
        raise AssertionError(path)

    monkeypatch.setattr(remembered_sums, "file_sum", read)
    assert identity(PretrainedLm(model="org/tiny")) == f"org/tiny@{COMMIT}"
    assert identity(PretrainedLm(model=str(cache))) == f"org/tiny@{COMMIT}"


def test_a_changed_snapshot_is_a_folder_like_any_other(cache: Path, model: Path) -> None:
    (cache / "config.json").unlink()
    shutil.copy(model / "config.json", cache / "config.json")
    assert identity(PretrainedLm(model=str(cache))) == identity(PretrainedLm(model=str(model)))


def test_a_folder_is_its_content_wherever_it_lies(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Touched files are read again, and say the same."""
    monkeypatch.setattr(remembered_sums, "SETTLED", -1.0)
    monkeypatch.setattr(remembered_sums, "_SUMS", {})
    read: list[Path] = []
    plain = remembered_sums.file_sum
    monkeypatch.setattr(remembered_sums, "file_sum", lambda p: read.append(p) or plain(p))
    first = identity(PretrainedLm(model=str(model)))
    files = len(read)
    assert identity(PretrainedLm(model=str(model))) == first
    assert len(read) == files
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    assert identity(PretrainedLm(model=str(copy))) == first
    assert len(read) == 2 * files
    (copy / "config.json").touch()
    assert identity(PretrainedLm(model=str(copy))) == first
    assert len(read) == 3 * files


# Models that cannot be asked or trained.


def changed(model: Path, target: Path, change: Callable[[dict[str, Any]], Any]) -> PretrainedLm:
    shutil.copytree(model, target)
    config = json.loads((target / "config.json").read_text())
    change(config)
    (target / "config.json").write_text(json.dumps(config))
    return PretrainedLm(model=str(target))


def refused(ask: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        ask()
    assert "\n" not in str(error.value)


def test_a_checkpoint_with_quantized_weights_is_not_trained(model: Path, tmp_path: Path) -> None:
    def quantized(method: str) -> Callable[[dict[str, Any]], Any]:
        return lambda config: config.update(quantization_config={"quant_method": method})

    fp8 = changed(model, tmp_path / "fp8", quantized("fbgemm_fp8"))
    refused(lambda: load_causal(fp8, trained="adapters"), "has quantized weights, .* made from.$")
    bits = changed(model, tmp_path / "bits", quantized("bitsandbytes"))
    refused(lambda: load_causal(bits, trained="all"), r"quantized weights.*adapters \(`lora: {}`\)")


def adapter(model: Path, folder: Path) -> Path:
    pretrained = PretrainedLm(model=str(model))
    base = load_causal(pretrained, trained="adapters")
    taught = with_adapters(base, Lora(), "CAUSAL_LM", 0)
    folder.mkdir()
    save_lm(taught, load_tokenizer(pretrained), folder, "adapter", pretrained)
    return folder


def test_an_adapter_alone_and_one_of_another_model(model: Path, tmp_path: Path) -> None:
    folder = adapter(model, tmp_path / "adapter")
    alone = PretrainedLm(model=str(folder))
    refused(lambda: load_causal(alone), f"holds an adapter of {model.resolve()} alone; give a fold")
    other = PretrainedLm(model=str(save(tmp_path / "other")))
    base = load_causal(other, trained="adapters")
    refused(
        lambda: with_saved_adapter(base, folder, other),
        f"was trained on {model.resolve()}, and its base model here is {other.model}",
    )
    moved = PretrainedLm(model=str(shutil.copytree(model, tmp_path / "elsewhere" / model.name)))
    assert with_saved_adapter(load_causal(moved, trained="adapters"), folder, moved) is not None


def test_a_tokenizer_without_an_end_token_writes_no_replies(model: Path, tmp_path: Path) -> None:
    endless = changed(model, tmp_path / "endless", lambda config: config.update(eos_token_id=None))
    words = tokenizer(pairs=False)
    words.eos_token = words.pad_token = None
    words.save_pretrained(endless.model)
    (tmp_path / "endless" / "generation_config.json").unlink()
    loaded = load_tokenizer(endless)
    assert loaded.pad_token_id is not None
    engine = TransformersEngine(load_causal(endless, precision="fp32"), loaded, "fp32")
    plain = TransformersEngine(
        load_causal(PretrainedLm(model=str(model)), precision="fp32"), loaded, "fp32"
    )
    asked = [PromptedQuestion("q", "0", "the film is", (" bad", " fine"))]
    assert engine.score(asked).probs == pytest.approx(plain.score(asked).probs)  # needs no end
    settings: dict[str, Any] = {"max_new_tokens": 4, "temperature": 0.0, "top_p": 1.0}
    refused(lambda: engine.reply(asked, **settings), "has no end token")
