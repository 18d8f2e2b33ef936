"""The whole of `voxgate calib part`: where the part stands, by touch, by board, or by CAD."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.calib.board.board import Board
from voxgate.calib.board.board_pictures import find_in_pictures, list_pictures
from voxgate.calib.board.board_print import describe
from voxgate.calib.calibration_file import CalibrationFile, Step, motion_uncertainty
from voxgate.calib.gates import CAD, PART, gates, limits_with
from voxgate.calib.lens.pnp import board_poses
from voxgate.calib.numerics.kabsch import absolute_orientation
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.lengths import Length, in_another_unit
from voxgate.calib.numerics.twist import inverse, mean_transform, twists_of
from voxgate.calib.place.cad import Placed, place_part
from voxgate.calib.place.cloud import read_cloud
from voxgate.calib.place.scan_surface import scan_in_base
from voxgate.calib.place.surface import Surface, mesh_surface
from voxgate.calib.robot_poses.pose_file import matching, read_poses
from voxgate.calib.robot_poses.pose_forms import PoseForm, flanges, forms_for
from voxgate.calib.steps import charts as svg
from voxgate.calib.steps.handeye_step import unambiguous
from voxgate.calib.steps.report import Section, matrix_table, sigma_table
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.transforms import Transform

LEAST_PART_MM, MOST_PART_MM = 5.0, 10_000.0
NEAREST_MM, FARTHEST_MM = 30.0, 10_000.0  # from a 3D sensor to what it measures
LEAST_OF_SCAN, MOST_OF_SCAN = 0.05, 5.0  # of the scan's extent: a part's, roughly
ALIKE = 0.85
QUANTILES = (50, 75, 90, 95)


@dataclass(frozen=True, slots=True)
class CellFacts:
    """What the runtime needs beside geometry; None: as the calibration already says."""

    part: str
    depth_unit_mm: float | None = None
    tick_hz: int | None = None
    readout_ms: float | None = None
    serial_number: str | None = None

    def merged(self, base: CalibrationFile) -> dict[str, Any]:
        """`units` and `timing` of the file. Raises CalibrationError for what nobody said."""
        units = dict(base.data.get("units") or {})
        timing = dict(base.data.get("timing") or {})
        if self.depth_unit_mm is not None:
            units["depth_unit_mm"] = self.depth_unit_mm
        if self.tick_hz is not None:
            timing["camera_tick_hz"] = self.tick_hz
        if self.readout_ms is not None:
            timing["frame_readout_s"] = self.readout_ms / 1000
        options = {
            "--depth-unit-mm": "depth_unit_mm" in units or "sensor" in base.data,
            "--tick-hz": "camera_tick_hz" in timing,
            "--readout-ms": "frame_readout_s" in timing,
        }
        missing = [option for option, there in options.items() if not there]
        if missing:
            raise CalibrationError(
                f"the box also needs {', '.join(missing)}: mm per count of the depth map, ticks "
                "per second of the camera's clock, end of exposure to complete frame"
            )
        own = {} if self.serial_number is None else {"serial_number": self.serial_number}
        return {"units": units, "timing": timing, **own}


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """base_from_part with distances (n,) mm of what it rests on, and covariance (6, 6)."""

    base_from_part: Transform
    distances_mm: Array
    rms_mm: float
    covariance: Array
    labels: tuple[str, ...]
    inputs: Mapping[str, Any]
    how: str
    remarks: tuple[str, ...] = ()
    likeness: Mapping[str, float] = field(default_factory=dict)


def by_touch(path: Path) -> Found:
    """Rows `part x y z, base x y z`, mm: points on the part's drawing and as the robot touched
    them with a calibrated tip. Raises CalibrationError."""
    table = read_poses(path)
    if table.numbers.shape[1] != 6:
        raise CalibrationError(
            f"{path}: a touched point has 6 numbers: x y z on the part and x y z in the base, mm"
        )
    part_mm, base_mm = table.numbers[:, :3], table.numbers[:, 3:]
    _refuse_other_unit(path, part_mm)
    fit = absolute_orientation(base_mm, part_mm)
    if not 0.5 < fit.scale < 2:
        raise CalibrationError(
            f"{path}: the base's points are {fit.scale:.3g} times as far apart as the part's: "
            "both in mm?"
        )
    names = table.names or tuple(f"point {row + 1}" for row in range(len(part_mm)))
    return Found(
        fit.a_from_b, fit.distances_mm, fit.rms_mm, fit.covariance, names, _file(path), "touch",
        (f"scale of base to part: {fit.scale:.5f}",),
    )  # fmt: skip


def _refuse_other_unit(path: Path, points: Array) -> None:
    extent = float(np.linalg.norm(np.ptp(points, axis=0)))
    what = Length("the extent of the points on the part", extent, LEAST_PART_MM, MOST_PART_MM)
    if words := in_another_unit((what,)):
        raise CalibrationError(f"{path}: {words}")


def by_board(
    images: Path,
    poses: Path,
    board_file: Path,
    place: Path | None,
    base: CalibrationFile,
    forms: Sequence[PoseForm],
) -> Found:
    """A board that is fixed to the fixture: place holds part_from_board (a pose file of one row),
    none: the board's frame is the part's. Raises CalibrationError."""
    board = unambiguous(Board.load(board_file))
    x = base.transform("T_flange_cam", "handeye")
    part_from_board = np.eye(4) if place is None else one_pose(place)
    table = read_poses(poses)
    pictures = find_in_pictures(list_pictures(images), board)
    rows = dict(zip(pictures.names, matching(table, pictures.names), strict=True))
    sightings = pictures.sightings
    seen = board_poses(sightings, base.lens())
    kept = [view for view, pose in enumerate(seen) if pose is not None]
    if not kept:
        raise CalibrationError("the calibration's lens explains none of the pictures")
    camera_from_board = np.array([seen[view] for view in kept])
    names = tuple(sightings.names[view] for view in kept)
    numbers = table.numbers[[rows[name] for name in names]]
    form, placed = _consistent(numbers, forms, x, camera_from_board)
    base_from_board = mean_transform(placed)
    off = _board_off(placed, base_from_board, board)
    return Found(
        base_from_board @ inverse(part_from_board[None])[0], off, float(np.sqrt((off**2).mean())),
        _spread(placed, base_from_board), names,
        {"board": describe(board), "pictures_sha256": pictures.digest} | _file(poses),
        "board", (f"poses read as {form}",),
    )  # fmt: skip


def by_cad(
    scan: Path, cad: Path, base: CalibrationFile, facts: CellFacts, start: Transform | None
) -> Found:
    """A golden scan laid onto the CAD mesh, mm. Raises CalibrationError, ScanError."""
    told = replace(base, data={**base.data, **facts.merged(base)})
    mesh = mesh_surface(read_cloud(cad))
    if start is None and "T_base_part" in base.data:
        start = base.transform("T_base_part", "part")
    surface = scan_in_base(scan, told)
    _refuse_other_size(cad, mesh, surface)
    placed = place_part(surface, mesh, start)
    like = placed.like
    return Found(
        placed.base_from_part, _quantiles(placed), placed.rms_mm, placed.covariance,
        (*(f"{share}%" for share in QUANTILES), "all"), _file(cad) | {"scan": scan.name}, "cad",
        _cad_remarks(placed),
        {"matched": like.matched, "covered": like.covered, "tail_mm": like.tail_mm,
         "second_best": placed.second_best(symmetry_told=start is not None)},
    )  # fmt: skip


def _refuse_other_size(cad: Path, mesh: Surface, scan: Surface) -> None:
    extent = float(np.linalg.norm(np.ptp(mesh.points, axis=0)))
    seen = float(np.linalg.norm(np.ptp(scan.points, axis=0)))
    away = float(np.median(np.linalg.norm(scan.points - scan.eyes[0].pose[:3, 3], axis=1)))
    of_cell = Length("the surface's distance from the sensor", away, NEAREST_MM, FARTHEST_MM)
    if words := in_another_unit((of_cell,)):
        raise CalibrationError(f"{words}; is --depth-unit-mm right?")
    least, most = max(LEAST_PART_MM, LEAST_OF_SCAN * seen), MOST_OF_SCAN * seen
    if words := in_another_unit((Length("the CAD's extent", extent, least, most),)):
        raise CalibrationError(f"{cad}: beside a scan of {seen:.0f} mm {words}")


def _cad_remarks(placed: Placed) -> tuple[str, ...]:
    like = placed.like
    remarks = [
        f"{like.matched:.0%} of the scanned points above the table lie on the CAD, "
        f"{like.covered:.0%} of its visible side was scanned"
    ]
    equal = [each for each in placed.rivals if each.symmetric]
    if equal:
        remarks.append(
            f"the part is symmetric: {' or '.join(map(str, equal))} it is the same; --start says "
            "which of the places is meant"
        )
    others = [each for each in placed.rivals if not each.symmetric]
    if others and others[0].like.score > ALIKE * like.score:
        remarks.append(
            f"{others[0]} the part fits nearly as well, or better "
            f"({others[0].like.score:.2f} to {like.score:.2f}): say --start, or scan it from sides "
            "that tell"
        )
    remarks += [f"the scanned surface leaves the part free to {way}" for way in placed.open_ways]
    return tuple(remarks)


def part_step(
    found: Found,
    base: CalibrationFile,
    facts: CellFacts,
    limit_changes: Sequence[str],
    carried: bool = False,
) -> tuple[Step, list[Section]]:
    """The step that completes the calibration. carried: what was found is flange_from_part.

    Raises CalibrationError.
    """
    key, what = (
        ("T_flange_part", "flange_from_part") if carried else ("T_base_part", "base_from_part")
    )
    limits = limits_with(PART | (CAD if found.likeness else {}), limit_changes)
    numbers = {"part": facts.part, key: found.base_from_part} | facts.merged(base)
    sigma = np.sqrt(np.diag(found.covariance))
    figures = {
        "rms_mm": found.rms_mm,
        "largest_mm": float(found.distances_mm.max()),
        "sigma_mm": float(sigma[3:].max()),
        "sigma_deg": float(np.degrees(sigma[:3].max())),
        **found.likeness,
    }
    step = Step(
        name="part",
        numbers=numbers,
        uncertainty={key: motion_uncertainty(found.covariance)},
        figures=figures,
        gates=gates(figures, limits),
        inputs=found.inputs,
        options={"by": found.how, "part": facts.part},
        remarks=found.remarks,
    )
    charts = svg.bars(found.distances_mm.tolist(), found.labels, limits["largest_max_mm"].value,
                      "mm", "distance of each point, pose or share of the surface")  # fmt: skip
    place = matrix_table(found.base_from_part) + sigma_table(sigma[3:], np.degrees(sigma[:3]))
    return step, [Section(what, place), Section("Distances", charts)]


def _quantiles(placed: Placed) -> Array:
    met = np.percentile(np.abs(placed.distances_mm), QUANTILES)
    return np.append(met, placed.like.largest_mm)


def one_pose(path: Path) -> Transform:
    """The one matrix in a file. Raises CalibrationError."""
    table = read_poses(path)
    if table.numbers.shape[0] != 1 or table.numbers.shape[1] not in (12, 16):
        raise CalibrationError(f"{path}: expected one matrix, 3x4 or 4x4, mm")
    try:
        return np.asarray(flanges(table.numbers, PoseForm("matrix"))[0])
    except ValueError as error:
        raise CalibrationError(f"{path}: {error}") from error


def _consistent(
    numbers: Array, forms: Sequence[PoseForm], x: Transform, seen: Array
) -> tuple[PoseForm, Array]:
    """base_from_board (v, 4, 4) by the form whose poses agree best on it."""
    tried = []
    for form in forms or forms_for(numbers.shape[1]):
        try:
            placed = flanges(numbers, form) @ x @ seen
        except ValueError:
            continue
        spread = float(
            np.linalg.norm(placed[:, :3, 3] - placed[:, :3, 3].mean(axis=0), axis=1).max()
        )
        tried.append((spread, form, placed))
    if not tried:
        raise CalibrationError(f"rows of {numbers.shape[1]} numbers are no poses of that form")
    if len(numbers) == 1 and len(tried) > 1:
        raise CalibrationError(
            "one picture cannot tell the form of its pose: say --rotation, --unit"
        )
    _, form, placed = min(tried, key=lambda each: each[0])
    return form, np.asarray(placed)


def _board_off(placed: Array, mean: Transform, board: Board) -> Array:
    centre = np.append(board.points_mm.mean(axis=0), 1)
    return np.asarray(np.linalg.norm((placed @ centre - mean @ centre)[:, :3], axis=1))


def _spread(placed: Array, mean: Transform) -> Array:
    """(6, 6) of the mean, by how the poses scatter; one pose alone proves nothing."""
    count = len(placed)
    if count < 2:
        return np.eye(6)
    off = twists_of(inverse(mean[None]) @ placed)
    return np.asarray(np.diag((off**2).sum(axis=0) / (count - 1) / count))


def _file(path: Path) -> dict[str, Any]:
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
