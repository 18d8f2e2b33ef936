"""`voxgate record`, `replay`, `report`, `evidence`: a job taken, run again, told, looked for."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from voxgate.runtime.commands.console import at_work, errors_as_json, stdout_console
from voxgate.runtime.commands.options import CONFIG_VARIABLE, AsJson, CellFile, MaybeCellFile
from voxgate.runtime.common.text import legible
from voxgate.runtime.errors import ScanError

MB = 1e6

evidence_app = typer.Typer(help="Recorded jobs of a cell.", no_args_is_help=True)


def record(
    out: Annotated[Path, typer.Argument(help="Folder that the recorded scans go into.")],
    config: CellFile,
    as_folder: Annotated[
        bool, typer.Option("--folder", help="Write scans as folders instead of .mcap files.")
    ] = False,
) -> None:
    """Be the box without a recipe: every job of the robot becomes a recorded scan; until SIGTERM.

    `voxgate export METHOD --scan` makes a recipe of one. Every verdict is INDETERMINATE.
    """
    from voxgate.runtime.service.record_only import run_record_only

    raise typer.Exit(run_record_only(config, out, as_folder))


def replay(
    scan: Annotated[Path, typer.Argument(help="An .mcap file, or a scan's folder.")],
    recipe: Annotated[Path | None, typer.Option(help="Folder of the recipe.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            *("--config", "-c"),
            envvar=CONFIG_VARIABLE,
            help="The cell's YAML: its recipe of then, its limits.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Inspect a recorded job as the line did: exits as inspect, 4 if the verdict is another."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.offline.inspect_scan import EXIT_CODES
    from voxgate.runtime.offline.replay import EXIT_DIFFERS, replay_file

    with at_work("replaying", as_json):
        found = replay_file(scan, recipe, None if config is None else load_cell(config))
    if as_json:
        recorded = None if found.recorded is None else json.loads(found.recorded.to_json())
        said = {
            "verdict": json.loads(found.message.to_json()),
            "recorded": recorded,
            "same": None if recorded is None else found.same,
            "differs": found.differs,
            "placed_elsewhere": found.moved,
        }
        typer.echo(json.dumps(said))
    else:
        from voxgate.runtime.commands.report import verdict_report

        stdout_console().print(verdict_report(found.verdict))
        typer.echo(found.sentence)
    raise typer.Exit(EXIT_CODES[found.verdict.outcome] if found.same else EXIT_DIFFERS)


def report(
    job: Annotated[str, typer.Argument(help="A recording (.mcap), or a job's id with -c.")],
    out: Annotated[Path, typer.Option(help="HTML or PDF file to write, by its ending.")],
    config: MaybeCellFile = None,
) -> None:
    """Why a part was judged so: reasons, defects, every view with its scores, on one page."""
    from voxgate.runtime.report.job_report import report as html_of
    from voxgate.runtime.report.pdf import pdf_of

    recording = _recording(job, config)
    with at_work("drawing"):
        page = html_of(recording)
    try:
        out.write_bytes(pdf_of(page) if out.suffix.lower() == ".pdf" else page.encode())
    except OSError as error:
        raise ScanError(f"{out}: cannot be written: {error.strerror}") from error
    typer.echo(f"{out}: {recording.name}")


@evidence_app.command("list")
def list_evidence(
    place: Annotated[
        Path | None, typer.Argument(help="A folder of recordings; default: the cell's.")
    ] = None,
    config: MaybeCellFile = None,
    job: Annotated[str | None, typer.Option(help="Only this job.")] = None,
    part: Annotated[str | None, typer.Option(help="Only this part (part_id).")] = None,
    as_json: AsJson = False,
) -> None:
    """List recorded jobs, oldest first; exit 1 when there is none."""
    from voxgate.runtime.records.evidence_folder import kept_in
    from voxgate.runtime.scans.job_reader import part_id_of

    with errors_as_json(as_json):
        folder = _folder(place, config)
        try:
            of_job = [each for each in kept_in(folder) if job in (None, each.job_id)]
            parts = {each.name: part_id_of(folder / each.name) for each in of_job}
        except OSError as error:
            raise ScanError(f"{folder}: {error.strerror}") from error
    kept = [each for each in of_job if part in (None, parts[each.name])]
    if as_json:
        rows = [
            {"file": str(folder / k.name), "job_id": k.job_id, "part_id": parts[k.name]}
            | {"outcome": k.outcome.value}
            | {"bytes": k.bytes, "written_utc": f"{_utc(k.t_utc_s)}"}
            for k in kept
        ]
        typer.echo(json.dumps({"recordings": rows}))
    else:
        for each in kept:
            typer.echo(
                f"{_utc(each.t_utc_s)}  {each.outcome.value:13}  "
                f"{each.bytes / MB:6.1f} MB  part {legible(parts[each.name] or '?')}  "
                f"{each.job_id}  {folder / each.name}"
            )
    raise typer.Exit(0 if kept else 1)


def _utc(t_utc_s: float) -> str:
    return datetime.fromtimestamp(t_utc_s, tz=timezone.utc).isoformat(" ", "seconds")


def _folder(place: Path | None, config: Path | None) -> Path:
    """Where recordings lie. Raises VoxGateError."""
    from voxgate.runtime.config.cell import load_cell

    if place is not None:
        return place
    if config is None:
        raise ScanError("which recordings? name their folder, or give --config CELL.yaml")
    evidence = load_cell(config).config.evidence
    if evidence is None:
        raise ScanError(f"{config}: has no section evidence, so nothing is kept")
    return evidence.folder


def _recording(job: str, config: Path | None) -> Path:
    from voxgate.runtime.records.evidence_folder import recording_of

    if Path(job).is_file():
        return Path(job)
    if config is None:
        raise ScanError(f"{job}: no such file; a job's id needs --config CELL.yaml")
    return recording_of(_folder(None, config), job)
