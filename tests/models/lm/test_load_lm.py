"""Loading: types in memory, shared weights, and models that are refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM, Gemma2Config, GPT2Config

from real_llms import real_llm
from steelyard.errors import ConfigError
from steelyard.io import remembered_sums
from steelyard.models import load as loading
from steelyard.models import precision
from steelyard.models.finetune import Lora, with_adapters
from steelyard.models.lm import load_lm
from steelyard.models.lm.load_lm import load_causal, release_models
from steelyard.models.load import Pretrained, PretrainedLm, identity, load_config, load_tokenizer
from steelyard.models.precision import autocast
from tiny_models import llama_config, tokenizer

IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 11]])
CONFIGS: dict[str, Any] = {
    "llama": llama_config(layers=2),
    "gpt2": GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=2, n_positions=64),
}


@pytest.fixture(autouse=True)
def any_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """These are tests of bfloat16, which a CPU may have to emulate."""
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def half(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a tiny language model in bfloat16."""
    return save(CONFIGS[request.param], tmp_path_factory.mktemp(request.param))


def save(config: Any, folder: Path) -> str:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)


def logits(model: Any, products: str = "bf16") -> torch.Tensor:
    with torch.no_grad(), autocast(model, products):
        return torch.as_tensor(model(input_ids=IDS).logits).float()


def test_a_half_precision_model_stays_so_and_answers_as_a_widened_one(half: str) -> None:
    """Autocast rounds widened weights back to what they were: nothing is lost."""
    kept = load_causal(PretrainedLm(model=half))
    wide = load_causal(PretrainedLm(model=half, dtype="float32"))
    matrices = [w for w in kept.parameters() if w.ndim > 1]
    assert {w.dtype for w in matrices} == {torch.bfloat16}
    assert {w.dtype for w in wide.parameters()} == {torch.float32}
    torch.testing.assert_close(logits(kept), logits(wide), rtol=0, atol=1e-6)


def test_float32_products_have_float32_weights(half: str) -> None:
    model = load_causal(PretrainedLm(model=half), precision="fp32")
    assert {w.dtype for w in model.parameters()} == {torch.float32}


def test_trained_weights_are_float32_and_their_own(half: str) -> None:
    pretrained = PretrainedLm(model=half)
    one, other = (load_causal(pretrained, trained="all") for _ in range(2))
    for w, v in zip(one.parameters(), other.parameters(), strict=True):
        assert w.dtype == torch.float32
        assert w.data_ptr() != v.data_ptr()


def test_weights_under_adapters_are_shared_and_unchanged(half: str) -> None:
    pretrained = PretrainedLm(model=half)
    asked = load_causal(pretrained)
    before = logits(asked)
    taught = with_adapters(load_causal(pretrained, trained="adapters"), Lora(), "CAUSAL_LM", 0)
    adapters = [w for w in taught.parameters() if w.requires_grad]
    assert {w.dtype for w in adapters} == {torch.float32}
    with torch.no_grad():
        for weight in adapters:
            weight.add_(0.5)
    assert (logits(taught) - before).abs().max() > 1e-3
    torch.testing.assert_close(logits(asked), before, rtol=0, atol=0)
    table = taught.get_base_model().get_input_embeddings().weight
    assert table.data_ptr() == asked.get_input_embeddings().weight.data_ptr()


def test_a_model_is_read_once(half: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release_models()
    read, plain = [], AutoModelForCausalLM.from_pretrained
    monkeypatch.setattr(
        AutoModelForCausalLM,
        "from_pretrained",
        lambda *args, **options: read.append(args[0]) or plain(*args, **options),
    )
    for trained in ("nothing", "adapters", "nothing", "adapters"):
        load_causal(PretrainedLm(model=half), trained=trained)
    assert read == [half]


def test_another_model_in_the_same_folder_is_read_again(tmp_path: Path) -> None:
    first = logits(load_causal(PretrainedLm(model=save(CONFIGS["llama"], tmp_path / "m"))))
    shutil.rmtree(tmp_path / "m")
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(CONFIGS["llama"])
    model.save_pretrained(tmp_path / "m")
    assert (logits(load_causal(PretrainedLm(model=str(tmp_path / "m")))) - first).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({"dtype": "bfloat16"}, {"trained": "all"}, "`dtype: bfloat16` with `lora: null`: weights"),
        ({"quantization": "4bit"}, {"trained": "all"}, "`quantization: 4bit` with `lora: null`"),
        ({"dtype": "float16"}, {"precision": "fp32"}, "`dtype: float16` with `precision: fp32`"),
        ({"quantization": "8bit"}, {}, r"`quantization: 8bit` needs the extra `quantize`: pip"),
        ({"attention": "flash_attention_2"}, {}, "could not be loaded"),
    ],
)
def test_settings_that_cannot_work_are_one_line(
    half: str,
    settings: Any,
    options: Any,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("steelyard.extras._installed", lambda name: False)
    with pytest.raises(ConfigError, match=message) as error:
        load_causal(PretrainedLm(model=half, **settings), **options)
    assert "\n" not in str(error.value)


def test_four_bits_and_float32_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        PretrainedLm(model="m", quantization="4bit", dtype="float32")


def test_quantized_weights_answer_nearly_alike_and_carry_adapters() -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    model = real_llm()
    small = load_causal(PretrainedLm(model=model, layers=2, quantization="4bit"))
    whole = load_causal(PretrainedLm(model=model, layers=2))
    size = [sum(w.nbytes for w in m.model.layers.parameters()) for m in (small, whole)]
    assert size[0] < 0.35 * size[1]  # 4 bits and their constants, of 16
    one, other = logits(small).flatten(), logits(whole).flatten()
    assert torch.corrcoef(torch.stack([one, other]))[0, 1] > 0.95
    taught = load_causal(
        PretrainedLm(model=model, layers=2, quantization="4bit"), trained="adapters"
    )
    taught = with_adapters(taught, Lora(), "CAUSAL_LM", 0)
    assert logits(taught).isfinite().all()


# Folders


def changed(folder: str, target: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    change(config)
    (target / "config.json").write_text(json.dumps(config))
    return target


def test_pickled_weights_are_refused(half: str, tmp_path: Path) -> None:
    folder = changed(half, tmp_path / "m", lambda config: None)
    weights = next(folder.glob("*.safetensors"))
    weights.unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"pickled weights only \(pytorch_model.bin\)") as error:
        load_causal(PretrainedLm(model=str(folder)))
    assert "\n" not in str(error.value)


def test_custom_code_is_refused_before_it_runs(half: str, tmp_path: Path) -> None:
    def own(config: dict[str, Any]) -> None:
        config |= {"model_type": "homemade", "auto_map": {"AutoConfig": "code.Config"}}

    folder = changed(half, tmp_path / "m", own)
    (folder / "code.py").write_text("raise SystemExit('it ran')")
    for load in (load_causal, load_tokenizer, identity):
        with pytest.raises(ConfigError, match="Python code of its own") as error:
            load(PretrainedLm(model=str(folder)))
        assert "\n" not in str(error.value)


def test_a_missing_end_token_is_the_configs_and_padding_is_any(half: str, tmp_path: Path) -> None:
    folder = changed(half, tmp_path / "m", lambda config: config.update(eos_token_id=[7, 8]))
    words = tokenizer(pairs=False)
    words.eos_token = words.pad_token = None
    words.save_pretrained(folder)
    loaded = load_tokenizer(PretrainedLm(model=str(folder)))
    assert (loaded.eos_token_id, loaded.pad_token_id) == (7, 7)
    endless = changed(half, tmp_path / "n", lambda config: config.update(eos_token_id=None))
    words.unk_token = None
    words.save_pretrained(endless)
    assert load_tokenizer(PretrainedLm(model=str(endless))).pad_token_id == 0


def test_a_folder_is_hashed_once(
    half: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By size, time and inode; also for the next process where it is large."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remembered_sums, "LARGE", 1)
    monkeypatch.setattr(remembered_sums, "SETTLED", -1.0)
    monkeypatch.setattr(remembered_sums, "_SUMS", {})
    folder = changed(half, tmp_path / "m", lambda config: None)
    read: list[Path] = []
    plain = remembered_sums.file_sum
    monkeypatch.setattr(remembered_sums, "file_sum", lambda p: read.append(p) or plain(p))
    first = identity(PretrainedLm(model=str(folder)))
    assert len(read) == len(list(folder.iterdir()))
    monkeypatch.setattr(remembered_sums, "_SUMS", {})  # another process
    assert identity(PretrainedLm(model=str(folder))) == first
    assert len(read) == len(list(folder.iterdir()))
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert identity(PretrainedLm(model=str(folder))) != first
    (tmp_path / "cache" / "steelyard" / "sums.json").write_text("{")  # damaged: made again
    monkeypatch.setattr(remembered_sums, "_SUMS", {})
    assert identity(PretrainedLm(model=str(folder))) != first


def test_what_was_just_written_is_hashed_again(half: str, tmp_path: Path) -> None:
    """Another change in the same tick of the clock would be missed."""
    folder = changed(half, tmp_path / "m", lambda config: None)
    first = identity(PretrainedLm(model=str(folder)))
    assert str(folder.resolve()) not in remembered_sums._SUMS
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert identity(PretrainedLm(model=str(folder))) != first


def test_gemma_2_loads_where_there_is_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transformers chooses its attention: it refuses `sdpa` for this model."""
    config = Gemma2Config(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size=32,
    )
    folder = save(config, tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    model = loading.load_weights(PretrainedLm(model=folder), AutoModelForCausalLM)
    assert model.config._attn_implementation == "eager"


def test_a_processor_without_bfloat16_widens_the_weights(
    half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless they are asked for: half the memory, at some seventy times the time."""
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    monkeypatch.setattr(load_lm, "device", lambda: torch.device("cpu"))
    config = load_config(Pretrained(model=half))
    chosen = {
        asked: load_lm.weights_dtype(
            PretrainedLm(model=half, dtype=asked), config, "nothing", "bf16"
        )
        for asked in ("auto", "bfloat16")
    }
    assert chosen == {"auto": torch.float32, "bfloat16": torch.bfloat16}
