"""Settings that changed their name: the old name is accepted for one version, with a note."""

import logging
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)


def renamed(settings: Any, names: Mapping[str, str]) -> Any:
    """Replace old names of settings by new ones, with a log line for each.

    Args:
        settings: input of a model; anything but a mapping is returned unchanged.
        names: old name -> new name.

    Raises:
        ValueError: a setting is given under both names.
    """
    if not isinstance(settings, Mapping):
        return settings
    changed = dict(settings)
    for old, new in names.items():
        if old not in changed:
            continue
        if new in changed:
            raise ValueError(f"`{old}` is the old name of `{new}`; give `{new}` only")
        log.warning("The setting `%s` is called `%s` now; please rename it.", old, new)
        changed[new] = changed.pop(old)
    return changed


def renamed_value(value: str, names: Mapping[str, str]) -> str:
    """Replace the old name of a setting's value by the new one, with a log line."""
    new = names.get(value, value)
    if new != value:
        log.warning("`%s` is called `%s` now; please rename it.", value, new)
    return new
