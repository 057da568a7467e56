"""Settings that changed their name: the old one works for one version, with a note."""

import logging
from typing import Any

log = logging.getLogger(__name__)


def rename_settings(settings: Any, names: dict[str, str]) -> Any:
    """Settings with old names replaced by new ones; each replacement is logged.

    Args:
        settings: what pydantic is given; anything but a mapping is returned unchanged.
        names: old name -> new name.

    Raises:
        ValueError: both the old and the new name are given.
    """
    if not isinstance(settings, dict) or not names.keys() & settings.keys():
        return settings
    renamed = {}
    for name, value in settings.items():
        new = names.get(name, name)
        if new != name:
            if new in settings:
                raise ValueError(f"`{name}` is the old name of `{new}`; give `{new}` alone")
            log.warning("The setting `%s` is now called `%s`; the old name goes soon.", name, new)
        renamed[new] = value
    return renamed


def rename_value(value: str, names: dict[str, str]) -> str:
    """A value with an old name replaced by the new one, which is logged."""
    new = names.get(value, value)
    if new != value:
        log.warning("`%s` is now called `%s`; the old name goes soon.", value, new)
    return new
