"""Kinds from outside the package: named by entry points, or given as objects in Python.

A package that offers a kind names its class in the entry-point group `steelyard.plugins`, under the
kind. Nothing is imported before its name is asked for.
"""

import importlib
from importlib.metadata import entry_points
from typing import Any

from steelyard.errors import ConfigError

GROUP = "steelyard.plugins"


def find_plugin(kind: str, method: str) -> Any | None:
    """The class or function that an installed package registers under a name, or None.

    Args:
        kind: name of the entry point.
        method: what it must have, such as `vote` for a supervisor: one name may be registered
            for a supervisor and for a student.

    Raises:
        ConfigError: it cannot be imported.
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


def check_not_taken(kind: str, method: str) -> None:
    """Refuse a built-in kind that an installed package offers as well: which one is meant?

    Raises:
        ConfigError: a plugin has the name of this built-in kind.
    """
    offer = find_plugin(kind, method)
    if offer is not None:
        raise ConfigError(
            f"`{kind}` is a built-in kind, and the plugin {offer.__module__}:{offer.__qualname__} "
            "has the same name; rename the plugin's entry point, or uninstall its package."
        )


def is_foreign(value: object) -> bool:
    """Whether the class of an object is defined outside the package."""
    return type(value).__module__.partition(".")[0] != "steelyard"


def class_path(cls: type) -> str:
    """The path of a class, `module:name`."""
    return f"{cls.__module__}:{cls.__qualname__}"


def import_class(path: str) -> Any:
    """Import the class at `module:name`.

    Raises:
        ImportError: there is no such module.
        AttributeError: the module has no such name.
    """
    module, _, name = path.partition(":")
    loaded: Any = importlib.import_module(module)
    for part in name.split("."):
        loaded = getattr(loaded, part)
    return loaded


def is_importable(cls: type) -> bool:
    """Whether another process can import the class; not if a script or a function defines it."""
    if cls.__module__ == "__main__":
        return False
    try:
        return import_class(class_path(cls)) is cls
    except (ImportError, AttributeError):
        return False
