"""Options that many commands have, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
CONFIG_VARIABLE = "VOXGATE_CONFIG"
CellFile = Annotated[
    Path, typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, help="The cell's YAML file.")
]
MaybeCellFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, help="The cell's YAML file."),
]
PeerKey = Annotated[
    Path | None, typer.Option(help="Secret file of a peer of the cell, where keys are used.")
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(help="calibration.json, if it is not in the scan's folder or above it."),
]
SmallestMm = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        max=100,
        help="Smallest fault of a tray to find, every way: INDETERMINATE where the pictures prove "
        "less; default: the recipe's.",
    ),
]
Contrast = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=1,
        help="Faintest mark of a tray to find, share of the grey value: INDETERMINATE where the "
        "pictures prove less; default: the recipe's.",
    ),
]
DepthMm = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=100,
        help="Flattest wide hollow of a tray to find: INDETERMINATE where the pictures prove less; "
        "default: the recipe's.",
    ),
]
