"""TRL's trainer with weights and doubts: the same loss, the same gradients."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from steelyard.errors import ConfigError, InputError
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.objectives.losses.preference import dpo
from word_pairs import pairs

deprecated_in_trl = pytest.mark.filterwarnings("ignore:.*_checkpointing:FutureWarning")
WEIGHTS, DOUBTS = [0.5, 2.0, 0.0, 1.5], [0.0, 0.3, 0.2, 0.1]


def trl_rows(**changes: Any) -> Any:
    from datasets import Dataset

    rows = {
        "prompt": [f"{one.text} " for one in pairs(4)],
        "chosen": [one.choices[i % 2] for i, one in enumerate(pairs(4))],
        "rejected": [one.choices[1 - i % 2] for i, one in enumerate(pairs(4))],
        "weight": WEIGHTS,
        "label_smoothing": DOUBTS,
    }
    return Dataset.from_dict({k: v for k, v in {**rows, **changes}.items() if v is not None})


def trl_trainer(model: str, folder: Path, rows: Any = None, **options: Any) -> Any:
    from trl import DPOConfig

    from steelyard.student.weighted_dpo import WeightedDPOTrainer

    plain = {"loss": "sigmoid", "precompute_ref_log_probs": True, **options}
    args = DPOConfig(
        output_dir=str(folder),
        loss_type=[plain.pop("loss")],
        beta=0.1,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=None,  # TRL's default is a deprecated name
        per_device_train_batch_size=4,
        learning_rate=1e-3,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        **plain,
    )
    words = load_tokenizer(Pretrained(model=model))
    return WeightedDPOTrainer(
        AutoModelForCausalLM.from_pretrained(model),
        args,
        trl_rows() if rows is None else rows,
        processing_class=words,
    )


def second_loss(model: Any, folder: str, loss: Any) -> torch.Tensor:
    """The loss of the four pairs by transformers' own cross-entropy, a row at a time."""
    words = load_tokenizer(Pretrained(model=folder))
    before = AutoModelForCausalLM.from_pretrained(folder)
    sums: list[list[torch.Tensor]] = [[], [], [], []]
    for i, one in enumerate(pairs(4)):
        for place, choice in enumerate((one.choices[i % 2], one.choices[1 - i % 2])):
            answer = words(choice)["input_ids"]
            if answer[-1] != words.eos_token_id:  # TRL adds an end unless the text ends in it
                answer = [*answer, words.eos_token_id]
            ids = torch.tensor([[*words(one.text)["input_ids"], *answer]])
            labels = ids.clone()
            labels[0, : -len(answer)] = -100
            size = 1 if loss == "ipo" else len(answer)
            for k, which in enumerate((model, before)):
                outputs = which(input_ids=ids, labels=labels)
                sums[2 * k + place].append(-outputs.loss * size)
    return dpo(
        *(torch.stack(values) for values in sums[:2]),
        *(torch.stack(values).detach() for values in sums[2:]),
        weights=torch.tensor(WEIGHTS),
        label_smoothing=torch.tensor(DOUBTS),
        loss=loss,
    )


@deprecated_in_trl
def test_trl_s_trainer_has_the_same_loss_and_gradients(llama: str, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="preferences inside TRL's trainer need steelyard[trl]")
    for loss in ("sigmoid", "robust", "ipo", "hinge"):
        trainer = trl_trainer(llama, tmp_path / loss, loss=loss)
        model = trainer.model
        torch.manual_seed(3)
        with torch.no_grad():  # away from the reference, or D = 0
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        batch = next(iter(trainer.get_train_dataloader()))
        found = trainer.compute_loss(model, batch)
        found.backward()
        gradients = [p.grad.clone() for p in model.parameters()]
        expected = second_loss(model, llama, loss)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        model.zero_grad()
        expected.backward()
        for one, parameter in zip(gradients, model.parameters(), strict=True):
            torch.testing.assert_close(one, parameter.grad, atol=1e-5, rtol=1e-4)


@deprecated_in_trl
def test_trl_s_trainer_trains_with_weights(llama: str, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="preferences inside TRL's trainer need steelyard[trl]")
    ends = []
    for name, weights in (("a", [1.0] * 4), ("b", [1.0, 1.0, 0.0, 0.0])):
        rows = trl_rows(weight=weights)
        trainer = trl_trainer(llama, tmp_path / name, rows, max_steps=2, logging_steps=1)
        trainer.train()
        assert {"rewards/margins", "rewards/accuracies"} <= set(trainer.state.log_history[0])
        ends.append([p.detach().clone() for p in trainer.model.parameters()])
    assert max(float((p - q).abs().max()) for p, q in zip(*ends, strict=True)) > 1e-5


@deprecated_in_trl
def test_trl_s_trainer_says_what_it_needs(llama: str, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="preferences inside TRL's trainer need steelyard[trl]")
    with pytest.raises(InputError, match="must have a column `weight`"):
        trl_trainer(llama, tmp_path, trl_rows(weight=None))
    with pytest.raises(
        InputError, match="`weight` of train row 1 must be a number from 0; got nan"
    ):
        trl_trainer(llama, tmp_path, trl_rows(weight=[1.0, float("nan"), 1.0, 1.0]))
    with pytest.raises(ConfigError, match="precompute_ref_log_probs"):
        trl_trainer(llama, tmp_path, precompute_ref_log_probs=False)
    with pytest.raises(ConfigError, match="must be one of"):
        trl_trainer(llama, tmp_path, loss="aot")
