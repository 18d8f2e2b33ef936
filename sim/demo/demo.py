"""`voxgate demo`: the whole line on one machine, with nothing but the example scans.

Export a recipe from the golden scan, start the real service, play good and bad brackets in real
time over its real sockets, drop a frame on purpose, draw what was found, stop the service. In
colour, brackets have a blue cap, and one has a red one of the same grey.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from voxgate.runtime.errors import ScanError, VoxGateError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.sim.box import Box, voxgate
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.cloud import Shot, cloud_from_shots
from voxgate.sim.demo.show import PlannedJob, jobs_table, latency_line
from voxgate.sim.demo.verdict_picture import AnomalyVolume, Label, picture, write_png
from voxgate.sim.field.faults import fault_from_text
from voxgate.sim.gentl.build import build
from voxgate.sim.job_report import JobReport
from voxgate.sim.paint import BLUE, RED, Cap, copy_part_files, write_painted
from voxgate.sim.recipes import export_once
from voxgate.sim.robot import NS_PER_MS
from voxgate.sim.virtual_cell import VirtualCell

PART = "bracket"
TITLE = "virtual cell: real sockets, real time"
LOG_WIDTH = 132  # characters, where no terminal tells
MISBEHAVIOUR = "drop:view=7"
"""The promise in one job: a part that was not seen completely is not PASS, however good it is."""
CAP, RED_CAP = ((60.0, 20.0), 9.0), "red_cap"
"""Axis and radius, mm, of the cap in colour; the scan whose cap is of another hue."""
MOST_STALLS = 2  # of a busy machine, per job
EXIT_OK, EXIT_UNEXPECTED = 0, 1


def run_demo(
    out: Path,
    examples: Path,
    jobs: int = 6,
    speed: float = 1.0,
    faults: Sequence[str] = (MISBEHAVIOUR,),
    as_json: bool = False,
    colour: bool = False,
) -> int:
    """Play `jobs` inspections; 0 if every one came out as it must, else 1.

    out: gets recipe, journal, log, volume and picture. examples: holds `bracket/`.
    faults: how the cell misbehaves in every fourth job, in turn (sim.faults has the words).
    as_json: stdout gets one JSON object and nothing else; the rest goes to stderr. colour: brackets
    are painted, the camera sees colour.
    Raises VoxGateError when something cannot even start.
    """
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console = Console(stderr=as_json, width=LOG_WIDTH)
    part = examples / PART
    planned = plan(jobs, [str(fault_from_text(fault)) for fault in faults], colour)
    if colour:
        part = painted(part, out / "painted")
    console.print(f"recipe from ONE golden scan: {part / 'golden'}")
    recipe = export_once(part / "golden", out / "recipes")
    name = f"{PART}/{recipe.name}"
    producer, path = camera_path(out / "gentl")
    console.print(f"camera: {path}")
    calibration = part / "calibration.json"
    with Box.start(
        out / "box", calibration, out / "recipes", name, producer=producer, colour=colour
    ) as box:
        reports = play(box, part, planned, speed, console)
        exit_code = box.stop()
    console.print(latency_line(reports))
    console.print(f"service stopped by SIGTERM, exit code {exit_code}")
    console.print(f"picture: {draw(part / (RED_CAP if colour else 'bad'), recipe, out)}")
    wrong = unexpected(planned, reports)
    if exit_code != 0:
        wrong.append(f"the service ended with {exit_code}: {box.last_words()}")
    for line in wrong:
        console.print(f"[bold red]unexpected:[/] {line}")
    if as_json:
        told = summary(planned, reports, ok=not wrong)
        typer.echo(json.dumps({**told, "camera": "network" if producer is None else "genicam"}))
    return EXIT_UNEXPECTED if wrong else EXIT_OK


def camera_path(folder: Path) -> tuple[Path | None, str]:
    """The producer that a C compiler makes of sim/gentl, and in words which way frames go.

    None without a compiler, or with one that cannot: frames then come by network.
    """
    try:
        producer = build(folder)
    except VoxGateError as error:
        return None, f"frames over ZeroMQ, as no GenTL producer could be built ({error})"
    return producer, f"GenICam, through harvesters and our own GenTL producer ({producer})"


def summary(planned: list[PlannedJob], reports: list[JobReport], *, ok: bool) -> dict[str, Any]:
    """What the demo showed, for a program; jobs that were not played are missing."""
    jobs = [
        {
            "scan": job.scan,
            "faults": list(job.faults),
            "outcome": report.outcome,
            "expected": job.expected,
            "latency_ms": report.latency_ms,
            "reasons": list(report.reasons),
        }
        for job, report in zip(planned, reports, strict=False)
    ]
    return {"ok": ok, "jobs": jobs}


def painted(part: Path, out: Path) -> Path:
    """The example's scans in colour, in `out`; painted once."""
    if not (out / RED_CAP).exists():
        shutil.rmtree(out, ignore_errors=True)
        copy_part_files(part / "golden", out)
        for name in ("golden", "good"):
            write_painted(part / name, out / name, [Cap(*CAP, BLUE)])
        write_painted(part / "good", out / RED_CAP, [Cap(*CAP, RED)])
    return out


def plan(jobs: int, faults: Sequence[str], colour: bool = False) -> list[PlannedJob]:
    """Good and bad in turn; every fourth part is good, but one of the faults happens to it."""
    fault, bad = cycle(faults), RED_CAP if colour else "bad"
    kinds = [("good", "PASS"), (bad, "FAIL"), ("good", "PASS"), ("good", "INDETERMINATE")]
    planned = []
    for scan, expected in islice(cycle(kinds if faults else kinds[:2]), jobs):
        disturbed = (next(fault),) if expected == "INDETERMINATE" else ()
        planned.append(PlannedJob(scan, expected, disturbed))
    return planned


def unexpected(planned: list[PlannedJob], reports: list[JobReport]) -> list[str]:
    """One line per job that did not come out as it must."""
    wrong = [
        f"job {number} ({job.scan}) is {report.outcome}, expected {job.expected}: "
        f"{report.refused or ', '.join(report.reasons)}"
        for number, (job, report) in enumerate(zip(planned, reports, strict=False), start=1)
        if report.outcome != job.expected or report.may_pass != (job.expected == "PASS")
    ]
    if len(reports) < len(planned):
        wrong.append(f"{len(planned) - len(reports)} jobs were not played")
    return wrong


def play(
    box: Box, part: Path, planned: list[PlannedJob], speed: float, console: Console
) -> list[JobReport]:
    """All jobs, in real time, with a row for each as it comes."""
    reports: list[JobReport] = []
    with VirtualCell(wires_from_config(box.config)) as cell:
        with console.status("waiting for the service to prove its recipe ..."):
            wait_until_ready(box, cell)
        for scan in sorted({job.scan for job in planned}):
            cell.load(part / scan, speed)
        with jobs_screen(planned, reports, console) as show:
            for job in planned:
                box.check_alive()
                reports.append(play_in_time(cell, part / job.scan, job.faults, speed))
                show()
    return reports


def play_in_time(
    cell: VirtualCell, scan: Path, faults: tuple[str, ...] = (), speed: float = 1.0
) -> JobReport:
    """One job; played again, and said so, when only a stall of this machine spoke against it."""
    report = cell.play(scan, faults=faults, speed=speed, part_id=scan.name)
    while report.stalled and report.stalls < MOST_STALLS:
        again = cell.play(scan, faults=faults, speed=speed, part_id=scan.name)
        report = replace(again, stalls=report.stalls + 1)
    return report


@contextmanager
def jobs_screen(
    planned: list[PlannedJob], reports: list[JobReport], console: Console
) -> Iterator[Callable[[], None]]:
    """A table, drawn anew at every call; without a terminal a line per job, then the table."""

    def table() -> Table:
        return jobs_table(planned, reports, TITLE, console.width)

    if console.is_terminal:
        with Live(table(), console=console) as live:
            yield lambda: live.update(table(), refresh=True)
    else:
        yield lambda: console.print(f"job {len(reports)} of {len(planned)}: {reports[-1].outcome}")
        console.print(table())


def wait_until_ready(box: Box, cell: VirtualCell, timeout_ms: int = 60_000) -> None:
    """Until the box takes jobs. Raises ServiceError or RobotError with the reason."""
    deadline_ns = time.monotonic_ns() + timeout_ms * NS_PER_MS
    while cell.robot.heartbeat is None and time.monotonic_ns() < deadline_ns:
        box.check_alive()
        cell.robot.listen(100)
    cell.wait_until_ready(timeout_ms)


def draw(scan: Path, recipe: Path, out: Path) -> Path:
    """Inspect `scan` offline and write the picture of its anomaly volume."""
    volume_file, picture_file = out / f"{PART}_volume.npz", out / f"{PART}_volume.png"
    arguments = [str(scan), "--recipe", str(recipe), "--volume", str(volume_file), "--json"]
    done = subprocess.run(voxgate("inspect", *arguments), check=False, stdout=subprocess.PIPE)
    if not volume_file.is_file():
        raise VoxGateError(f"the offline inspection of {scan} failed with {done.returncode}")
    verdict = VerdictMessage.model_validate(json.loads(done.stdout), strict=False)
    labels = tuple(
        Label(defect.centroid_part_mm, defect.size_mm, defect.peak_score)
        for defect in verdict.defects
    )
    shots = shots_from_scan(scan)
    cloud = cloud_from_shots(shots, Calibration.load(scan.parent / "calibration.json"))
    coverage = "" if verdict.coverage is None else f", {verdict.coverage:.1%} of the surface seen"
    title = f"{PART}: {verdict.outcome.value}"
    subtitle = f"{verdict.defect_count} defects in {len(shots)} views{coverage}"
    write_png(
        picture_file, picture(cloud, AnomalyVolume.load(volume_file), labels, title, subtitle)
    )
    return picture_file


def shots_from_scan(scan_folder: Path) -> list[Shot]:
    """Every view of a scan at its planned place. Raises ScanError without depth or a plan."""
    scan = open_scan(scan_folder)
    planned = scan.calibration.planned
    shots = []
    for index, part_from_camera in enumerate(planned[: len(scan.frames)]):
        frame = scan.load_frame(index)
        if frame.depth_mm is None:
            raise ScanError(f"{scan_folder}: frame {frame.frame_id} has no depth to draw")
        shots.append(Shot(grey_and_colour(frame.image)[0], frame.depth_mm, part_from_camera))
    if not shots:
        raise ScanError(f"{scan_folder}: its calibration has no planned views to draw from")
    return shots
