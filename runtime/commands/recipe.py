"""`voxgate recipe ...`: what is on the box, and putting one more on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The recipes of a cell.", no_args_is_help=True)
Config = Annotated[Path, typer.Option(help="The cell's YAML: its folder, and whom it trusts.")]


@app.command()
def install(
    recipe: Annotated[Path, typer.Argument(help="Folder of the recipe, wherever it was made.")],
    config: Config,
) -> None:
    """Check a recipe as the service would, and put it into the cell's folder in one step."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.recipe.store import install as install_recipe
    from voxgate.runtime.recipe.store import trust_of

    recipes = load_cell(config).config.recipes
    label = install_recipe(recipe, recipes.folder, trust_of(recipes))
    typer.echo(f"{label} is installed: the robot's prepare_recipe, or recipes.default, chooses it")


@app.command("list")
def list_recipes(config: Config) -> None:
    """Every recipe of the cell, who signed it, and why it would be refused; exit 2 if one would."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.recipe.store import stored, trust_of

    recipes = load_cell(config).config.recipes
    refused = False
    for found in stored(recipes.folder, trust_of(recipes)):
        refused |= found.problem is not None
        typer.echo(f"{found.label}  {found.problem or found.signer or 'not signed'}")
    raise typer.Exit(2 if refused else 0)
