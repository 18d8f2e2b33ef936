"""`voxgate train modmap`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.export.commands.common import workstation
from voxgate.export.commands.methods.options import Fit, FitName, Transformer, TransformerPx
from voxgate.export.commands.trainings.options import Minutes, Model, Scans, Seed, run_training
from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson, CalibrationFile


def train_modmap(
    scan: Scans,
    weights: Annotated[Path, typer.Option(help="State dict of the picture's transformer.")],
    depth_weights: Annotated[Path, typer.Option(help="State dict of the depth's transformer.")],
    out: Model,
    backbone: Transformer = "dinov2_vitb14_reg",
    depth_backbone: Transformer = "dinov3_vits16",
    input_px: TransformerPx = 896,
    depth_px: TransformerPx = 1024,
    fit: Fit = FitName.PAD,
    epochs: Annotated[int, typer.Option(min=1, max=100000, help="As published: 200.")] = 200,
    seed: Seed = 0,
    minutes: Minutes = None,
    calibration: CalibrationFile = None,
    as_json: AsJson = False,
) -> None:
    """ModMap's mappings between all pairs of views; the model holds both encoders too."""
    with errors_as_json(as_json), workstation("train modmap"):
        from voxgate.export.training.modulated import ModMapTraining
        from voxgate.export.training.train import Training

        course = ModMapTraining(
            weights, depth_weights, backbone, depth_backbone, input_px, depth_px, fit.value, epochs
        )
        training = Training("modmap", tuple(scan), out, seed, minutes, calibration)
        run_training(training, course.open, as_json)
