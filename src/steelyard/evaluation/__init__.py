"""What is shown to be true of the models: scores, intervals, the gap recovered, label quality."""

from steelyard.evaluation.calibration import Calibration, calibrate
from steelyard.evaluation.error_detection import ErrorDetection, judge_doubts
from steelyard.evaluation.floor import floor_members, single_voters
from steelyard.evaluation.interval import Scores, draw_resamples, mean_interval, measure
from steelyard.evaluation.label_quality import CoverageRisk, ScoreBin, ScoreQuality, judge
from steelyard.evaluation.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    PAIR_METRICS,
    SLOT_METRICS,
    Metric,
    metric,
    metrics_of,
)
from steelyard.evaluation.open_answers import (
    NOBODY,
    candidate_numbers,
    grade_texts,
    read_truth,
    winners,
)
from steelyard.evaluation.pgr import (
    PGR,
    Difference,
    paired_difference,
    performance_gap_recovered,
    wilcoxon_over_datasets,
)

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "NOBODY",
    "PAIR_METRICS",
    "PGR",
    "SLOT_METRICS",
    "Calibration",
    "CoverageRisk",
    "Difference",
    "ErrorDetection",
    "Metric",
    "ScoreBin",
    "ScoreQuality",
    "Scores",
    "calibrate",
    "candidate_numbers",
    "draw_resamples",
    "floor_members",
    "grade_texts",
    "judge",
    "judge_doubts",
    "mean_interval",
    "measure",
    "metric",
    "metrics_of",
    "paired_difference",
    "performance_gap_recovered",
    "read_truth",
    "single_voters",
    "wilcoxon_over_datasets",
    "winners",
]
