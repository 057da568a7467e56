"""`steelyard why`: what made each stored result of a study, and whether it is up to date."""

from typing import TYPE_CHECKING, Annotated

import typer

from steelyard.cli.options import RunFolder

if TYPE_CHECKING:
    from steelyard.studies.why import Explanation

EXAMPLE = ("steelyard why runs/demo seed-0/filter", "docs/study.md")


def why(
    run: RunFolder,
    artifact: Annotated[
        str | None,
        typer.Argument(
            metavar="RESULT",
            help="Show only the results whose role or name contains this text, in full.",
        ),
    ] = None,
) -> None:
    """Show the inputs of each stored result of a study, and why it is or is not up to date."""
    from steelyard.studies.why import explain

    explanations = explain(run, artifact)
    if artifact is None:
        _print_summary(explanations)
    else:
        for entry in explanations:
            _print_full(entry)
    if any(entry.unchecked for entry in explanations):
        print(
            "note: whether these results are up to date was not checked, because that needs the "
            "extra `train`: pip install 'steelyard[train]'"
        )


def _print_summary(explanations: "list[Explanation]") -> None:
    stale = [entry for entry in explanations if entry.changes]
    for entry in stale:
        print(f"{entry.role}: out of date, will be made again")
        for change in entry.changes:
            print(f"  {change}")
    if any(entry.unchecked for entry in explanations):
        for entry in explanations:
            print(f"{entry.role}  ({entry.name})")
        return
    count = len(explanations)
    fresh = count - len(stale)
    if stale:
        print(f"{fresh} of {count} stored results are up to date.")
        print("Results that depend on those out of date are made again too.")
    else:
        print(f"All {count} stored results are up to date.")


def _print_full(entry: "Explanation") -> None:
    print(f"{entry.role}  ({entry.name})")
    if entry.recipe is not None:
        recipe = entry.recipe
        print(f"  made by: {recipe.kind}, version {recipe.version}")
        for title, values in (
            ("settings", recipe.settings),
            ("inputs", recipe.inputs),
            ("libraries", recipe.libraries),
        ):
            for key, value in values.items():
                print(f"  {title}.{key} = {value}")
    for change in entry.changes:
        print(f"  will be made again: {change}")
    if not entry.changes and not entry.unchecked:
        print("  up to date")
