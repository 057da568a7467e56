"""`steelyard weigh` with a method that looks at texts, of which it has none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steelyard.reliability import ALL_ESTIMATORS, FEATURE_ESTIMATORS

STUDENTS = [kind for kind, estimator in ALL_ESTIMATORS.items() if estimator.needs_student]


@pytest.mark.parametrize("kind", [*FEATURE_ESTIMATORS, "graph_denoising", *STUDENTS])
@pytest.mark.parametrize("method", ["{kind}", "{{kind: {kind}, max_tokens: 64}}"])
def test_weigh_has_no_texts(
    kind: str, method: str, steelyard: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "votes.csv").write_text("id,voter,answer\nq1,ann,ham\nq1,bob,spam\n")
    words = method.format(kind=kind)
    assert steelyard("weigh", "votes.csv", "--method", words, "--out", "out").error == (
        f"error: Method `{kind}` looks at the texts, and `weigh` has votes alone; give it to an "
        "arm of a study, or take one of the others."
    )
    assert not (tmp_path / "out").exists()
