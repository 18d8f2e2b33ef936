"""`voxgate calib verify`: does this scan still agree with its calibration?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.calib.commands.common import EXIT_REJECTED, LimitChanges
from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson, CalibrationFile

if TYPE_CHECKING:
    from voxgate.calib.steps.verify_step import Consistency


def verify(
    scan: Annotated[Path, typer.Argument(help="Folder of any recorded scan; no board needed.")],
    calibration: CalibrationFile = None,
    limit: LimitChanges = None,
    as_json: AsJson = False,
) -> None:
    """How well depth, poses and calibration agree across a scan's views; exit 1 if they do not."""
    from voxgate.calib.steps.verify_step import verify_scan

    with errors_as_json(as_json):
        found = verify_scan(scan, calibration, limit or ())
    if as_json:
        typer.echo(json.dumps(_summary(found)))
    else:
        _show(found)
    if not found.accepted:
        raise typer.Exit(EXIT_REJECTED)


def _summary(found: Consistency) -> object:
    return {
        "accepted": found.accepted,
        "drift_mm": found.drift.drift_mm,
        "drift_px": found.drift.drift_px,
        "residual_mm": found.drift.residual_mm,
        "compared": found.drift.compared,
        "camera_from_before": found.camera_from_before.tolist(),
        "views": [
            {
                "frame_id": frame,
                "disagreement_mm": None if apart != apart else apart,
                "seen_through": None if past != past else past,
            }
            for frame, apart, past in _views(found)
        ],
        "lost": list(found.lost),
        "missed": [str(gate) for gate in found.gates if not gate.ok],
    }


def _show(found: Consistency) -> None:
    drift = found.drift
    for frame, apart, past in _views(found):
        typer.echo(
            f"frame {frame}: {apart:.3f} mm from the other views, "
            f"which look through {past:.0%} of it"
        )
    for words in found.lost:
        typer.echo(f"lost: {words}")
    for gate in found.gates:
        typer.echo(f"{'ok  ' if gate.ok else 'miss'} {gate}")
    typer.echo(
        f"drift {drift.drift_mm:.3f} mm, {drift.drift_px:.2f} px; left {drift.residual_mm:.3f} mm "
        f"over {drift.compared} comparisons"
    )
    if found.strangers:
        frames = ", ".join(map(str, found.strangers))
        typer.echo(
            f"frames {frames} stand elsewhere than the others say, or share nothing with them: "
            "were pictures or poses exchanged? Take the scan again"
        )
    elif not found.accepted:
        typer.echo(
            f"the views agree if the camera sits {found.moved_mm:.2f} mm and "
            f"{found.turned_deg:.3f} deg elsewhere: fasten it and run `voxgate calib handeye` again"
        )


def _views(found: Consistency) -> Iterable[tuple[int, float, float]]:
    return zip(found.frames, found.view_mm, found.seen_through, strict=True)
