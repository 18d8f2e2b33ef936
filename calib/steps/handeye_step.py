"""The whole of `voxgate calib handeye`: pictures and poses in, a step and its report out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from voxgate.calib.board.board import Board
from voxgate.calib.board.board_pictures import (
    BoardPictures,
    OnProgress,
    find_in_pictures,
    list_pictures,
)
from voxgate.calib.board.sightings import Sightings
from voxgate.calib.calibration_file import (
    CalibrationFile,
    Step,
    lens_numbers,
    lens_uncertainty,
    motion_uncertainty,
)
from voxgate.calib.gates import HANDEYE, USUAL_VOXEL_MM, for_voxels, gates, limits_with
from voxgate.calib.handeye.at_part import at_part_mm, robot_at_part_mm, two_numbers
from voxgate.calib.handeye.choice import choose
from voxgate.calib.handeye.half_turns import settle_half_turns
from voxgate.calib.handeye.handeye import (
    HandEye,
    Options,
    Shot,
    UnsettledError,
    calibrate_handeye,
    held_out,
)
from voxgate.calib.handeye.next_pose import next_pose
from voxgate.calib.handeye.outliers import Expected, OutlierPose, explain
from voxgate.calib.handeye.reading import Reading
from voxgate.calib.handeye.scale import Scale, lengths, measured_scale, scale_of, scaled
from voxgate.calib.lens.intrinsics import calibrate_lens, on_bent_board
from voxgate.calib.lens.lens import Lens
from voxgate.calib.lens.pnp import board_poses
from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse
from voxgate.calib.robot_poses.pose_file import matching, pose_files, read_poses
from voxgate.calib.robot_poses.pose_forms import PoseForm, flanges, forms_for
from voxgate.calib.robot_poses.rows import PoseTable
from voxgate.calib.steps.handeye_words import (
    advice,
    against_what_is_said,
    remarks_of,
    scale_remarks,
)
from voxgate.calib.steps.lens_step import picture_inputs
from voxgate.calib.steps.report import Section, distortion_field, handeye_sections, lens_table
from voxgate.runtime.errors import CalibrationError


@dataclass(frozen=True, slots=True)
class HandEyeInput:
    """What the command was given. forms: what the poses may be, empty: anything."""

    images: Path
    poses: Path
    board: Path
    base: CalibrationFile | None = None
    eye_in_hand: bool = True
    forms: tuple[PoseForm, ...] = ()
    refine_lens: bool = True
    limits: tuple[str, ...] = ()
    voxel_mm: float = USUAL_VOXEL_MM
    robot_scale: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Views with a board pose and the robot's row of numbers (v, k)."""

    sightings: Sightings
    seen: Array
    numbers: Array
    lens: Lens
    lens_covariance: Array | None


def handeye_step(
    given: HandEyeInput, on_progress: OnProgress = lambda done, of: None
) -> tuple[Step, list[Section]]:
    """Raises CalibrationError with what to do: wrong form, too few motions, another board."""
    limits = limits_with(for_voxels(HANDEYE, given.voxel_mm), given.limits)
    board = Board.load(given.board)
    table = read_poses(given.poses)
    pictures = find_in_pictures(list_pictures(given.images), board, on_progress)
    forms = _possible(given.forms, table)
    data, turned = _way_up(_data(given, table, pictures), board, forms)
    points_mm = data.sightings.points_mm
    reading = choose(data.numbers, forms, given.eye_in_hand, data.seen, points_mm, table.said)
    found, options, scale = _solved(given, data, reading)
    held_mm, _ = held_out(found, options)
    figures = handeye_figures(found, held_mm)
    figures["scale_off_percent"] = 100 * abs(scale.times - 1)
    figures["scale_sigma_percent"] = 100 * scale.sigma
    step = Step(
        name="handeye",
        numbers=_numbers(found, given),
        uncertainty=_uncertainty(found, given),
        figures=figures,
        gates=gates(figures, limits),
        inputs=picture_inputs(given.images, pictures, board) | _pose_inputs(given.poses),
        options={
            "camera_on": "robot" if given.eye_in_hand else "cell",
            "poses_read_as": str(reading.form),
            "lens_refined": given.refine_lens,
            "voxel_mm": given.voxel_mm,
            "robot_scale": scale.times if given.robot_scale else 1.0,
        },
        remarks=[
            *remarks_of(pictures, found, reading, forms),
            *turned,
            *against_what_is_said(table, reading),
            *scale_remarks(given.robot_scale, scale),
            *two_numbers(found, reading.form),
            *advice(gates(figures, limits), found, reading),
        ],
    )
    sections = handeye_sections(found, held_mm, step)
    if found.lens_covariance is not None:
        sigma = np.sqrt(np.diag(found.lens_covariance))
        sections.append(
            Section("The lens", lens_table(found.lens, sigma) + distortion_field(found.lens))
        )
    return step, sections


def handeye_figures(found: HandEye, held_mm: Array) -> dict[str, float]:
    """The figures that gates judge."""
    taken = len(found.off_mm) + len(found.outliers)
    rms_px = float(np.sqrt((found.residuals**2).sum(axis=1).mean()))
    distance_mm = float(np.median(found.shot.seen[:, 2, 3]))
    return {
        "poses": len(found.off_mm),
        "outliers": len(found.outliers) / taken,
        **_sizes(found),
        "second_turn_deg": float(found.turns.spread_deg[1]),
        "rms_px": rms_px,
        "rms_at_part_mm": rms_px * distance_mm / float(found.lens.values[:2].mean()),
        "position_rms_mm": float(np.sqrt((found.off_mm**2).mean())),
        "position_largest_mm": float(found.off_mm.max()),
        "rotation_rms_deg": float(np.sqrt((found.off_deg**2).mean())),
        "rotation_largest_deg": float(found.off_deg.max()),
        "held_out_rms_mm": float(np.sqrt((held_mm**2).mean())),
        "sigma_mm": float(found.sigma_mm.max()),
        "sigma_deg": float(found.sigma_deg.max()),
        "at_part_mm": at_part_mm(found),
        "robot_at_part_mm": robot_at_part_mm(found),
        "robot_mm": found.robot_mm,
        "robot_deg": found.robot_deg,
    }


def _sizes(found: HandEye) -> dict[str, float]:
    """Lengths of the cell, and how robot and board agree on them."""
    shot = found.shot
    distance, reach, travel = (each.value_mm for each in lengths(shot.flanges, shot.seen))
    on_robot = float(np.linalg.norm(found.x[:3, 3])) if found.eye_in_hand else 0.0
    return {
        "distance_mm": distance,
        "reach_mm": reach,
        "travel_mm": travel,
        "camera_mm": on_robot,
        "scale_off_percent": 100 * abs(scale_of(_mounts(found), shot.seen) - 1),
    }


def unambiguous(board: Board) -> Board:
    """The board itself. Raises CalibrationError for one whose pose has two answers."""
    if board.half_turn_ambiguous:
        raise CalibrationError(
            f"a {board.kind.value} of {board.columns} x {board.rows} looks the same upside down: "
            "its pose has two answers: use ChArUco, or an even and an odd number of squares or an "
            "odd number of rows of asymmetric dots"
        )
    return board


def _possible(asked: tuple[PoseForm, ...], table: PoseTable) -> tuple[PoseForm, ...]:
    """Of what was asked for that which rows of so many numbers can be."""
    columns = table.numbers.shape[1]
    can_be = {each.rotation for each in forms_for(columns)}
    return tuple(form for form in asked if form.rotation in can_be) or asked


def _data(given: HandEyeInput, table: PoseTable, pictures: BoardPictures) -> _Data:
    rows = dict(zip(pictures.names, matching(table, pictures.names), strict=True))
    sightings = pictures.sightings
    if given.base is None:
        found = calibrate_lens(sightings, pictures.size_px, taken=len(pictures.names))
        return _Data(
            found.sightings, found.poses, _rows(found.sightings, table, rows), found.lens, None
        )
    lens = given.base.lens()
    if (lens.width_px, lens.height_px) != pictures.size_px:
        raise CalibrationError(
            f"the pictures have {pictures.size_px[0]} x {pictures.size_px[1]} px, the calibration "
            f"is for {lens.width_px} x {lens.height_px}"
        )
    poses = board_poses(sightings, lens)
    used = [view for view, pose in enumerate(poses) if pose is not None]
    if not used:
        raise CalibrationError("the calibration's lens explains none of the pictures")
    seen, placed = on_bent_board(
        sightings.only(used), lens, np.array([poses[view] for view in used])
    )
    return _Data(
        seen,
        placed,
        _rows(seen, table, rows),
        lens,
        given.base.lens_covariance(),
    )


def _way_up(
    data: _Data, board: Board, forms: tuple[PoseForm, ...]
) -> tuple[_Data, tuple[str, ...]]:
    """A board that looks the same upside down, the way up that the robot's turns tell."""
    if not board.half_turn_ambiguous:
        return data, ()
    sightings, seen, count = settle_half_turns(data.sightings, data.seen, data.numbers, forms)
    words = (
        f"the board looks the same upside down: by the robot's turns {count} of {len(seen)} "
        "pictures show it the other way up than the rest; where the board itself lies is known but "
        "for that half turn"
    )
    return replace(data, sightings=sightings, seen=seen), (words,)


def _rows(seen: Sightings, table: PoseTable, rows: dict[str, int]) -> Array:
    return np.asarray(table.numbers[[rows[name] for name in seen.names]])


def _solved(given: HandEyeInput, data: _Data, reading: Reading) -> tuple[HandEye, Options, Scale]:
    options = Options(given.eye_in_hand, given.refine_lens, data.lens_covariance)
    poses = flanges(data.numbers, reading.form)
    found = _solved_as(poses, data, options, reading)
    scale = measured_scale(_mounts(found), found.shot.seen)
    if given.robot_scale:
        found = _solved_as(scaled(poses, scale.times), data, options, reading)
    return found, options, scale


def _solved_as(poses: Array, data: _Data, options: Options, reading: Reading) -> HandEye:
    why = partial(_explain, data, poses, reading.form)
    try:
        return calibrate_handeye(Shot(data.sightings, data.seen, poses), data.lens, options, why)
    except UnsettledError as error:
        raise CalibrationError(f"{error}; {next_pose(poses, reading.form)}") from error


def _mounts(found: HandEye) -> Array:
    flanges_of = found.shot.flanges
    return flanges_of if found.eye_in_hand else inverse(flanges_of)


def _explain(
    data: _Data, poses: Array, form: PoseForm, view: int, expected: Expected
) -> OutlierPose:
    return explain(view, data.sightings.names, poses, expected, data.numbers, form)


def _numbers(found: HandEye, given: HandEyeInput) -> dict[str, object]:
    if given.eye_in_hand:
        own = {"mounting": "eye_in_hand", "T_flange_cam": found.x, "T_base_board": found.z}
    else:
        own = {"mounting": "eye_to_hand", "T_base_cam": found.x, "T_flange_board": found.z}
    return own | (lens_numbers(found.lens) if given.refine_lens else {})


def _uncertainty(found: HandEye, given: HandEyeInput) -> dict[str, object]:
    key = "T_flange_cam" if given.eye_in_hand else "T_base_cam"
    own: dict[str, object] = {key: motion_uncertainty(found.covariance)}
    if given.refine_lens and found.lens_covariance is not None:
        own |= lens_uncertainty(found.lens, found.lens_covariance)
    return own


def _pose_inputs(path: Path) -> dict[str, object]:
    files = pose_files(path) if path.is_dir() else [path]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    return {"poses": path.name, "poses_sha256": digest.hexdigest()}
