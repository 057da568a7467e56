"""Labels with all that is known of them as a data set for the Hugging Face Hub, and its card."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.io.counted import counted
from steelyard.report.formats import interval, number
from steelyard.report.markdown import escape_markdown
from steelyard.types import ABSTAIN, Votes
from steelyard.weighing.summary import VOTER_COLUMNS, flat_voters

if TYPE_CHECKING:
    from steelyard.weighing.result import Weighed

FRONT = """---
configs:
- config_name: labels
  data_files: labels.parquet
  default: true
- config_name: voters
  data_files: voters.parquet
tags: [steelyard, weak-labels]
---"""
LOADING = """from datasets import load_dataset
labels = load_dataset("{repo}", "labels", split="train")
voters = load_dataset("{repo}", "voters", split="train")"""
SHOWN = 20
"""Voters in the card; all are in voters.parquet."""


def write_data_set(result: "Weighed", folder: Path, repo: str) -> None:
    """Write labels.parquet, voters.parquet and README.md into a folder.

    labels.parquet has a row for each item: `id`; `text`, where texts are known; `label`, null where
    nobody answered; `score`, how reliable the label is; `votes`, a list of `voter`, `query` and
    `answer`, null where the voter abstained. voters.parquet has the columns of voters.csv.

    Args:
        result: the first method's labels are written.
        folder: an empty one.
        repo: the name of the data set on the Hub, for the card.
    """
    import pyarrow as pa
    import pyarrow.parquet

    votes, method = result.votes, result.method
    columns = {
        "id": pa.array(votes.ids, pa.string()),
        **({"text": pa.array(result.texts, pa.string())} if result.texts else {}),
        "label": pa.array(result.label_names(), pa.string()),
        "score": pa.array(result.reliabilities[method].score),
        "votes": _votes(votes),
    }
    pyarrow.parquet.write_table(pa.table(columns), folder / "labels.parquet")
    rows = [dict(row) for row in flat_voters(result.summary["by_voter"])]
    table = {name: [row[name] for row in rows] for name in VOTER_COLUMNS}
    pyarrow.parquet.write_table(pa.table(table), folder / "voters.parquet")
    (folder / "README.md").write_text(card(result.summary, repo), encoding="utf-8")


def _votes(votes: Votes) -> Any:
    """The votes of each item, a list of structures."""
    import pyarrow as pa

    names = np.array(votes.class_names, dtype=object)
    if votes.candidate_texts:
        pairs = zip(votes.example.tolist(), votes.answer.tolist(), strict=True)
        answers = [votes.candidate_texts[i][a] if a != ABSTAIN else None for i, a in pairs]
    else:
        answers = [names[a] if a != ABSTAIN else None for a in votes.answer.tolist()]
    starts = np.concatenate([[0], np.cumsum(np.bincount(votes.example, minlength=len(votes.ids)))])
    structures = pa.StructArray.from_arrays(
        [
            pa.array([votes.voters[v] for v in votes.voter.tolist()], pa.string()),
            pa.array([votes.queries[q] for q in votes.query.tolist()], pa.string()),
            pa.array(answers, pa.string()),
        ],
        ["voter", "query", "answer"],
    )
    return pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), structures)


def card(summary: dict[str, Any], repo: str) -> str:
    """The text of README.md: source, method, reliability, voters, limits, and how to load it."""
    classes = ", ".join(map(escape_markdown, summary["classes"]))
    size = (
        f"{counted(summary['items'], 'item')}, {counted(summary['votes'], 'vote')} of "
        f"{counted(summary['voters'], 'voter')}, "
        + (f"answers {classes}." if classes else "open answers.")
    )
    parts = [
        FRONT,
        "# Labels merged from several voters",
        f"Made with [Steelyard](https://pypi.org/project/steelyard/) {summary['steelyard']}.",
        f"## Source\n\n{escape_markdown(summary['source'])}: {size}",
        f"## Method\n\n{escape_markdown(summary['method'])}: a label is the most probable answer, "
        "and its score how reliable it is.",
        f"## Reliability\n\n{_reliability(summary)}",
        f"## Voters\n\n{_voters(summary)}",
        f"## Limits\n\n{_limits(summary)}",
        f"## Load it\n\n```python\n{LOADING.format(repo=repo)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _reliability(summary: dict[str, Any]) -> str:
    accuracy, truth = summary["label_accuracy"], summary["truth"]["items"]
    lines = [f"* mean score: {number(summary['label_scores']['mean'])}"]
    if truth and accuracy:
        lines.append(
            f"* right labels: {interval(accuracy)} of {counted(truth, 'item')} of known truth"
        )
    else:
        lines.append("* not measured: no true labels were given, scores are estimates")
    if unlabelled := summary["label_scores"]["none"]:
        lines.append(f"* without a label: {counted(unlabelled, 'item')}")
    return "\n".join(lines)


def _voters(summary: dict[str, Any]) -> str:
    lines = ["| voter | votes | accuracy, estimated | flags |", "| --- | ---: | --- | --- |"]
    for voter in summary["by_voter"][:SHOWN]:
        cells = (
            escape_markdown(voter["voter"]),
            f"{voter['votes']:,}",
            interval(voter["accuracy"]),
            escape_markdown(", ".join(voter["flags"])),
        )
        lines.append(f"| {' | '.join(cells)} |")
    hidden = len(summary["by_voter"]) - SHOWN
    return "\n".join([*lines, *([f"\nAnd {hidden:,} more."] if hidden > 0 else [])])


def _limits(summary: dict[str, Any]) -> str:
    lines = ["The labels are not the truth: voters may share mistakes that no method can see."]
    if not summary["dependence"]["decided"]:
        lines.append("The votes alone cannot decide which labels are right.")
    lines += [escape_markdown(text) for text in summary["limits"]]
    return "\n".join(f"* {line}" for line in lines)
