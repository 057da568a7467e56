"""What `import steelyard` shows is exactly what it promises."""

import subprocess
import sys

import pytest

import steelyard


def test_dir_shows_exactly_the_public_names() -> None:
    assert dir(steelyard) == steelyard.__all__
    assert steelyard.__all__ == sorted(set(steelyard.__all__))


@pytest.mark.parametrize("name", steelyard.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(steelyard, name)
    assert getattr(value, "__module__", "steelyard").startswith("steelyard")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'steelyard' has no attribute 'DawidSkeen'"):
        steelyard.DawidSkeen  # noqa: B018


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, steelyard; print('numpy' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
