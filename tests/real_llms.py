"""Real language models for tests, which skip without them; see `STEELYARD_LLMS`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = {
    "SmolLM2-135M-Instruct": "smollm2-135m",
    "Qwen2.5-Coder-0.5B-Instruct": "qwen2.5-coder-0.5b",
}
FETCH = Path(__file__).parents[2] / "shared" / "models" / "fetch_llms.py"


def real_llm(name: str = "SmolLM2-135M-Instruct") -> str:
    """A model's folder in $STEELYARD_LLMS, or in the cache, where it is fetched once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "steelyard-llms"
    root = Path(os.environ.get("STEELYARD_LLMS") or cache)
    if not (root / name / "config.json").is_file():
        if not FETCH.is_file() or "STEELYARD_LLMS" in os.environ:
            pytest.skip(f"{name} is not in {root}; set STEELYARD_LLMS to a folder that has it")
        command = [sys.executable, str(FETCH), str(root), NAMES[name]]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=600)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"{name} cannot be fetched here: {error}")
    return str(root / name)
