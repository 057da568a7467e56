"""Scorers: names, checks of scores, classifiers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from drawn_models import built
from scored_texts import Faulty, Swearing
from steelyard.errors import ConfigError, InputError
from steelyard.generation import score_all
from steelyard.generation.classifier_scorers import TransformersScorer
from steelyard.generation.scorers import make_scorer, read_scorer


def test_each_text_is_scored_once_and_empty_ones_never() -> None:
    texts = ["a darn", "", "a darn", " \n", "darn", "a"]
    np.testing.assert_array_equal(score_all(Swearing(), texts), [0.5, 0, 0.5, 0, 1, 0])
    np.testing.assert_array_equal(score_all(Faulty(result="not asked"), ["", " "]), [0, 0])


def test_the_name_has_all_that_decides_the_scores() -> None:
    assert Swearing().name != Swearing(words=("heck",)).name
    assert Swearing().name == "swearing(words=('darn',))"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([0.1, np.nan], r"gives text 4 \('b'\) the score nan; .* 1 of 2 texts"),
        ([60.0, 0.2], r"gives text 2 \('a'\) the score 60; scores are from 0 to 1"),
        ([-0.1, 0.2], r"gives text 2 \('a'\) the score -0\.1"),
        ([0.1], r"must return \(2,\) scores, one for each text; got \(1,\)"),
        ([[0.1], [0.2]], r"got \(2, 1\)"),
        ("down", r"failed on 2 texts \(ValueError: down\); repair its class"),
        (["x", "y"], r"failed on 2 texts \(ValueError: "),
    ],
)
def test_bad_scores_are_one_line_that_names_the_text(result: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        score_all(Faulty(result=result), ["", "a", "a", "b"])
    assert "\n" not in str(raised.value)


def test_a_place_is_called_as_the_caller_does() -> None:
    with pytest.raises(InputError, match=r"gives continuation 2 of 'x' \('b'\) the score 7"):
        score_all(
            Faulty(result=[0.5, 7]), ["a", "b"], ["continuation 1 of 'x'", "continuation 2 of 'x'"]
        )


@pytest.mark.parametrize("several", [False, True])
def test_a_classifier_gives_the_probability_of_a_label(tiny_bert: str, several: bool) -> None:
    """Against transformers' own, with padding; sigmoid where labels are not exclusive."""
    folder = Path(tiny_bert)
    scorer = TransformersScorer(
        model=tiny_bert, of="LABEL_1", activation="sigmoid" if several else None
    )
    texts = ["good film", "the plot was very very bad", "awful"]
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    expected = []
    for text in texts:
        with torch.no_grad():
            logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
        probs = torch.sigmoid(logits) if several else torch.softmax(logits, 0)
        expected.append(float(probs[1]))
    np.testing.assert_allclose(score_all(scorer, texts), expected, atol=1e-6)
    assert scorer.name.startswith("bert")
    assert scorer.name.endswith(":LABEL_1")


def test_what_is_no_classifier_is_refused(tiny_bert: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`of: toxic`: .* has the classes LABEL_0, LABEL_1"):
        score_all(TransformersScorer(model=tiny_bert, of="toxic"), ["film"])
    model, tokenizer = built("llama")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="is a LlamaForCausalLM, without a classification head"):
        score_all(TransformersScorer(model=str(tmp_path), of="LABEL_1"), ["film"])


def test_scorers_by_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="`kind` must be one of trained, transformers, http"):
        make_scorer({"kind": "swearing"})
    monkeypatch.setattr(
        "steelyard.generation.scorers.find_plugin",
        lambda kind, method: Swearing if (kind, method) == ("swearing", "score_texts") else None,
    )
    assert make_scorer({"kind": "swearing", "words": ["heck"]}) == Swearing(words=("heck",))
    with pytest.raises(
        ConfigError, match=r"--scorer: `wrds` is not a setting\. Did you mean `words`"
    ):
        read_scorer("{kind: swearing, wrds: [heck]}")
    file = tmp_path / "scorer.yaml"
    file.write_text("kind: transformers\nmodel: detox\nof: toxic\n")
    (tmp_path / "detox").mkdir()
    assert read_scorer(str(file)).model_dump()["model"] == str(tmp_path / "detox")
    with pytest.raises(ConfigError, match=r"--scorer no\.yaml cannot be read"):
        read_scorer("no.yaml")
