"""`voxgate train METHOD`: golden scans become a model that `voxgate export METHOD` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import workstation
from voxgate.export.commands.methods.options import Representation, RepresentationName
from voxgate.runtime.commands.console import errors_as_json, progress_bar, task_on
from voxgate.runtime.commands.options import AsJson, CalibrationFile

Scans = Annotated[
    list[Path],
    typer.Option(help="Golden scan; further ones of the same part after it. Repeatable."),
]
Model = Annotated[Path, typer.Option(help="The new model; its log is written beside it.")]
Colour = Annotated[bool, typer.Option(help="Learn the picture too; grey counts thrice.")]
Epochs = Annotated[int, typer.Option(min=1, max=100000, help="The appendix: 50.")]
Turned = Annotated[
    int, typer.Option(min=0, max=1000, help="Copies of each sample turned by up to 5 degrees.")
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")]
Minutes = Annotated[
    float | None, typer.Option(min=0.0, help="Begin no epoch after so long; default: all of them.")
]

app = typer.Typer(help="Train a network on golden scans.", no_args_is_help=True)


@app.command("autoencoder")
def train_autoencoder(
    scan: Scans,
    out: Model,
    shape: Representation = RepresentationName.DEPTH,
    colour: Colour = False,
    epochs: Epochs = 50,
    turned: Turned = 20,
    seed: Seed = 0,
    minutes: Minutes = None,
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """The autoencoder of MVTec 3D-AD; one that was killed goes on with the same command."""
    _train(
        "autoencoder", scan, out, shape, colour, epochs, turned, seed, minutes, calibration, as_json
    )


@app.command("anogan")
def train_anogan(
    scan: Scans,
    out: Model,
    shape: Representation = RepresentationName.DEPTH,
    colour: Colour = False,
    epochs: Epochs = 50,
    turned: Turned = 20,
    seed: Seed = 0,
    minutes: Minutes = None,
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """f-AnoGAN of MVTec 3D-AD: so many epochs of its generator, then as many of its encoder."""
    _train("anogan", scan, out, shape, colour, epochs, turned, seed, minutes, calibration, as_json)


def _train(
    method: str,
    scans: list[Path],
    out: Path,
    shape: RepresentationName,
    colour: bool,
    epochs: int,
    turned: int,
    seed: int,
    minutes: float | None,
    calibration: Path | None,
    as_json: bool,
) -> None:
    with errors_as_json(as_json), workstation(f"train {method}"), progress_bar(as_json) as progress:
        from voxgate.export.training.train import Training, train

        training = Training(
            method=method,
            scans=tuple(scans),
            out=out,
            volume=shape is RepresentationName.VOXEL,
            colour=colour,
            epochs=epochs,
            times=turned,
            seed=seed,
            minutes=minutes,
            calibration=calibration,
        )
        found = train(training, task_on(progress, "train"))
    said = found.to_json()
    if as_json:
        typer.echo(json.dumps(said))
        return
    typer.echo(
        f"model written: {out} ({said['epochs']} of {said['planned_epochs']} epochs; log: "
        f"{said['log']}); voxgate export {method} --checkpoint {out} --scan {scans[0]} --out RECIPE"
    )
