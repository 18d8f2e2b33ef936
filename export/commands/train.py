"""`voxgate train METHOD`: golden scans become a model that `voxgate export METHOD` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.export.commands.common import workstation
from voxgate.export.commands.methods.options import (
    CrossmodalShape,
    Fit,
    FitName,
    FpfhStepPx,
    PointGroups,
    PointGroupSize,
    PointsWeights,
    Representation,
    RepresentationName,
    Transformer,
    TransformerPx,
    TransformerShape,
    TransformerWeights,
)
from voxgate.export.commands.train_odd_one_out import odd_one_out
from voxgate.runtime.commands.console import errors_as_json, progress_bar, task_on
from voxgate.runtime.commands.options import AsJson, CalibrationFile

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

app = typer.Typer(help="Train a network on golden scans, or on scenes.", no_args_is_help=True)
app.command("odd-one-out")(odd_one_out)


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
    with errors_as_json(as_json), workstation("train autoencoder"):
        from voxgate.export.training.mvtec import ReconstructionTraining
        from voxgate.export.training.train import Training

        volume = shape is RepresentationName.VOXEL
        course = ReconstructionTraining("autoencoder", volume, colour, epochs, turned)
        training = Training("autoencoder", tuple(scan), out, seed, minutes, calibration)
        _train(training, course.open, as_json)


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
    with errors_as_json(as_json), workstation("train anogan"):
        from voxgate.export.training.mvtec import ReconstructionTraining
        from voxgate.export.training.train import Training

        volume = shape is RepresentationName.VOXEL
        course = ReconstructionTraining("anogan", volume, colour, epochs, turned)
        training = Training("anogan", tuple(scan), out, seed, minutes, calibration)
        _train(training, course.open, as_json)


@app.command("cfm")
def train_cfm(
    scan: Scans,
    weights: TransformerWeights,
    out: Model,
    backbone: Transformer = "dinov2_vitb14",
    shape: TransformerShape = CrossmodalShape.DEPTH,
    input_px: TransformerPx = 518,
    fit: Fit = FitName.PAD,
    fpfh_step_px: FpfhStepPx = 4,
    points_weights: PointsWeights = None,
    point_groups: PointGroups = 1024,
    point_group_size: PointGroupSize = 128,
    epochs: Epochs = 50,
    seed: Seed = 0,
    minutes: Minutes = None,
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """CFM's two mappings as SiM3D learns them; the model holds its backbone too."""
    with errors_as_json(as_json), workstation("train cfm"):
        from voxgate.export.features.point_mae.options import PointsOptions
        from voxgate.export.training.mapping import MappingTraining
        from voxgate.export.training.train import Training
        from voxgate.runtime.recipe.shape_sections import FpfhSection

        section = FpfhSection(step_px=fpfh_step_px)
        points = PointsOptions(points_weights, point_groups, point_group_size)
        course = MappingTraining(
            weights, backbone, shape.value, input_px, fit.value, section, epochs, points
        )
        training = Training("cfm", tuple(scan), out, seed, minutes, calibration)
        _train(training, course.open, as_json)


@app.command("efficientad")
def train_efficientad(
    scan: Scans,
    teacher: Annotated[
        Path, typer.Option(help="State dict of the public teacher, S or M: it stays as it is.")
    ],
    out: Model,
    others: Annotated[
        Path | None,
        typer.Option(
            help="Folder of pictures of anything else (ImageNet in the paper); default: without "
            "that penalty."
        ),
    ] = None,
    input_px: Annotated[
        int, typer.Option(min=256, help="Side of the square the networks see (SiM3D: 1540).")
    ] = 256,
    steps: Annotated[
        int, typer.Option(min=1, max=1000000, help="SiM3D: 1000, the paper: 70000.")
    ] = 1000,
    teacher_normalisation: Annotated[
        bool, typer.Option(help="Normalise the teacher's channels (SiM3D does not).")
    ] = True,
    seed: Seed = 0,
    minutes: Minutes = None,
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """EfficientAD's student and autoencoder; 50 steps are an epoch."""
    with errors_as_json(as_json), workstation("train efficientad"):
        from voxgate.export.training.efficientad import EfficientAdTraining
        from voxgate.export.training.train import Training

        course = EfficientAdTraining(teacher, others, input_px, steps, teacher_normalisation)
        training = Training("efficientad", tuple(scan), out, seed, minutes, calibration)
        _train(training, course.open, as_json)


def _train(training: Training, opened: Open, as_json: bool) -> None:
    from voxgate.export.training.train import train

    with progress_bar(as_json) as progress:
        found = train(training, opened, task_on(progress, "train"))
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
