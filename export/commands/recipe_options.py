"""Options of the commands that make a recipe, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GoldenScan = Annotated[Path, typer.Option(help="Folder of the golden scan.")]
OldRecipe = Annotated[Path, typer.Argument(help="Folder of the recipe.")]
NewRecipe = Annotated[Path, typer.Option(help="Folder of the new recipe; it must not exist.")]
RecipeName = Annotated[str | None, typer.Option(help="Recipe name; default: the part's.")]
RecipeVersion = Annotated[str, typer.Option(help="Recipe version.")]
CheckTensorRT = Annotated[
    bool,
    typer.Option(
        "--check-tensorrt",
        help="Also build the graph for two RTX cards, by a real TensorRT: no GPU is needed. What "
        "it takes to run is held against --gpu-mb.",
    ),
]
VoxelMm = Annotated[
    float | None,
    typer.Option(min=0.1, max=100, help="Edge of a voxel; default: as the scan's grid.json says."),
]
NewVersion = Annotated[str, typer.Option(help="Of the new recipe.")]
