"""Where SiM3D's 3D sensor, whose poses are given, sits beside the camera, whose depth is.

[R_pc | T_pc] of the paper's S.3 may stand in a file the other way round, or in metres: views that
meet nowhere as it stands, and do as it may be meant, tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from voxgate.export.evaluation.layouts.files import json_object
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.geometry.seen_through import SEEN_THROUGH_MAX, seen_through
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, invert, rigid

MM_PER_M = 1000.0


def camera_from_sensor(path: Path) -> Transform:
    """Of a class's camera file; left out: the poses are the camera's. Raises ScanError."""
    fields = json_object(path)
    if "T_pc" not in fields and "R_pc" not in fields:
        return np.eye(4)
    try:
        given, found = np.array(fields["T_pc"], np.float64), np.eye(4)
        if given.size == 3:
            found[:3, :3], found[:3, 3] = np.array(fields["R_pc"], np.float64), given.reshape(3)
        else:
            found[: given.shape[0]] = given
        return rigid(found)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ScanError(
            f"{path}: T_pc must be camera_from_sensor, 4 x 4, or a shift in mm beside R_pc, 3 x 3 "
            f"({error})"
        ) from error


def check_places(path: Path, views: Sequence[View], rays: Rays) -> None:
    """Raises ScanError where no view puts surface where the others see it: by what T_pc they would,
    or that it is missing."""
    past = seen_through(views, rays) if len(views) > 1 else np.zeros(1)
    if (past <= SEEN_THROUGH_MAX).any():
        return
    given = camera_from_sensor(path)
    for words, meant in _other_ways(given):
        back = given @ invert(meant)
        moved = [replace(view, part_from_camera=view.part_from_camera @ back) for view in views]
        if (seen_through(moved, rays) <= SEEN_THROUGH_MAX).any():
            raise ScanError(f"{path}: T_pc {words}: only so the views put the part in one place")
    if np.isnan(past).all():
        return  # nothing can be told of views that share nothing
    what = "no T_pc is told: are the poses those of the sensor (S.3)? Is depth in mm?"
    if (given != np.eye(4)).any():
        what = "T_pc, the poses or the camera matrix are of another rig"
    raise ScanError(f"{path}: no view puts surface where the others see it: {what}")


def _other_ways(given: Transform) -> Iterator[tuple[str, Transform]]:
    yield "must be camera_from_sensor and is the other way round", invert(given)
    for words, meant in (("", given), (", and is the other way round", invert(given))):
        in_mm = meant.copy()
        in_mm[:3, 3] *= MM_PER_M
        yield f"must be in mm and is in m{words}", in_mm
    yield "is not needed: the poses are the camera's", np.eye(4)
