"""Two processes train the model that one would train."""

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from film_texts import questions, targets
from film_texts import settings as film_settings
from steelyard.models.checkpoints import Checkpoints, TrainingState
from steelyard.models.finetune import Finetuning, Lora, finetune
from steelyard.models.memory import TokenBudget
from steelyard.models.processes import by_all_processes, lead, team
from steelyard.models.shared_steps import SharedGradients, own_parts, shared_module
from steelyard.objectives import CROSS_ENTROPY, BaseObjective, ConfidenceLoss, ObjectiveState
from steelyard.types import Ints
from two_processes import in_two_processes

WEIGHTS = np.array([8.0, 0.1, 0.2, 4, 0.1, 0.3, 9, 0.1, 0.5, 0.2, 7])
Outcome = tuple[list[float], dict[str, torch.Tensor]]
settings = functools.partial(film_settings, batch_size=5)


def trained(
    settings: Finetuning,
    checkpoints: Checkpoints | None = None,
    objective: BaseObjective = CROSS_ENTROPY,
) -> Outcome:
    """Losses and parameters after training on 11 examples, whose last batch has 1 of them."""
    data = (questions(11), targets(11), WEIGHTS)
    fitted = finetune(settings, *data, seed=1, checkpoints=checkpoints, objective=objective)
    assert all(type(p) is torch.nn.Parameter for p in fitted.model.parameters())
    assert np.isfinite(fitted.probabilities(questions(3))).all()
    return fitted.log.loss, {name: p.detach() for name, p in fitted.model.named_parameters()}


def assert_close(one: Outcome, other: Outcome, atol: float = 2e-5) -> None:
    np.testing.assert_allclose(one[0], other[0], atol=min(atol, 2e-5))
    assert one[1].keys() == other[1].keys()
    for name, value in one[1].items():
        torch.testing.assert_close(value, other[1][name], atol=atol, rtol=0, msg=name)


@pytest.mark.parametrize(
    "changes",
    [{}, {"token_budget": 64, "max_tokens": 64, "batch_size": 11}, {"train_layers": 1}],
    ids=["whole", "in parts", "top layer"],
)
def test_two_processes_follow_the_loss_of_one(
    tiny_bert: str, tmp_path: Path, changes: dict[str, Any]
) -> None:
    plain = settings(tiny_bert, **changes)
    first, second = in_two_processes(trained, plain, folder=tmp_path)
    assert_close(first, second, atol=0)
    assert_close(trained(plain), first)


def test_shares_of_classes_are_those_of_all_processes(tiny_bert: str, tmp_path: Path) -> None:
    rows = (settings(tiny_bert), None, ConfidenceLoss(warmup=0.0))
    assert_close(trained(*rows), in_two_processes(trained, *rows, folder=tmp_path)[0])


class Model(torch.nn.Module):
    """a * x, from a = 0."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a * x


def step(size: int, budget: int) -> tuple[float, float]:
    """Loss and gradient of the mean of w (y - a x)^2 over the first `size` examples."""
    from accelerate import Accelerator

    model = Model()
    y, w = torch.tensor([1.0, 2, 3, 4]), torch.tensor([4.0, 0, 1, 1])

    def loss(rows: Ints) -> tuple[torch.Tensor, torch.Tensor]:
        made = model(torch.ones(len(rows)))
        return (w[rows] * (y[rows] - made) ** 2).mean(), made

    def parts(rows: Ints, most: int) -> list[Ints]:
        return np.split(rows, range(most, len(rows), most))

    batcher: Any = SimpleNamespace(encoded=SimpleNamespace(costs=np.arange(4)), parts=parts)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with shared_module(model, loss, optimizer, Accelerator(cpu=True)) as module:
        fields = (batcher, np.zeros((4, 2)), budget, CROSS_ENTROPY, ObjectiveState())
        value = SharedGradients(Accelerator(cpu=True), module, *fields).add(np.arange(size))
    assert model.a.grad is not None
    return value, float(model.a.grad)


def steps() -> list[tuple[float, float]]:
    return [step(4, 9), step(4, 1), step(3, 9), step(3, 1), step(1, 9)]


def test_weights_act_across_processes_by_hand(tmp_path: Path) -> None:
    # Residuals at a = 0 are y = 1, 2, 3, 4 with weights 4, 0, 1, 1: one process has the examples
    # 0 and 2 (weights 4 + 1), the other 1 and 3 (0 + 1).
    # loss = (4 * 1 + 0 * 4 + 1 * 9 + 1 * 16) / 4 = 29 / 4; d/da (y - a)^2 = -2 y, so that the
    # gradient is -2 (4 * 1 + 0 * 2 + 1 * 3 + 1 * 4) / 4 = -22 / 4. Means of each process's own
    # weighted mean would be (13 / 5 + 16 / 1) / 2 = 9.3.
    # Of the first 3: (4 + 0 + 9) / 3 and -2 (4 + 0 + 3) / 3; of the first alone 4 and -8, where the
    # other process has nothing.
    four, three, one = (29 / 4, -22 / 4), (13 / 3, -14 / 3), (4.0, -8.0)
    for found in in_two_processes(steps, folder=tmp_path):
        np.testing.assert_allclose(found, [four, four, three, three, one], rtol=1e-6)


class Stopping(Checkpoints):
    """One folder for each process; keeps checkpoints up to a step, as if killed there."""

    def __init__(self, folder: Path, last: int) -> None:
        super().__init__(folder / f"of-{team().rank}")
        self.last = last
        self.shapes: set[str] = set()

    def save(self, step: int, run: TrainingState, end: bool = False) -> None:
        self.shapes |= {type(p).__name__ for _, p in run.trained()}
        if step <= self.last:
            super().save(step, run, end)


def stopped(settings: Finetuning, folder: Path, last: int) -> tuple[Outcome, set[str]]:
    checkpoints = Stopping(folder, last)
    return trained(settings, checkpoints), checkpoints.shapes


@pytest.mark.parametrize("sharded", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_checkpoints_of_two_processes_resume_with_one_and_back(
    tiny_bert: str, tmp_path: Path, sharded: bool
) -> None:
    plain = settings(tiny_bert, checkpoint_steps=1)  # 6 steps
    undisturbed, _ = stopped(plain, tmp_path / "alone", 3)
    inner = tmp_path / "two"
    (both, kinds), _ = in_two_processes(stopped, plain, inner, 3, folder=tmp_path, sharded=sharded)
    assert kinds == {"DTensor" if sharded else "Parameter"}
    assert [path.name for path in inner.iterdir()] == ["of-0"]  # the first process alone writes
    for folder in (inner, tmp_path / "alone"):
        names = sorted(path.name for path in (folder / "of-0").glob("step-*"))
        assert names == ["step-00000002", "step-00000003"]
    assert_close(undisturbed, both)

    with_one, _ = stopped(plain, inner, 0)
    assert_close(undisturbed, with_one)
    again = tmp_path / "again"
    again.mkdir()
    (with_two, _), (second, _) = in_two_processes(
        stopped, plain, tmp_path / "alone", 0, folder=again, sharded=sharded
    )
    assert_close(with_two, second, atol=0)
    assert_close(undisturbed, with_two)


def test_two_processes_resume_bit_identical_with_dropout(tiny_bert: str, tmp_path: Path) -> None:
    plain = settings(tiny_bert, checkpoint_steps=1, dropout=0.3)
    first, _ = in_two_processes(stopped, plain, tmp_path / "two", 3, folder=tmp_path)[0]
    resumed, _ = in_two_processes(stopped, plain, tmp_path / "two", 0, folder=tmp_path)[0]
    assert_close(first, resumed, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        *({}, {"token_budget": 64, "max_tokens": 64, "batch_size": 11}, {"train_layers": 1}),
        {"lora": Lora(rank=2), "learning_rate": 1e-3},
    ],
    ids=["whole", "in parts", "top layer", "adapters"],
)
def test_sharded_parameters_follow_the_loss_of_one(
    tiny_bert: str, tmp_path: Path, changes: dict[str, Any]
) -> None:
    plain = settings(tiny_bert, **changes)
    first, second = in_two_processes(trained, plain, folder=tmp_path, sharded=True)
    assert_close(first, second, atol=0)
    assert_close(trained(plain), first, atol=1e-3)  # Adam scales up what rounding does near 0


@by_all_processes
def ranks(factor: int, *, states: str | None = None) -> tuple[list[int], list[str | None]]:
    from steelyard.models.processes import gathered

    return gathered(factor * team().rank), gathered(states)


@by_all_processes
def refusing() -> None:
    from steelyard.errors import ConfigError

    raise ConfigError("refused")


def led() -> Any:
    from steelyard.errors import ConfigError

    with lead() as leads:
        if not leads:
            return "followed"
        with pytest.raises(ConfigError):
            refusing()
        return team().count, ranks(7, states="mine"), team().count


def test_the_first_process_leads_and_the_others_join(tmp_path: Path) -> None:
    first, second = in_two_processes(led, folder=tmp_path, joined=False)
    assert first == (1, ([0, 7], ["mine", None]), 1)
    assert second == "followed"


def test_without_a_launch_nothing_is_shared() -> None:
    with lead() as leads:
        assert leads
        assert ranks(7, states="mine") == ([0], ["mine"])
    assert own_parts(
        SimpleNamespace(  # type: ignore[arg-type]
            encoded=SimpleNamespace(costs=np.array([3, 1, 2])), parts=lambda rows, _: [rows]
        ),
        np.arange(3),
        TokenBudget(9).tokens,
    )[0][0].tolist() == [1, 2, 0]
