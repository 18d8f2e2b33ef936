"""`voxgate export METHOD`: one light module per command; torch is imported when one is run."""

from __future__ import annotations

import typer

from export.commands.reference import reference

app = typer.Typer(help="Turn a golden scan or a trained model into a recipe.", no_args_is_help=True)
app.command("reference")(reference)
