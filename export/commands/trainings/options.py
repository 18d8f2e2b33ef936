"""What every training of golden scans is asked, and how it is run and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.console import progress_bar, task_on

if TYPE_CHECKING:
    from voxgate.export.training.train import Open, Training

Scans = Annotated[
    list[Path],
    typer.Option(help="Golden scan; further ones of the same part after it. Repeatable."),
]
Model = Annotated[Path, typer.Option(help="The new model; its log is written beside it.")]
Colour = Annotated[bool, typer.Option(help="Learn the picture too; grey counts thrice.")]
Epochs = Annotated[int, typer.Option(min=1, max=100000, help="As published: 50.")]
Turned = Annotated[
    int, typer.Option(min=0, max=1000, help="Copies of each sample turned by up to 5 degrees.")
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")]
Minutes = Annotated[
    float | None, typer.Option(min=0.0, help="Begin no epoch after so long; default: all of them.")
]


def run_training(training: Training, opened: Open, as_json: bool) -> None:
    """Train, and say what was written and what to type next."""
    from voxgate.export.training.train import kept_of, train

    try:
        with progress_bar(as_json) as progress:
            found = train(training, opened, task_on(progress, "train"))
    except (KeyboardInterrupt, SystemExit):  # the latter by the library that has an engine
        if kept_of(training.out).exists():
            typer.echo("stopped; the same command goes on after the last whole epoch", err=True)
        raise
    said = found.to_json()
    if as_json:
        typer.echo(json.dumps(said))
        return
    out = training.out
    typer.echo(
        f"model written: {out} ({said['epochs']} of {said['planned_epochs']} epochs; log: "
        f"{said['log']}); voxgate export {training.method} --checkpoint {out} "
        f"--scan {training.scans[0]} --out RECIPE"
    )
