"""The tables of a `weigh` report: voters, confusion matrices, copies, items to label again."""

from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.report.formats import (
    Results,
    count,
    defined,
    number,
    p_value,
    percent,
    plain,
    shortened,
)
from steelyard.report.study_tables import Grid
from steelyard.report.weigh_sentences import flagged

FEW = 40  # voters that fit one table
MOST = 20  # rows of a table otherwise
HELD = 500  # rows that the page holds for a click
MOST_CLASSES = 12  # of a confusion matrix that can be read
NAME = 48  # characters of a name


@dataclass(frozen=True)
class VoterLine:
    """One voter in a table. Positions of the bar are in [0, 100]."""

    name: str
    votes: str
    abstained: str
    low: float | None
    value: float | None
    high: float | None
    truth: float | None
    accuracy: str
    true_accuracy: str
    agreement: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class VoterGroup:
    """Voters under one heading."""

    title: str
    note: str
    lines: tuple[VoterLine, ...]


def voter_groups(summary: Results) -> list[VoterGroup]:
    """All voters if they are few, else those with a flag, the most and the least trusted."""
    voters: list[Results] = list(summary.get("by_voter") or ())
    if not voters:
        return []
    if len(voters) <= FEW:
        return [VoterGroup("All voters", "Best first.", tuple(map(_line, voters)))]
    bad = flagged(summary)
    others = [voter for voter in voters if not voter.get("flags")]
    groups = []
    if bad:
        rest = f", {count(len(bad) - MOST)} more in voters.csv" if len(bad) > MOST else ""
        groups.append(("Flagged", f"Those with most votes first{rest}.", bad[:MOST]))
    rest = f"All {count(len(voters))} are in voters.csv."
    groups.append(("Most trusted", f"By the lower end of the interval. {rest}", others[:MOST]))
    worst = sorted(others[MOST:], key=_upper_end)[:MOST]
    title = "Least trusted of the others" if bad else "Least trusted"
    groups.append((title, "By the upper end of the interval, lowest first.", worst))
    return [
        VoterGroup(title, note, tuple(map(_line, group))) for title, note, group in groups if group
    ]


def _upper_end(voter: Results) -> float:
    high = defined((voter.get("accuracy") or {}).get("high"))
    return 2.0 if high is None else high


def chance(summary: Results) -> float | None:
    """Accuracy of an answer drawn at random, in percent; None for open answers."""
    classes = len(summary.get("classes") or ())
    return round(100 / classes, 1) if classes > 1 else None


def _line(voter: Results) -> VoterLine:
    span, truth = voter.get("accuracy") or {}, voter.get("true_accuracy")
    true = truth if isinstance(truth, dict) else {"value": truth}
    return VoterLine(
        name=shortened(voter.get("voter"), NAME),
        votes=count(voter.get("votes")),
        abstained=count(voter.get("abstained")),
        low=_position(span.get("low")),
        value=_position(span.get("value")),
        high=_position(span.get("high")),
        truth=_position(true.get("value")),
        accuracy=_with_bounds(span),
        true_accuracy=_with_bounds(true),
        agreement=number(voter.get("agreement"), 2),
        flags=tuple(shortened(flag, 160) for flag in voter.get("flags") or ()),
    )


def _position(value: object) -> float | None:
    share = defined(value)
    return None if share is None else round(100 * min(1.0, max(0.0, share)), 1)


def _with_bounds(span: Results) -> str:
    if defined(span.get("value")) is None:
        return "n/a"
    if defined(span.get("low")) is None or defined(span.get("high")) is None:
        return number(span["value"], 2)
    return f"{number(span['value'], 2)} [{number(span['low'], 2)}, {number(span['high'], 2)}]"


@dataclass(frozen=True)
class Matrix:
    """How one voter answers, by true class: (class, votes, shares of answers in [0, 1])."""

    voter: str
    kind: str
    classes: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[float | None, ...]], ...]


def matrices(summary: Results) -> list[Matrix]:
    """Confusion matrices of the two most and the two least trusted of the busier half."""
    classes = tuple(shortened(name, 14) for name in summary.get("classes") or ())
    voters = [voter for voter in summary.get("by_voter") or () if voter.get("confusion")]
    if not voters or not 2 <= len(classes) <= MOST_CLASSES:
        return []
    sizes = sorted(defined(voter.get("votes")) or 0 for voter in voters)
    busy = [v for v in voters if (defined(v.get("votes")) or 0) >= sizes[len(sizes) // 2]]
    best = busy[:2]
    worst = sorted(busy[2:], key=_upper_end)[:2]
    kinds = [*(["most trusted"] * len(best)), *(["least trusted"] * len(worst))]
    return [_matrix(v, kind, classes) for v, kind in zip([*best, *worst], kinds, strict=True)]


def _matrix(voter: Results, kind: str, classes: tuple[str, ...]) -> Matrix:
    sizes: Sequence[float | None] = voter.get("confusion_votes") or [None] * len(classes)
    rows = tuple(
        (
            name,
            number(size, 0),
            tuple(defined(share) if _has_votes(size) else None for share in row),
        )
        for name, size, row in zip(classes, sizes, voter["confusion"], strict=False)
    )
    return Matrix(shortened(voter.get("voter"), NAME), kind, classes, rows)


def _has_votes(size: object) -> bool:
    """Whether a true class has at least half a vote, or an unknown number."""
    votes = defined(size)
    return votes is None or votes >= 0.5


def copies_grid(summary: Results) -> Grid | None:
    """Pairs of voters that share mistakes."""
    header = ("voter", "and voter", "items in common", "agree", "expected", "shared mistakes", "p")
    rows = [
        (
            shortened(pair.get("left"), NAME),
            shortened(pair.get("right"), NAME),
            count(pair.get("items")),
            percent(pair.get("agree")),
            percent(pair.get("expected")),
            f"{count(pair.get('mistakes'))}, expected {number(pair.get('mistakes_expected'), 1)}",
            p_value(pair.get("p")),
        )
        for pair in summary.get("copies") or ()
    ]
    return first_rows(header, rows, 2)


def relabel_grid(summary: Results) -> Grid | None:
    """Items to label again."""
    rows = [
        (
            shortened(item.get("id"), NAME),
            shortened(item.get("label") or "none", NAME),
            number(item.get("score")),
            number(item.get("gain")),
        )
        for item in summary.get("relabel") or ()
    ]
    return first_rows(("item", "current label", "score", "gain"), rows, 2)


def methods_grid(summary: Results) -> Grid | None:
    """The methods by known truth, the chosen one first; None without truth."""
    rows = []
    for name, part in (summary.get("methods") or {}).items():
        if defined(part.get("accuracy")) is None:
            continue
        calibrated = part.get("calibrated") or {}
        curve = f" ({plain(calibrated['method'])})" if calibrated.get("method") else ""
        rows.append(
            (
                plain(name),
                *(number(part.get(key)) for key in ("accuracy", "auroc", "aurc", "ece")),
                number(calibrated.get("ece_after")) + curve if calibrated else "",
            )
        )
    header = ("method", "label accuracy", "AUROC", "AURC", "ECE", "ECE after calibration")
    return Grid(header, tuple(rows)) if rows else None


def class_scores_grid(summary: Results) -> Grid | None:
    """Mean score of correct and of wrong labels by class."""
    rows = [
        (
            shortened(row.get("class"), NAME),
            number(row.get("right"), 2),
            number(row.get("wrong"), 2),
        )
        for row in summary.get("class_scores") or ()
    ]
    return first_rows(("class", "mean score of correct labels", "of wrong labels"), rows, 1)


def first_rows(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]], text_columns: int
) -> Grid | None:
    """A table that shows the first rows, and holds more; None without any."""
    if not rows:
        return None
    return Grid(header, tuple(rows[:HELD]), text_columns, max(0, len(rows) - HELD), MOST)
