"""The console command. Each command imports its own room when it is asked, not before.

Exit codes: 0 done (or PASS), 1 FAIL, 2 wrong input or usage, 3 INDETERMINATE, 4 a replay that came
to another verdict than the line.
"""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from voxgate import __version__
from voxgate.calib.commands.app import app as calib_app
from voxgate.export.commands.app import app as export_app
from voxgate.export.commands.quality import QUALITY_COMMANDS
from voxgate.runtime.commands.camera import app as camera_app
from voxgate.runtime.commands.console import errors_as_json, progress_bar
from voxgate.runtime.commands.keys import app as keys_app
from voxgate.runtime.commands.keys import sign
from voxgate.runtime.commands.options import AsJson, CalibrationFile
from voxgate.runtime.commands.recipe import app as recipe_app
from voxgate.runtime.commands.record import evidence_app, record, replay
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import VoxGateError

if TYPE_CHECKING:
    from voxgate.runtime.nouns import Verdict
    from voxgate.sim.virtual_cell import JobReport

EXIT_WRONG_INPUT = 2
EXIT_UNHEALTHY = 1

app = typer.Typer(
    help="VoxGate: one part scanned, one verdict out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(export_app, name="export")
app.add_typer(keys_app, name="keys")
app.add_typer(recipe_app, name="recipe")
app.add_typer(camera_app, name="camera")
app.command()(sign)
app.command()(record)
app.command()(replay)
app.add_typer(evidence_app, name="evidence")
app.add_typer(calib_app, name="calib")
for name, command in QUALITY_COMMANDS.items():
    app.command(name)(command)

Speed = Annotated[float, typer.Option(min=0.25, max=8, help="Of the moves between views.")]


class SchemaName(str, Enum):
    """What has a JSON Schema."""

    CONFIG = "config"
    MESSAGES = "messages"


def main() -> None:
    """Entry point: a person's mistake is one line on stderr and exit 2, never a traceback."""
    try:
        app()
    except VoxGateError as error:
        _refuse(str(error))


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"voxgate {__version__}")
        raise typer.Exit


@app.command()
def run(config: Annotated[Path, typer.Argument(help="The cell's YAML file.")]) -> None:
    """Serve a cell until SIGTERM: poses and frames in, verdicts out."""
    from voxgate.runtime.service.run import run_service

    raise typer.Exit(run_service(config))


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="The cell's YAML file.")], as_json: AsJson = False
) -> None:
    """Check a cell's YAML: exit 0 if it would be served, 2 with file:line:key of each problem."""
    from voxgate.runtime.config.cell import check_config

    problems = check_config(config)
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "problems": problems}))
    else:
        for problem in problems:
            typer.echo(problem, err=True)
        if not problems:
            typer.echo(f"{config}: ok")
    raise typer.Exit(EXIT_WRONG_INPUT if problems else 0)


@app.command()
def schema(
    name: Annotated[SchemaName, typer.Argument(help="Which schema.")] = SchemaName.CONFIG,
) -> None:
    """Print the JSON Schema of the configuration (for editors) or of the messages."""
    from voxgate.runtime.config.cell import config_schema
    from voxgate.runtime.wire.schema import messages_schema

    chosen = config_schema() if name is SchemaName.CONFIG else messages_schema()
    typer.echo(json.dumps(chosen, indent=2))


@app.command()
def inspect(
    scan: Annotated[Path, typer.Argument(help="Folder of one recorded scan.")],
    recipe: Annotated[Path, typer.Option(help="Folder of the recipe.")],
    volume: Annotated[
        Path | None, typer.Option(help="Write the anomaly volume to this .npz file.")
    ] = None,
    calibration: CalibrationFile = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A cell's YAML: inspect by its limits, longest pose gap and engine."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Inspect a recorded scan: exit 0 PASS, 1 FAIL, 3 INDETERMINATE, 2 wrong input."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.offline.inspect_scan import DEFAULTS, EXIT_CODES, Settings, inspect_folder

    with errors_as_json(as_json), progress_bar(as_json) as progress:
        settings = Settings.from_config(load_cell(config).config) if config else DEFAULTS
        task = progress.add_task("inspect", total=None)
        result = inspect_folder(
            scan,
            recipe,
            calibration=calibration,
            settings=settings,
            on_progress=lambda done, of: progress.update(task, completed=done, total=of),
        )
        if volume is not None:
            result.save_volume(volume)
    if as_json:
        typer.echo(result.message.model_dump_json())
    else:
        _show(result.verdict)
    raise typer.Exit(EXIT_CODES[result.verdict.outcome])


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where recipe, log and picture go.")] = Path("out"),
    examples: Annotated[Path, typer.Option(help="The example scans of the repository.")] = Path(
        "examples"
    ),
    jobs: Annotated[int, typer.Option(min=1, max=1000, help="How many parts.")] = 6,
    speed: Speed = 1.0,
    as_json: AsJson = False,
) -> None:
    """A virtual cell inspects good and bad brackets over real sockets; exit 0 if all came true."""
    from voxgate.sim.demo.demo import run_demo

    with errors_as_json(as_json):
        raise typer.Exit(run_demo(out, examples, jobs, speed, as_json=as_json))


@app.command()
def play(
    scan: Annotated[Path, typer.Argument(help="Folder of a recorded scan.")],
    config: Annotated[Path, typer.Option(help="The YAML of a cell that is being served.")],
    fault: Annotated[
        list[str] | None, typer.Option(help="Misbehave: drop:view=3, delay:frames=20ms, ...")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Secret file of a peer with all roles, where keys are used.")
    ] = None,
    speed: Speed = 1.0,
    as_json: AsJson = False,
) -> None:
    """Be the robot and the camera of a served cell for one part; exits as inspect does."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.offline.inspect_scan import EXIT_CODES
    from voxgate.sim.field.faults import fault_from_text
    from voxgate.sim.robot import RobotError
    from voxgate.sim.virtual_cell import VirtualCell, wires_from_config

    with errors_as_json(as_json):
        for text in fault or ():
            fault_from_text(text)
        loaded = load_cell(config)
        with VirtualCell(wires_from_config(loaded.config, key)) as cell:
            cell.wait_for_box()
            cell.wait_until_ready()
            report = cell.play(scan, faults=tuple(fault or ()), speed=speed)
        if report.verdict is None:
            raise RobotError(f"no verdict: {report.refused or 'the box fell silent'}")
    if as_json:
        typer.echo(report.verdict.model_dump_json())
    else:
        _show_played(report)
    raise typer.Exit(EXIT_CODES[report.verdict.outcome])


@camera_app.command("build")
def build_camera(
    out: Annotated[Path, typer.Argument(help="Folder; the producer goes into one of its own.")],
) -> None:
    """Compile our GenTL producer of virtual cameras with the system's C compiler."""
    from voxgate.sim.gentl.build import build as build_producer

    typer.echo(build_producer(out))


@camera_app.command("serve")
def serve_camera(
    scan: Annotated[Path, typer.Argument(help="Folder of a recorded scan to look at.")],
    serial: Annotated[
        str, typer.Option(help="Serial number; with several, -1, -2 ...")
    ] = "virtual",
    cameras: Annotated[int, typer.Option(min=1, max=16, help="How many.")] = 1,
    look_s: Annotated[float, typer.Option(min=0.05, help="Each view stands so long.")] = 1.0,
) -> None:
    """Virtual GenICam cameras for any GenICam software, until Ctrl-C; faults by lines on stdin."""
    from voxgate.sim.serve import serve_cameras

    serve_cameras(scan, serial, cameras, look_s)


@app.command()
def build(
    recipe: Annotated[Path, typer.Argument(help="Folder of the recipe, or name/version with -c.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A cell's YAML: its recipes and plans.")
    ] = None,
    plans: Annotated[
        Path | None, typer.Option(help="Folder of plans; default: .plans beside the recipes.")
    ] = None,
    workspace_mb: Annotated[
        int, typer.Option(min=16, max=65536, help="Scratch memory that a kernel may ask for.")
    ] = 1024,
    level: Annotated[
        int, typer.Option(min=0, max=5, help="Optimisation level; 4 and 5 build very long.")
    ] = 3,
    tf32: Annotated[
        bool, typer.Option("--tf32", help="Allow TF32; the probe must still agree.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Build again what is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the TensorRT plan of each of a recipe's models, where it will serve, and prove it."""
    from voxgate.runtime.commands.build import run_build
    from voxgate.runtime.engines.builder import BuildOptions

    options = BuildOptions(workspace_mb, level, tf32)
    with errors_as_json(as_json), progress_bar(as_json) as progress:
        outcomes = run_build(recipe, config, plans, options, force, progress)
    if not as_json:
        typer.echo("\n".join(outcome.sentence for outcome in outcomes))
    elif len(outcomes) == 1:
        typer.echo(outcomes[0].sidecar.model_dump_json())
    else:
        typer.echo(json.dumps({"plans": [o.sidecar.model_dump(mode="json") for o in outcomes]}))


@app.command()
def doctor(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A cell's YAML: look at what it needs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what this machine lacks and what to type; exit 1 if a row is red."""
    from rich.console import Console

    from voxgate.runtime.commands.doctor import as_object, as_table, run_doctor
    from voxgate.runtime.doctor.rows import healthy

    with errors_as_json(as_json):
        rows = run_doctor(config)
    ok = healthy(rows)
    if as_json:
        typer.echo(json.dumps(as_object(rows, ok)))
    else:
        Console().print(as_table(rows), highlight=False)
    raise typer.Exit(0 if ok else EXIT_UNHEALTHY)


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Such as fusion, live or soak; `?` lists them. Default: all that a box can, "
            "but the nights'.",
        ),
    ] = None,
) -> None:
    """Measure the figures of the README on this machine."""
    from voxgate.benchmarks.__main__ import run

    run(names or [])


def _show(verdict: Verdict) -> None:
    from rich.console import Console

    from voxgate.runtime.commands.report import verdict_report

    Console().print(verdict_report(verdict))


def _show_played(report: JobReport) -> None:
    from rich.console import Console

    from voxgate.sim.demo.show import PlannedJob, jobs_table

    console = Console()
    job = PlannedJob(report.scan, report.outcome, report.faults)
    console.print(jobs_table([job], [report], "one job", console.width))


def _refuse(message: str) -> NoReturn:
    typer.echo(f"voxgate: {one_line(message, most=None)}", err=True)
    sys.exit(EXIT_WRONG_INPUT)
