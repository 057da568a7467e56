"""The page of `weigh`: says whom to trust, complete, offline, inert, for small and large crowds."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from pages import HOSTILE, Reader
from steelyard.report import weigh_page, write_weigh_report
from steelyard.report.charts import PALETTE
from steelyard.report.study_figures import study_figures
from steelyard.report.weigh_figures import weigh_figures
from steelyard.report.weigh_sentences import risk_sentence, weigh_headline, weigh_notes

Summary = dict[str, Any]


def voter(name: str, value: float, flags: tuple[str, ...] = (), k: int = 2) -> Summary:
    rest = (1 - value) / max(1, k - 1)
    confusion = [[value if i == j else rest for j in range(k)] for i in range(k)]
    span = {"value": value, "low": max(0.0, value - 0.06), "high": min(1.0, value + 0.05)}
    return {
        "voter": name,
        "votes": 200,
        "abstained": 3,
        "accuracy": span,
        "agreement": value - 0.1,
        "true_accuracy": {key: bound - 0.02 for key, bound in span.items()},
        "flags": list(flags),
        "confusion": confusion if 1 < k <= 20 else None,
        "confusion_votes": [100.0] * k if 1 < k <= 20 else None,
    }


def summary(voters: int = 5, k: int = 2, truth: bool = True) -> Summary:
    """As `weigh` writes it; the last voter answers at random."""
    table = [voter(f"w{v}", 0.9 - 0.3 * v / max(1, voters), k=k) for v in range(voters - 1)]
    table.append(voter(f"w{voters - 1}", 0.5, ("answers at random (p < 0.001)",), k=k))
    scored = {
        "accuracy": 0.87,
        "auroc": 0.81,
        "aurc": 0.05,
        "ece": 0.06,
        "bins": [
            {"low": 0.5, "high": 0.5, "share": 0.1, "accuracy": 0.55},
            {"low": 0.6, "high": 1.0, "share": 0.9, "accuracy": 0.91},
        ],
        "risk_coverage": [[(i + 1) / 40, 0.13 * (i + 1) / 40] for i in range(40)],
        "calibrated": {"method": "isotonic", "ece_before": 0.06, "ece_after": 0.01, "items": 400},
    }
    silent = {key: None for key in scored} | {"bins": [], "risk_coverage": []}
    return {
        "steelyard": "0.1.0",
        "source": "votes.csv",
        "format": "long",
        "items": 400,
        "votes": 200 * voters,
        "voters": voters,
        "classes": [f"class-{i}" for i in range(k)],
        "queries": 1,
        "coverage": 0.99,
        "abstained": 3 * voters,
        "duplicates": {"policy": "last", "found": 7},
        "ties": 4,
        "method": "hierarchical",
        "truth": {"items": 400 if truth else 0, "gold_items": 0},
        "warnings": ["4 items have no readable vote: their label is empty, their score 0."],
        "methods": {name: scored if truth else silent for name in ("hierarchical", "majority")},
        "risk_control": {
            "alpha": 0.1,
            "delta": 0.1,
            "threshold": 0.62,
            "kept": 300,
            "share": 0.75,
            "gold": 290,
            "wrong": 15,
            "bound": 0.079,
            "reason": "",
        }
        if truth
        else None,
        "by_voter": table,
        "copies": [
            {
                "left": "w0",
                "right": "w1",
                "items": 180,
                "agree": 0.98,
                "expected": 0.81,
                "mistakes": 17,
                "mistakes_expected": 3.2,
                "p": 0.00002,
            }
        ],
        "relabel": [
            {"id": f"q{i}", "label": "class-0", "score": 0.5, "gain": 0.2 - i / 1000}
            for i in range(100)
        ],
        "entropy_bins": [
            {"entropy": 0.0, "share": 0.7, "accuracy": 0.95 if truth else None},
            {"entropy": 0.6931, "share": 0.3, "accuracy": 0.6 if truth else None},
        ],
        "class_scores": [{"class": f"class-{i}", "right": 0.9, "wrong": 0.6} for i in range(k)]
        if truth
        else None,
    }


def visible(page: str) -> str:
    return " ".join(" ".join(Reader(page).texts).split())


def test_the_headline_says_whom_to_trust_and_how_good_the_labels_are() -> None:
    assert weigh_headline(summary()) == (
        "87.0 % of 400 labels with known truth are correct. 1 of 5 voters looks unreliable "
        "(20 % of the votes)."
    )


def test_the_page_tells_what_the_summary_holds() -> None:
    text = visible(weigh_page(summary()))
    for part in (
        "Review or drop w4 (reasons below).",
        "answers at random (p < 0.001)",
        "0.90 [0.84, 0.95]",
        "1 pair of voters shares mistakes",
        "17, expected 3.2",
        "300 labels (75 %), those with a score of at least 0.620, have an error rate of at most",
        "10 %, with 90 % confidence.",
        "15 of 290 kept labels with known truth are wrong; the upper bound of the error rate is",
        "7 given twice (the last counts)",
        "4 items have no readable vote",
        "0.010 (isotonic)",
        "80 more in summary.json",
        "A voter is flagged by a test against the other voters",
    ):
        assert part in text


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize(("voters", "k"), [(1, 2), (2, 2), (40, 12), (2400, 2), (30, 77), (5, 0)])
def test_every_size_has_a_page(voters: int, k: int, truth: bool) -> None:
    page = weigh_page(summary(voters, k, truth))
    reader = Reader(page)
    assert reader.open == []
    rows = page.count('<th scope="row">w')
    assert rows <= 60 + 2  # three tables of twenty, and the pair
    assert ('class="matrix"' in page) == (1 < k <= 12)
    assert ("true accuracy" in page) == truth
    assert ("All 2,400 are in voters.csv" in page) == (voters == 2400)
    assert len(page) < 200_000
    ids = [value for name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {(value or "")[1:] for name, value in reader.attributes if name == "href"}
    assert targets <= set(ids)


def test_the_sentence_that_matters_is_the_first_heading() -> None:
    page = weigh_page(summary())
    assert re.findall(r"<h1>(.*?)</h1>", page) == [weigh_headline(summary())]
    assert page.index("</h1>") < page.index("<h2")


def test_both_pages_show_risk_and_calibration_in_the_same_way() -> None:
    figures = weigh_figures(summary())
    assert list(figures) == ["calibration", "risk", "entropy"]
    methods = summary()["methods"]
    assert figures["risk"] == study_figures({"reliability": methods})["risk"]
    assert figures["calibration"] == study_figures({"reliability": methods})["calibration"]


def test_a_bar_is_as_high_as_its_share() -> None:
    """The axis of shares goes from 0 at y = 208 to 1 at y = 10: 0.7 is 138.6 pixels high."""
    svg = weigh_figures(summary())["entropy"].narrow
    assert re.findall(r'<rect [^>]*height="([^"]+)"', svg) == ["138.6", "59.4"]


def test_without_truth_the_page_says_what_that_means() -> None:
    text = visible(weigh_page(summary(truth=False)))
    assert "No true labels were given." in text
    assert "AUROC" not in text
    assert "n/a" not in text
    assert "How much the voters agree" in text


def test_no_flagged_voter_and_no_voter_to_compare_with() -> None:
    calm = summary(truth=False)
    for row in calm["by_voter"]:
        row["flags"] = []
    assert weigh_headline(calm) == "None of the 5 voters stands out as unreliable."
    assert (
        weigh_headline(summary(1, truth=False))
        == "There is only one voter, and no other to compare it with."
    )
    two = {**calm, "by_voter": calm["by_voter"][:2]}
    assert weigh_headline(two) == (
        "There are only two voters: where they differ, only true labels tell who is right."
    )
    assert weigh_headline({}) == "There are no votes."


def test_flagged_voters_who_cast_most_votes_are_no_verdict() -> None:
    most = summary()
    for row in most["by_voter"][1:]:
        row["flags"] = ["answers at random (p < 0.001)"]
    assert any("which side is right" in note.text for note in weigh_notes(most))
    assert not any("which side is right" in note.text for note in weigh_notes(summary()))


def test_a_score_that_knows_nothing_is_a_caution() -> None:
    poor = summary()
    poor["methods"]["hierarchical"] = {**poor["methods"]["hierarchical"], "auroc": 0.52}
    assert [note.is_caution for note in weigh_notes(poor) if "higher score" in note.text] == [True]


def test_risk_control_that_keeps_nothing_says_why() -> None:
    none = summary()
    none["risk_control"].update(threshold=None, kept=0, reason="200 answers are too few.")
    assert risk_sentence(none) == (
        "No set of labels has an error rate of at most 10 % with 90 % confidence. "
        "200 answers are too few."
    )
    assert risk_sentence(summary(truth=False)) == ""


def test_flagged_voters_of_a_large_crowd_are_shown_apart() -> None:
    text = visible(weigh_page(summary(2400)))
    first, second = text.index("Flagged"), text.index("Most trusted")
    assert "w2399 answers at random" in text[first:second]
    assert "answers at random" not in text[second:]
    third = text.index("Least trusted of the others")
    names = [set(re.findall(r"\bw\d+\b", part)) for part in (text[second:third], text[third:])]
    assert len(names[0]) == 20
    assert not names[0] & names[1] - {"w0", "w1"}  # which are listed as a pair further down


def test_the_page_loads_nothing_and_has_light_and_dark() -> None:
    page = weigh_page(summary())
    reader = Reader(page)
    assert not {"link", "img", "iframe", "object", "embed"} & set(reader.tags)
    script = "".join(reader.scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page  # and no other script may run
    assert not any(name.startswith("on") for name, _ in reader.attributes)
    assert all(
        (v or "").startswith("#") for name, v in reader.attributes if name in ("src", "href")
    )
    assert not re.search(r"https?://|@import|url\(", page)
    assert "@media (prefers-color-scheme: dark)" in page
    assert "@media print" in page


def test_text_from_data_is_inert() -> None:
    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: poisoned(part) for key, part in value.items()}
        if isinstance(value, list):
            return [poisoned(part) for part in value]
        return f"{HOSTILE} {value}" if isinstance(value, str) else value

    clean, dirty = summary(), poisoned(summary())
    dirty["method"] = f"hierarchical {HOSTILE}"
    dirty["methods"] = {f"{name} {HOSTILE}": part for name, part in dirty["methods"].items()}
    dirty["risk_control"]["reason"] = HOSTILE
    page = weigh_page(dirty)
    reader, plain = Reader(page), Reader(weigh_page(clean))
    assert set(reader.tags) == set(plain.tags)
    assert {name for name, _ in reader.attributes} == {name for name, _ in plain.attributes}
    assert reader.open == []
    assert "\x1b" not in page
    assert "\u202e" not in page
    page.encode("utf-8")
    assert "<script>alert(1)</script>" in "".join(reader.texts)


def test_the_same_summary_gives_the_same_page() -> None:
    assert weigh_page(summary()) == weigh_page(summary())


def test_missing_parts_and_nulls_are_omitted() -> None:
    for key in list(summary()):
        less = summary()
        del less[key]
        assert Reader(weigh_page(less)).open == []
        assert Reader(weigh_page({**less, key: None})).open == []

    def emptied(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: emptied(part) for key, part in value.items()}
        if isinstance(value, list):
            return [emptied(part) for part in value]
        return None if isinstance(value, float | int) else value

    assert "w0" in weigh_page(emptied(summary()))


def test_colours_are_the_ones_that_are_seen_on_light_and_dark() -> None:
    page = weigh_page(summary())
    svg = " ".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= set(PALETTE)


def test_the_file_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_weigh_report(summary(), tmp_path / "out")
    assert path == tmp_path / "out" / "report.html"
    before = path.read_bytes()
    assert before.decode("utf-8") == weigh_page(summary())

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_weigh_report(summary(2), tmp_path / "out")
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
