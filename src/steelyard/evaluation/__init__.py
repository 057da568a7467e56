"""What is shown to be true of the models: scores, intervals, the gap recovered, label quality."""

from steelyard.evaluation.gap import (
    PGR,
    Difference,
    paired_difference,
    performance_gap_recovered,
    wilcoxon_over_datasets,
)
from steelyard.evaluation.interval import Scores, draw_resamples, mean_interval, measure
from steelyard.evaluation.label_quality import CoverageRisk, ScoreBin, ScoreQuality, judge
from steelyard.evaluation.metrics import LOWER_IS_BETTER, METRICS, Metric, metric

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "PGR",
    "CoverageRisk",
    "Difference",
    "Metric",
    "ScoreBin",
    "ScoreQuality",
    "Scores",
    "draw_resamples",
    "judge",
    "mean_interval",
    "measure",
    "metric",
    "paired_difference",
    "performance_gap_recovered",
    "wilcoxon_over_datasets",
]
