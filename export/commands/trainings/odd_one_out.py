"""`voxgate train odd-one-out`: published scenes become a checkpoint for `voxgate export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from voxgate.export.commands.common import workstation
from voxgate.export.commands.methods.odd_one_out import SizeName
from voxgate.runtime.commands.console import errors_as_json, progress_bar, task_on
from voxgate.runtime.commands.options import AsJson


def odd_one_out(
    data: Annotated[
        Path,
        typer.Option(help="Folder of ToysAD-8K or PartsAD-15K, a *split.json in or beside it."),
    ],
    out: Annotated[Path, typer.Option(help="The new model; its log is written beside it.")],
    teacher: Annotated[
        Path | None,
        typer.Option(help="Weights that features are distilled from (DINOv2); default: none are."),
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="Whose weights: dinov2_vits14 or any ViT of timm.")
    ] = "dinov2_vits14",
    size: Annotated[SizeName, typer.Option(help="Of the network.")] = SizeName.PUBLISHED,
    epochs: Annotated[
        int, typer.Option(min=1, max=100000, help="Of each of both stages (the paper: 50).")
    ] = 50,
    views: Annotated[
        int, typer.Option(min=1, max=32, help="That build a volume; as many are rendered from it.")
    ] = 5,
    batch: Annotated[int, typer.Option(min=1, max=64, help="Scenes a step.")] = 4,
    rate: Annotated[
        float, typer.Option(min=1e-7, max=0.1, help="Of Adam; a toy learns at 1e-3.")
    ] = 2e-5,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")] = 0,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.0, help="Begin no epoch after so long; default: all of them."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Odd-One-Out in its two stages; one that was killed goes on with the same command."""
    with (
        errors_as_json(as_json),
        workstation("train odd-one-out"),
        progress_bar(as_json) as progress,
    ):
        from voxgate.export.methods.odd_one_out.constants import TOY, Constants
        from voxgate.export.training.odd_one_out.learner import Schedule
        from voxgate.export.training.odd_one_out.losses import TOY_RENDERING, Rendering
        from voxgate.export.training.odd_one_out.train import OddOneOutTraining, train_odd_one_out

        toy = size is SizeName.TOY
        training = OddOneOutTraining(
            data=data,
            out=out,
            constants=TOY if toy else Constants(),
            schedule=Schedule(epochs, views, batch, rate, TOY_RENDERING if toy else Rendering()),
            teacher=teacher,
            backbone=backbone,
            seed=seed,
            minutes=minutes,
        )
        said = train_odd_one_out(training, task_on(progress, "train"))
    typer.echo(json.dumps(said) if as_json else _words(said))


def _words(said: dict[str, Any]) -> str:
    told = "; ".join(
        f"{part}: " + ", ".join(f"{name} {value:.3f}" for name, value in own.items())
        for part, own in said["figures"].items()
    )
    return (
        f"model written: {said['model']} ({said['epochs']} of {said['planned_epochs']} epochs; "
        f"log: {said['log']}); {told or 'no part of the split is a test'}; voxgate export "
        f"odd-one-out --checkpoint {said['model']} --tray TRAY --out RECIPE"
    )
