"""Every method on one table of votes, judged where the truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from steelyard.data.labels import names_in, read_names
from steelyard.errors import ConfigError, InputError
from steelyard.io.files import check_file
from steelyard.io.rows import READERS
from steelyard.reliability import EstimationData, Estimator, Majority
from steelyard.types import ABSTAIN, Ints, Reliability, Votes
from steelyard.votes_io.classes import NOBODY, Answers
from steelyard.votes_io.read_votes import LoadedVotes, read_truth, read_votes
from steelyard.votes_io.tabulate import Duplicates
from steelyard.weighing.files import check_out, write_files
from steelyard.weighing.methods import DEFAULT, read_methods
from steelyard.weighing.summary import MethodScores, VotesSource, summarize

DELTA = 0.1
"""Probability that the labels kept for `alpha` have a larger error, unless it is given."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """What `weigh` found. The first of the methods is the one that was asked for."""

    votes: Votes
    reliabilities: dict[str, Reliability]  # by the method's name
    labels: dict[str, Ints]  # (N,) answer numbers; ABSTAIN where nobody answered
    summary: dict[str, Any]  # what summary.json holds
    report: Path | None  # the page, if files were written

    @property
    def method(self) -> str:
        return next(iter(self.reliabilities))


def weigh(
    votes: Votes | str | Path,
    methods: Sequence[str | Mapping[str, Any] | Estimator] = (DEFAULT,),
    *,
    truth: str | Path | Ints | None = None,
    gold: str | Path | Ints | None = None,
    out: str | Path | None = None,
    duplicates: Duplicates = "error",
    answers: Answers = "closed",
    classes: str | Path | Sequence[str] | None = None,
    by_query: bool = False,
    alpha: float | None = None,
    delta: float | None = None,
) -> Weighed:
    """Weigh votes: labels, how far each can be trusted, and whom to trust. Nothing is trained.

    An item's label is its most probable answer. A tie goes to the tied answer that the voters gave
    more probability, and if that too is a tie to a draw of seed 0, never to the first class.
    Majority is always computed beside the methods asked for.

    Args:
        votes: a table, or a file: long, nested or one column per voter.
        methods: kinds of estimators, their settings with a `kind`, or estimators; the first one is
            reported.
        truth: a file of `id, truth`, a column of the votes file, or (N,) answer numbers with
            ABSTAIN; it judges and calibrates, and never estimates.
        gold: the same, of items whose answers the estimators hold fixed; they are not judged.
        out: folder to write reliability.parquet, voters.csv, summary.json and report.html to.
        duplicates: what to do with two votes of one voter on one item, asked the same way.
        answers: whether answers name classes, or are open and read as numbers, texts,
            JSON or slots.
        classes: class names, or a JSON file of them; by default `labels.json` beside the votes, or
            the answers themselves.
        by_query: count each way that a voter was asked as a voter of its own.
        alpha: keep the largest set of labels whose error is at most this; needs `truth` on a
            random part of the items.
        delta: with probability at most this the error is larger than alpha; by default 0.1.

    Raises:
        InputError: votes or truth do not fit; the message names the first culprit.
        ConfigError: no such method, or settings that cannot work.
    """
    _check_options(duplicates, answers, alpha, delta, truth is not None)
    estimators = read_methods(methods)
    if out is not None:
        check_out(Path(out))
    if isinstance(votes, Votes):
        table, source = votes, VotesSource("votes in memory", "table", duplicates)
        known, trusted = _given(truth, table, "truth"), _given(gold, table, "gold")
    else:
        columns = [str(x) for x in (truth, gold) if _is_column(x)]
        ballots = _read(Path(votes), answers, duplicates, classes, columns)
        table, source = ballots.votes, _source(Path(votes), ballots, duplicates)
        known = _known(truth, ballots, "truth")
        trusted = _known(gold, ballots, "gold")
    table = table.by_query() if by_query else table
    both = int(((known != ABSTAIN) & (trusted != ABSTAIN)).sum())
    known = np.where(trusted == ABSTAIN, known, ABSTAIN)
    anchors = np.where(trusted >= 0, trusted, ABSTAIN)
    held = anchors if (anchors != ABSTAIN).any() else None
    if both:
        said = f"{both:,} items of known truth are gold: their answers are held, and not judged."
        source = replace(source, remarks=(*source.remarks, said))
    estimators.setdefault("majority", Majority())
    judged = {}
    for name, estimator in estimators.items():
        reliability = estimator.estimate_from(EstimationData(table, held))
        judged[name] = MethodScores.of(table, reliability, known, trusted)
    summary = summarize(table, judged, source, known, trusted, alpha, delta or DELTA)
    report = None if out is None else write_files(Path(out), table, judged, summary)
    return Weighed(
        votes=table,
        reliabilities={name: one.reliability for name, one in judged.items()},
        labels={name: one.label for name, one in judged.items()},
        summary=summary,
        report=report,
    )


def _check_options(
    duplicates: str, answers: str, alpha: float | None, delta: float | None, judged: bool
) -> None:
    for name, value, known_ones in (
        ("duplicates", duplicates, get_args(Duplicates)),
        ("answers", answers, get_args(Answers)),
    ):
        if value not in known_ones:
            raise ConfigError(f"`{name}` must be one of {', '.join(known_ones)}; got {value!r}.")
    for name, share in (("alpha", alpha), ("delta", delta)):
        if share is not None and not 0 < share < 1:
            raise ConfigError(f"`{name}` must be in (0, 1), got {share}.")
    if alpha is not None and not judged:
        raise ConfigError("`alpha` needs the truth of some items, drawn at random; give `truth`.")
    if delta is not None and alpha is None:
        raise ConfigError("`delta` is the doubt about `alpha`, the largest error; give both.")


def _read(
    path: Path,
    answers: Answers,
    duplicates: Duplicates,
    classes: str | Path | Sequence[str] | None,
    columns: Sequence[str],
) -> LoadedVotes:
    named_in = ""
    if answers != "closed":
        classes = None
    elif isinstance(classes, str | Path):
        named_in, classes = Path(classes).name, names_in(Path(classes))
    elif classes is None:
        check_file(path)
        classes = read_names(path.parent)
        named_in = "labels.json" if classes else ""
    return read_votes(
        path,
        classes=None if classes is None else tuple(classes),
        named_in=named_in,
        answers=answers,
        duplicates=duplicates,
        truth=columns,
    )


def _source(path: Path, ballots: LoadedVotes, duplicates: Duplicates) -> VotesSource:
    remarks = list(ballots.remarks)
    if ballots.header.layout == "wide":
        voters, over = (
            ", ".join(names[:12]) + (", ..." if names[12:] else "")
            for names in (ballots.header.voters, ballots.header.passed_over)
        )
        over = f"; passed over: {over}" if over else ""
        remarks.append(f"Voters are the columns {voters}{over}.")
    for name in ballots.header.truth:
        remarks.append(
            f"Column {name!r} looks like the truth and was not looked at; `--truth {name}` would "
            "judge by it."
        )
    return VotesSource(
        path.name, ballots.header.layout, duplicates, ballots.duplicates, tuple(remarks)
    )


def _is_column(truth: object) -> bool:
    """Whether the truth is named by a column: files have one of the known endings."""
    return isinstance(truth, str) and not truth.lower().endswith(tuple(READERS))


def _known(truth: str | Path | Ints | None, ballots: LoadedVotes, name: str) -> Ints:
    if isinstance(truth, str) and truth in ballots.truth:
        return ballots.truth[truth]
    if isinstance(truth, str | Path):
        return read_truth(Path(truth), ballots)
    return _given(truth, ballots.votes, name)


def _given(truth: str | Path | Ints | None, votes: Votes, name: str) -> Ints:
    """Answer numbers, (N,); all ABSTAIN for None."""
    if truth is None:
        return np.full(len(votes.ids), ABSTAIN, dtype=np.int64)
    if isinstance(truth, str | Path):
        raise ConfigError(f"`{name}` of votes in memory is an array (N,), got {str(truth)!r}.")
    truth, size = np.asarray(truth), len(votes.ids)
    whole = truth.shape == (size,) and np.issubdtype(truth.dtype, np.integer)
    if not whole or ((truth < NOBODY) | (truth >= votes.candidates)).any():
        raise InputError(
            f"`{name}` must be ({size},) answer numbers below each item's number of candidates, "
            f"ABSTAIN where unknown; got {truth.dtype} of shape {truth.shape}."
        )
    return truth
