"""Kinds from outside the package: objects in Python, names of entry points in study files."""

import logging
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import steelyard as sy
from own_kinds import SETTINGS, Coin, ErrorRate, Prior, Shy
from steelyard.errors import ConfigError
from steelyard.io import plugins
from steelyard.studies.config import make_study

SHY = sy.Arm(name="shy", reliability=Shy(), selection=sy.KeepMostReliable())


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package offers `shy`, `coin` and `prior`."""
    offers = [
        EntryPoint("shy", "own_kinds:Shy", plugins.GROUP),
        EntryPoint("coin", "own_kinds:Coin", plugins.GROUP),
        EntryPoint("error_rate", "own_kinds:ErrorRate", plugins.GROUP),
        EntryPoint("prior", "own_kinds:Prior", plugins.GROUP),
        EntryPoint("broken", "own_kinds:Missing", plugins.GROUP),
    ]
    monkeypatch.setattr(
        plugins,
        "entry_points",
        lambda group, name: [o for o in offers if o.group == group and o.name == name],
    )


def test_an_object_is_an_estimator_of_an_arm(tmp_path: Path) -> None:
    found = sy.study({**SETTINGS, "arms": [SHY]}, tmp_path, workers=1).results
    assert set(found["reliability"]) == {"vote_share", "shy"}
    assert found["arms"]["shy"]["seeds"][0]["kept"] < 1


def test_other_processes_import_the_class_of_an_object(tmp_path: Path) -> None:
    study = {**SETTINGS, "supervisors": [Coin(), Coin()], "arms": [SHY], "seeds": 2}
    two = sy.study(study, tmp_path / "two", workers=2).results
    alone = sy.study(study, tmp_path / "one", workers=1).results
    assert two["arms"] == alone["arms"]
    assert two["artifacts"] == alone["artifacts"]


def test_a_class_that_others_cannot_import_is_run_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Local(sy.VoteEstimator):
        kind: Literal["local"] = "local"

        def estimate(self, votes: sy.Votes, gold: Any = None) -> sy.Reliability:
            return sy.VoteShare().estimate(votes)

    arm = sy.Arm(name="local", reliability=Local(), selection=sy.Harden())
    with caplog.at_level(logging.WARNING):
        sy.study({**SETTINGS, "arms": [arm]}, tmp_path, workers=2)
    assert "so one process does all jobs" in caplog.text


def test_a_study_file_names_what_an_entry_point_offers(installed: None, tmp_path: Path) -> None:
    arm = {"name": "shy", "reliability": {"kind": "shy", "share": 0.5}, "selection": "keep"}
    named = make_study({**SETTINGS, "supervisors": [{"kind": "coin"}], "arms": [arm]})
    assert named.supervisors == (Coin(),)
    assert named.arm("shy").reliability == Shy(share=0.5)
    folder = tmp_path / "run"
    sy.study(named, folder, workers=1)
    assert sy.read_study(folder / "study.lock.yaml") == named.model_copy()
    assert sy.weigh(coin_votes(), ["shy"]).summary["methods"].keys() >= {"shy"}


def test_an_object_is_the_metric_of_a_study(tmp_path: Path) -> None:
    """By the error rate, where lower is better, every gap is that of accuracy."""
    settings = {**SETTINGS, "supervisors": [Coin()], "seeds": 2}
    plain = sy.study(settings, tmp_path / "plain", workers=1).results
    error = sy.study({**settings, "metric": ErrorRate()}, tmp_path / "error", workers=2).results
    assert error["metric"] == "error_rate"
    assert error["weak"]["value"] == pytest.approx(1 - plain["weak"]["value"])
    assert error["weak"]["low"] == pytest.approx(1 - plain["weak"]["high"])
    assert error["arms"]["majority"]["pgr"] == pytest.approx(plain["arms"]["majority"]["pgr"])
    assert error["metrics"]["accuracy"]["ceiling"]["value"] == plain["ceiling"]["value"]
    assert error["artifacts"] == plain["artifacts"]  # a metric is no part of what is stored


def test_a_study_file_names_the_metric_of_an_entry_point(installed: None, tmp_path: Path) -> None:
    assert make_study({**SETTINGS, "metric": "error_rate"}).metric == ErrorRate()
    study = make_study({**SETTINGS, "metric": {"kind": "error_rate", "scale": 0.5}})
    assert study.metric == ErrorRate(scale=0.5)
    sy.study(study, tmp_path, workers=1)
    assert sy.read_study(tmp_path / "study.lock.yaml") == study


def test_a_metric_that_does_not_exist_or_suit_is_a_sentence(installed: None) -> None:
    with pytest.raises(ConfigError, match=r"must be the name of a metric, got 'kappa'"):
        make_study({**SETTINGS, "metric": "kappa"})
    with pytest.raises(ConfigError, match=r"a Coin is not a metric.*`sy\.BaseMetric`"):
        make_study({**SETTINGS, "metric": Coin()})
    pairs = {"task": "preference", "student": {"kind": "preference", "model": "qwen3"}}
    with pytest.raises(ConfigError, match=r"`metric: error_rate` scores other tasks.*preference"):
        make_study({**SETTINGS, **pairs, "metric": "error_rate"})


def test_an_object_is_the_student(tmp_path: Path) -> None:
    study = {**SETTINGS, "student": Prior(), "seeds": 2}
    alone = sy.study(study, tmp_path / "one", workers=1)
    two = sy.study(study, tmp_path / "two", workers=2)  # other processes import its class
    assert two.results["arms"] == alone.results["arms"]
    assert two.results["artifacts"] == alone.results["artifacts"]
    other = sy.study({**study, "student": Prior(pseudo_count=50)}, tmp_path / "one", workers=1)
    key = "seed-0/majority/student"
    assert other.results["artifacts"][key] != alone.results["artifacts"][key]


def test_a_study_file_names_a_student_of_a_plugin(installed: None, tmp_path: Path) -> None:
    named = make_study({**SETTINGS, "student": {"kind": "prior", "pseudo_count": 2}})
    assert named.student == Prior(pseudo_count=2)
    folder = tmp_path / "run"
    sy.study(named, folder, workers=1)
    assert sy.read_study(folder / "study.lock.yaml") == named.model_copy()


def test_what_an_own_student_cannot_do_is_an_error_that_names_it(tmp_path: Path) -> None:
    arm = sy.Arm(name="soft", selection=sy.Harden(), objective=sy.Product())
    with pytest.raises(ConfigError, match="`objective: product` is for a classifier or chooser"):
        make_study({**SETTINGS, "student": Prior(), "arms": [arm]})
    task = {"task": "multiple_choice", "student": Prior()}
    with pytest.raises(ConfigError, match="This student answers other tasks"):
        make_study({**SETTINGS, **task})
    trained = Prior().fit(_training_data(), sy.TrainingOptions())
    with pytest.raises(ConfigError, match="A TrainedPrior cannot be saved"):
        trained.export(tmp_path, ("x", "y"), "merged")
    with pytest.raises(ConfigError, match="A prior student cannot be saved"):
        Prior().check_saved()


def _training_data() -> sy.TrainingData:
    questions = [sy.Question("a", "one"), sy.Question("b", "two")]
    return sy.TrainingData("classification", ("x", "y"), questions, np.eye(2), np.ones(2))


def test_a_setting_that_a_plugin_does_not_have_is_named(installed: None) -> None:
    arm = {"name": "shy", "reliability": {"kind": "shy", "shares": 0.5}, "selection": "keep"}
    with pytest.raises(ConfigError, match="shares"):
        make_study({**SETTINGS, "arms": [arm]})


def test_a_plugin_that_cannot_be_imported_is_a_sentence(installed: None) -> None:
    with pytest.raises(ConfigError, match="`broken` = own_kinds:Missing cannot be imported"):
        make_study({**SETTINGS, "supervisors": [{"kind": "broken"}]})
    with pytest.raises(ConfigError, match=r"must be one of .*got 'unheard'"):
        make_study({**SETTINGS, "supervisors": [{"kind": "unheard"}]})


def test_an_object_without_the_method_is_refused_with_the_class_to_take() -> None:
    with pytest.raises(ValueError, match=r"a Coin has no `estimate_from`.*`sy\.VoteEstimator`"):
        sy.Arm(name="coin", reliability=Coin(), selection=sy.Harden())
    with pytest.raises(ConfigError, match="A Coin is not an estimator"):
        sy.weigh(coin_votes(), [Coin()])  # type: ignore[list-item]


def test_an_object_weighs_votes() -> None:
    weighed = sy.weigh(coin_votes(), [Shy(share=0.25)])
    assert list(weighed.reliabilities) == ["shy", "majority"]
    assert weighed.reliabilities["shy"].score.max() <= 0.25


def test_version_settings_and_class_name_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(arm: sy.Arm, **changes: Any) -> set[str]:
        study = {**SETTINGS, "supervisors": [Coin()], "arms": [arm], **changes}
        found = sy.study(study, tmp_path, workers=1).results["artifacts"]
        return {found["seed-0/shy/selection"], found["seed-0/votes-0"]}

    class Shy2(Shy):
        pass

    first = names(SHY)
    assert names(SHY) == first
    other = SHY.model_copy(update={"reliability": Shy2()})
    assert len(names(other) & first) == 1  # the votes
    monkeypatch.setattr(Shy, "version", Shy.version + 1)
    assert len(names(SHY) & first) == 1
    monkeypatch.setattr(Coin, "version", Coin.version + 1)
    assert len(names(SHY) & first) == 0


def coin_votes() -> sy.Votes:
    questions = [sy.Question(f"q{i}", "heads or tails?") for i in range(8)]
    request = sy.VoteRequest("classification", ("heads", "tails"), (questions,))
    return Coin().vote(request)[0]
