"""`voxgate inspect`: the verdict of a recorded scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxgate.runtime.commands.console import errors_as_json, progress_bar, stdout_console, task_on
from voxgate.runtime.commands.options import CONFIG_VARIABLE, AsJson, CalibrationFile


def inspect(
    scan: Annotated[Path, typer.Argument(help="Folder of one recorded scan.")],
    recipe: Annotated[Path, typer.Option(help="Folder of the recipe.")],
    volume: Annotated[
        Path | None, typer.Option(help="Write the anomaly volume to this .npz file.")
    ] = None,
    calibration: CalibrationFile = None,
    config: Annotated[
        Path | None,
        typer.Option(
            *("--config", "-c"),
            envvar=CONFIG_VARIABLE,
            help="A cell's YAML: inspect by its limits, longest pose gap and engine.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Inspect a recorded scan: exit 0 PASS, 1 FAIL, 3 INDETERMINATE, 2 wrong input."""

    from voxgate.runtime.commands.report import verdict_report
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.config.settings import DEFAULTS, Settings
    from voxgate.runtime.offline.inspect_scan import EXIT_CODES, inspect_folder

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        settings = Settings.from_config(load_cell(config).config) if config else DEFAULTS
        result = inspect_folder(
            scan,
            recipe,
            calibration=calibration,
            settings=settings,
            on_progress=task_on(progress, "inspect"),
        )
        if volume is not None:
            result.save_volume(volume)
    if as_json:
        typer.echo(result.message.model_dump_json())
    else:
        stdout_console().print(verdict_report(result.verdict))
    raise typer.Exit(EXIT_CODES[result.verdict.outcome])
