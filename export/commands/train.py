"""`voxgate train METHOD`: golden scans become a model that `voxgate export METHOD` takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

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
from voxgate.export.commands.trainings.modmap import train_modmap
from voxgate.export.commands.trainings.odd_one_out import odd_one_out
from voxgate.export.commands.trainings.options import (
    Colour,
    Epochs,
    Minutes,
    Model,
    Scans,
    Seed,
    Turned,
    run_training,
)
from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson, CalibrationFile

app = typer.Typer(help="Train a network on golden scans, or on scenes.", no_args_is_help=True)
app.command("odd-one-out")(odd_one_out)
app.command("modmap")(train_modmap)


def _train_reconstruction(
    method: Literal["autoencoder", "anogan"], said: str
) -> Callable[..., None]:
    def train(
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
        with errors_as_json(as_json), workstation(f"train {method}"):
            from voxgate.export.training.mvtec import ReconstructionTraining
            from voxgate.export.training.train import Training

            volume = shape is RepresentationName.VOXEL
            course = ReconstructionTraining(method, volume, colour, epochs, turned)
            training = Training(method, tuple(scan), out, seed, minutes, calibration)
            run_training(training, course.open, as_json)

    train.__doc__ = said
    return train


app.command("autoencoder")(
    _train_reconstruction(
        "autoencoder",
        "The autoencoder of MVTec 3D-AD; one that was killed goes on with the same command.",
    )
)
app.command("anogan")(
    _train_reconstruction(
        "anogan",
        "f-AnoGAN of MVTec 3D-AD: so many epochs of its generator, then as many of its encoder.",
    )
)


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
        from voxgate.runtime.recipe.sections.shapes import FpfhSection

        section = FpfhSection(step_px=fpfh_step_px)
        points = PointsOptions(points_weights, point_groups, point_group_size)
        course = MappingTraining(
            weights, backbone, shape.value, input_px, fit.value, section, epochs, points
        )
        training = Training("cfm", tuple(scan), out, seed, minutes, calibration)
        run_training(training, course.open, as_json)


@app.command("dinomaly")
def train_dinomaly(
    scan: Scans,
    weights: TransformerWeights,
    out: Model,
    backbone: Transformer = "dinov2_vitb14_reg",
    input_px: Annotated[
        int, typer.Option(min=28, max=4096, help="Side of the square that the encoder sees.")
    ] = 448,
    steps: Annotated[int, typer.Option(min=1, max=1000000, help="As published: 5000.")] = 5000,
    batch: Annotated[int, typer.Option(min=1, max=1024, help="Views a step.")] = 16,
    seed: Seed = 0,
    minutes: Minutes = None,
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """Dinomaly's decoder, by anomalib's engine; 50 steps are an epoch."""
    with errors_as_json(as_json), workstation("train dinomaly"):
        from voxgate.export.training.by_anomalib import DinomalyTraining
        from voxgate.export.training.train import Training

        course = DinomalyTraining(weights, backbone, input_px, steps, batch)
        training = Training("dinomaly", tuple(scan), out, seed, minutes, calibration)
        run_training(training, course.open, as_json)


@app.command("supersimplenet")
def train_supersimplenet(
    scan: Scans,
    weights: Annotated[Path, typer.Option(help="State dict of the backbone.")],
    out: Model,
    backbone: Annotated[
        str, typer.Option(help="wide_resnet50_2, or another ResNet of timm.")
    ] = "wide_resnet50_2",
    input_px: Annotated[
        int, typer.Option(min=128, max=4096, help="Side of the square that the backbone sees.")
    ] = 256,
    epochs: Annotated[
        int, typer.Option(min=1, max=100000, help="Over all views; as published: 300.")
    ] = 300,
    seed: Seed = 0,
    minutes: Minutes = None,
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """SuperSimpleNet's adaptor and head, by anomalib's engine; ten passes are told together."""
    with errors_as_json(as_json), workstation("train supersimplenet"):
        from voxgate.export.training.by_anomalib import SupersimplenetTraining
        from voxgate.export.training.train import Training

        course = SupersimplenetTraining(weights, backbone, input_px, epochs)
        training = Training("supersimplenet", tuple(scan), out, seed, minutes, calibration)
        run_training(training, course.open, as_json)


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
        run_training(training, course.open, as_json)
