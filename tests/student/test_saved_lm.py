"""A saved language model: in the checkpoint's type, its adapter, its card, for all to read."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from fake_hub import fake_hub
from real_llms import real_llm
from steelyard.cli.train import train as train_model
from steelyard.errors import ConfigError
from steelyard.student import LanguageModelStudent, TrainingData, TrainingOptions
from steelyard.student.model_card import LabelSource, PromptText, model_card
from steelyard.student.saved import load_model, save_model
from steelyard.types import Question, one_hot
from tiny_models import llama_config, tokenizer

TEXTS = ["good film", "the plot is awful", "a fine film", "bad", "very good", "not fine"]
QUESTIONS = [Question(str(i), TEXTS[i % 6]) for i in range(12)]
CLASSES = ("good", "bad")


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A language model in bfloat16."""
    folder = tmp_path_factory.mktemp("half")
    torch.manual_seed(0)
    LlamaForCausalLM(llama_config(layers=2)).to(torch.bfloat16).save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)


def student(model: str, **changes: Any) -> LanguageModelStudent:
    plain = {
        "model": model,
        "epochs": 2,
        "learning_rate": 0.05,
        "batch_size": 4,
        "lora": {"rank": 4},
    }
    return LanguageModelStudent(**{**plain, **changes})


def taught(settings: LanguageModelStudent) -> Any:
    targets = one_hot(np.array([0, 1, 0, 1, 0, 1] * 2), 2)
    data = TrainingData("classification", CLASSES, QUESTIONS, targets, np.ones(12))
    return settings.fit(data, TrainingOptions(seed=1))


def dtypes(path: Path) -> set[torch.dtype]:
    return {tensor.dtype for tensor in load_file(path).values()}


def loading_lines(folder: Path) -> str:
    found = re.search(r"```python\n(.*?)\n```", (folder / "README.md").read_text(), re.DOTALL)
    assert found is not None
    assert len(found[1].splitlines()) == 3
    return found[1]


def run_lines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Names that the card's lines define, run beside the folder."""
    monkeypatch.chdir(folder.parent)
    names: dict[str, Any] = {}
    exec(loading_lines(folder), names)
    return names


def test_merged_weights_have_the_checkpoints_type_and_answer_the_same(
    half: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted = taught(student(half))
    before = fitted.probabilities(QUESTIONS)
    save_model(fitted, tmp_path / "m", "classification", CLASSES)
    assert dtypes(tmp_path / "m" / "model.safetensors") == {torch.bfloat16}
    np.testing.assert_array_equal(fitted.probabilities(QUESTIONS), before)  # left as it was
    again, task, classes = load_model(tmp_path / "m")
    assert (task, classes) == ("classification", CLASSES)
    after = again.predict(QUESTIONS).probs
    assert after is not None
    np.testing.assert_allclose(after, before, atol=0.02)  # merged in 8 bits of mantissa
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
    run_lines(tmp_path / "m", monkeypatch)
    assert capsys.readouterr().out
    assert (tmp_path / "m" / "generation_config.json").is_file()


def test_the_card_has_the_exact_prompt(half: str, tmp_path: Path) -> None:
    settings = student(half, template={"name": "mine", "template": "Film: {item}\nIt is"})
    save_model(taught(settings), tmp_path / "m", "classification", CLASSES)
    card = (tmp_path / "m" / "README.md").read_text()
    assert "````text\nFilm: {text}\nIt is\n````" in card
    written = json.loads((tmp_path / "m" / "steelyard.json").read_text())["prompt_text"]
    assert written == {"prompt": "Film: {text}\nIt is", "answer": " good", "message": None}


@pytest.mark.parametrize(("chat", "layers"), [("auto", None), (False, 4)])
def test_plain_transformers_answers_as_taught(chat: Any, layers: Any, tmp_path: Path) -> None:
    """A real chat model that is taught two classes, saved by the command and loaded without us:
    behind the card's prompt its logits of " good" and " bad" have our probabilities."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    labels = [{"id": q.id, "label": CLASSES[i % 2]} for i, q in enumerate(QUESTIONS)]
    rows = [{"id": q.id, "text": q.text} for q in QUESTIONS]
    for name, content in {"data": rows, "labels": labels}.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, content)))
    settings = {
        **{"kind": "language_model", "model": real_llm(), "chat": chat, "system": "Be brief."},
        **{"epochs": 1, "learning_rate": 1e-3, "precision": "fp32", "layers": layers},
    }
    folder = tmp_path / "m"
    paths = (tmp_path / "data.jsonl", str(tmp_path / "labels.jsonl"))
    train_model(*paths, folder, json.dumps(settings), set_=[])
    loaded, _, names = load_model(folder)
    ours = loaded.predict(QUESTIONS[:6]).probs
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    words = AutoTokenizer.from_pretrained(folder)
    prompt = json.loads((folder / "steelyard.json").read_text())["prompt_text"]
    assert (words.chat_template is None) == (chat is False) == (prompt["message"] is None)
    lead = prompt["answer"].removesuffix(names[0])
    tokens = [words.encode(lead + name, add_special_tokens=False)[0] for name in names]
    theirs = []
    for text in TEXTS:
        asked = (prompt["message"] or prompt["prompt"]).replace("{text}", text)
        if chat is not False:
            turns = [{"role": "user", "content": asked}]
            asked = words.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([words.encode(asked, add_special_tokens=False)])
        with torch.inference_mode():
            theirs.append(model(ids).logits[0, -1, tokens].softmax(dim=-1).tolist())
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*checkpointing:FutureWarning")  # peft's, of a plain load
def test_an_adapter_is_kept_and_answers_equally(
    half: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = taught(student(half))
    before = fitted.probabilities(QUESTIONS)
    save_model(fitted, tmp_path / "m", "classification", CLASSES, weights="adapter")
    assert not (tmp_path / "m" / "model.safetensors").exists()
    again = load_model(tmp_path / "m")[0]
    np.testing.assert_array_equal(again.predict(QUESTIONS).probs, before)
    plain = run_lines(tmp_path / "m", monkeypatch)["model"]
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        found = plain(input_ids=ids).logits.float()
        with torch.autocast("cpu", torch.bfloat16):
            expected = fitted.model.eval()(input_ids=ids).logits.float()
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0.05)


def test_both_are_merged_weights_beside_an_adapter(half: str, tmp_path: Path) -> None:
    fitted = taught(student(half))
    save_model(fitted, tmp_path / "m", "classification", CLASSES, weights="both")
    assert (tmp_path / "m" / "adapter" / "adapter_model.safetensors").is_file()
    after = load_model(tmp_path / "m")[0].predict(QUESTIONS).probs
    assert after is not None
    np.testing.assert_allclose(after, fitted.probabilities(QUESTIONS), atol=0.02)


def test_an_adapter_of_another_base_model_is_one_line(half: str, tmp_path: Path) -> None:
    save_model(taught(student(half)), tmp_path / "m", "classification", CLASSES, weights="adapter")
    other = llama_config(layers=2)
    other.hidden_size = 32
    card = tmp_path / "m" / "steelyard.json"
    written = card.read_text()
    same_name = tmp_path / "elsewhere" / Path(half).name
    for folder, message in (
        (tmp_path / "other", "was trained on .*, and its base model here is"),
        (same_name, "does not fit its base model"),
    ):
        LlamaForCausalLM(other).save_pretrained(folder)
        tokenizer(pairs=False).save_pretrained(folder)
        card.write_text(written.replace(half, str(folder)))
        with pytest.raises(ConfigError, match=message) as caught:
            load_model(tmp_path / "m")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "weights", "message"),
    [
        ({"lora": None}, "adapter", "there is no adapter to save"),
        ({"layers": 1}, "both", "`layers` would be loaded with all layers"),
        ({"quantization": "4bit"}, "merged", "cannot be merged"),
    ],
)
def test_what_cannot_be_saved_is_said_before_training(
    half: str, changes: Any, weights: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        student(half, **changes).check_export(weights)


def test_a_folder_has_the_permissions_of_the_umask(half: str, tmp_path: Path) -> None:
    fitted = taught(student(half))
    for mask, folder, file in ((0o022, 0o755, 0o644), (0o027, 0o750, 0o640)):
        before = os.umask(mask)
        try:
            out = tmp_path / oct(mask)
            save_model(fitted, out, "classification", CLASSES, weights="both")
        finally:
            os.umask(before)
        assert {p.stat().st_mode & 0o777 for p in (out, out / "adapter")} == {folder}
        assert {p.stat().st_mode & 0o777 for p in out.rglob("*") if p.is_file()} == {file}


def test_a_card_has_the_labels_and_the_results_of_the_study(tmp_path: Path) -> None:
    span = {"value": 0.8, "low": 0.7, "high": 0.9}
    arm = {"score": span, "pgr": {**span, "value": 0.5}, "reason": None, "pgr_reason": None}
    gold = {"score": None, "reason": "`data.weak_train` is 0"}
    results = {"metric": "accuracy", "arms": {"filter": arm}, "references": {"gold_only": gold}}
    path = tmp_path / "results.json"
    path.write_text(json.dumps({**results, "ceiling": span}))
    settings = {"selection": {"kind": "keep", "fraction": 0.5}}
    source = LabelSource("`filter` of the study `films`", settings, 100, 50, path, "filter")
    card = model_card(
        "m", "merged", None, "classification", CLASSES, source, PromptText("{text} is", " good")
    )
    assert "`filter` of the study `films`: 50 of 100 rows." in card
    assert '* selection: `{"kind": "keep", "fraction": 0.5}`' in card
    assert "accuracy on test, over seeds: 0.800 [0.700, 0.900]" in card
    assert "performance gap recovered: 0.500 [0.700, 0.900]" in card
    assert "`gold_only`, for comparison: n/a (`data.weak_train` is 0)" in card
    path.unlink()
    card = model_card("m", "merged", None, "classification", CLASSES, source, None)
    assert "Not known: the study of these labels was not run" in card


def test_train_tells_steps_losses_truncated_items_and_chance(
    half: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": str(i), "text": " ".join([TEXTS[i % 6]] * 20)} for i in range(12)]
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    labels = tmp_path / "labels.jsonl"
    labels.write_text(
        "\n".join(json.dumps({"id": str(i), "label": CLASSES[i // 6]}) for i in range(12))
    )
    settings = (
        f"{{kind: language_model, model: '{half}', max_tokens: 40, learning_rate: 50, epochs: 1, "
        "template: {name: mine, template: '{item} is'}}"
    )
    train_model(data, str(labels), tmp_path / "m", settings, save="adapter", set_=[])
    out = capsys.readouterr().out
    assert "1 steps, loss" in out
    assert re.search(r"note: \d+ of 12 examples were too long and were truncated", out)
    assert "it has learned next to nothing" in out
    assert (tmp_path / "m" / "adapter_config.json").is_file()
    assert "The file labels.jsonl: 12 of 12 rows." in (tmp_path / "m" / "README.md").read_text()


# The Hub, as a fake on this machine


@pytest.mark.parametrize("refuse", [False, True])
def test_a_model_is_pushed_to_the_hub(refuse: bool, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    (folder / "adapter").mkdir(parents=True)
    content = {"README.md": b"# card\n", "adapter/w.safetensors": b"\x00\x01"}
    for name, data in content.items():
        (folder / name).write_bytes(data)
    code = (
        "import sys; from pathlib import Path; from steelyard.io.hub_upload import upload_folder\n"
        "from steelyard.errors import ConfigError\n"
        "try: print(upload_folder(Path(sys.argv[1]), 'me/student', 'model', 'It', 'Wait.'))\n"
        "except ConfigError as error: print('refused:', error)"
    )
    with fake_hub(refuse) as (hub, files):
        names = {"HF_ENDPOINT": hub, "HF_TOKEN": "hf_test", "HF_HUB_OFFLINE": "0"}
        environment = {**os.environ, **names, "HF_HOME": str(tmp_path / "hf")}
        command = [sys.executable, "-c", code, str(folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    if refuse:
        assert done.stdout.startswith("refused: The Hub did not take 'me/student':"), done
        assert done.stdout.count("\n") == 1
    else:
        assert done.stdout.strip() == f"{hub}/me/student", done.stderr
        assert content.items() <= files.items()
