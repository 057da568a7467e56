"""Settings and options that cannot work: one line with the nearest right one."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Refused = Callable[..., str]
CLASSIFIER = {"kind": "classifier", "model": "minilm"}
KEEP = {"name": "mine", "selection": "keep"}

SETTINGS = {
    "unknown at the top": ({"supervisor": []}, ["`supervisor` is not", "`supervisors`"]),
    "unknown far from all": ({"colour": 1}, ["`colour` is not", "Known are name, task, data"]),
    "unknown in data": ({"data": {"generated": "errands", "weak_trian": 3}}, ["`weak_train`"]),
    "unknown in student": ({"student": {**CLASSIFIER, "epoch": 1}}, ["student.epoch`", "`epochs`"]),
    "unknown in lora": (
        {"student": {**CLASSIFIER, "lora": {"rnk": 1}}},
        ["`student.lora.rnk` is not a setting", "`rank`"],
    ),
    "unknown in a supervisor": (
        {"supervisors": [{"kind": "tfidf", "voter": 3}]},
        ["`supervisors.0.voter` is not a setting", "`voters`"],
    ),
    "unknown in an own arm": (
        {"arms": ["filter", {**KEEP, "relaibility": "margin"}]},
        ["`arms.1.relaibility` is not a setting", "`reliability`"],
    ),
    "unknown in an own arm's selection": (
        {"arms": [{**KEEP, "selection": {"kind": "keep", "fractoin": 0.5}}]},
        ["`arms.0.selection.fractoin` is not a setting", "`fraction`"],
    ),
    "unknown arm": ({"arms": ["filtr"]}, ["'filtr' is not an arm", "did you mean `filter`"]),
    "arm twice": ({"arms": ["soft", "soft"]}, ["the name 'soft' is given twice"]),
    "arm of a control's name": (
        {"arms": ["filter", {**KEEP, "name": "random_keep.filter"}]},
        ["random_keep.filter", "twice"],
    ),
    "arm named as a path": ({"arms": [{**KEEP, "name": "../x"}]}, ["`arms.0.name`", "'../x'"]),
    "arm without a selection": ({"arms": [{"name": "x"}]}, ["`arms.0.selection` is missing"]),
    "arm is a number": ({"arms": [3]}, ["`arms.0` must be `key: value` settings, got 3"]),
    "arms are a word": ({"arms": "filter"}, ["`arms` must be a list, got 'filter'"]),
    "unknown estimator": (
        {"arms": [{**KEEP, "reliability": "vote_entropie"}]},
        ["`arms.0.reliability.kind` must be one of", "`vote_entropy`"],
    ),
    "unknown supervisor": (
        {"supervisors": [{"kind": "tfdif"}]},
        ["`supervisors.0.kind` must be one of tfidf,", "got 'tfdif'", "`tfidf`"],
    ),
    "no supervisor": ({"supervisors": []}, ["`supervisors` must have at least one entry"]),
    "one supervisor without a list": (
        {"supervisors": {"kind": "tfidf"}},
        ["`supervisors` must be a list"],
    ),
    "unknown student": (
        {"student": {"kind": "prob"}},
        ["`student.kind` must be one of", "got 'prob'", "`probe`"],
    ),
    "student without a kind": ({"student": {}}, ["`student.kind` must be one of", "is missing"]),
    "no student": ({"student": None}, ["`student` is missing"]),
    "unknown metric": ({"metric": "acuracy"}, ["'acuracy'", "`accuracy`"]),
    "unknown task": ({"task": "regression"}, ["`task` must be", "got 'regression'"]),
    "no seeds": ({"seeds": 0}, ["`seeds`", "from 1 to", "got 0"]),
    "a seed twice": ({"seeds": [1, 1]}, ["`seeds`", "distinct", "(1, 1)"]),
    "negative seed": ({"seeds": [-1]}, ["`seeds`", ">= 0", "(-1,)"]),
    "endless seeds": ({"seeds": 10**12}, ["`seeds`", "from 1 to 1000", "got 1000000000000"]),
    "huge seed": ({"seeds": [2**40]}, ["`seeds`", "up to 2147483647"]),
    "seeds are a word": ({"seeds": "five"}, ["`seeds` must be a valid integer", "'five'"]),
    "no epochs": ({"student": {**CLASSIFIER, "epochs": 0}}, ["`student.epochs` must be", "got 0"]),
    "learning rate": (
        {"student": {**CLASSIFIER, "learning_rate": -1}},
        ["`student.learning_rate` must be greater than 0, got -1"],
    ),
    "NaN": ({"student": {**CLASSIFIER, "learning_rate": float("nan")}}, ["learning_rate", "nan"]),
    "lora and train_layers": (
        {"student": {**CLASSIFIER, "lora": {}, "train_layers": 2}},
        ["`lora` and `train_layers: 2` of the classifier exclude each other"],
    ),
    "classifier for a choice": (
        {"task": "multiple_choice", "student": CLASSIFIER, "supervisors": [{"kind": "chooser"}]},
        ["A classifier answers classification", "multiple_choice", "kind: chooser"],
    ),
    "probe for a choice": (
        {"task": "multiple_choice", "supervisors": [{"kind": "chooser"}]},
        ["A probe answers classification", "kind: chooser"],
    ),
    "chooser for classes": (
        {"student": {"kind": "chooser"}},
        ["A chooser answers multiple choice", "kind: classifier"],
    ),
    "tfidf for a choice": (
        {"task": "multiple_choice", "student": {"kind": "chooser"}},
        ["A tfidf supervisor answers classification", "kind: chooser"],
    ),
    "chooser supervisor for classes": (
        {"supervisors": [{"kind": "chooser"}]},
        ["A chooser supervisor answers multiple choice", "kind: classifier"],
    ),
    "embedded task as a choice": (
        {
            "task": "multiple_choice",
            "student": {"kind": "chooser"},
            "supervisors": [{"kind": "chooser"}],
            "data": {"generated": "errands"},
        },
        ["`generated: errands` is a classification task"],
    ),
    "nothing to train supervisors on": (
        {"data": {"generated": "errands", "weak_train": 1}},
        ["tfidf supervisor needs labelled rows", "`data.weak_train`"],
    ),
    "run name": ({"name": "../../x"}, ["`name` must be", "'../../x'"]),
    "long run name": ({"name": "x" * 300}, ["`name` must be up to 64"]),
    "no such model": (
        {"student": {"kind": "probe", "model": "no/such-model"}},
        ["`model: no/such-model` could not be loaded", "`minilm`"],
    ),
    "no such model of a supervisor": (
        {"supervisors": [{"kind": "classifier", "model": "no/such-model"}]},
        ["`model: no/such-model` could not be loaded"],
    ),
    "not a model's name": (
        {"student": {"kind": "probe", "model": "a b/c d/e"}},
        ["`model: a b/c d/e` could not be loaded"],
    ),
    "a folder without a model": (
        {"student": {"kind": "probe", "model": "."}},
        ["`model: .` is a folder without config.json", "`minilm`"],
    ),
    "more layers than there are": (
        {"student": {"kind": "probe", "model": "minilm", "layers": 99}},
        ["`layers: 99`: minilm has 6 blocks. Ask for as many or fewer."],
    ),
}


@pytest.mark.parametrize(("changes", "parts"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_cannot_work_are_named(
    refused: Refused, changes: dict[str, Any], parts: list[str]
) -> None:
    line = refused(**changes)
    assert [part for part in parts if part not in line] == [], line


def test_models_are_looked_for_before_anything_is_trained(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path, student={"kind": "probe", "model": "minilm", "layers": 99})
    said = steelyard("study", "study.yaml", "--workers", 2)
    assert said.error
    assert said.err.count("\n") == 2, said.err  # the first line of progress, and the error
    assert not list(tmp_path.rglob("votes-*"))


YAML = {
    "syntax": ("task: [a\ndata: b\n", ["study.yaml line 2 is not YAML"]),
    "tab": ("task: a\n\tdata: b\n", ["study.yaml line 2 is not YAML"]),
    "key twice": ("task: a\nseeds: 1\nseeds: 2\n", ["study.yaml line 3", "'seeds' stands twice"]),
    "key twice within": ("data:\n  train: a\n  train: b\n", ["line 3", "'train' stands twice"]),
    "a list": ("- task\n", ["study.yaml must be `key: value` settings"]),
    "a word": ("task\n", ["study.yaml must be `key: value` settings"]),
    "empty": ("", ["study.yaml must be `key: value` settings"]),
    "number as a key": ("1: 2\n", ["study.yaml: `task` is missing"]),
    "list as a key": ("? [a]\n: b\n", ["study.yaml line 1 is not YAML", "unhashable"]),
    "Python tag": (
        "task: !!python/object/apply:os.system ['touch canary']\n",
        ["study.yaml line 1 is not YAML", "python/object/apply:os.system"],
    ),
    "own tag": ("task: !mine a\n", ["study.yaml line 1 is not YAML", "!mine"]),
    "flood of aliases": (
        "a: &a [x]\nb: [" + ", ".join(["*a"] * 200) + "]\n",
        ["study.yaml line 2 has more than 100 aliases"],
    ),
    "deep": ("[" * 20_000, ["study.yaml line 1 has more than 50 nested values"]),
    "date that cannot be": ("seeds: 2020-13-45\n", ["study.yaml", "month must be in"]),
    "long number": ("seeds: " + "1" * 5000 + "\n", ["study.yaml", "cannot be read"]),
    "control character": ("task: a\0b\n", ["study.yaml is not YAML"]),
    "not UTF-8": (b"task: caf\xe9\n", ["study.yaml is not UTF-8 text (byte 9)"]),
    "too large": ("#" * 2_000_000, ["study.yaml is larger than 100000 bytes"]),
    "many keys": (
        "".join(f"k{n}: 1\n" for n in range(5000)),
        ["study.yaml: `k0` is not a setting"],
    ),
}


@pytest.mark.parametrize(("text", "parts"), YAML.values(), ids=YAML)
def test_a_study_file_that_cannot_be_read_is_named_with_its_line(
    refused: Refused, tmp_path: Path, text: str | bytes, parts: list[str]
) -> None:
    line = refused(files={"study.yaml": text})
    assert [part for part in parts if part not in line] == [], line
    assert not (tmp_path / "canary").exists()


STUDY = ("study", "study.yaml")
WORDS = {
    "no such study": (("study", "stdy.yaml"), ["stdy.yaml cannot be read", "No such file"]),
    "study is a folder": (("study", "."), ["cannot be read", "directory"]),
    "set without =": ((*STUDY, "--set", "seeds"), ["`key.path=value`", "'seeds'"]),
    "set without a key": ((*STUDY, "--set", "=3"), ["`key.path=value`", "'=3'"]),
    "set an unknown key": ((*STUDY, "--set", "studnt.epochs=1"), ["`studnt`", "`student`"]),
    "set an unknown key below": (
        (*STUDY, "--set", "student.epoch=1"),
        ["`student.epoch` is not a setting", "Known are"],
    ),
    "set below a value": ((*STUDY, "--set", "seeds.x=1"), ["seeds.x=1", "2 is a value", "`x`"]),
    "set no such entry": (
        (*STUDY, "--set", "supervisors.7.voters=1"),
        ["The override supervisors.7.voters=1", "no entry '7'", "1 entries"],
    ),
    "set an entry by name": ((*STUDY, "--set", "supervisors.x=1"), ["no entry 'x'"]),
    "set a negative entry": ((*STUDY, "--set", "supervisors.-1.voters=1"), ["no entry '-1'"]),
    "set not YAML": ((*STUDY, "--set", "seeds=[1"), ["The override seeds=[1", "is not YAML"]),
    "set a name": ((*STUDY, "--set", "name=../../x"), ["`name` must be", "'../../x'"]),
    "no workers": ((*STUDY, "--workers", "0"), ["`workers` must be at least 1, got 0"]),
    "too many workers": ((*STUDY, "--workers", 10**20), ["at most 1024", "got 1000000000000"]),
    "workers are a word": (
        (*STUDY, "--workers", "two"),
        ["--workers", "valid integer", "steelyard study study.yaml --workers two"],
    ),
    "unknown executor": ((*STUDY, "--executor", "slurm"), ["local or ray", "'slurm'"]),
    "unknown option": ((*STUDY, "--worker", "2"), ["--worker"]),
    "unknown command": (("stdy",), ["No such command 'stdy'", "'study'"]),
    "no argument": (("study",), ["STUDY.yaml"]),
    "too many arguments": ((*STUDY, "more"), ["more"]),
    "out below a file": (
        (*STUDY, "--out", "train.jsonl/run"),
        ["The folder train.jsonl/run cannot be written", "`out`"],
    ),
    "out is a file": ((*STUDY, "--out", "train.jsonl"), ["train.jsonl cannot be written"]),
    "out is too long": ((*STUDY, "--out", "x" * 300), ["cannot be written (File name too long)"]),
    "negative seed": (
        ("train", "study.yaml", "--selection", "filter", "--out", "m", "--seed", "-1"),
        ["`--seed` must be from 0 to 2147483647, got -1"],
    ),
}


@pytest.mark.parametrize(("words", "parts"), WORDS.values(), ids=WORDS)
def test_a_command_line_that_cannot_work_is_one_line(
    refused: Refused, words: tuple[str, ...], parts: list[str]
) -> None:
    line = refused(*words)
    assert [part for part in parts if part not in line] == [], line


def test_verbose_shows_the_traceback_wherever_it_stands(
    steelyard: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from steelyard.errors import ConfigError

    for words in (("-v", "study", "no.yaml"), ("study", "no.yaml", "--verbose")):
        with pytest.raises(ConfigError, match=r"no\.yaml cannot be read"):
            steelyard(*words)


def test_help_is_no_mistake(steelyard: Callable[..., Any]) -> None:
    for words in ((), ("--help",), ("study", "-h")):
        said = steelyard(*words)
        assert (said.code, said.err) == (0, "")
        assert "Usage: steelyard" in said.out


def test_names_with_control_characters_do_not_reach_the_terminal(refused: Refused) -> None:
    line = refused("study", "no\x1b[31m\nerror: x.yaml")
    assert "\x1b" not in line
    assert "no\\x1b[31m" in line


def test_a_full_disk_is_said_and_other_failures_of_the_machine_are_bugs(
    steelyard: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "run/results.json")

    monkeypatch.setattr("steelyard.studies.results_file.read_results", full)
    line = steelyard("report", "run").error
    assert line.startswith("error: run/results.json: No space left on device; make room and run")

    def broken(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("steelyard.studies.results_file.read_results", broken)
    with pytest.raises(OSError, match="Input/output error"):
        steelyard("report", "run")
