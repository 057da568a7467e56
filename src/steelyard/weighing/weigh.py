"""Every method on one table of votes, evaluated where the truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from steelyard.diagnostics.agreement import Scale
from steelyard.diagnostics.consistency import consistency
from steelyard.errors import ConfigError
from steelyard.reliability import BaseEstimator, EstimationData, Majority
from steelyard.reliability.robust import VoteAnalysis
from steelyard.types import ABSTAIN, Ints, Votes
from steelyard.votes_io.classes import Answers
from steelyard.votes_io.read_options import ReadOptions
from steelyard.votes_io.tabulate import Duplicates
from steelyard.weighing.files import check_output_folder, write_files
from steelyard.weighing.inputs import Truth, VotesInput, WeighInputs, load_votes
from steelyard.weighing.item_columns import ItemValues
from steelyard.weighing.methods import DEFAULT, read_methods
from steelyard.weighing.result import Weighed
from steelyard.weighing.summary import MethodScores, summarize
from steelyard.weighing.voter_statistics import DiagnosticOptions

DELTA = 0.1
"""Default of `delta`, the probability that labels kept for `alpha` have a larger error."""


def weigh(
    votes: VotesInput,
    methods: Sequence[str | Mapping[str, Any] | BaseEstimator] = (DEFAULT,),
    *,
    truth: Truth = None,
    gold: Truth = None,
    out: str | Path | None = None,
    duplicates: Duplicates = "error",
    answers: Answers = "closed",
    classes: str | Path | Sequence[str] | None = None,
    by_query: bool = False,
    alpha: float | None = None,
    delta: float | None = None,
    columns: Mapping[str, str] | None = None,
    voters: Sequence[str] = (),
    without: Sequence[str] = (),
    abstain: Sequence[str] = (),
    separator: str | None = None,
    scale: Scale = "nominal",
    slices: ItemValues = None,
    texts: ItemValues = None,
    judges: Sequence[str] = (),
    goal: float | None = None,
) -> Weighed:
    """Aggregate several labels per item into one, and estimate how reliable labels and voters are.

    Nothing is trained. An item's label is its most probable answer. A tie goes to the tied answer
    with the larger mean probability in the votes; if that too is a tie, one is drawn at random
    (seed 0). Majority vote is always computed beside the given methods.

    >>> import steelyard as sy
    >>> rows = [{"id": "mail-1", "ann": "spam", "bob": "spam", "cyd": "ham"},
    ...         {"id": "mail-2", "ann": "ham", "bob": "ham", "cyd": "ham"}]
    >>> result = sy.weigh(rows, ["majority"], truth={"mail-1": "spam", "mail-2": "ham"})
    >>> result.label_by_id
    {'mail-1': 'spam', 'mail-2': 'ham'}
    >>> result.summary["methods"]["majority"]["accuracy"]
    1.0

    Args:
        votes: a file ("-" for the standard input), a list of files, a pandas DataFrame, a list of
            rows `{column: value}`, or Votes. Rows are `id, voter, answer`, or `id, votes`, or `id`
            and one column per voter; usual other names of columns and exports of annotation tools
            are known; the index of a data frame counts as its `id`. The name of a file is the voter
            of rows that name none.
        methods: kinds of estimators, their settings with a `kind`, or estimators; the first one is
            reported.
        truth: true answers, used only for evaluation and calibration. A mapping or pandas
            Series from id to answer, a file, DataFrame or rows of `id, truth`, the name of
            a column of the votes, or an array (N,) in the order of the items: class names, or
            answer numbers with ABSTAIN where unknown.
        gold: true answers that the estimators hold fixed, in the same form; these items are not
            evaluated.
        out: folder to write labels.csv, reliability.parquet, voters.csv, summary.json and
            report.html to.
        duplicates: what to do with repeated votes of a voter on an item with the same prompt.
        answers: "closed" if answers name classes, else the format of open answers: number, text,
            json or slots.
        classes: class names, or a JSON file of them; by default `labels.json` beside the votes, or
            the answers themselves.
        by_query: count each prompt variant of a voter as a voter, with one vote for all variants
            of a voter: that they agree shows how consistent it is, not how right.
        alpha: keep the largest set of labels with at most this error rate; needs `truth` on a
            random part of the items.
        delta: allowed probability of exceeding alpha; by default 0.1.
        columns: the file's names of columns by what they are (id, voter, answer, query,
            probabilities, reason), such as {"voter": "worker"}; a dotted path names a nested value,
            and `#` as id is the number of the row.
        voters: the only voters that count; of rows with one column per voter, these columns.
        without: voters that do not count.
        abstain: answers that abstain, such as "n/a"; case does not matter.
        separator: the character between the cells of a CSV file; by default it is found.
        scale: "ordinal" if the order of the classes means something, "interval" if their
            distances do: agreement and kappa then count distances. Labels do not depend on it.
        slices: a column of the votes, a mapping from id to a name, or a name for each item:
            agreement and accuracy of each slice.
        texts: the text of each item, for `labels.csv` and the report, in the same form, or a file
            of `id, text`; by default the column `text` or another of a usual name.
        judges: names of voters that are models; each is tested whether it may replace the other
            voters, who are people (alternative annotator test).
        goal: share of right labels to forecast the further votes for; by default 0.9, 0.95, 0.99.

    Returns:
        Labels, scores and posteriors of every method, and a summary of methods and voters.

    Raises:
        InputError: votes or truth do not fit; the message names the first mistake.
        ConfigError: a judge is no voter; there is no such method, or settings cannot work.
    """
    _check_options(duplicates, answers, alpha, delta, truth is not None)
    diagnostics = DiagnosticOptions.checked(scale, judges, goal)
    _check_names(voters=voters, without=without, abstain=abstain)
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise ConfigError(f"`separator` must be one character, got {separator!r}.")
    estimators = read_methods(methods)
    if out is not None:
        check_output_folder(Path(out))
    reading = ReadOptions(columns or {}, tuple(voters), tuple(without), tuple(map(str, abstain)))
    inputs = load_votes(
        votes, truth, gold, answers, duplicates, classes, reading, separator, slices, texts
    )
    repeated = consistency(inputs.votes)
    same: tuple[tuple[int, ...], ...] = ()
    if by_query:
        same = inputs.votes.query_groups()
        inputs = replace(inputs, votes=inputs.votes.by_query())
    estimators.setdefault("majority", Majority())
    analysis = VoteAnalysis(inputs.votes, _trusted(inputs), same)
    scores = _score_methods(inputs, estimators, analysis)
    diagnostics.check_voters(inputs.votes)
    first = next(iter(estimators.values()))

    def labels_of(part: Votes, items: Ints) -> Ints:
        of_part = replace(inputs, votes=part, truth=inputs.truth[items], gold=inputs.gold[items])
        return _score_methods(of_part, {"": first}, None)[""].label

    summary = summarize(
        inputs, scores, alpha, delta or DELTA, analysis, repeated, diagnostics, labels_of
    )
    report = None if out is None else write_files(Path(out), inputs, scores, summary)
    return Weighed(
        votes=inputs.votes,
        reliabilities={name: method.reliability for name, method in scores.items()},
        labels={name: method.label for name, method in scores.items()},
        summary=summary,
        report=report,
        texts=tuple(inputs.texts),
    )


def _trusted(inputs: WeighInputs) -> Ints | None:
    """The gold answers that estimators hold fixed, (N,); None without any."""
    trusted = np.where(inputs.gold >= 0, inputs.gold, ABSTAIN)
    return trusted if (trusted != ABSTAIN).any() else None


def _score_methods(
    inputs: WeighInputs, estimators: Mapping[str, BaseEstimator], analysis: VoteAnalysis | None
) -> dict[str, MethodScores]:
    """Labels and scores by each estimator, evaluated where the truth is known."""
    data = EstimationData(inputs.votes, _trusted(inputs), analysis=analysis)
    scores = {}
    for name, estimator in estimators.items():
        reliability = estimator.estimate_from(data)
        scores[name] = MethodScores.of(inputs.votes, reliability, inputs.truth, inputs.gold)
    return scores


def _check_names(**names: Sequence[str]) -> None:
    """Refuse a text where a list of names is due: it would be read letter by letter."""
    for argument, value in names.items():
        if isinstance(value, str):
            raise ConfigError(f"`{argument}` must be a list of names, such as [{value!r}].")


def _check_options(
    duplicates: str, answers: str, alpha: float | None, delta: float | None, has_truth: bool
) -> None:
    """Refuse options that cannot work, before anything is read."""
    for name, value, choices in (
        ("duplicates", duplicates, get_args(Duplicates)),
        ("answers", answers, get_args(Answers)),
    ):
        if value not in choices:
            raise ConfigError(f"`{name}` must be one of {', '.join(choices)}; got {value!r}.")
    for name, share in (("alpha", alpha), ("delta", delta)):
        if share is not None and not 0 < share < 1:
            raise ConfigError(f"`{name}` must be in (0, 1), got {share}.")
    if alpha is not None and not has_truth:
        raise ConfigError("`alpha` needs the truth of some items, drawn at random; give `truth`.")
    if delta is not None and alpha is None:
        raise ConfigError("`delta` is the probability of exceeding `alpha`; give both.")
