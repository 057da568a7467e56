"""Settings that cannot work are refused before anything is read."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from steelyard.data import Data


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "`train` and `test` must both be given (files), `train` and `test` are not."),
        ({"train": "a.csv"}, "`train` and `test` must both be given (files), `test` is not."),
        ({"hub": "org/x", "train": "train"}, "must both be given (split names of `hub`)"),
        ({"train": "a.csv", "test": "a.csv"}, "`train` and `test` must differ"),
        ({"generated": "errands", "hub": "org/x"}, "brings its own rows, but `hub` is set too."),
        ({"train": "a", "test": "b", "subset": "en"}, "`subset` belongs to `hub`"),
        ({"generated": "errands", "columns": {"txt": "s"}}, "Did you mean 'text'?"),
        ({"generated": "errands", "weak_train": -1}, "greater than or equal to 0"),
        ({"generated": "errands", "wek_train": 9}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_work_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Data(**fields)
    assert message in str(error.value)


def test_the_three_sources_are_accepted() -> None:
    assert Data(train="a.csv", test="b.csv").weak_train == 300
    assert Data(hub="org/x", subset="en", train="train", test="test").leaks == "report"
    assert Data(generated="errands").strong_train is None


def test_settings_are_imported_without_heavy_libraries() -> None:
    code = "import sys, steelyard.data.settings; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    heavy = {"torch", "transformers", "datasets", "sklearn", "scipy", "pyarrow", "pandas"}
    assert "steelyard.data.settings" in modules.split()
    assert not heavy & set(modules.split())
