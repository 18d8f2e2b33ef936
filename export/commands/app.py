"""`voxgate export METHOD`: one light module per command; torch is imported when one is run."""

from __future__ import annotations

from collections.abc import Callable

import typer

from voxgate.export.commands.cameras import cameras
from voxgate.export.commands.methods.anomaly_dino import anomaly_dino
from voxgate.export.commands.methods.btf import btf
from voxgate.export.commands.methods.cfm import cfm
from voxgate.export.commands.methods.efficientad import efficientad
from voxgate.export.commands.methods.from_anomalib import (
    dinomaly,
    fastflow,
    inp_former,
    padim,
    reverse_distillation,
    supersimplenet,
    uninet,
)
from voxgate.export.commands.methods.m3dm import m3dm
from voxgate.export.commands.methods.modmap import modmap
from voxgate.export.commands.methods.odd_one_out import odd_one_out
from voxgate.export.commands.methods.omnipose import omnipose
from voxgate.export.commands.methods.onnx_file import onnx
from voxgate.export.commands.methods.patchcore import patchcore
from voxgate.export.commands.methods.reconstruction import anogan, autoencoder
from voxgate.export.commands.methods.variation import variation
from voxgate.export.commands.neighbours import neighbours
from voxgate.export.commands.reference import reference

COMMANDS: dict[str, Callable[..., None]] = {
    "reference": reference,
    "neighbours": neighbours,
    "odd-one-out": odd_one_out,
    "patchcore": patchcore,
    "efficientad": efficientad,
    "reverse-distillation": reverse_distillation,
    "fastflow": fastflow,
    "supersimplenet": supersimplenet,
    "dinomaly": dinomaly,
    "inp-former": inp_former,
    "uninet": uninet,
    "anomaly-dino": anomaly_dino,
    "padim": padim,
    "btf": btf,
    "cfm": cfm,
    "m3dm": m3dm,
    "modmap": modmap,
    "omnipose": omnipose,
    "variation": variation,
    "autoencoder": autoencoder,
    "anogan": anogan,
    "onnx": onnx,
}

app = typer.Typer(help="Turn a golden scan or a trained model into a recipe.", no_args_is_help=True)
for name, command in COMMANDS.items():
    app.command(name)(command)
app.command()(cameras)
