"""`voxgate threshold`: from good parts alone, the threshold, and what they prove of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.export.commands.recipe_options import OldRecipe
from voxgate.runtime.commands.console import errors_as_json, progress_bar, stdout_console
from voxgate.runtime.commands.options import AsJson
from voxgate.runtime.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.export.quality.parts_seen import PartScores
    from voxgate.export.quality.zone_thresholds import ZoneThreshold
    from voxgate.runtime.recipe.recipe import Recipe

    Found = tuple[tuple[ZoneThreshold, ...], dict[str, Any]]

AGAIN = 16  # a single scan seen again: twice the scores that a tail needs at least


def threshold(
    recipe: OldRecipe,
    scans: Annotated[list[Path] | None, typer.Argument(help="Scans of good parts.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a new recipe here; without it, only tell.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Of the new recipe.")] = None,
    false_rejects: Annotated[
        float, typer.Option(min=1e-9, max=0.5, help="Share of good parts that may be rejected.")
    ] = 0.01,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="A tail law may stand in for parts not seen.")
    ] = False,
    again: Annotated[
        int | None,
        typer.Option(min=0, max=10_000, help="See each scan again so often; 16 for a single one."),
    ] = None,
    zones: Annotated[
        Path | None, typer.Option(help="JSON of zones, each with a threshold of its own.")
    ] = None,
    bad: Annotated[
        list[Path] | None, typer.Option(help="Scan of a bad part, for the table. Repeatable.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also by scans that the recipe FAILs: they are good.")
    ] = False,
    marks: Annotated[
        Path | None,
        typer.Option(help="Of the recordings take those that people called good on the page."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Derive the recipe's own thresholds again, compare.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the threshold from good parts; exit 2 when the false reject target cannot be met."""
    from voxgate.export.quality.review import called_good
    from voxgate.runtime.recipe.recipe import Recipe

    with errors_as_json(as_json):
        loaded = Recipe.load(recipe)
        if check:
            _check(loaded, as_json)
            return
        if not scans:
            raise RecipeError("name at least one scan of a good part")
        if marks is not None:
            scans = called_good(scans, marks)
        if out is not None and version is None:
            raise RecipeError("a new recipe needs a --version of its own")
        # a part is passed when every camera passes it: each may reject its share
        share = false_rejects / len(loaded.cameras)
        made = {}
        for camera, own in loaded.cameras.items():
            with _named(camera):
                made[camera] = _found(
                    own, scans, bad or [], zones, share, extrapolate, again, force, as_json
                )
        if out is not None:
            _write(recipe, out, version or "", loaded, zones, made)
    if as_json:
        typer.echo(json.dumps(_json(made) | {"recipe": None if out is None else str(out)}))
        return
    for camera, (found, record) in made.items():
        _show(camera, found, record)
    if out is not None:
        stdout_console().print(f"recipe written: {out} (not signed)", highlight=False)


@contextmanager
def _named(camera: str) -> Iterator[None]:
    """What is wrong is told with the camera's name."""
    try:
        yield
    except RecipeError as error:
        raise (RecipeError(f"camera {camera}: {error}") if camera else error) from error


def _json(made: Mapping[str, Found]) -> dict[str, Any]:
    """Of one camera its record, of several by their names."""
    records = {camera: record for camera, (_, record) in made.items()}
    return records.get("", {"cameras": records})


def _found(
    recipe: Recipe,
    scans: list[Path],
    bad: list[Path],
    zone_file: Path | None,
    false_rejects: float,
    extrapolate: bool,
    again: int | None,
    force: bool,
    as_json: bool,
) -> Found:
    from voxgate.export.quality.parts_seen import scores_of
    from voxgate.export.quality.zone_thresholds import Target, derive, record, rounded

    if recipe.zones is not None:
        raise RecipeError(
            f"recipe {recipe.label} has thresholds already: start from the recipe it was made from"
        )
    target = Target(false_rejects, extrapolate)
    own = _zones(recipe, zone_file)
    repeats = (AGAIN if len(scans) == 1 else 0) if again is None else again
    steps = len(scans) * (2 if repeats else 1) + len(bad)
    with progress_bar(as_json) as progress:
        task = progress.add_task("inspect", total=steps)

        def step(what: str) -> None:
            progress.update(task, advance=1, description=Path(what).name)

        good = [rounded(each) for each in scores_of(recipe, own, scans, repeats, step)]
        wrong = [rounded(each) for each in scores_of(recipe, own, bad, 0, step)] if bad else []
    if not force:
        _refuse_failed(good)
    found = derive(good, own.names, target)
    return found, record(good, found, target, wrong)


def _refuse_failed(good: list[PartScores]) -> None:
    """One bad part named good moves the threshold over its defect, and every such part passes."""
    failed = [each for each in good if each.independent and max(each.zones.values()) >= 1.0]
    if failed:
        names = ", ".join(f"{each.scan} ({max(each.zones.values()):.2f})" for each in failed)
        raise RecipeError(
            f"this recipe FAILs {names}: look at the part, leave the scan out if it is bad, or say "
            "--force if all of them are good"
        )


def _zones(recipe: Recipe, zone_file: Path | None) -> Any:
    from voxgate.export.quality.zone_file import load_zones
    from voxgate.runtime.recipe.zones import Zones

    voxel_mm = recipe.grid.voxel_mm
    return Zones.whole(1.0, voxel_mm) if zone_file is None else load_zones(zone_file, voxel_mm)


def _write(
    source: Path,
    out: Path,
    version: str,
    recipe: Recipe,
    zone_file: Path | None,
    made: Mapping[str, Found],
) -> None:
    from voxgate.export.packing.each_camera import each_rewritten

    files = {
        camera: _files(own, zone_file, *made[camera]) for camera, own in recipe.cameras.items()
    }
    each_rewritten(source, out, version, files)


def _files(
    recipe: Recipe,
    zone_file: Path | None,
    found: tuple[ZoneThreshold, ...],
    record: dict[str, Any],
) -> dict[str, bytes]:
    from voxgate.runtime.recipe.manifest import ZONES_FILE
    from voxgate.runtime.recipe.zones import write_zones

    zones = _zones(recipe, zone_file).with_thresholds([each.threshold for each in found])
    before = {"before": dict(recipe.threshold)}
    text = json.dumps({**record, **before}, indent=2, allow_nan=False) + "\n"
    return {ZONES_FILE: write_zones(zones), "threshold.json": text.encode()}


def _check(recipe: Recipe, as_json: bool) -> None:
    again = {camera: _derived(own) for camera, own in recipe.cameras.items()}
    if as_json:
        typer.echo(json.dumps({"ok": True, **_zones_of(again)}))
        return
    for camera, zones in again.items():
        typer.echo(f"{' '.join((recipe.label, camera)).rstrip()}: {zones}")


def _zones_of(again: dict[str, dict[str, float]]) -> dict[str, Any]:
    return {"zones": again[""]} if "" in again else {"cameras": again}


def _derived(recipe: Recipe) -> dict[str, float]:
    """As its scores say, and as it serves. Raises RecipeError."""
    from voxgate.export.quality.zone_thresholds import derive_again

    again = {each.zone: each.threshold for each in derive_again(recipe.threshold)}
    stored = {str(z["zone"]): float(z["threshold"]) for z in recipe.threshold["zones"]}
    served = (
        {}
        if recipe.zones is None
        else dict(zip(recipe.zones.names, recipe.zones.thresholds.tolist(), strict=True))
    )
    if not again == stored == served:
        raise RecipeError(
            f"recipe {recipe.model_label}: its scores lead to {again}, it says {stored} and serves "
            f"{served}: find its threshold again"
        )
    return again


def _show(camera: str, found: tuple[ZoneThreshold, ...], record: dict[str, Any]) -> None:
    from rich.table import Table

    from voxgate.export.quality.zone_thresholds import good_parts

    console = stdout_console()
    if camera:
        console.print(f"camera {camera}")
    table = Table("zone", "threshold", "rests on", "best law", "p", "proven", "proven at 95 %")
    for each in found:
        best = each.laws[0] if each.laws else None
        table.add_row(
            each.zone,
            f"{each.threshold:.3f}",
            each.source,
            "-" if best is None else f"{best.name}{'' if best.believed else ' (rejected)'}",
            "-" if best is None else f"{best.p_value:.2f}",
            f"{each.proven:.1%}",
            f"{each.proven_95:.1%}",
        )
    console.print(table)
    console.print(
        f"{good_parts(record['parts'])} {record['proven_false_rejects']:.1%} false rejects; "
        f"{record['target']['rate']:.2%} needs {record['parts_for_target']}",
        highlight=False,
    )
    if record["table"]:
        escapes = Table("threshold x", "escapes", "overkill")
        for row in record["table"]:
            escapes.add_row(
                f"{row['threshold']:.3f}",
                f"{row['escapes']} of {row['bad']}",
                f"{row['overkill']} of {row['good']}",
            )
        console.print(escapes)
