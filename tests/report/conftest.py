"""A realistic `results.json`, as a study of five arms and five seeds leaves it."""

from typing import Any

import numpy as np
import pytest

from steelyard.report import study_page

SEEDS = [0, 1, 2, 3, 4]
ARMS: dict[str, tuple[str, str, float, float, float]] = {
    # name: role, description, score, share kept, labels right
    "naive": ("arm", "One weak label for each question.", 0.733, 1.0, 0.684),
    "majority": ("arm", "The answer that most voters gave.", 0.742, 1.0, 0.731),
    "filter": ("arm", "The most reliable half of the majority labels.", 0.7625, 0.5, 0.842),
    "reweigh": ("arm", "Majority labels weighed by their reliability.", 0.757, 1.0, 0.731),
    "random_keep": ("control", "A random half of the majority labels.", 0.731, 0.5, 0.729),
    "shuffled_weights": ("control", "The weights of reweigh, dealt at random.", 0.738, 1.0, 0.731),
    "truth_filter": ("oracle", "Majority labels that are right.", 0.829, 0.731, 1.0),
}
WEAK, CEILING = 0.62, 0.87
CONTROLS: dict[str, dict[str, Any]] = {
    "filter": {"control": "random_keep", "difference": 0.031, "low": 0.01, "high": 0.05, "p": 0.01},
    "reweigh": {
        "control": "shuffled_weights",
        "difference": 0.019,
        "low": 0.002,
        "high": 0.04,
        "p": 0.03,
    },
}


def span(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": round(value - half, 4), "high": round(value + half, 4)}


def arm(name: str, number: int) -> dict[str, Any]:
    role, description, score, kept, right = ARMS[name]
    spread = np.random.default_rng(number).normal(0, 0.012, len(SEEDS)).round(4)
    pgr = round((score - WEAK) / (CEILING - WEAK), 4)
    versus = {
        **{"difference": round(score - 0.733, 4), "low": round(score - 0.755, 4)},
        **{"high": round(score - 0.711, 4), "p": 0.012 if score > 0.755 else 0.41},
        "p_holm": None if role != "arm" else 0.024 if score > 0.755 else 0.41,
        "simultaneous": {"low": round(score - 0.756, 4), "high": round(score - 0.71, 4)},
        **{"error": 0.011, "freedom": 12.0, "detectable": 0.033, "seeds_needed": 9},
        **{"within": round(abs(score - 0.733) + 0.019, 4), "pgr": None},
    }
    return {
        "role": role,
        "description": description,
        "score": span(score, 0.021),
        "pgr": {"value": pgr, "low": round(pgr - 0.26, 4), "high": round(pgr + 0.28, 4)},
        "pgr_reason": None,
        "vs_naive": None if name == "naive" else versus,
        "vs_control": dict(CONTROLS[name]) if name in CONTROLS else None,
        "seeds": [
            {
                "seed": seed,
                "score": round(score + float(shift), 4),
                "pgr": round(pgr + 4 * float(shift), 4),
                "rows": int(3000 * kept),
                "kept": kept,
                "steps": 282,
                "label_accuracy": right,
                "agreement": 0.79,
            }
            for seed, shift in zip(SEEDS, spread, strict=True)
        ],
    }


def reliability(auroc: float, slope: float) -> dict[str, Any]:
    edges = np.linspace(0, 1, 6)
    coverage = np.linspace(0.05, 1, 40)
    return {
        "auroc": auroc,
        "aurc": 0.171,
        "ece": 0.064,
        "bins": [
            {
                "low": round(float(edges[b]), 2),
                "high": round(float(edges[b + 1]), 2),
                "share": [0.05, 0.1, 0.2, 0.25, 0.4][b],
                "accuracy": round(0.45 + slope * b, 3),
            }
            for b in range(5)
        ],
        "risk_coverage": [
            [round(float(c), 3), round(float(0.27 - slope * 2 * (1 - c) ** 1.3), 4)]
            for c in coverage
        ],
    }


def curve(number: int) -> dict[str, list[float]]:
    steps = list(range(2, 283, 4))
    noise = np.random.default_rng(number).normal(0, 0.015, len(steps))
    loss = [0.3 + 0.05 * number + 0.38 * float(np.exp(-s / 70)) for s in steps]
    return {
        "step": steps,
        "loss": [round(x + float(e), 4) for x, e in zip(loss, noise, strict=True)],
    }


@pytest.fixture
def results() -> dict[str, Any]:
    """For a test to change."""
    return study()


@pytest.fixture(scope="session")
def rendered() -> str:
    """The page of `study`, made once."""
    return study_page(study())


def study() -> dict[str, Any]:
    return {
        "steelyard": "0.1.0",
        "study": "safety-prompts",
        "task": "classification",
        "metric": "accuracy",
        "seeds": SEEDS,
        "data": {
            "weak_train": 300,
            "strong_train": 3000,
            "test": 1500,
            "classes": ["safe", "unsafe"],
            "test_class_shares": [0.43, 0.57],
            "leaks": {
                "exact": 2,
                "near": 5,
                "examples": [
                    {
                        "left": "train-00412",
                        "right": "test-00071",
                        "where": "strong_train/test",
                        "similarity": 0.93,
                    }
                ],
            },
            "truncated": {"strong_train": 12, "test": 3},
        },
        "weak": {**span(WEAK, 0.018), "seeds": [0.612, 0.618, 0.631, 0.615, 0.624]},
        "weak_ensemble": {**span(0.668, 0.02), "seeds": [0.66, 0.671, 0.672, 0.665, 0.674]},
        "ceiling": {**span(CEILING, 0.015), "seeds": [0.868, 0.871, 0.874, 0.866, 0.871]},
        "arms": {name: arm(name, number) for number, name in enumerate(ARMS)},
        "best": {
            "chosen": {"filter": 10},
            "score": span(0.7575, 0.022),
            "pgr": {"value": 0.55, "low": 0.29, "high": 0.83},
            "pgr_reason": None,
            "vs_naive": {
                **{"difference": 0.0245, "low": 0.002, "high": 0.047, "p": 0.034},
                **{"detectable": 0.032, "seeds_needed": 9},
            },
            "seeds": [0.75, 0.76, 0.755, 0.765, 0.7575],
        },
        "metrics": {
            "macro_f1": {
                "weak": span(0.601, 0.02),
                "ceiling": span(0.861, 0.016),
                "arms": {name: span(ARMS[name][2] - 0.013, 0.022) for name in ARMS},
                "pgr": {name: span(0.5, 0.25) for name in ARMS},
            }
        },
        "votes": {
            "accuracy": 0.684,
            "abstained": 0.013,
            "voters": 6,
            "queries": 30000,
            "by_voter": [
                {"voter": f"tfidf/{v}", "accuracy": 0.61 + 0.03 * v, "abstained": 0.0}
                for v in range(5)
            ]
            + [{"voter": "llm/minilm/wording-2", "accuracy": 0.714, "abstained": 0.078}],
        },
        "reliability": {
            "majority": reliability(0.713, 0.09),
            "dawid_skene": reliability(0.741, 0.11),
            "entropy": reliability(0.702, 0.08),
        },
        "curves": {name: curve(number) for number, name in enumerate(list(ARMS)[:4])},
        "warnings": [
            "7 rows of strong_train are near-duplicates of test rows and were left out.",
            "The voter llm/minilm/wording-2 abstained on 7.8 % of its questions.",
        ],
        "costs": {"trainings": 47, "seconds": {"supervision": 12.3, "student": 200.1}},
        "reproduce": {"command": "steelyard study safety.yaml", "lock": "study.lock.yaml"},
        "seconds": 231.4,
        "environment": {
            "python": "3.11.2",
            "torch": "2.13.0",
            "transformers": "5.23.0",
            "platform": "Linux x86_64",
            "cores": 2,
        },
        "artifacts": {"votes": "votes-3f1c9a0d", "student/filter/0": "predictions-91ab77e2"},
    }
