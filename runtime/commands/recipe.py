"""`voxgate recipe ...`: what is on the box, and putting one more on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.runtime.commands.console import at_work
from voxgate.runtime.commands.keys import AskPassphrase
from voxgate.runtime.commands.options import CellFile

app = typer.Typer(help="The recipes of a cell.", no_args_is_help=True)


@app.command()
def install(
    recipe: Annotated[Path, typer.Argument(help="Folder of the recipe, wherever it was made.")],
    config: CellFile,
) -> None:
    """Check a recipe as the service would, and put it into the cell's folder in one step."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.recipe.store import install as install_recipe
    from voxgate.runtime.recipe.store import trust_of

    recipes = load_cell(config).config.recipes
    with at_work("proving the recipe"):
        label = install_recipe(recipe, recipes.folder, trust_of(recipes))
    typer.echo(f"{label} is installed: the robot's prepare_recipe, or recipes.default, chooses it")


@app.command("list")
def list_recipes(config: CellFile) -> None:
    """Every recipe of the cell, who signed it, and why it would be refused; exit 2 if one would."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.recipe.store import stored

    recipes = load_cell(config).config.recipes
    refused = False
    with at_work("opening every recipe"):
        recipes_there = list(stored(recipes))
    for found in recipes_there:
        refused |= found.problem is not None
        typer.echo(f"{found.label}  {found.problem or found.signer or 'not signed'}")
    raise typer.Exit(2 if refused else 0)


@app.command()
def release(
    recipe: Annotated[Path, typer.Argument(help="Folder that holds the recipe's versions.")],
    key: Annotated[Path, typer.Option(help="Secret file of `voxgate keys signer`.")],
    at_least: Annotated[str | None, typer.Option(help="No version before this one serves.")] = None,
    revoke: Annotated[
        list[str] | None, typer.Option(help="A version that never serves again. Repeatable.")
    ] = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Say which versions of a recipe may serve: write its signed RELEASE.json."""
    from voxgate.runtime.recipe.release import RELEASE_FILE, sign_release, write_release
    from voxgate.runtime.wire.keys import load_signer

    passphrase = typer.prompt("passphrase", hide_input=True, err=True) if ask_passphrase else None
    signed = sign_release(
        recipe.resolve().name, at_least, tuple(revoke or ()), load_signer(key, passphrase)
    )
    write_release(recipe, signed)
    typer.echo(f"{recipe / RELEASE_FILE}: signed by {signed.public_key}")
