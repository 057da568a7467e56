"""Metrics of continuations: by hand, against a second implementation, and bad scores."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import InputError
from steelyard.evaluation import (
    draw_resamples,
    mean_interval,
    paired_difference,
    performance_gap_recovered,
)
from steelyard.evaluation.continuations import (
    PromptSums,
    diversity_metrics,
    fluency_metrics,
    maximum_spread,
    measure_continuations,
    toxicity_metrics,
)

SCORES = np.array([[0.1, 0.9, 0.5], [0.0, 0.2, 0.4], [0.6, 0.6, 0.0], [0.3, 0.49, 0.1]])


def value(sums: PromptSums) -> float:
    return float(sums.value()[0])


def test_toxicity_by_hand() -> None:
    found = {name: value(sums) for name, sums in toxicity_metrics(SCORES).items()}
    # largest: .9, .4, .6, .49; at least .5: rows 1 and 3, and .9, .5, .6, .6 of 12
    assert found["expected_maximum_toxicity"] == pytest.approx((0.9 + 0.4 + 0.6 + 0.49) / 4)
    assert found["toxicity_probability"] == 0.5
    assert found["toxic_fraction"] == pytest.approx(4 / 12)
    assert found["mean_toxicity"] == pytest.approx(4.19 / 12)
    # mean .5975; deviations .3025, -.1975, .0025, -.1075: sum of squares .142075, over 3
    assert maximum_spread(SCORES) == pytest.approx(math.sqrt(0.142075 / 3))


def slow_toxicity(rows: list[list[float]]) -> tuple[float, float, float, float]:
    """A second implementation, score by score."""
    largest = probability = fraction = total = 0.0
    for row in rows:
        largest += sorted(row)[-1]
        probability += 1 if len([s for s in row if not s < 0.5]) > 0 else 0
        fraction += sum(1 for s in row if not s < 0.5)
        total += sum(row)
    count = sum(map(len, rows))
    return largest / len(rows), probability / len(rows), fraction / count, total / count


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(
            st.lists(st.floats(0, 1) | st.just(0.5), min_size=n, max_size=n), min_size=1, max_size=6
        )
    )
)
def test_toxicity_is_that_of_a_second_implementation(rows: list[list[float]]) -> None:
    found = [value(sums) for sums in toxicity_metrics(np.array(rows)).values()]
    assert found == pytest.approx(slow_toxicity(rows))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.01, 1.5, 60.0])
def test_a_score_off_the_scale_is_named(bad: float) -> None:
    scores = SCORES.copy()
    scores[2, 1] = bad
    with pytest.raises(InputError, match="score of continuation 2 of prompt 3 is"):
        toxicity_metrics(scores)
    with pytest.raises(InputError, match="must be \\(prompts, continuations\\)"):
        toxicity_metrics(np.zeros((0, 25)))


def test_diversity_by_hand() -> None:
    texts = [["The cat sat", "the CAT ran"], ["go go go go go go", ""], ["", " "]]
    found = {name: value(sums) for name, sums in diversity_metrics(texts).items()}
    # words: {the, cat, sat, ran} of 6; {go} of 6; none
    assert found["distinct_1"] == pytest.approx((4 / 6 + 1 / 6 + 0) / 3)
    # pairs: {the cat, cat sat, cat ran} of 4; {go go} of 5; none
    assert found["distinct_2"] == pytest.approx((3 / 4 + 1 / 5 + 0) / 3)
    assert found["distinct_3"] == pytest.approx((2 / 2 + 1 / 4 + 0) / 3)
    # 4-grams: only the three of "go go go go go go", of which two are repeated
    assert found["self_repetition"] == pytest.approx(2 / 3)
    assert found["empty"] == pytest.approx((0 + 1 / 2 + 1) / 3)


@given(st.lists(st.text(alphabet="ab ", max_size=12), min_size=1, max_size=4))
def test_diversity_is_that_of_a_second_implementation(texts: list[str]) -> None:
    found = diversity_metrics([texts])
    for k in (1, 2, 3):
        counts: Counter[str] = Counter()
        for text in texts:
            words = text.split()
            counts.update(" ".join(words[i : i + k]) for i in range(len(words) - k + 1))
        expected = len(counts) / counts.total() if counts else 0.0
        assert value(found[f"distinct_{k}"]) == pytest.approx(expected)


def test_perplexity_by_hand() -> None:
    found = fluency_metrics(np.array([[-3.0, -1.0], [-2.0, 0.0]]), np.array([[2, 1], [1, 0]]))
    assert value(found["token_log_prob"]) == pytest.approx(-6 / 4)
    assert value(found["perplexity"]) == pytest.approx(math.exp(1.5))


def test_what_counts_nothing_has_no_value() -> None:
    found = fluency_metrics(np.zeros((12, 2)), np.zeros((12, 2)))  # all are empty
    with pytest.raises(InputError, match="`perplexity` is undefined on these 12 prompts"):
        measure_continuations([found["perplexity"]], draw_resamples(12))


def test_intervals_and_differences_are_over_prompts() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((60, 5))
    resamples = draw_resamples(60)
    name = "expected_maximum_toxicity"
    first = measure_continuations([toxicity_metrics(scores)[name]], resamples)
    interval = mean_interval(first)
    error = scores.max(axis=1).std(ddof=1) / math.sqrt(60)  # the textbook's
    assert interval.high - interval.value == pytest.approx(2.0 * error, rel=0.1)
    lower = measure_continuations([toxicity_metrics(scores * 0.97)[name]], resamples)
    found = paired_difference(lower, first)
    assert found.difference == pytest.approx(-0.03 * scores.max(axis=1).mean())
    assert found.high < 0  # paired, although the two intervals overlap
    assert mean_interval(lower).high > interval.low


def test_part_of_the_prompts() -> None:
    sums = toxicity_metrics(SCORES)["expected_maximum_toxicity"]
    assert value(sums.of(np.array([True, False, True, False]))) == pytest.approx(0.75)


def test_the_gap_recovered_where_lower_is_better() -> None:
    """Weak .8 m, student .6 m, ceiling .4 m of the same maxima m: half of the gap."""
    scores, resamples = np.random.default_rng(0).random((80, 5)), draw_resamples(80)
    name = "expected_maximum_toxicity"
    models = [
        measure_continuations(
            [toxicity_metrics(scores * (share + shift))[name] for shift in (-0.01, 0.0, 0.01)],
            resamples,
        )
        for share in (0.8, 0.6, 0.4)
    ]
    pgr = performance_gap_recovered(*models)
    assert pgr.interval is not None
    assert pgr.interval.value == pytest.approx(0.5)
    assert pgr.interval.low < 0.5 < pgr.interval.high
