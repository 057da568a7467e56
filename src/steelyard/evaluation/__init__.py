"""6. Evaluation: scores with intervals, the performance gap recovered, quality of labels."""

from steelyard.evaluation.base_metric import BaseMetric
from steelyard.evaluation.calibration import Calibration, calibrate
from steelyard.evaluation.error_detection import ErrorDetection, detect_errors
from steelyard.evaluation.floor import floor_members, single_voters
from steelyard.evaluation.interval import Scores, draw_resamples, mean_interval, measure
from steelyard.evaluation.label_quality import CoverageRisk, ScoreBin, ScoreQuality, score_quality
from steelyard.evaluation.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    PAIR_METRICS,
    SLOT_METRICS,
    Metric,
    find_metric,
    metrics_of,
)
from steelyard.evaluation.open_answers import (
    candidate_numbers,
    canonical_truth,
    grade_texts,
    most_voted_texts,
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
    "PAIR_METRICS",
    "PGR",
    "SLOT_METRICS",
    "BaseMetric",
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
    "score_quality",
    "detect_errors",
    "mean_interval",
    "measure",
    "find_metric",
    "metrics_of",
    "paired_difference",
    "performance_gap_recovered",
    "canonical_truth",
    "single_voters",
    "wilcoxon_over_datasets",
    "most_voted_texts",
]
