"""`voxgate demo`, `play`, `camera build`, `camera serve`: the virtual cell and its cameras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson

if TYPE_CHECKING:
    from voxgate.sim.job_report import JobReport

Speed = Annotated[float, typer.Option(min=0.25, max=8, help="Of the moves between views.")]


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
    from voxgate.sim.cell_wires import wires_from_config
    from voxgate.sim.field.faults import fault_from_text
    from voxgate.sim.robot import RobotError
    from voxgate.sim.virtual_cell import VirtualCell

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
        _show(report)
    raise typer.Exit(EXIT_CODES[report.verdict.outcome])


def build_camera(
    out: Annotated[Path, typer.Argument(help="Folder; the producer goes into one of its own.")],
) -> None:
    """Compile our GenTL producer of virtual cameras with the system's C compiler."""
    from voxgate.sim.gentl.build import build as build_producer

    typer.echo(build_producer(out))


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


def _show(report: JobReport) -> None:
    from rich.console import Console

    from voxgate.sim.demo.show import PlannedJob, jobs_table

    console = Console()
    job = PlannedJob(report.scan, report.outcome, report.faults)
    console.print(jobs_table([job], [report], "one job", console.width))
