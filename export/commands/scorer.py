"""`voxgate scorer`: a recipe with a classifier over its zones, trained from few scans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.export.commands.recipe_options import NewRecipe, NewVersion, OldRecipe
from voxgate.runtime.commands.console import errors_as_json, progress_bar, stdout_console, task_on
from voxgate.runtime.commands.options import AsJson
from voxgate.runtime.errors import RecipeError

if TYPE_CHECKING:
    from voxgate.export.quality.scorer import OnRow, Samples
    from voxgate.runtime.recipe.recipe import Recipe
    from voxgate.runtime.recipe.zones import Zones


class ForestName(str, Enum):
    """SegAD's classifier and the two of its ablation."""

    BRF = "brf"
    RF = "rf"
    BT = "bt"


def scorer(
    recipe: OldRecipe,
    good: Annotated[list[Path], typer.Option(help="Scan of a good part. Repeatable.")],
    out: NewRecipe,
    version: NewVersion,
    bad: Annotated[list[Path] | None, typer.Option(help="Scan of a bad part. Repeatable.")] = None,
    generated: Annotated[
        int, typer.Option(min=0, max=10_000, help="Defects to put on the good scans.")
    ] = 24,
    kind: Annotated[
        ForestName, typer.Option(help="Boosted random forest, random forest, boosted trees.")
    ] = ForestName.BRF,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Each detector alone, every forest: held-out rows.")
    ] = False,
    zones: Annotated[
        Path | None, typer.Option(help="JSON of zones; default: the recipe's, else the whole part.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a classifier (SegAD): it may fail a part that no place fails, never the reverse."""
    from voxgate.export.packing.each_camera import each_rewritten
    from voxgate.export.quality.scorer import Samples
    from voxgate.runtime.recipe.recipe import Recipe

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        samples = Samples(tuple(good), tuple(bad or ()), generated)
        made = {
            camera: _trained(own, zones, samples, kind, ablation, task_on(progress, "train"))
            for camera, own in Recipe.load(recipe).cameras.items()
        }
        written = each_rewritten(recipe, out, version, {name: m.files for name, m in made.items()})
    said = {"recipe": str(out), "label": written.label}
    if as_json:
        told = {camera: each.told for camera, each in made.items()}
        typer.echo(json.dumps(said | told.get("", {"cameras": told})))
        return
    typer.echo(f"recipe written: {out} (not signed)")
    for camera, each in made.items():
        _show(camera, each)


@dataclass(frozen=True, slots=True)
class _Made:
    """Of one camera: files of its recipe, what is told, and the ablation's rows."""

    files: dict[str, bytes]
    told: dict[str, Any]
    compared: Sequence[Any]


def _trained(
    loaded: Recipe,
    zones: Path | None,
    samples: Samples,
    kind: ForestName,
    ablation: bool,
    on_row: OnRow,
) -> _Made:
    from voxgate.export.quality.scorer import table_of, train_scorer
    from voxgate.export.quality.scorer_ablation import held_out
    from voxgate.runtime.recipe.manifest import SCORER_FILE, ZONES_FILE
    from voxgate.runtime.recipe.scorer import write_scorer
    from voxgate.runtime.recipe.zones import write_zones

    own = _zones(loaded, zones)
    table = table_of(loaded, own, samples, on_row)
    trained = train_scorer(table, own, kind.value)
    compared = held_out(table) if ablation else ()
    threshold = {**loaded.threshold, "scorer": trained.record}
    files = {
        SCORER_FILE: write_scorer(trained.scorer),
        ZONES_FILE: write_zones(own),
        "threshold.json": (json.dumps(threshold, indent=2, allow_nan=False) + "\n").encode(),
    }
    rows = {"ablation": [asdict(row) for row in compared]} if ablation else {}
    return _Made(files, {**trained.record, **rows}, compared)


def _zones(recipe: Recipe, file: Path | None) -> Zones:
    """The recipe's own, the file's, or the whole part as one."""
    from voxgate.export.quality.zone_file import load_zones
    from voxgate.runtime.recipe.zones import Zones

    if file is None:
        return recipe.zones or Zones.whole(1.0, recipe.grid.voxel_mm)
    if recipe.zones is not None:
        raise RecipeError(f"recipe {recipe.label} has zones already: leave --zones away")
    return load_zones(file, recipe.grid.voxel_mm)


def _show(camera: str, made: _Made) -> None:
    from voxgate.export.quality.scorer_ablation import as_table

    told = made.told
    typer.echo(
        f"{f'camera {camera}: ' if camera else ''}{told['rows']} rows, {told['bad_rows']} of bad "
        f"parts by {', '.join(told['detectors'])}; AUROC on them {told['training_auroc']:.3f}"
    )
    if made.compared:
        stdout_console().print(as_table(made.compared, "Cl. AUROC on rows held out of training"))
