"""The verdict: which labels to use, how sure, whom to drop, what to label next, in plain words."""

import ast
from pathlib import Path
from typing import Any

import pytest

import steelyard.report as room
from steelyard.report.formats import amount
from steelyard.report.weigh_glossary import GLOSSARY, HEADINGS, glossary, term_of
from steelyard.report.weigh_html import weigh_page
from steelyard.report.weigh_sentences import facts, weigh_headline
from steelyard.report.weigh_verdict import verdict

Summary = dict[str, Any]


def summary(**others: Any) -> Summary:
    """Three voters without flags, no truth, 10 labels."""
    return {
        "method": "robust",
        "items": 10,
        "by_voter": [{"voter": name, "votes": 10, "flags": []} for name in ("ann", "bob", "cyd")],
        "truth": {"items": 0, "gold_items": 0},
        "label_scores": {"labels": 10, "none": 0, "mean": 0.9, "sure": 6, "unsure": 1},
        "dependence": {"decided": True, "families": [], "label_first": []},
        "methods": {"robust": {"accuracy": None}, "majority": {"accuracy": None}},
        "relabel_items": 2,
        "relabel": [{"id": "q1"}, {"id": "q2"}],
        **others,
    }


def answers(**others: Any) -> dict[str, str]:
    return {question: " ".join(sentences) for question, sentences in verdict(summary(**others))}


def measured(robust: float, majority: float, items: int = 100) -> Summary:
    return {
        "truth": {"items": items, "gold_items": 0},
        "label_accuracy": {"value": robust, "low": robust - 0.1, "high": robust + 0.05},
        "methods": {"robust": {"accuracy": robust}, "majority": {"accuracy": majority}},
    }


def test_votes_without_truth() -> None:
    found = answers()
    assert list(found) == ["Labels to use", "How sure", "Whom to drop", "Label next"]
    assert found["Labels to use"] == "The labels in `labels.csv`, by the method robust."
    assert found["How sure"] == (
        "Not measured. No true labels were given. 6 of 10 labels have a score of 0.9 or more, 1 a "
        "score below 0.7. Scores and accuracies are estimated from the votes alone, and are too "
        "high where voters make the same mistakes."
    )
    assert found["Whom to drop"] == "Nobody stands out as unreliable."
    assert found["Label next"] == (
        "2 of 10 items would gain from one more vote, first q1 and q2. 50 to 100 items drawn at "
        "random, by hand: their true labels (`--truth`) measure how many labels are right."
    )


def test_votes_with_truth() -> None:
    found = answers(**measured(0.87, 0.88))
    assert found["How sure"] == (
        "87.0 % of 100 labels that could be checked are right (95 % interval 77.0 to 92.0 %)."
    )
    assert "more often" not in found["Labels to use"]
    assert "--truth" not in found["Label next"]
    single = answers(**measured(1.0, 1.0, items=1))["How sure"]
    assert single.startswith("100.0 % of 1 label that could be checked is right")


def test_a_method_that_is_right_more_often_is_named() -> None:
    assert answers(**measured(0.75, 0.883))["Labels to use"].endswith(
        "But majority is right more often on the labels that were checked (0.883 against 0.750): "
        "its labels are in `methods/majority.parquet`."
    )


def test_votes_that_cannot_decide() -> None:
    undecided = {"decided": False, "families": [], "label_first": ["q7", "q3"]}
    found = answers(dependence=undecided)
    assert found == {
        "Labels to use": "None yet: `labels.csv` has those of the majority, and the votes cannot "
        "tell if they are right.",
        "How sure": "Not measured. No true labels were given.",
        "Whom to drop": "Nobody yet: the votes alone do not tell who is right.",
        "Label next": "The 2 items of `label_first.csv`: fill in the column `truth` and weigh "
        "again with `--gold label_first.csv`.",
    }
    assert answers(dependence=undecided, method="glad")["Labels to use"].startswith(
        "None yet: `labels.csv` has those of glad,"
    )


def test_whom_to_drop() -> None:
    voters = [{"voter": f"w{v}", "votes": 9, "flags": ["answers at random"]} for v in range(5)]
    assert answers(by_voter=voters)["Whom to drop"] == (
        "Review or drop w0, w1, w2 and 2 more voters (reasons below)."
    )
    assert answers(by_voter=voters[:4])["Whom to drop"] == (
        "Review or drop w0, w1, w2 and 1 more voter (reasons below)."
    )
    copies = {"decided": True, "families": [["ann", "bob"]], "label_first": []}
    assert answers(dependence=copies)["Whom to drop"] == (
        "Of ann and bob, who answer alike, one is enough."
    )
    two = summary()["by_voter"][:2]
    assert "of two voters, only true labels" in answers(by_voter=two)["Whom to drop"]
    assert "Whom to drop" not in answers(by_voter=two[:1])
    assert verdict({}) == []


@pytest.mark.parametrize(
    ("number", "noun", "shown"),
    [(1, "class", "1 class"), (2, "class", "2 classes"), (1, "voter", "1 voter")],
)
def test_plural_forms(number: int, noun: str, shown: str) -> None:
    assert amount(number, noun) == shown


def test_sentences_about_one_thing_are_singular() -> None:
    single = {"items": 1, "votes": 1, "voters": 1, "classes": ["x"], "method": "majority"}
    assert facts(single) == "1 item, 1 vote, 1 voter, 1 class; weighed by majority."
    assert weigh_headline({**summary(), **measured(1.0, 1.0, items=1)}).startswith(
        "100.0 % of 1 label with known truth is correct."
    )
    label = {"labels": 1, "none": 1, "mean": 1.0, "sure": 1, "unsure": 0}
    assert "1 item has no label." in answers(label_scores=label)["Labels to use"]


PLAIN = {
    *("", "voter", "and voter", "items", "items in common", "item", "votes", "labels", "class"),
    *("method", "coefficient", "slice", "by", "share", "known labels alone", "without", "model"),
    *("may replace", "prompt", "answers that flip", "name the first shown", "abstained"),
}
"""Headings that need no explanation."""


def test_every_heading_is_plain_or_explained() -> None:
    headings: set[str] = set()
    for name in ("weigh_tables.py", "weigh_voter_tables.py"):
        tree = ast.parse((Path(str(room.__file__)).parent / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            is_header = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "header"
            is_call = isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "first_rows",
                "Grid",
            )
            for part in ast.walk(node) if is_header else ast.walk(node.args[0]) if is_call else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    headings.add(part.value)
    assert len(headings) > 30
    assert {heading for heading in headings if term_of(heading) is None} <= PLAIN
    assert set(HEADINGS.values()) <= set(GLOSSARY)
    assert set(glossary(headings)) >= {"AUROC", "Rogan-Gladen", "Agreement coefficients"}
    assert "Epsilon" not in glossary(["voter"])


def test_the_page_opens_with_cautions_and_the_verdict() -> None:
    page = weigh_page(summary(limits=["Votes alone cannot decide: x."], warnings=["Note y."]))
    order = [page.index(text) for text in ("<h1>", "cannot decide: x", "Labels to use", "Note y.")]
    assert order == sorted(order)
    assert page.count("cannot decide: x") == 1
