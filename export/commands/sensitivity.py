"""`voxgate sensitivity`: defects put on good parts, and which of them a recipe finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.export.commands.recipe_options import OldRecipe
from voxgate.runtime.commands.console import errors_as_json, progress_bar, stdout_console
from voxgate.runtime.commands.options import AsJson
from voxgate.runtime.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from voxgate.export.quality.sensitivity import Asked, Tried
    from voxgate.runtime.recipe.recipe import Recipe

SIZES_MM = (3.0, 6.0)
MOST_SHOWN = 12  # of what passed


def sensitivity(
    recipe: OldRecipe,
    scans: Annotated[
        list[Path], typer.Argument(help="Scans of good parts; the golden scan is put down again.")
    ],
    size_mm: Annotated[
        list[float] | None,
        typer.Option(min=0.2, max=100, help="Of a defect, across. Repeatable; default: 3 and 6."),
    ] = None,
    height_mm: Annotated[
        float, typer.Option(min=0.05, max=50, help="Of a bump, and depth of a dent.")
    ] = 1.5,
    contrast: Annotated[
        float, typer.Option(min=1, max=255, help="Of a patch and a scratch, in grey levels.")
    ] = 60.0,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Defects of each kind and size.")] = 8,
    at_least: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Share that must be found; else exit 2."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put defects on good parts and tell which of them the recipe finds."""
    from voxgate.export.quality.sensitivity import Asked
    from voxgate.runtime.recipe.recipe import Recipe

    asked = Asked(tuple(sorted(set(size_mm or SIZES_MM))), height_mm, contrast, count)
    with errors_as_json(as_json):
        loaded = Recipe.load(recipe)
        found = {
            camera: _tried(own, scans, asked, camera, as_json)
            for camera, own in loaded.cameras.items()
        }
    missed = _missed(found, at_least)
    if as_json:
        typer.echo(json.dumps(_json(found) | ({} if missed is None else {"error": missed})))
    else:
        for camera, tried in found.items():
            _show(camera, tried, asked)
    if missed is not None:
        raise RecipeError(missed)


def _tried(
    recipe: Recipe, scans: list[Path], asked: Asked, camera: str, as_json: bool
) -> list[Tried]:
    from voxgate.export.quality.sensitivity import sensitivity as of_recipe

    with progress_bar(as_json) as progress:
        task = progress.add_task(f"camera {camera}" if camera else "inspect", total=asked.total)

        def step(tried: Tried) -> None:
            progress.update(task, advance=1, description=f"{tried.kind} {tried.size_mm:g} mm")

        return of_recipe(recipe, scans, asked, step)


def _show(camera: str, tried: Sequence[Tried], asked: Asked) -> None:
    from rich.table import Table

    console = stdout_console()
    sizes = [f"{size_mm:g} mm" for size_mm in asked.sizes_mm]
    table = Table("found", *sizes, title=f"camera {camera}" if camera else None)
    for kind in dict.fromkeys(each.kind for each in tried):
        own = [each for each in tried if each.kind == kind]
        table.add_row(kind, *(_share(own, size_mm) for size_mm in asked.sizes_mm))
    console.print(table)
    console.print(_sum(tried), highlight=False)
    passed = [each for each in tried if each.passed]
    for each in passed[:MOST_SHOWN]:
        console.print(f"  PASS: {_place(each)}", highlight=False, soft_wrap=True)
    if len(passed) > MOST_SHOWN:
        console.print(f"  and {len(passed) - MOST_SHOWN} more: --json has all", highlight=False)


def _share(tried: Sequence[Tried], size_mm: float) -> str:
    own = [each for each in tried if each.size_mm == size_mm]
    return f"{sum(each.found for each in own)} of {len(own)}"


def _sum(tried: Sequence[Tried]) -> str:
    from voxgate.export.quality.sensitivity import CONFIDENCE, counts, proven_share

    of, found, passed = len(tried), *counts(tried)
    return (
        f"{found} of {of} FAIL, {of - found - passed} INDETERMINATE, {passed} would PASS; of such "
        f"defects at least {proven_share(found, of):.0%} are found ({CONFIDENCE:.0%} confidence)"
    )


def _place(tried: Tried) -> str:
    x, y, z = tried.centre_mm
    score = "no score" if tried.score is None else f"score {tried.score:.2f}"
    return (
        f"{tried.kind} of {tried.size_mm:g} mm at ({x:.1f}, {y:.1f}, {z:.1f}) mm of {tried.scan}, "
        f"{score}"
    )


def _json(found: Mapping[str, Sequence[Tried]]) -> dict[str, Any]:
    """Of one camera its list, of several by their names."""
    from dataclasses import asdict

    from voxgate.export.quality.sensitivity import counts

    told = {
        camera: {
            **dict(zip(("found", "passed"), counts(tried), strict=True)),
            "tried": [asdict(each) | {"outcome": each.outcome.value} for each in tried],
        }
        for camera, tried in found.items()
    }
    return told.get("", {"cameras": told})


def _missed(found: Mapping[str, Sequence[Tried]], at_least: float | None) -> str | None:
    """Who finds less than its share, of what its camera sees; None: nobody."""
    from voxgate.export.quality.sensitivity import counts

    for camera, tried in found.items():
        count, _ = counts(tried)
        if at_least is not None and count < at_least * len(tried):
            who = f"camera {camera}" if camera else "the recipe"
            return (
                f"{who} finds {count} of {len(tried)}, {at_least:.0%} are asked: teach more views, "
                "choose another detector, or ask for larger defects"
            )
    return None
