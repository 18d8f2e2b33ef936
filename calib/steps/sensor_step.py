"""The whole of `voxgate calib sensor`: pictures and clouds in, a step and its report out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from voxgate.calib.board.board import Board
from voxgate.calib.board.board_pictures import OnProgress, find_in_pictures, list_pictures
from voxgate.calib.calibration_file import CalibrationFile, Step, motion_uncertainty
from voxgate.calib.gates import SENSOR, gates, limits_with
from voxgate.calib.place.cloud import CLOUD_SUFFIXES, read_cloud
from voxgate.calib.place.points import Cloud
from voxgate.calib.place.sensor import Pairs, SensorPose, locate_sensor, pair_points
from voxgate.calib.robot_poses.pose_forms import UNIT_MM
from voxgate.calib.steps import charts as svg
from voxgate.calib.steps.handeye_step import unambiguous
from voxgate.calib.steps.lens_step import picture_inputs, picture_remarks
from voxgate.calib.steps.report import Section, bullets, matrix_table, sigma_table
from voxgate.runtime.common.strict_json import Fields, parse_object
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.sensor import sensor_of


def sensor_step(
    images: Path,
    clouds: Path,
    board_file: Path,
    base: CalibrationFile,
    cloud_unit: str,
    limit_changes: Sequence[str],
    pixels: Path | None = None,
    on_progress: OnProgress = lambda done, of: None,
) -> tuple[Step, list[Section]]:
    """Raises CalibrationError for input that cannot be used."""
    limits = limits_with(SENSOR, limit_changes)
    own = {} if pixels is None else _own_pixels(pixels)
    board = unambiguous(Board.load(board_file))
    lens = base.lens()
    files = _clouds(clouds)
    pictures = find_in_pictures(list_pictures(images), board, on_progress)
    digest = hashlib.sha256()
    views: list[Pairs] = []
    remarks = picture_remarks(pictures)
    for sighting in pictures.found:
        file = files.get(Path(sighting.name).stem)
        if file is None:
            raise CalibrationError(f"{clouds}: no cloud is named after {sighting.name}")
        digest.update(file.read_bytes())
        pairs = pair_points(sighting, _in_mm(read_cloud(file), UNIT_MM[cloud_unit]), board, lens)
        if pairs is None:
            remarks.append(f"{file.name}: the board was not found in the cloud")
        else:
            views.append(pairs)
    found = locate_sensor(views)
    figures = sensor_figures(found)
    step = Step(
        name="sensor",
        numbers={"T_cam_sensor": found.fit.a_from_b, **own},
        uncertainty={"T_cam_sensor": motion_uncertainty(found.fit.covariance)},
        figures=figures,
        gates=gates(figures, limits),
        inputs=picture_inputs(images, pictures, board)
        | {"clouds": clouds.name, "clouds_sha256": digest.hexdigest()},
        options={"cloud_unit": cloud_unit},
        remarks=[*remarks, *(f"left out: {bad}" for bad in found.bad)],
    )
    return step, _sections(found, limits["rms_max_mm"].value)


def sensor_figures(found: SensorPose) -> dict[str, float]:
    """The figures that gates judge."""
    return {
        "views": len(found.used),
        "held_out_views": len(found.held),
        "held_out_mm": float(found.held_mm.max(initial=0.0)) if len(found.held_mm) else np.nan,
        "rms_mm": found.fit.rms_mm,
        "scale_off_percent": abs(found.fit.scale - 1) * 100,
        "distance_mm": found.distance_mm,
        "baseline_mm": float(np.linalg.norm(found.fit.a_from_b[:3, 3])),
        "held_out_rms_mm": float(np.sqrt((found.held_mm**2).mean())) if len(found.held) else np.nan,
    }


def _own_pixels(path: Path) -> dict[str, Mapping[str, object]]:
    """`sensor` of a calibration, as the sensor's maker tells it."""
    try:
        told = parse_object(path.read_text("utf-8"))
        told.number("depth_unit_mm", 1e-6, 1e3)
        sensor_of(Fields({"sensor": told.values, "T_cam_sensor": np.eye(4).tolist()}))
    except FileNotFoundError as error:
        raise CalibrationError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise CalibrationError(f"{path}: {error}") from error
    return {"sensor": told.values}


def _clouds(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise CalibrationError(f"{folder}: no such folder of clouds")
    files = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in CLOUD_SUFFIXES and file.name[0] != "."
    )
    if not files:
        raise CalibrationError(f"{folder}: no clouds here ({', '.join(CLOUD_SUFFIXES)})")
    return {file.stem: file for file in files}


def _in_mm(cloud: Cloud, unit_mm: float) -> Cloud:
    return cloud if unit_mm == 1.0 else replace(cloud, points=cloud.points * unit_mm)


def _sections(found: SensorPose, limit_mm: float) -> list[Section]:
    sigma = np.sqrt(np.diag(found.fit.covariance))
    return [
        Section(
            "camera_from_sensor",
            matrix_table(found.fit.a_from_b) + sigma_table(sigma[3:], np.degrees(sigma[:3])),
        ),
        Section(
            "Distances",
            svg.bars(found.view_rms_mm.tolist(), found.used, limit_mm, "mm", "rms per view")
            + f"<p>On {len(found.held)} views that were not used: largest "
            f"{found.held_mm.max(initial=0.0):.3f} mm.</p>",
        ),
        Section("Views left out", bullets(found.bad)),
    ]
