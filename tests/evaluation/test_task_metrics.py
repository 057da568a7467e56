"""Metrics with settings, by hand and against scikit-learn on the resampled items themselves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    f1_score,
    recall_score,
    roc_curve,
)

from steelyard.errors import ConfigError, InputError
from steelyard.evaluation import (
    MetricFacts,
    TaskMetric,
    TaskMetricSettings,
    TestRows,
    bind,
    draw_resamples,
    mean_interval,
    measure,
    metric_name,
    performance_gap_recovered,
)
from steelyard.evaluation import resample_sums as module
from steelyard.types import Floats, Ints

CLASSES = ("safe", "unsafe")
ADAPTER: TypeAdapter[TaskMetric] = TypeAdapter(TaskMetricSettings)
SETTINGS: dict[str, dict[str, Any]] = {
    "f1": {"of": "unsafe"},
    "recall": {"of": "unsafe"},
    "recall_at_fpr": {"of": "unsafe", "fpr": 0.2},
    "average_precision": {"of": "unsafe"},
    "cost": {"costs": {"unsafe": {"safe": 5}, "safe": {"unsafe": 2}}},
    "over_refusal": {"unsafe": "unsafe"},
    "group_exact_match": {},
}


def made(kind: str, **changes: Any) -> TaskMetric:
    return ADAPTER.validate_python({"kind": kind, **SETTINGS[kind], **changes})


def bound(kind: str, truth: Ints, groups: Ints | None = None, **changes: Any) -> MetricFacts:
    return bind(made(kind, **changes), TestRows(CLASSES, truth, groups))


def value(kind: str, truth: list[int], unsafe: list[float], **changes: Any) -> float:
    """The score of probabilities of the second class; nan is no answer."""
    score = np.array(unsafe)
    probs = np.nan_to_num(np.column_stack([1 - score, score]))
    groups = changes.pop("groups", None)
    metric = bound(kind, np.array(truth), groups, **changes)
    return float(metric.score(np.array(truth), probs, None)[0])


NONE = float("nan")


def test_f1_and_recall_by_hand() -> None:
    truth, unsafe = [1, 1, 1, 0, 0], [0.9, 0.2, 0.5, 0.5, 0.1]
    # hits 1 + 0 + 1/2, actual 3, predicted 1 + 1/2 + 1/2: F1 = 2 * 1.5 / (3 + 2)
    assert value("f1", truth, unsafe) == pytest.approx(0.6)
    assert value("recall", truth, unsafe) == pytest.approx(0.5)
    # without an answer: hits 0 + 0 + 1/2, predicted 1/2 + 1/2
    assert value("f1", truth, [NONE, 0.2, 0.5, 0.5, 0.1]) == pytest.approx(1 / 4)
    assert value("recall", truth, [NONE, 0.2, 0.5, 0.5, 0.1]) == pytest.approx(1 / 6)
    assert value("recall", truth, unsafe, of="safe") == pytest.approx(0.75)


def test_over_refusal_by_hand() -> None:
    # safe rows: called unsafe 1, tied 1/2, right 0, no answer 0; unsafe rows do not count
    assert value("over_refusal", [0, 0, 0, 0, 1], [0.9, 0.5, 0.1, NONE, 0.9]) == 1.5 / 4


def test_cost_by_hand() -> None:
    truth, unsafe = [1, 1, 0, 0, 1], [0.1, 0.9, 0.8, 0.5, NONE]
    # 5 (missed), 0, 2 (refused), 2 / 2 (tied), 5 (no answer: the largest cost of an unsafe row)
    assert value("cost", truth, unsafe) == pytest.approx((5 + 0 + 2 + 1 + 5) / 5)
    assert value("cost", truth, unsafe, no_answer=0.5) == pytest.approx((5 + 2 + 1 + 0.5) / 5)
    # without costs it is 1 - accuracy: 1 + 0 + 1 + 1/2 + 1 of 5
    assert value("cost", truth, unsafe, costs={}) == pytest.approx(3.5 / 5)
    metric = bound("cost", np.array(truth))
    assert metric.limits == (0.0, 5.0)
    assert metric.lower_is_better


def test_recall_at_a_false_positive_rate_by_hand() -> None:
    # by falling score: unsafe .9, safe .8, unsafe .7, safe .6, unsafe .5, safe .4, safe .3
    truth, unsafe = [1, 0, 1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    # 4 safe rows; FPR .2 allows .8 of the row .8: recall of those before it, 1/3
    assert value("recall_at_fpr", truth, unsafe) == pytest.approx(1 / 3)
    assert value("recall_at_fpr", truth, unsafe, fpr=0.25) == pytest.approx(2 / 3)  # .7 as well
    # both unsafe and one safe at .5, then three safe: FPR .125 is half of the first step
    assert value("recall_at_fpr", [1, 1, 0, 0, 0, 0], [0.5] * 3 + [0.1] * 3, fpr=0.125) == 0.5
    # no answer has probability 1/2: in order after .9 and before .4
    assert value("recall_at_fpr", [1, 1, 0], [NONE, 0.9, 0.4]) == 1.0


def test_groups_are_right_as_a_whole() -> None:
    groups = np.array([0, 0, 1, 1, 2])
    # group 0: both right, 1: one right and one tied, 1/2; 2: wrong
    found = value("group_exact_match", [1, 0, 1, 0, 1], [0.9, 0.1, 0.9, 0.5, 0.1], groups=groups)
    assert found == pytest.approx(1.5 / 3)
    metric = bound("group_exact_match", np.array([1, 0, 1, 0, 1]), groups)
    probs = np.array([[0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [0.9, 0.1]])
    # group 0 twice, group 1 once, group 2 never: (2 + 1/2) / 3
    counts = np.array([[2, 2, 1, 1, 0]], dtype=np.uint8)
    assert metric.score(np.array([1, 0, 1, 0, 1]), probs, counts)[0] == pytest.approx(2.5 / 3)


def _sklearn(kind: str) -> Callable[[Ints, Floats, Ints], float]:
    """The score of rows of which a tie is two rows of weight 1/2."""

    def of_labels(truth: Ints, probs: Floats, rows: Ints) -> float:
        truth, probs = truth[rows], probs[rows]
        tied = np.isclose(probs, probs.max(axis=1, keepdims=True), rtol=0, atol=1e-12)
        row, label = np.nonzero(tied)
        weight, true = 1 / tied.sum(axis=1)[row], truth[row]
        if kind == "f1":
            return float(f1_score(true, label, sample_weight=weight, zero_division=np.nan))
        if kind == "recall":
            return float(recall_score(true, label, sample_weight=weight, zero_division=np.nan))
        table = confusion_matrix(true, label, sample_weight=weight, labels=[0, 1])
        if kind == "cost":
            return float((table * [[0, 2], [5, 0]]).sum() / table.sum())
        return float(table[0, 1] / table[0].sum()) if table[0].sum() else float("nan")

    def of_scores(truth: Ints, probs: Floats, rows: Ints) -> float:
        truth, score = truth[rows], probs[rows, 1]
        if not truth.any() or (kind == "recall_at_fpr" and truth.all()):
            return float("nan")
        if kind == "average_precision":
            return float(average_precision_score(truth, score))
        false, true, _ = roc_curve(truth, score, drop_intermediate=False)
        i = int(np.flatnonzero(false <= 0.2)[-1])  # of steps straight up the last one
        part = (0.2 - false[i]) / (false[i + 1] - false[i])
        return float(true[i] + part * (true[i + 1] - true[i]))

    return of_scores if kind in ("average_precision", "recall_at_fpr") else of_labels


KINDS = [kind for kind in SETTINGS if kind != "group_exact_match"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), items=st.integers(3, 40), grid=st.sampled_from([2, 4, 1000]))
def test_a_resample_scores_as_sklearn_scores_the_repeated_items(
    kind: str, seed: int, items: int, grid: int
) -> None:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, grid + 1, items) / grid
    probs, truth = np.column_stack([1 - score, score]), rng.integers(0, 2, items)
    truth[:2] = 0, 1
    counts = rng.multinomial(items, np.full(items, 1 / items), size=3).astype(np.float64)
    metric, expected = bound(kind, truth), _sklearn(kind)
    rows = [np.repeat(np.arange(items), row.astype(int)) for row in counts]
    found = metric.score(truth, probs, counts)
    np.testing.assert_allclose(found, [expected(truth, probs, r) for r in rows], atol=1e-12)
    plain = metric.score(truth, probs, None)[0]
    np.testing.assert_allclose(plain, expected(truth, probs, np.arange(items)), atol=1e-12)


@pytest.mark.parametrize("kind", SETTINGS)
def test_blocks_of_resamples_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    truth, score, groups = rng.integers(0, 2, 60), rng.random(60), np.arange(60) // 4
    probs, counts = np.column_stack([1 - score, score]), draw_resamples(60, 20, groups=groups)
    metric = bound(kind, truth, groups)
    whole = metric.score(truth, probs, counts)
    monkeypatch.setattr(module, "CELLS", 1)
    np.testing.assert_allclose(metric.score(truth, probs, counts), whole, rtol=1e-12)


@pytest.mark.parametrize("kind", SETTINGS)
def test_an_interval_and_pgr_in_the_direction_that_is_better(kind: str) -> None:
    rng = np.random.default_rng(1)
    truth, groups = rng.integers(0, 2, 400), np.arange(400) // 4
    metric, draws = bound(kind, truth, groups), draw_resamples(400, 300, groups=groups)

    def model(skill: float, seed: int) -> list[Floats]:
        noise = np.random.default_rng(seed).normal(size=400)
        score = 1 / (1 + np.exp(-(skill * (2 * truth - 1) + noise)))
        return [np.column_stack([1 - score, score])]

    models = [
        measure(metric, truth, [model(skill, 10 * s + seed) for seed in range(3)], draws)
        for s, skill in enumerate((0.3, 1.0, 2.0))
    ]
    span = mean_interval(models[1])
    assert span.low < span.value < span.high
    gap = performance_gap_recovered(*models)
    assert gap.interval is not None
    assert 0 < gap.interval.value < 1


def test_names_tell_settings_apart() -> None:
    names = [metric_name(made(kind)) for kind in SETTINGS]
    assert names == [
        "f1 of unsafe",
        "recall of unsafe",
        "recall of unsafe at FPR 0.2",
        "average precision of unsafe",
        "cost",
        "over-refusal (unsafe)",
        "exact match of groups",
    ]
    assert metric_name("accuracy") == "accuracy"


@pytest.mark.parametrize(
    ("kind", "truth", "changes", "message"),
    [
        ("f1", [0, 0], {}, "`f1` is not defined here: no test row is of class 'unsafe'"),
        ("recall_at_fpr", [1, 1], {}, "every test row is of class 'unsafe', so there is no false"),
        ("over_refusal", [1, 1], {}, "every test row is of class 'unsafe'. Take test rows of"),
        (
            "f1",
            [0, 1],
            {"of": "bad"},
            "names the class 'bad', and the classes are",
        ),
        ("over_refusal", [0, 1], {"unsafe": "x"}, "names the class 'x', and the classes are"),
        ("cost", [0, 1], {"costs": {"safe": {"no": 1}}}, "names the class 'no', and the classes"),
        ("group_exact_match", [0, 1], {}, r"needs groups of rows; set `data\.group`"),
    ],
)
def test_where_it_is_not_defined_it_says_why(
    kind: str, truth: list[int], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        bound(kind, np.array(truth), **changes)


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong in ({"fpr": 1.0}, {"of": 3}, {"rate": 0.1}):
        with pytest.raises(ValidationError):
            made("recall_at_fpr", **wrong)
    with pytest.raises(ValidationError):
        made("cost", costs={"safe": {"unsafe": -1}})
    with pytest.raises(ConfigError, match="`metric: f1` scores answers that are classes"):
        made("f1").check_task("generation")
    made("group_exact_match").check_task("generation")
