"""Arms with middle students: the answers of each are the labels of the next."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from shifting_student import CALLS, PROBE, STOP, Shifting, write
from steelyard.errors import ConfigError
from steelyard.report.formats import percent
from steelyard.store.store import Store
from steelyard.studies.config import Study, make_study
from steelyard.studies.ladder import labels_after, labels_of
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.study import planned
from steelyard.studies.training import train_student, training_set


def through(*students: Any, **changes: Any) -> dict[str, Any]:
    return {"name": "ladder", "selection": "first_voter", "through": list(students), **changes}


@pytest.fixture(autouse=True)
def _nothing_trained() -> None:
    CALLS.clear()
    STOP.clear()


def test_labels_by_hand() -> None:
    """Rows are divided by their sums; a row of zeros is no answer; ties are halves."""
    probabilities = np.array([[0.6, 0.2], [0.4, 0.4], [0.0, 0.0]])
    soft = labels_of(("a", "b", "c"), probabilities)
    np.testing.assert_allclose(soft.targets, [[0.75, 0.25], [0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(soft.weights, [1, 1, 0])
    assert soft.reasons == ("", "", "the middle student gave no answer")
    hard = labels_of(("a", "b", "c"), probabilities, hard=True)
    np.testing.assert_allclose(hard.targets, [[1, 0], [0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(hard.weights, [1, 1, 0])


def test_answers_of_each_student_are_the_labels_of_the_next(tmp_path: Path) -> None:
    """Half of 40 labels are yes; the middle students add 0.1 and then 0.2 to that."""
    first, second = Shifting(name="first", shift=0.1), Shifting(name="second", shift=0.2)
    run = Run(make_study({**write(tmp_path), "arms": [through(first, second)]}), Store(tmp_path))
    trained = train_student(run, 0, "ladder")
    assert [name for name, *_ in CALLS] == ["first", "second", "last"]
    weak, after_first, after_second = (targets for _, targets, _ in CALLS)
    np.testing.assert_array_equal(weak.mean(axis=0), [0.5, 0.5])
    assert set(weak.ravel()) == {0.0, 1.0}
    np.testing.assert_allclose(after_first, np.tile([0.4, 0.6], (40, 1)))
    np.testing.assert_allclose(after_second, np.tile([0.2, 0.8], (40, 1)))
    np.testing.assert_allclose(trained.predictions.probs, np.tile([0.2, 0.8], (8, 1)))
    assert trained.record["kept"] == 40


def test_middle_students_answer_the_rows_that_the_arm_dropped(tmp_path: Path) -> None:
    """The first is trained on the arm's weights, and all questions get its labels."""
    settings = write(tmp_path)
    votes = Path(settings["supervisors"][0]["path"])
    lines = votes.read_text().splitlines(keepends=True)
    votes.write_text("".join(lines[10:]))  # nobody voted on the first ten
    settings["arms"] = [through(Shifting(name="first", shift=0.25))]
    run = Run(make_study(settings), Store(tmp_path))
    data, selection = training_set(run, 0, "ladder")
    assert [name for name, *_ in CALLS] == ["first"]
    assert (CALLS[0][2] == 0).sum() == 10
    np.testing.assert_array_equal(data.weights, np.ones(40))
    assert selection.kept == 40


def test_hard_labels_are_the_most_probable_answers(tmp_path: Path) -> None:
    """A student that answers everything alike leaves one class, which teaches nothing."""
    arm = through(Shifting(name="first", shift=0.1), through_labels="hard")
    result = sy.study({**write(tmp_path), "arms": [arm]}, tmp_path / "out", workers=1).results
    ladder = result["arms"]["ladder"]
    assert ladder["score"] is None
    assert ladder["reason"].startswith("Not trained in seed 0: middle student 1: All 40 kept")
    assert ladder["through"][0]["label_accuracy"] is None


def test_through_the_student_itself_equals_doing_it_by_hand(tmp_path: Path) -> None:
    """Strong-to-strong iterations of a probe: fit, predict the same rows, fit anew, twice."""
    settings = {**write(tmp_path), "student": PROBE, "arms": ["strong_to_strong"]}
    run = Run(make_study(settings), Store(tmp_path / "store"))
    arm = run.study.arm("strong_to_strong")
    student = sy.Probe(**PROBE)
    states = run.states(student)
    options = sy.TrainingOptions(states=states)
    questions, classes = run.task(0).strong_train.questions, run.task(0).classes
    weak = select_labels(run, 0, run.study.arm("naive"))[0]
    targets, weights = weak.targets, weak.weights
    for number in (1, 2):
        data = sy.TrainingData("classification", classes, questions, targets, weights)
        probabilities = student.fit(data, options).predict(questions, states).probs
        assert probabilities is not None
        targets, weights = probabilities, np.ones(len(questions))
        labels = labels_after(run, 0, arm, number).selection
        assert labels is not None
        np.testing.assert_allclose(labels.targets, targets, atol=1e-6)
    data = sy.TrainingData("classification", classes, questions, targets, weights)
    answers = student.fit(data, options).predict(run.task(0).test.questions, states)
    found = train_student(run, 0, "strong_to_strong").predictions.probs
    np.testing.assert_allclose(found, answers.probs, atol=1e-5)


def test_results_and_report_show_middle_labels_and_costs(tmp_path: Path) -> None:
    settings = {**write(tmp_path), "student": PROBE, "seeds": 2}
    settings["arms"] = ["strong_to_strong"]
    result = sy.study(settings, tmp_path / "out", workers=1).results
    arm = result["arms"]["strong_to_strong"]
    assert [part["student"] for part in arm["through"]] == ["minilm-1", "minilm-1"]
    for part in arm["through"]:
        assert part["label_accuracy"] == pytest.approx(np.mean(part["seeds"]))
    # the last student is trained on the labels of the second middle one
    rates = [seed["label_accuracy"] for seed in arm["seeds"]]
    assert rates == pytest.approx(arm["through"][-1]["seeds"])
    assert result["costs"]["middle"] == {"trainings": 4, "steps": 0}
    assert "through" not in result["arms"]["naive"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"Through minilm-1 ({percent(arm['through'][0]['label_accuracy'], 1)} of its" in page
    assert "4 trainings of middle students" in page
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    for key in ("student", "label_accuracy", "seeds"):
        assert f"`arms.NAME.through[].{key}`" in text
    for key in result["costs"]["middle"]:
        assert f"`costs.middle.{key}`" in text


def test_the_control_lacks_the_students_in_between(tmp_path: Path) -> None:
    """`direct` of an arm on naive labels is the naive student, and trains nothing more."""
    settings = {**write(tmp_path), "arms": ["strong_to_strong"]}
    result = sy.study(settings, tmp_path / "out", workers=1).results
    arms = result["arms"]
    assert arms["strong_to_strong"]["vs_control"]["control"] == "direct"
    assert arms["direct"]["score"] == arms["naive"]["score"]
    artifacts = result["artifacts"]
    assert artifacts["seed-0/direct/student"] == artifacts["seed-0/naive/student"]
    names = [arm.name for arm in make_study({**settings, "arms": [through("student")]}).all_arms]
    assert names == ["naive", "majority", "ladder", "direct"]


def test_a_random_control_is_drawn_before_the_middle_students(tmp_path: Path) -> None:
    arm = through(Shifting(name="first"), selection="keep")
    study = make_study({**write(tmp_path), "arms": [arm]})
    control = study.arm("random_keep")
    assert control.through == study.arm("ladder").through
    assert study.arm("direct").through == ()


def test_arms_share_middle_students_with_equal_labels(tmp_path: Path) -> None:
    first = Shifting(name="first", shift=0.1)
    longer = through(first, Shifting(name="second"), name="longer")
    settings = {**write(tmp_path), "arms": [through(first), longer]}
    result = sy.study(settings, tmp_path / "out", workers=1).results
    assert [name for name, *_ in CALLS].count("first") == 1
    assert result["costs"]["middle"] == {"trainings": 2, "steps": 40}


def test_a_stopped_study_trains_no_middle_student_twice(tmp_path: Path) -> None:
    students = [Shifting(name="first", shift=0.1), Shifting(name="second", shift=0.1)]
    settings = {**write(tmp_path), "arms": [through(*students)], "seeds": 2}
    STOP.append(3)
    with pytest.raises(KeyboardInterrupt):
        sy.study(settings, tmp_path / "stopped", workers=1)
    first = [name for name, *_ in CALLS]
    _nothing_left()
    resumed = sy.study(settings, tmp_path / "stopped", workers=1).results
    second = [name for name, *_ in CALLS]
    _nothing_left()
    calm = sy.study(settings, tmp_path / "calm", workers=1).results
    assert first[:2] + second == [name for name, *_ in CALLS]
    for key in ("arms", "artifacts", "warnings"):
        assert resumed[key] == calm[key]


def _nothing_left() -> None:
    CALLS.clear()
    STOP.clear()


def test_a_collapsed_middle_student_leaves_the_arm_untrained(tmp_path: Path) -> None:
    arm = through(Shifting(name="first", collapses=True), "student")
    result = sy.study({**write(tmp_path), "arms": [arm]}, tmp_path / "out", workers=1).results
    reason = "Not trained in seed 0: middle student 1: the loss is not a number"
    assert result["arms"]["ladder"]["reason"] == reason
    assert f"`ladder`: {reason}" in result["warnings"]
    assert result["arms"]["direct"]["score"] is not None


def test_a_dry_run_counts_middle_trainings(tmp_path: Path) -> None:
    settings = {**write(tmp_path), "arms": [through("student", Shifting(name="b"))], "seeds": 3}
    line = planned(settings)[-1]
    assert line == "middle students: up to 6 more trainings, about 120 steps in all"


def test_a_study_with_middle_students_is_read_back_from_json(tmp_path: Path) -> None:
    settings = {**write(tmp_path), "student": PROBE}
    study = make_study({**settings, "arms": [through("student", {**PROBE, "layers": 2})]})
    assert Study.model_validate_json(study.model_dump_json()) == study


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        (through(*["student"] * 6), "`arms.0.through` must have at most 5 entries."),
        (through("studnt"), "`arms.0.through.0` must be 'student', got 'studnt'."),
        (through({**PROBE, "layer": 1}), "`arms.0.through.0.layer` is not a setting. Did you mean"),
        (through({"kind": "chooser"}), "A chooser answers multiple choice and preferences"),
        (through("student", selection="per_supervisor"), "`through` gives each row one label"),
        (through("student", gold_weight=2), "`through` gives each row one label"),
    ],
)
def test_ladders_that_cannot_work_are_refused(
    tmp_path: Path, arm: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        make_study({**write(tmp_path), "arms": [arm]})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_open_answers_are_refused() -> None:
    settings = {
        "task": "generation",
        "data": {"train": "a.jsonl", "test": "b.jsonl"},
        "supervisors": [{"kind": "votes", "path": "votes.jsonl"}],
        "student": {"kind": "language_model", "model": "minilm"},
        "arms": ["strong_to_strong"],
    }
    with pytest.raises(ConfigError, match="`through` of arm `strong_to_strong` passes on"):
        make_study(settings)
