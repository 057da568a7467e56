"""`sy.weigh`: methods, labels, truth that only judges, files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import steelyard as sy
from steelyard.cli.weigh import table
from steelyard.weighing.decision import collapse_warnings
from vote_tables import votes

ABSTAIN = sy.ABSTAIN
TABLE = votes(
    # item 0: 2 of 3 say 0; item 1: all say 1; item 2: one readable vote; item 3: none
    [[0, 0, 1], [1, 1, 1], [ABSTAIN, 1, ABSTAIN], [ABSTAIN, ABSTAIN, ABSTAIN]],
    answers=2,
    classes=("no", "yes"),
)


def truth(*answers: int) -> Any:
    return np.array(answers, dtype=np.int64)


def test_labels_and_accuracy_by_hand() -> None:
    result = sy.weigh(TABLE, ["majority"], truth=truth(1, 1, 1, 0))
    assert result.labels["majority"].tolist() == [0, 1, 1, ABSTAIN]
    # items 1 and 2 of the three with a label are right
    assert result.summary["methods"]["majority"]["accuracy"] == 2 / 3
    # the wrong label has score 2/3, the right ones 1: ranked without a fault
    assert result.summary["methods"]["majority"]["auroc"] == 1.0
    assert result.summary["coverage"] == 0.75
    assert result.summary["abstained"] == 5
    assert result.summary["truth"] == {"items": 3, "gold_items": 0}
    assert result.report is None


def test_the_truth_judges_and_never_estimates() -> None:
    plain = sy.weigh(TABLE, ["hierarchical"])
    known = sy.weigh(TABLE, ["hierarchical"], truth=truth(1, 0, 0, 0))
    for name in ("hierarchical", "majority"):
        before, after = plain.reliabilities[name], known.reliabilities[name]
        np.testing.assert_array_equal(before.posterior, after.posterior)
        np.testing.assert_array_equal(before.score, after.score)


def test_gold_is_held_fixed_and_not_judged() -> None:
    result = sy.weigh(
        TABLE, ["hierarchical"], truth=truth(1, 1, 1, 0), gold=truth(1, ABSTAIN, ABSTAIN, ABSTAIN)
    )
    assert result.labels["hierarchical"][0] == 1
    assert result.reliabilities["hierarchical"].posterior[0].tolist() == [0.0, 1.0]
    assert result.summary["truth"] == {"items": 2, "gold_items": 1}
    assert result.summary["methods"]["hierarchical"]["accuracy"] == 1.0


def test_gold_is_certain_also_where_nobody_answers_or_the_method_passes_it_over() -> None:
    result = sy.weigh(TABLE, ["majority"], gold=truth(1, ABSTAIN, ABSTAIN, 0))
    assert result.labels["majority"].tolist() == [1, 1, 1, 0]
    assert result.reliabilities["majority"].score.tolist() == [1.0, 1.0, 1.0, 1.0]
    assert result.reliabilities["majority"].posterior[3].tolist() == [1.0, 0.0]


def test_gold_that_is_truth_too_is_said() -> None:
    known = truth(1, 1, ABSTAIN, ABSTAIN)
    found = sy.weigh(TABLE, ["majority"], truth=known, gold=known).summary
    assert any("2 items of `truth` are also in `gold`" in text for text in found["warnings"])


def test_nothing_is_said_of_the_accuracy_of_a_voter_who_answers_alone() -> None:
    # v2 alone answers the third item, v0 and v1 the others
    table = votes([[0, 0, -1], [1, 1, -1], [-1, -1, 1]], answers=2, classes=("no", "yes"))
    found = sy.weigh(table, ["hierarchical"]).summary["by_voter"]
    assert [row["voter"] for row in found if row["accuracy"] is None] == ["v2"]
    assert found[-1]["voter"] == "v2"
    told = sy.weigh(table, ["hierarchical"], gold=np.array([-1, -1, 0])).summary["by_voter"]
    accuracy = {row["voter"]: row["accuracy"]["value"] for row in told}
    assert accuracy["v2"] == 0.0


def test_a_voter_asked_in_several_ways_is_weighed_way_by_way(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    rows = [
        f"i{i},m,{'ab'[i % 2] if way != 'junk' else 'a'},{way}"
        for i in range(60)
        for way in ("plain", "list", "short", "judge", "junk")
    ]
    path.write_text("\n".join(["id,voter,answer,query", *rows]))
    whole, apart = sy.weigh(path), sy.weigh(path, by_query=True)
    assert [one["voter"] for one in whole.summary["by_voter"]] == ["m"]
    rows_of = apart.summary["by_voter"]
    assert len(rows_of) == 5
    # One voter, however it is asked: that four ways agree does not make them right.
    assert [row["accuracy"] for row in rows_of] == [None] * 5
    assert "There is one voter" in apart.summary["limits"][0]
    assert min(rows_of, key=lambda row: row["agreement"])["voter"] == "m, junk"
    assert not any(row["flags"] for row in rows_of)


def asked_three_times(path: Path, *, others: int, follows: bool) -> dict[str, Any]:
    """Summary of 200 items: m asked in three ways, which all follow the first shown, and others."""
    rng = np.random.default_rng(3)
    rows = []
    for i in range(200):
        truth, first = rng.integers(0, 2, 2)
        for way in range(3):
            shown = first if follows else rng.integers(0, 2)
            rows.append(f"i{i},m,{'ab'[shown if rng.random() < 0.95 else 1 - shown]},q{way}")
        for other in range(others):
            rows.append(f"i{i},v{other},{'ab'[truth if rng.random() < 0.8 else 1 - truth]},q0")
    path.write_text("\n".join(["id,voter,answer,query", *rows]))
    summary = sy.weigh(path, by_query=True).summary
    return dict(summary)


def test_queries_of_one_voter_share_one_vote(tmp_path: Path) -> None:
    """Three ways that follow the same position would outvote three voters who are right."""
    summary = asked_three_times(tmp_path / "votes.csv", others=3, follows=True)
    accuracy = {row["voter"]: row["accuracy"]["value"] for row in summary["by_voter"]}
    assert min(accuracy[f"v{other}, q0"] for other in range(3)) > 0.7
    assert max(accuracy[f"m, q{way}"] for way in range(3)) < 0.65


def test_a_voter_that_follows_the_question_is_said_first(tmp_path: Path) -> None:
    summary = asked_three_times(tmp_path / "votes.csv", others=3, follows=False)
    assert summary["limits"][0].startswith("m agrees with itself hardly more than by chance")
    assert summary["warnings"][0] == summary["limits"][0]
    (entry,) = summary["consistency"]
    assert abs(entry["correlation"]) < 0.08


def test_majority_comes_along_behind_the_methods_asked_for() -> None:
    result = sy.weigh(TABLE, ["vote_entropy", {"kind": "vote_share", "temperature": 0.2}])
    assert list(result.reliabilities) == ["vote_entropy", "vote_share", "majority"]
    assert result.method == result.summary["method"] == "vote_entropy"


def test_the_same_method_twice_has_two_names() -> None:
    settings: list[Any] = [{"kind": "vote_share", "temperature": t} for t in (0.2, 1.0, 5.0)]
    names = list(sy.weigh(TABLE, settings).reliabilities)
    assert names == ["vote_share", "vote_share-2", "vote_share-3", "majority"]
    assert list(sy.weigh(TABLE, "one_coin").reliabilities) == ["one_coin", "majority"]


def test_no_truth_leaves_nulls() -> None:
    found = sy.weigh(TABLE, ["majority"]).summary
    assert set(found["methods"]["majority"].values()) == {None}
    assert found["class_scores"] is None
    assert found["risk_control"] is None


def crowd(rows: int = 400, seed: int = 0) -> tuple[sy.Votes, Any]:
    """Five voters who are right 8 times in 10, two classes."""
    rng = np.random.default_rng(seed)
    right = rng.integers(0, 2, rows)
    said = np.where(rng.random((rows, 5)) < 0.8, right[:, None], 1 - right[:, None])
    return votes(said, answers=2, classes=("no", "yes")), right


def test_scores_are_calibrated_where_there_is_truth() -> None:
    table, right = crowd()
    known = np.where(np.arange(len(right)) < 300, right, ABSTAIN)
    found = sy.weigh(table, ["majority"], truth=known).summary["methods"]["majority"]
    assert found["calibrated"]["method"] == "isotonic"
    assert found["calibrated"]["items"] == 300
    assert found["calibrated"]["ece_before"] == found["ece"]
    assert found["calibrated"]["ece_after"] < found["calibrated"]["ece_before"]
    few = np.where(np.arange(len(right)) < 100, right, ABSTAIN)
    found = sy.weigh(table, ["majority"], truth=few).summary["methods"]["majority"]
    assert found["calibrated"]["method"] == "temperature"


def test_risk_is_controlled_on_the_items_with_a_label() -> None:
    table, right = crowd()
    known = np.where(np.arange(len(right)) < 200, right, ABSTAIN)
    found = sy.weigh(table, ["majority"], truth=known, alpha=0.1).summary["risk_control"]
    assert found["bound"] <= 0.1
    assert found["share"] == found["kept"] / 400
    assert found["wrong"] <= found["gold"] <= 200
    none = sy.weigh(table, ["majority"], truth=known, alpha=0.001).summary["risk_control"]
    assert none["threshold"] is None
    assert none["kept"] == 0
    assert "No set of labels" in none["reason"]


KEYS = {
    *("steelyard", "source", "format", "items", "votes", "voters", "classes", "queries"),
    *("coverage", "abstained", "duplicates", "ties", "method", "truth", "warnings", "methods"),
    *("risk_control", "by_voter", "copies", "relabel", "entropy_bins", "class_scores"),
    "dependence",
    "limits",
    *("label_accuracy", "label_scores"),
    "consistency",
    *("relabel_items", "agreement", "pairs", "effective_voters", "class_counts", "judges"),
    *("best_voter", "class_shares", "alternative_annotator", "position_bias", "drop_voters"),
    *("forecast", "slices"),
}


def test_files_are_written_whole(tmp_path: Path) -> None:
    table, right = crowd()
    result = sy.weigh(table, ["vote_entropy"], truth=right, out=tmp_path / "out")
    assert result.report == tmp_path / "out" / "report.html"
    written = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert written == [
        "out/labels.csv",
        "out/methods/majority.parquet",
        *(f"out/{name}" for name in ("reliability.parquet", "report.html", "summary.json")),
        "out/voters.csv",
    ]
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert set(found) == KEYS
    assert found == result.summary
    items = pq.read_table(tmp_path / "out" / "reliability.parquet")
    assert items.column_names == ["id", "label", "score", "posterior", "calibrated"]
    assert items["id"].to_pylist() == list(table.ids)
    names = [table.classes[a] for a in result.labels["vote_entropy"]]
    assert items["label"].to_pylist() == names
    posterior = np.array(items["posterior"].to_pylist())
    np.testing.assert_array_equal(posterior, result.reliabilities["vote_entropy"].posterior)
    voters = (tmp_path / "out" / "voters.csv").read_text().splitlines()
    assert len(voters) == 6
    assert voters[0] == (
        "voter,votes,abstained,accuracy,low,high,agreement,true_accuracy,true_low,true_high,flags"
    )
    for line in voters[1:]:
        shown = line.split(",")
        share = (table.answer == right[table.example])[table.voter == int(shown[0][1:])].mean()
        assert float(shown[7]) == pytest.approx(share, abs=1e-12)


def test_weighing_again_leaves_no_file_of_a_former_method(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sy.weigh(TABLE, ["majority", "margin"], out=out)
    (out / "notes.txt").write_text("mine")
    sy.weigh(TABLE, ["majority", "confidence"], out=out)
    assert sorted(p.name for p in (out / "methods").iterdir()) == ["confidence.parquet"]
    assert (out / "notes.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("steelyard.weighing.files.write_voters", full)
    with pytest.raises(OSError, match="No space left"):
        sy.weigh(TABLE, ["majority"], out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_open_answers_have_candidates_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text('id,voter,answer,gold\nq1,a,"$1,200",1200\nq1,b,1200,\nq1,c,7,\nq2,a,,5\n')
    result = sy.weigh(path, ["majority"], answers="number", truth="gold", out=tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "reliability.parquet").to_pylist()
    first, second = rows
    assert (first["label"], first["candidates"]) == ("1200", ["1200", "7"])
    assert first["posterior"] == [2 / 3, 1 / 3]
    assert (second["label"], second["score"]) == (None, 0.0)
    assert result.summary["classes"] == []
    assert result.summary["methods"]["majority"]["accuracy"] == 1.0


def test_a_true_answer_that_nobody_gave_is_a_wrong_label(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("id,voter,answer,gold\nq1,a,3,4\nq1,b,3,\nq2,a,5,5\nq2,b,5,\n")
    result = sy.weigh(path, ["majority"], answers="number", truth="gold")
    assert result.summary["methods"]["majority"]["accuracy"] == 0.5


def test_truth_comes_from_a_file_or_a_column(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("id,voter,answer,expert\nq1,a,x,x\nq1,b,y,\nq1,c,x,x\nq2,a,y,\nq3,a,x,y\n")
    (tmp_path / "truth.jsonl").write_text(
        '{"id": "q3", "truth": "y"}\n{"id": "q1", "truth": "x"}\n'
    )
    by_file = sy.weigh(path, ["majority"], truth=tmp_path / "truth.jsonl").summary
    by_column = sy.weigh(path, ["majority"], truth="expert").summary
    assert by_file["truth"] == by_column["truth"] == {"items": 2, "gold_items": 0}
    assert by_file["methods"] == by_column["methods"]
    assert by_file["methods"]["majority"]["accuracy"] == 0.5


def test_truth_of_another_length_is_refused() -> None:
    with pytest.raises(sy.InputError, match=r"`truth` must be \(4,\) answer numbers"):
        sy.weigh(TABLE, ["majority"], truth=truth(1))
    with pytest.raises(sy.InputError, match="`gold` must be"):
        sy.weigh(TABLE, ["majority"], gold=truth(2, 0, 0, 0))
    for wrong in ([0.0, 1.0, 0.0, 1.0], [-5, 0, 0, 0], 3, object()):
        with pytest.raises(sy.InputError, match=r"`truth` must be \(4,\) answer numbers"):
            sy.weigh(TABLE, ["majority"], truth=wrong)
    with pytest.raises(sy.InputError, match="`truth` names the column 'truth'"):
        sy.weigh(TABLE, ["majority"], truth="truth")


def test_weighing_starts_light(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text("id,voter,answer\nq,a,x\nq,b,y\nr,a,y\nr,b,y\n")
    code = (
        "import sys; sys.argv = ['steelyard', 'weigh', 'votes.csv', '--out', 'out']\n"
        "from steelyard.cli.main import run\n"
        "try: run()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = ['torch', 'transformers', 'sklearn', 'matplotlib', 'scipy.stats']\n"
        "print('loaded:', *[name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    # majority vote of the data set's own description, ties aside
    [("crowd_rte", 0.87, 0.92), ("crowd_bluebird", 0.72, 0.80), ("crowd_temporal", 0.91, 0.95)],
)
def test_real_votes_are_weighed(
    shared_data: Path, tmp_path: Path, name: str, low: float, high: float
) -> None:
    path = shared_data / name / "train.jsonl.gz"
    result = sy.weigh(path, truth="gold", out=tmp_path / "out")
    methods = result.summary["methods"]
    assert low < methods["majority"]["accuracy"] < high
    assert methods["robust"]["accuracy"] >= methods["majority"]["accuracy"] - 0.01


def jury(copied: float) -> tuple[list[dict[str, str]], dict[str, str]]:
    """500 items, five judges of known skill, and one that copies part of the third's answers."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 500)
    judges = {"gpt": 0.9, "claude": 0.85, "llama": 0.75, "mistral": 0.6, "guess": 0.5}
    columns = {name: np.where(rng.random(500) < p, truth, 1 - truth) for name, p in judges.items()}
    other = np.where(rng.random(500) < 0.75, truth, 1 - truth)
    columns["llama-q4"] = np.where(rng.random(500) < copied, columns["llama"], other)
    names = ("no", "yes")
    rows = [
        {"id": f"q{i}", **{name: names[column[i]] for name, column in columns.items()}}
        for i in range(500)
    ]
    return rows, {f"q{i}": names[truth[i]] for i in range(500)}


def test_copies_share_one_vote_and_convict_nobody(tmp_path: Path) -> None:
    rows, truth = jury(0.95)
    found = sy.weigh(rows, truth=truth, out=tmp_path / "out").summary
    assert found["method"] == "robust"
    assert found["dependence"]["families"] == [["llama", "llama-q4"]]
    assert found["dependence"]["decided"]
    assert found["warnings"][0].startswith("Copies: llama, llama-q4 nearly always agree")
    by_voter = {voter["voter"]: voter for voter in found["by_voter"]}
    assert not any(by_voter[name]["flags"] for name in ("gpt", "claude", "llama", "mistral"))
    ranked = sorted(by_voter, key=lambda name: -by_voter[name]["accuracy"]["value"])
    assert set(ranked[:2]) == {"gpt", "claude"}
    for name in ("gpt", "claude", "llama"):
        span, true = by_voter[name]["accuracy"], by_voter[name]["true_accuracy"]
        assert span["low"] - 0.03 < true["value"] < span["high"] + 0.03
    assert found["methods"]["robust"]["accuracy"] > found["methods"]["majority"]["accuracy"]
    assert not (tmp_path / "out" / "label_first.csv").exists()
    assert any("; 1 pair of voters who may copy each other" in line for line in table(found))


def test_majority_alone_fits_no_model_of_voters(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, truth = jury(0.95)
    monkeypatch.setattr(sy.Hierarchical, "estimate", None)  # a call would raise
    assert sy.weigh(rows, ["majority"], truth=truth).summary["method"] == "majority"
    with pytest.raises(TypeError):
        sy.weigh(rows, truth=truth)


def test_where_votes_cannot_decide_it_is_said_first_with_the_items_to_label(
    tmp_path: Path,
) -> None:
    rows, truth = jury(0.6)
    out = tmp_path / "out"
    result = sy.weigh(rows, truth=truth, out=out)
    found = result.summary
    assert not found["dependence"]["decided"]
    assert found["warnings"][0].startswith("Votes alone cannot decide: llama and llama-q4 agree")
    assert [voter["accuracy"] for voter in found["by_voter"]] == [None] * 6
    assert [voter["flags"] for voter in found["by_voter"]] == [[]] * 6
    np.testing.assert_array_equal(result.labels["robust"], result.labels["majority"])
    assert table(found)[4].startswith("VOTES ALONE CANNOT DECIDE")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Votes alone cannot decide which labels are right" in page
    lines = (out / "label_first.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,truth"
    ids = [line.split(",")[0] for line in lines[1:]]
    assert ids == found["dependence"]["label_first"]
    assert len(ids) == 10
    filled = out / "gold.csv"
    filled.write_text("\n".join(["id,truth", *(f"{name},{truth[name]}" for name in ids)]))
    again = sy.weigh(rows, truth=truth, gold=str(filled)).summary
    assert again["dependence"]["decided"]
    assert again["methods"]["robust"]["accuracy"] > found["methods"]["robust"]["accuracy"]


def test_a_method_that_collapses_to_one_class_is_named() -> None:
    """Each function names one class or abstains; `one_coin` gives nearly all items one class."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    rows = []
    for i, right in enumerate(truth):
        votes = {f"f{j}": ("no", "yes")[j % 2] for j in range(6) if rng.random() < 0.5}
        rows.append({"id": str(i), **{n: a for n, a in votes.items() if a == ("no", "yes")[right]}})
    rows = [{**dict.fromkeys([f"f{j}" for j in range(6)], ""), **row} for row in rows]
    labels = np.zeros(300, dtype=np.int64)
    result = sy.weigh(rows, ["majority"])
    assert not any("collapsed" in text for text in result.summary["warnings"])
    notes = collapse_warnings(result.votes, {"one_coin": labels})
    assert len(notes) == 1
    assert "`one_coin` labels 100% of the items 'no', the votes only" in notes[0]


def test_two_voters_are_warned_of() -> None:
    rows = [{"id": str(i), "ann": "yes", "bob": ("yes", "no")[i % 2]} for i in range(40)]
    warnings = sy.weigh(rows).summary["warnings"]
    assert "Two voters: where they differ, only true answers tell who is right." in warnings
