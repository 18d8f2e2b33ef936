"""What is said of a hand-eye calibration beside its figures."""

from __future__ import annotations

import numpy as np

from voxgate.calib.board.board_pictures import BoardPictures
from voxgate.calib.gates import Gate
from voxgate.calib.handeye.choice import says
from voxgate.calib.handeye.handeye import HandEye
from voxgate.calib.handeye.next_pose import next_pose
from voxgate.calib.handeye.reading import Reading
from voxgate.calib.handeye.scale import Scale, lengths
from voxgate.calib.numerics.lengths import in_another_unit
from voxgate.calib.robot_poses.pose_forms import PoseForm
from voxgate.calib.robot_poses.rows import PoseTable
from voxgate.calib.steps.lens_step import bent_remarks, picture_remarks

CURED_BY_POSES = ("poses_min", "second_turn_min_deg", "at_part_max_mm")
TELL_SCALE = 0.002


def remarks_of(
    pictures: BoardPictures, found: HandEye, reading: Reading, asked: tuple[PoseForm, ...]
) -> list[str]:
    """The form of the poses, and what of pictures and poses is no evidence."""
    unit = in_another_unit(lengths(found.shot.flanges, found.shot.seen))
    guessed = "" if len(asked) == 1 else ", the only form that fits"
    repeated = {each.name for each in pictures.repeats}
    lost = set(pictures.names) - set(pictures.blank) - repeated - set(found.shot.sightings.names)
    named = {each.name for each in found.outliers}
    bad = [f"{name}: left out: its points fit no lens" for name in sorted(lost - named)]
    return [
        f"poses read as {reading.form}{guessed} ({reading.gap_mm:.2f} mm)",
        *([unit] if unit else []),
        *bent_remarks(float(np.ptp(found.shot.sightings.points_mm[:, 2]))),
        *picture_remarks(pictures),
        *bad,
        *(str(each) for each in found.outliers),
    ]


def against_what_is_said(table: PoseTable, reading: Reading) -> list[str]:
    """Where the file says one form and the pictures another."""
    if says(table.said, reading.form):
        return []
    said = ", ".join(str(each) for each in (table.said.rotation, table.said.unit) if each)
    return [f"the pose file says {said}, but only {reading.form} fits the pictures"]


def scale_remarks(robot_scale: bool, scale: Scale) -> list[str]:
    """What differs in scale: told where it is proven, or asked for."""
    if not robot_scale and abs(scale.times - 1) < max(TELL_SCALE, 4 * scale.sigma):
        return []
    words = (
        f"the robot's lengths times {scale.times:.5f} (standard deviation {scale.sigma:.5f}) are "
        "the board's"
    )
    if robot_scale:
        return [
            f"{words}: the camera's place was found with them so; the box takes the robot's "
            "lengths as they come: mend the pitch or the robot's calibration. Errors of single "
            "joints are not looked for"
        ]
    return [f"{words}: measure the board's pitch, or look with --robot-scale"]


def advice(judged: tuple[Gate, ...], found: HandEye, reading: Reading) -> list[str]:
    """The next pose, where more poses are what is missing."""
    if all(gate.ok for gate in judged if gate.name in CURED_BY_POSES):
        return []
    return [next_pose(found.shot.flanges, reading.form)]
