"""Studies of several supervisors: silent ones, ones with other answers, the student's own doubt."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.studies.study import Result, study

ROWS = [
    {"id": f"r{i}", "text": f"{start} {word} {noun}", "label": label}
    for i, (start, noun, (word, label)) in enumerate(
        (start, noun, pair)
        for start in ("a", "the", "a very", "the very")
        for noun in ("film", "plot", "film plot")
        for pair in (("good", "yes"), ("bad", "no"), ("fine", "yes"), ("awful", "no"))
    )
]
LEARNT = {
    "name": "learnt",
    "selection": "apart",
    "objective": {"kind": "naive_multi_weak", "learn_weights": True},
}
BY_ACCURACY = {
    "name": "by_accuracy",
    "reliability": "dawid_skene",
    "selection": {"kind": "apart", "weights": "accuracy"},
    "objective": "naive_multi_weak",
}
SAME = ("joint", "naive_multi_weak", "by_accuracy", "learnt", "majority")
"""Arms that are the single weak label's where one supervisor alone is heard."""
PRODUCT = {
    "name": "product",
    "reliability": {"kind": "joint_decoding", "weights": {"ann": 3, "bob": 1}},
    "selection": "hard",
}
EVERY = ["naive_multi_weak", "joint", "bayesian", "confidence", LEARNT, BY_ACCURACY]


def file_of(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(folder / name)


def votes(folder: Path, voter: str, said: dict[str, Any]) -> dict[str, Any]:
    """A votes file of one voter."""
    rows = [{"id": name, "voter": voter, "answer": answer} for name, answer in said.items()]
    return {"kind": "votes", "path": file_of(folder, f"{voter}.jsonl", rows)}


def noisy(seed: int) -> dict[str, Any]:
    """The truth of all rows, wrong in a quarter of them."""
    wrong = np.random.default_rng(seed).random(len(ROWS)) < 0.25
    turned = {"yes": "no", "no": "yes"}
    return {
        str(row["id"]): turned[str(row["label"])] if bad else row["label"]
        for row, bad in zip(ROWS, wrong, strict=True)
    }


def settings(
    folder: Path, model: str, supervisors: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "task": "classification",
        "data": {
            "train": file_of(folder, "train.jsonl", ROWS[:32]),
            "test": file_of(folder, "test.jsonl", ROWS[32:]),
            "weak_train": 0,
        },
        "supervisors": supervisors,
        "student": {
            "kind": "classifier",
            "model": model,
            "precision": "fp32",
            "epochs": 2,
            "learning_rate": 0.01,
        },
        "arms": EVERY,
        "seeds": 1,
    }
    return {**plain, **more}


def run(folder: Path, *args: Any, **more: Any) -> Result:
    return study(settings(folder, *args, **more), folder / "run", workers=1)


@pytest.fixture(scope="module")
def finished(tiny_bert: str, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("several")
    pair = [votes(folder, name, noisy(seed)) for seed, name in enumerate(("ann", "bob"))]
    return run(folder, tiny_bert, pair, arms=[*EVERY, PRODUCT])


def losses(results: dict[str, Any], name: str) -> list[float]:
    found: list[float] = results["curves"][name]["loss"]
    return found


def test_two_supervisors_that_differ_teach_otherwise_than_one(finished: Result) -> None:
    alone = losses(finished.results, "naive")
    for name in SAME:
        assert losses(finished.results, name) != pytest.approx(alone, abs=2e-5), name


def test_the_uncertainty_of_an_evidential_student_is_reported(finished: Result) -> None:
    arms = finished.results["arms"]
    uncertainty = arms["bayesian"]["uncertainty"]
    assert set(uncertainty) == {"least_confidence", "vacuity", "expected_entropy"}
    assert 0 < uncertainty["vacuity"]["mean"] < 1
    assert 0 < uncertainty["expected_entropy"]["mean"] < np.log(2)
    assert all(0 <= judged["auroc"] <= 1 for judged in uncertainty.values())
    assert set(arms["joint"]["uncertainty"]) == {"least_confidence"}
    lines = (finished.folder / "report.md").read_text().splitlines()
    start = lines.index("## Uncertainty of the students")
    row = next(line for line in lines[start:] if line.startswith("| bayesian |"))
    assert f"{uncertainty['vacuity']['mean']:.3f}" in row
    assert 'id="uncertainty"' in finished.report.read_text()


def test_the_doubt_is_read_again_and_not_made_again(finished: Result) -> None:
    before = finished.results["arms"]
    folder = finished.folder
    made = sorted((folder / "store").iterdir())
    again = study(folder / "study.lock.yaml", folder, workers=1)
    assert again.results["arms"] == before
    assert sorted((folder / "store").iterdir()) == made


def test_a_product_of_supervisors_may_weigh_them(finished: Result) -> None:
    # Two votes without probabilities: the heavier one decides wherever they differ.
    arms = finished.results["arms"]
    right = [arms[name]["seeds"][0]["label_accuracy"] for name in ("product", "naive")]
    assert right[0] == right[1]
    assert finished.results["reliability"]["joint_decoding"]["auroc"] > 0.5


def test_every_arm_is_compared_with_the_majority(finished: Result) -> None:
    arms = finished.results["arms"]
    assert arms["majority"]["vs_majority"] is None
    for name in ("naive", "joint"):
        difference = arms[name]["score"]["value"] - arms["majority"]["score"]["value"]
        assert arms[name]["vs_majority"]["difference"] == pytest.approx(difference)
    turned = arms["naive"]["vs_majority"]
    assert turned["difference"] == pytest.approx(-arms["majority"]["vs_naive"]["difference"])
    assert turned["p"] == pytest.approx(arms["majority"]["vs_naive"]["p"])


@pytest.mark.parametrize("silence", ["null", "no row"])
def test_a_supervisor_may_be_silent_about_an_item(
    tiny_bert: str, tmp_path: Path, silence: str
) -> None:
    half: dict[str, Any] = noisy(1)
    for name in list(half)[::2]:
        if silence == "null":
            half[name] = None
        else:
            del half[name]
    pair = [votes(tmp_path, "ann", noisy(0)), votes(tmp_path, "bob", half)]
    found = run(tmp_path, tiny_bert, pair).results
    assert all(arm["seeds"][0]["rows"] == 32 for arm in found["arms"].values())
    assert found["votes"]["abstained"] == (0.25 if silence == "null" else 0)
    by_voter = {voter["voter"]: voter for voter in found["votes"]["by_voter"]}
    assert by_voter["bob"]["abstained"] == (0.5 if silence == "null" else 0)


@pytest.mark.parametrize("silence", ["null", "no row"])
def test_a_supervisor_that_is_silent_about_everything_teaches_nothing(
    tiny_bert: str, tmp_path: Path, silence: str
) -> None:
    nothing = dict.fromkeys(noisy(0)) if silence == "null" else {"r40": "yes"}  # a test row
    pair = [votes(tmp_path, "ann", noisy(0)), votes(tmp_path, "bob", nothing)]
    found = run(tmp_path, tiny_bert, pair).results
    assert {name: arm["seeds"][0]["rows"] for name, arm in found["arms"].items()} == dict.fromkeys(
        found["arms"], 32
    )
    # The only voice that is heard is the single weak label's: the same losses, step by step.
    for name in SAME:
        assert losses(found, name) == pytest.approx(losses(found, "naive"), abs=2e-5), name


def test_an_item_that_nobody_answered_is_left_out(tiny_bert: str, tmp_path: Path) -> None:
    said = [noisy(seed) for seed in (0, 1)]
    for one in said:
        one.update(dict.fromkeys([f"r{i}" for i in range(8)]))
    pair = [votes(tmp_path, name, one) for name, one in zip(("ann", "bob"), said, strict=True)]
    found = run(tmp_path, tiny_bert, pair).results
    assert all(arm["seeds"][0]["rows"] == 24 for arm in found["arms"].values())


def test_nobody_says_anything(tiny_bert: str, tmp_path: Path) -> None:
    pair = [votes(tmp_path, name, dict.fromkeys(noisy(0))) for name in ("ann", "bob")]
    with pytest.raises(InputError, match="None of 32 strong_train questions has a readable"):
        run(tmp_path, tiny_bert, pair)


def test_a_supervisor_with_other_answers_is_refused(tiny_bert: str, tmp_path: Path) -> None:
    other = {**noisy(1), "r3": "maybe"}
    pair = [votes(tmp_path, "ann", noisy(0)), votes(tmp_path, "bob", other)]
    with pytest.raises(InputError, match=r"bob\.jsonl line 4: .*'maybe'.*neither a class \['no'"):
        run(tmp_path, tiny_bert, pair)


def test_a_supervisor_that_knows_fewer_answers_is_heard(tiny_bert: str, tmp_path: Path) -> None:
    yes = dict.fromkeys(noisy(0), "yes")  # it never says no
    pair = [votes(tmp_path, "ann", noisy(0)), votes(tmp_path, "bob", yes)]
    found = run(tmp_path, tiny_bert, pair, arms=["joint", "bayesian", LEARNT]).results
    assert found["data"]["classes"] == ["no", "yes"]
    by_voter = {voter["voter"]: voter["accuracy"] for voter in found["votes"]["by_voter"]}
    assert by_voter["bob"] == 0.5


def test_a_supervisor_of_other_questions_is_refused(tiny_bert: str, tmp_path: Path) -> None:
    pair = [votes(tmp_path, "ann", noisy(0)), votes(tmp_path, "bob", {"elsewhere": "yes"})]
    with pytest.raises(InputError, match="'elsewhere' is not among the 48 ids of the data"):
        run(tmp_path, tiny_bert, pair)
