"""Options that many commands have, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(help="calibration.json, if it is not in the scan's folder or above it."),
]
