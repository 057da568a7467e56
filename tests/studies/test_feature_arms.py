"""Arms whose estimator looks at the texts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from steelyard.data import take
from steelyard.models.features import read_features
from steelyard.models.load import Pretrained
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.gold_votes import gold_votes
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels, selection_inputs
from steelyard.studies.votes import collect_votes, held_out_votes
from steelyard.supervision import VoteRequest
from steelyard.types import Question

ARMS = [
    {"name": name, "reliability": reliability, "selection": selection}
    for name, reliability, selection in (
        ("knn", "knn", "hard"),
        ("shallow", {"kind": "knn", "encoder": {"layers": 1}}, "hard"),
        ("topological", "topological", "soft"),
        ("logistic", "logistic", {"kind": "keep", "fraction": 0.5}),
        ("crowdlab", "crowdlab", "hard"),
        ("corrected", "gold_confusions", "soft"),
    )
]
SETTINGS: dict[str, Any] = {
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 60, "strong_train": 150, "max_test": 100},
    "supervisors": [{"kind": "tfidf", "voters": 3}],
    "student": {
        **{"kind": "probe", "model": "minilm", "max_tokens": 64},
        "regularization": 1.0,
    },
    "arms": [*ARMS, "refine", "refine_gold"],
    "seeds": 1,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[sy.Result, Path]:
    folder = tmp_path_factory.mktemp("run")
    return sy.study(SETTINGS, folder, workers=1), folder


def test_a_study_relabels_and_filters_by_features(finished: tuple[sy.Result, Path]) -> None:
    found = finished[0].results
    assert {"knn", "shallow", "topological", "logistic", "random_keep.logistic"} <= set(
        found["arms"]
    )
    accuracy = {name: arm["seeds"][0]["label_accuracy"] for name, arm in found["arms"].items()}
    assert accuracy["knn"] != accuracy["shallow"]  # the encoder of an estimator is its own
    assert accuracy["logistic"] > accuracy["majority"]
    assert accuracy["refine"] > accuracy["majority"]
    assert accuracy["refine_gold"] > accuracy["majority"]
    assert accuracy["crowdlab"] > accuracy["majority"]
    # vote_share, two of knn, topological, logistic, crowdlab, gold_confusions, self_training with
    # and without gold
    assert len(found["reliability"]) == 9
    controls = {"random_keep.refine", "random_keep.refine_gold"}
    assert controls <= set(found["arms"])


def test_what_an_arm_is_taught_comes_from_the_students_features(
    finished: tuple[sy.Result, Path],
) -> None:
    run = Run(make_study(SETTINGS), Store(finished[1] / "store"))
    votes, arm = collect_votes(run, 0).strong_train, run.study.arm("knn")
    questions = run.task(0).strong_train.questions
    features = read_features(Pretrained(), questions, arm.reliability.max_tokens)
    plain = arm.reliability.estimate(votes, features)
    np.testing.assert_allclose(select_labels(run, 0, arm)[1].posterior, plain.posterior, atol=1e-6)


def test_features_have_one_length_and_tell_texts_apart() -> None:
    texts = ("Where is my parcel?", "My parcel has not come.", "Sing a song about the sea.")
    rows = read_features(Pretrained(), [Question(t, t) for t in texts], 32)
    assert rows.dtype == np.float32
    np.testing.assert_allclose((rows**2).sum(axis=1), rows.shape[1], rtol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]


@pytest.mark.parametrize("kind", ["knn", "topological", "logistic"])
def test_open_and_own_answers_are_refused_before_anything_is_done(kind: str) -> None:
    settings = {
        **SETTINGS,
        "task": "multiple_choice",
        "supervisors": [{"kind": "chooser", "model": "minilm"}],
        "student": {"kind": "chooser", "model": "minilm"},
        "arms": [{"name": "mine", "reliability": kind, "selection": "hard"}],
    }
    with pytest.raises(sy.ConfigError, match=f"`{kind}` compares .* the task is multiple_choice"):
        make_study(settings)


def test_an_encoder_that_is_not_there_is_said_before_training(tmp_path: Path) -> None:
    arm = {"name": "mine", "reliability": {"kind": "knn", "encoder": {"layers": 99}}}
    with pytest.raises(sy.ConfigError, match="`layers: 99`: minilm has 6 blocks"):
        sy.study({**SETTINGS, "arms": [{**arm, "selection": "hard"}]}, tmp_path, workers=1)


def test_the_truth_of_weak_train_names_the_selection_that_it_makes(tmp_path: Path) -> None:
    """Another true label makes another selection of `refine_gold`, and no other of `refine`."""
    run = Run(make_study(SETTINGS), Store(tmp_path))
    arms = [run.study.arm(name) for name in ("refine", "refine_gold")]
    assert [arm.reliability.uses_gold for arm in arms] == [False, True]
    assert selection_inputs(run, 0, arms[0]).keys() == {"votes", "questions", "encoder"}
    assert selection_inputs(run, 0, arms[1]).keys() == {"votes", "questions", "encoder", "gold"}


def test_votes_on_weak_train_are_of_supervisors_that_did_not_see_the_row(
    finished: tuple[sy.Result, Path],
) -> None:
    """Each third of the rows is labelled by supervisors that were trained on the other two."""
    run = Run(make_study(SETTINGS), Store(finished[1] / "store"))
    arm, labelled = run.study.arm("corrected"), run.task(0).weak_train
    table = gold_votes(run, 0, arm)
    assert table.ids == labelled.ids
    assert table.voters == collect_votes(run, 0).strong_train.voters
    rows = np.random.default_rng([0, 3]).permutation(60)
    for third, part in enumerate((rows[40:], rows[:20], rows[20:40])):
        part, seen = np.sort(part), np.setdiff1d(rows, part)
        held_out = held_out_votes(run, 0, 0, third=third, bootstrap=True)
        assert held_out is not None
        assert held_out[1].ids == tuple(labelled.ids[i] for i in part)
        request = VoteRequest(
            *("classification", run.task(0).classes, (held_out[1].questions,)),
            *(take(labelled, seen), 0),
        )
        again = run.study.supervisors[0].vote(request)[0]
        np.testing.assert_array_equal(held_out[0].answer, again.answer)
        np.testing.assert_array_equal(
            table.answer.reshape(60, 3)[part], again.answer.reshape(20, 3)
        )
    inputs = selection_inputs(run, 0, arm)
    assert inputs.keys() == {"votes", "gold", "gold_votes"}


def test_supervisors_that_cannot_vote_on_weak_train_are_named(tmp_path: Path) -> None:
    few = {**SETTINGS, "data": {**SETTINGS["data"], "weak_train": 5}}
    with pytest.raises(sy.ConfigError, match=r"of arm `corrected`.* at least 6"):
        make_study(few)
    server = {"kind": "api", "model": "m", "base_url": "http://localhost:1"}
    with pytest.raises(sy.ConfigError, match=r"supervisor 0 \(`api`\) is not asked there"):
        make_study({**SETTINGS, "supervisors": [server]})
    unchecked = make_study(SETTINGS)
    data = unchecked.data.model_copy(update={"weak_train": 5})
    run = Run(unchecked.model_copy(update={"data": data}), Store(tmp_path))
    with pytest.raises(sy.ConfigError, match=r"`gold_confusions` of arm `corrected`.*`tfidf`"):
        gold_votes(run, 0, run.study.arm("corrected"))
