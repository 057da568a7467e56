"""What `steelyard why` prints."""

from pathlib import Path

from steelyard.studies.why import Explanation, explain


def print_why(folder: Path, wanted: str | None) -> None:
    """One line for each artifact; in full where one is asked for."""
    found = explain(folder, wanted)
    if wanted is None:
        _print_all(found)
    else:
        for entry in found:
            _print_one(entry)


def _print_all(found: list[Explanation]) -> None:
    stale = [entry for entry in found if entry.changes]
    for entry in stale:
        print(f"{entry.role}: would be made again")
        for change in entry.changes:
            print(f"  {change}")
    fresh = len(found) - len(stale)
    print(f"{fresh} of {len(found)} artifacts would be read as they are.")
    if stale:
        print("What depends on those made again is made again too.")


def _print_one(entry: Explanation) -> None:
    print(f"{entry.role}  ({entry.name})")
    if entry.recipe is not None:
        recipe = entry.recipe
        print(f"  made by: {recipe.kind}, version {recipe.version}")
        for title, words in (
            ("settings", recipe.settings),
            ("inputs", recipe.inputs),
            ("libraries", recipe.libraries),
        ):
            for key, value in words.items():
                print(f"  {title}.{key} = {value}")
    for change in entry.changes:
        print(f"  would be made again: {change}")
    if not entry.changes:
        print("  would be read as it is")
