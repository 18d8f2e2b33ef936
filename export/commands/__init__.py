"""`voxgate export METHOD`: one light module per command; torch is imported when one is run."""

from __future__ import annotations

import typer

from export.commands.anogan import anogan
from export.commands.autoencoder import autoencoder
from export.commands.btf import btf
from export.commands.cfm import cfm
from export.commands.efficientad import efficientad
from export.commands.fastflow import fastflow
from export.commands.m3dm import m3dm
from export.commands.omnipose import omnipose
from export.commands.onnx_file import onnx
from export.commands.padim import padim
from export.commands.patchcore import patchcore
from export.commands.reference import reference
from export.commands.reverse_distillation import reverse_distillation
from export.commands.variation import variation

COMMANDS = {
    "reference": reference,
    "patchcore": patchcore,
    "efficientad": efficientad,
    "reverse-distillation": reverse_distillation,
    "fastflow": fastflow,
    "padim": padim,
    "btf": btf,
    "cfm": cfm,
    "m3dm": m3dm,
    "omnipose": omnipose,
    "variation": variation,
    "autoencoder": autoencoder,
    "anogan": anogan,
    "onnx": onnx,
}

app = typer.Typer(help="Turn a golden scan or a trained model into a recipe.", no_args_is_help=True)
for name, command in COMMANDS.items():
    app.command(name)(command)
