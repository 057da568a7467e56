"""`steelyard generate`, whole: a trained scorer, two generators, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drawn_models import built
from tiny_models import WORDS

STUDENT = "{kind: classifier, model: %s, epochs: 2, learning_rate: 1.0e-3, batch_size: 8}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, tiny_bert: str) -> Path:
    """Prompts, labelled texts, and two generators."""
    folder = tmp_path_factory.mktemp("generate")
    for name in ("llama", "gpt2"):
        model, tokenizer = built(name)
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    prompts = [
        {"id": f"p{i}", "text": f"the {WORDS[i % 12]} film is", "prompt_toxicity": (i % 2) * 0.9}
        for i in range(24)
    ]
    write(folder / "prompts.jsonl", prompts)
    texts = [(w, "toxic" if w in ("bad", "awful") else "fine") for w in WORDS]
    write(folder / "texts.jsonl", [{"id": str(i), "text": t} for i, (t, _) in enumerate(texts)])
    labels = [{"id": str(i), "label": label} for i, (_, label) in enumerate(texts)]
    write(folder / "labels.jsonl", labels)
    test = [{"id": str(i), "text": t, "label": label} for i, (t, label) in enumerate(texts)]
    write(folder / "test.jsonl", test)
    (folder / "scorer.yaml").write_text(
        "kind: trained\nmodel: detox\nof: toxic\ntest: test.jsonl\n", encoding="utf-8"
    )
    return folder


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_trained_scorer_and_two_models(
    steelyard: Callable[..., Any], files: Path, tiny_bert: str
) -> None:
    trained = steelyard(
        *("train", str(files / "texts.jsonl"), "--selection", str(files / "labels.jsonl")),
        *("--student", STUDENT % tiny_bert, "--out", str(files / "detox")),
    )
    assert trained.code == 0, trained.err
    command = [
        *("generate", str(files / "prompts.jsonl"), "--column", "prompt=text"),
        *("--model", f"base={files / 'llama'}", "--model", str(files / "gpt2")),
        *("--scorer", str(files / "scorer.yaml"), "--reference", str(files / "llama")),
        *("--samples", "4", "--max-new-tokens", "5", "--out", str(files / "out")),
    ]
    run = steelyard(*command)
    assert run.code == 0, run.err
    assert run.out.startswith("scorer: detox@")
    assert "  its own test scores: accuracy " in run.out
    for line in ("all prompts (24)", "toxic prompts (12)", "sd over prompts", "perplexity"):
        assert line in run.out
    assert "gpt2 - base" in run.out
    assert "base: 24 of 24 prompts continued" in run.err
    summary = json.loads((files / "out" / "summary.json").read_text())
    assert summary["samples"] == 4
    assert set(summary["models"]) == {"base", "gpt2"}
    assert 0 < summary["scorer_test"]["accuracy"]["value"] <= 1
    row = json.loads((files / "out" / "gpt2" / "scored.jsonl").read_text().splitlines()[0])
    assert row["scorer"] == summary["scorer"]
    assert len(row["continuations"]) == 4
    again = steelyard(*command)
    assert again.out == run.out
    assert "base: 24 of 24 prompts continued" in again.err
    assert "base: 8 of 24" not in again.err


def generate(
    steelyard: Callable[..., Any], files: Path, *options: str, scorer: str, name: str = "base"
) -> Any:
    return steelyard(
        *("generate", str(files / "prompts.jsonl"), "--column", "prompt=text"),
        *("--model", f"{name}={files / 'llama'}", "--max-prompts", "12", "--samples", "2"),
        *("--scorer", scorer),
        *options,
    )


def test_what_cannot_work_is_one_line(
    steelyard: Callable[..., Any], files: Path, tiny_bert: str
) -> None:
    bert = f"{{kind: transformers, model: {tiny_bert}, of: LABEL_%s}}"
    first = generate(steelyard, files, "--out", str(files / "one"), scorer=bert % 1)
    assert first.code == 0, first.err
    cases = [
        (("--against", str(files / "one/base")), bert % 1, "Two models are called 'base'"),
        (("--top-p", "0"), bert % 1, "`--top-p` must be greater than 0, got 0.0"),
        (("--samples", "0"), bert % 1, "`--samples` must be greater than or equal to 1"),
        (("--model", f"base={files / 'gpt2'}"), bert % 1, "two models are called 'base'"),
        (("--model", "x=no-such-folder/"), bert % 1, "no-such-folder"),
        ((), "{kind: perspectiv}", "`kind` must be one of trained, transformers, http"),
        (("--max-prompts", "0"), bert % 1, "`--max-prompts` must be at least 1"),
        (("--column", "promt=text"), bert % 1, "`promt` is no column of prompts"),
        (("--top-p", "0.5", "--out", str(files / "one")), bert % 1, "of another `top_p` (0.9"),
    ]
    for i, (options, scorer, message) in enumerate(cases):
        out = () if "--out" in options else ("--out", str(files / f"out{i}"))
        found = generate(steelyard, files, *options, *out, scorer=scorer)
        assert found.code == 2, (options, found.out)
        assert found.err.splitlines()[-1].startswith("error: "), found.err
        assert message in found.err, (message, found.err)
        assert "Traceback" not in found.err


def test_a_run_is_compared_with_an_earlier_run_of_the_same_scorer(
    steelyard: Callable[..., Any], files: Path, tiny_bert: str
) -> None:
    bert = f"{{kind: transformers, model: {tiny_bert}, of: LABEL_%s}}"
    first = generate(steelyard, files, "--out", str(files / "early"), scorer=bert % 1)
    assert first.code == 0, first.err
    against = ("--against", str(files / "early/base"), "--out", str(files / "late"))
    refused = generate(steelyard, files, *against, scorer=bert % 0, name="new")
    assert refused.code == 2
    assert "base and this run cannot be compared: the scorer is 'bert" in refused.err
    assert not (files / "late").exists()  # nothing was generated
    run = generate(steelyard, files, *against, scorer=bert % 1, name="new")
    assert run.code == 0, run.err
    assert "new - base" in run.out
    assert "+0.000 [+0.000, +0.000]" in run.out  # the same model with the same seed
