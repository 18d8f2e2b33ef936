"""`voxgate demo`, `play`, `camera build`, `camera serve`: the virtual cell and its cameras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.console import errors_as_json, stdout_console
from voxgate.runtime.commands.options import AsJson, CellFile

if TYPE_CHECKING:
    from voxgate.runtime.wire.verdict import VerdictMessage
    from voxgate.sim.job_report import JobReport

Speed = Annotated[float, typer.Option(min=0.25, max=8, help="Of the moves between views.")]


def demo(
    out: Annotated[Path, typer.Option(help="Where recipe, log and picture go.")] = Path("out"),
    examples: Annotated[Path, typer.Option(help="The example scans of the repository.")] = Path(
        "examples"
    ),
    jobs: Annotated[int, typer.Option(min=1, max=1000, help="How many parts.")] = 6,
    speed: Speed = 1.0,
    colour: Annotated[
        bool, typer.Option("--colour", help="Brackets have blue caps, and a bad one a red one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """A virtual cell inspects good and bad brackets over real sockets; exit 0 if all came true."""
    from voxgate.sim.demo.demo import run_demo

    with errors_as_json(as_json):
        raise typer.Exit(run_demo(out, examples, jobs, speed, as_json=as_json, colour=colour))


def play(
    scan: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of recorded scans, one part each, or of scenes, one tray each."
        ),
    ],
    config: CellFile,
    fault: Annotated[
        list[str] | None, typer.Option(help="Misbehave: drop:view=3, delay:frames=20ms, ...")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Secret file of a peer with all roles, where keys are used.")
    ] = None,
    speed: Speed = 1.0,
    as_json: AsJson = False,
) -> None:
    """Be the robot and the camera of a served cell, part by part; exits as inspect does.

    Of several parts with the worst answer: 0 only if every one is PASS.
    """
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.offline.inspect_scan import EXIT_CODES
    from voxgate.runtime.scans.posed_scan import as_scans
    from voxgate.sim.cell_wires import wires_from_config
    from voxgate.sim.field.faults import fault_from_text
    from voxgate.sim.virtual_cell import VirtualCell

    with errors_as_json(as_json):
        for text in fault or ():
            fault_from_text(text)
        loaded = load_cell(config)
        with (
            as_scans(scan) as scans,
            VirtualCell(wires_from_config(loaded.config, key)) as cell,
        ):
            cell.wait_for_box(on_nobody=lambda: _say_nobody_serves(config))
            cell.wait_until_ready()
            reports = [cell.play(each, faults=tuple(fault or ()), speed=speed) for each in scans]
        verdicts = [_verdict(report) for report in reports]
    if as_json:
        told = [verdict.model_dump_json() for verdict in verdicts]
        typer.echo(told[0] if len(told) == 1 else f'{{"verdicts":[{",".join(told)}]}}')
    else:
        _show(reports)
    raise typer.Exit(max(EXIT_CODES[verdict.outcome] for verdict in verdicts))


def build_camera(
    out: Annotated[Path, typer.Argument(help="Folder; the producer goes into one of its own.")],
    most_s: Annotated[
        float, typer.Option(min=1, help="That the compiler may take; emulated, it takes minutes.")
    ] = 120,
) -> None:
    """Compile our GenTL producer of virtual cameras with the system's C compiler."""
    from voxgate.sim.gentl.build import build as build_producer

    typer.echo(build_producer(out, most_s=most_s))


def serve_camera(
    scan: Annotated[list[Path], typer.Argument(help="Folders of recorded scans to look at.")],
    serial: Annotated[
        str, typer.Option(help="Serial number; with several, -1, -2 ...")
    ] = "virtual",
    cameras: Annotated[int, typer.Option(min=1, max=16, help="How many.")] = 1,
    look_s: Annotated[float, typer.Option(min=0.05, help="Each view stands so long.")] = 1.0,
) -> None:
    """Virtual GenICam cameras for any GenICam software, until Ctrl-C; faults by lines on stdin.

    They also end with the program that started them.
    """
    from voxgate.sim.serve import serve_cameras

    serve_cameras(scan, serial, cameras, look_s)


def _say_nobody_serves(config: Path) -> None:
    typer.echo(f"no service is running: start it with `voxgate run {config}`; waiting", err=True)


def _verdict(report: JobReport) -> VerdictMessage:
    """Raises RobotError when there is none."""
    from voxgate.sim.robot import RobotError

    if report.verdict is None:
        silent = "the box fell silent"
        raise RobotError(f"{report.scan}: no verdict: {report.refused or silent}")
    return report.verdict


def _show(reports: list[JobReport]) -> None:
    from voxgate.sim.demo.show import PlannedJob, jobs_table

    console = stdout_console()
    jobs = [PlannedJob(Path(report.scan).name, report.outcome, report.faults) for report in reports]
    title = "one job" if len(jobs) == 1 else f"{len(jobs)} jobs"
    console.print(jobs_table(jobs, reports, title, console.width))
