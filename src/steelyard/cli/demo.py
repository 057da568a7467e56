"""The embedded study."""

from typing import Any

DEMO: dict[str, Any] = {
    "name": "demo",
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 200, "strong_train": 800, "max_test": 600},
    "supervisors": [{"kind": "tfidf", "voters": 5}],
    "student": {
        "kind": "classifier",
        "model": "minilm",
        "train_layers": 2,
        "epochs": 1,
        "learning_rate": 2.0e-4,
        "max_tokens": 64,
    },
    "match": "steps",
    "arms": ["naive", "majority", "soft", "filter", "reweigh"],
    "seeds": 3,
}
