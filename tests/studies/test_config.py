"""The study file: what comes along by itself, and what is refused in which words."""

from pathlib import Path
from typing import Any

import pytest

from steelyard.errors import ConfigError
from steelyard.studies.config import make_study, read_study, read_yaml
from steelyard.studies.presets import PRESETS


def settings(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "task": "classification",
        "data": {"generated": "errands"},
        "supervisors": [{"kind": "tfidf"}],
        "student": {"kind": "classifier"},
    }
    return {**plain, **changes}


def names(**changes: Any) -> list[str]:
    return [arm.name for arm in make_study(settings(**changes)).all_arms]


def test_naive_majority_and_controls_come_along() -> None:
    assert names(arms=["filter", "reweigh"]) == [
        "naive",
        "majority",
        "filter",
        "reweigh",
        "random_keep",
        "shuffled_weights",
    ]


def test_each_of_several_filters_has_a_control_of_its_own() -> None:
    assert names(arms=["filter", "filter_confidence"])[-2:] == [
        "random_keep.filter",
        "random_keep.filter_confidence",
    ]


def test_every_preset_is_a_study() -> None:
    anywhere = [name for name, arm in PRESETS.items() if not arm.slice_balance]
    assert set(anywhere) <= set(names(arms=anywhere))
    rows = {"train": "train.csv", "test": "test.csv", "slice": "source"}
    assert set(PRESETS) <= set(names(arms=list(PRESETS), data=rows))


def test_an_own_arm_is_a_reliability_and_a_selection() -> None:
    own = {"name": "tight", "reliability": "margin", "selection": {"kind": "keep", "fraction": 0.2}}
    study = make_study(settings(arms=[own]))
    assert study.arm("tight").reliability.kind == "margin"
    assert study.arm("random_keep").selection == study.arm("tight").selection


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": ["fliter"]}, "'fliter' is not an arm; did you mean `filter`"),
        ({"arms": ["filter", "filter"]}, "the name 'filter' is given twice"),
        ({"sedes": 3}, "`sedes` is not a setting. Did you mean `seeds`"),
        ({"student": {"kind": "classifier", "epoch": 1}}, "Did you mean `epochs`"),
        ({"data": {"generated": "errands", "weak_trian": 3}}, "Did you mean `weak_train`"),
        ({"student": {"kind": "clasifier"}}, "Did you mean `classifier`"),
        ({"supervisors": [{"kind": "tfid"}]}, "Did you mean `tfidf`"),
        ({"student": {"kind": "chooser"}}, "A chooser answers multiple choice"),
        ({"supervisors": []}, "supervisors"),
        ({"metric": "acuracy"}, "accuracy"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": [1, 1]}, "distinct"),
        ({"name": "../../x"}, "name"),
        ({"data": {"generated": "errands", "weak_train": 0}}, "needs labelled rows"),
    ],
)
def test_settings_that_cannot_work_are_one_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make_study(settings(**changes))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_is_read_with_overrides(tmp_path: Path) -> None:
    path = tmp_path / "my study.yaml"
    path.write_text(
        "task: classification\ndata: {generated: errands}\nsupervisors: [{kind: tfidf}]\n"
        "student: {kind: classifier}\n"
    )
    study = read_study(path, ["student.epochs=7", "seeds=[3, 4]", "supervisors.0.voters=2"])
    assert study.name == "my-study"
    assert study.student.model_dump()["epochs"] == 7
    assert study.seed_list == (3, 4)
    assert study.supervisors[0].model_dump()["voters"] == 2


def test_yaml_is_safe_and_its_keys_stand_once() -> None:
    with pytest.raises(ConfigError, match="line 1 is not YAML"):
        read_yaml("!!python/object/apply:os.system ['echo']", "x.yaml")
    with pytest.raises(ConfigError, match="'a' stands twice"):
        read_yaml("a: 1\na: 2", "x.yaml")
    with pytest.raises(ConfigError, match="aliases"):
        read_yaml("a: &a [1]\nb: [" + "*a, " * 101 + "]", "x.yaml")
