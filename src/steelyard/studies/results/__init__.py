"""From what is stored to results.json: scores, intervals, PGR, label quality, costs."""

from steelyard.studies.results.collect import collect, environment

__all__ = [
    "collect",
    "environment",
]
