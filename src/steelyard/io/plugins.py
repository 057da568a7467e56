"""Kinds that are not part of the package: named by entry points, or given as objects in Python.

A package that offers a kind names its class in the entry-point group `steelyard.plugins`, under the
kind; a metric is a function under its name. Nothing is imported before its name is asked for.
"""

import importlib
from importlib.metadata import entry_points
from typing import Any

from steelyard.errors import ConfigError

GROUP = "steelyard.plugins"


def find_plugin(kind: str, method: str) -> Any | None:
    """What an installed package offers under a name; None if there is no such offer.

    Args:
        kind: name of the entry point.
        method: what the offer must have, such as `vote` of a supervisor: one name may stand for a
            supervisor and for a student.

    Raises:
        ConfigError: the offer cannot be imported.
    """
    for entry in entry_points(group=GROUP, name=kind):
        try:
            offer = entry.load()
        except Exception as error:
            raise ConfigError(
                f"The plugin `{kind}` = {entry.value} cannot be imported "
                f"({type(error).__name__}: {error}); repair or uninstall its package."
            ) from error
        if hasattr(offer, method):
            return offer
    return None


def is_foreign(value: object) -> bool:
    """Whether an object's class is not one of the package's own."""
    return type(value).__module__.partition(".")[0] != "steelyard"


def class_path(cls: type) -> str:
    """Where a class is, as `module:name`."""
    return f"{cls.__module__}:{cls.__qualname__}"


def import_class(path: str) -> Any:
    """The class at `module:name`.

    Raises:
        ImportError: there is no such module.
        AttributeError: the module has no such name.
    """
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def is_importable(cls: type) -> bool:
    """Whether another process finds the class by its path: not of a script or a function."""
    if cls.__module__ == "__main__":
        return False
    try:
        return import_class(class_path(cls)) is cls
    except (ImportError, AttributeError):
        return False
