"""How the robot's poses are meant, as options."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from voxgate.calib.robot_poses.pose_forms import PoseForm


class RobotName(str, Enum):
    """Makes of robots, for the pose that their pendant shows."""

    UR = "ur"
    KUKA = "kuka"
    FANUC = "fanuc"
    YASKAWA = "yaskawa"
    ABB = "abb"
    STAUBLI = "staubli"
    KAWASAKI = "kawasaki"
    ROS = "ros"


class RotationName(str, Enum):
    """How the rotation is written."""

    QUAT_WXYZ = "quat-wxyz"
    QUAT_XYZW = "quat-xyzw"
    ROTVEC = "rotvec"
    ZYX = "zyx"
    WPR = "wpr"
    XYZ = "xyz"
    ZYZ = "zyz"
    ZXZ = "zxz"
    MATRIX = "matrix"
    MATRIX_COLUMNS = "matrix-columns"
    ROTATION_POSITION = "rotation-position"


class AngleName(str, Enum):
    """Unit of angles."""

    DEG = "deg"
    RAD = "rad"


class UnitName(str, Enum):
    """Unit of positions."""

    MM = "mm"
    M = "m"
    CM = "cm"
    INCH = "inch"


Robot = Annotated[
    RobotName | None, typer.Option(help="The form that this make of robot shows; or say it below.")
]
Rotation = Annotated[
    RotationName | None,
    typer.Option(help="zyx: KUKA A B C; wpr: Fanuc; rotvec: UR. Default: what fits the pictures."),
]
Angles = Annotated[AngleName | None, typer.Option(help="Unit of the angles.")]
Unit = Annotated[UnitName | None, typer.Option(help="Unit of the positions.")]
Inverted = Annotated[bool, typer.Option(help="The poses are flange_from_base.")]


def asked_forms(
    robot: RobotName | None,
    rotation: RotationName | None,
    angles: AngleName | None,
    unit: UnitName | None,
    inverted: bool,
) -> tuple[PoseForm, ...]:
    """Every form that the options allow; empty when they say nothing at all."""
    from dataclasses import replace

    from voxgate.calib.robot_poses.pose_forms import ROBOTS, PoseForm

    if robot is not None:
        usual = ROBOTS[robot.value]
        form = replace(
            usual,
            rotation=usual.rotation if rotation is None else rotation.value,
            degrees=usual.degrees if angles is None else angles is AngleName.DEG,
            unit=usual.unit if unit is None else unit.value,
            inverted=inverted,
        )
        return (form,)
    if rotation is None and angles is None and unit is None and not inverted:
        return ()
    names = [rotation.value] if rotation else [each.value for each in RotationName]
    return tuple(
        PoseForm(name, degrees=degrees, unit=length, inverted=inverted)
        for name in names
        for degrees in ([angles is AngleName.DEG] if angles else [True, False])
        for length in ([unit.value] if unit else [each.value for each in UnitName])
        if degrees or PoseForm(name).angles or angles
    )
