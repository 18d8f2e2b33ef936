"""The forms in which robots give poses: numbers to base_from_flange.

| form | columns after the position | rotation | seen on |
|---|---|---|---|
| quat-wxyz | w x y z | unit quaternion | ABB (q1..q4), KUKA iiwa |
| quat-xyzw | x y z w | unit quaternion | ROS, Franka |
| rotvec | rx ry rz | axis times angle | Universal Robots (rad, m) |
| zyx | a b c | Rz(a) Ry(b) Rx(c) | KUKA A B C, Comau-like |
| wpr | w p r | Rz(r) Ry(p) Rx(w) | Fanuc W P R, Yaskawa, ABB's Rx Ry Rz |
| xyz | a b c | Rx(a) Ry(b) Rz(c) | Stäubli, Mecademic |
| zyz | a b c | Rz(a) Ry(b) Rz(c) | Kawasaki O A T, Adept, Comau |
| zxz | a b c | Rz(a) Rx(b) Rz(c) | Mitsubishi's older, aerospace |
| matrix | 3x4 or 4x4, by rows | | |
| matrix-columns | 3x4 or 4x4, by columns | | MATLAB, OpenGL |
| rotation-position | 3x3 by rows, then x y z | | |
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse
from voxgate.runtime.transforms import rigid

UNIT_LENGTH = 0.01  # a quaternion written with three digits is off by less
EULER = {"zyx": "ZYX", "wpr": "xyz", "xyz": "XYZ", "zyz": "ZYZ", "zxz": "ZXZ"}
QUATERNIONS = ("quat-wxyz", "quat-xyzw")
MATRICES = ("matrix", "matrix-columns", "rotation-position")
ROTATIONS = (*QUATERNIONS, "rotvec", *EULER, *MATRICES)
LAST_ROW = (0.0, 0.0, 0.0, 1.0)
UNIT_MM = {"mm": 1.0, "m": 1000.0, "cm": 10.0, "inch": 25.4}


@dataclass(frozen=True, slots=True)
class PoseForm:
    """How the numbers of one pose are meant. rotation: one of ROTATIONS; degrees: of its angles.

    unit: of positions, one of UNIT_MM. inverted: the pose is flange_from_base.
    """

    rotation: str
    degrees: bool = True
    unit: str = "mm"
    inverted: bool = False

    def __post_init__(self) -> None:
        if self.rotation not in ROTATIONS:
            raise ValueError(f"a pose form is one of {', '.join(ROTATIONS)}, got {self.rotation!r}")
        if self.unit not in UNIT_MM:
            raise ValueError(f"positions are in {', '.join(UNIT_MM)}, got {self.unit!r}")

    @property
    def unit_mm(self) -> float:
        """Millimetres in one unit of the positions."""
        return UNIT_MM[self.unit]

    @property
    def angles(self) -> bool:
        """Whether the rotation is given by angles, so that their unit matters."""
        return self.rotation == "rotvec" or self.rotation in EULER

    def __str__(self) -> str:
        unit = f" in {'degrees' if self.degrees else 'radians'}" if self.angles else ""
        ends = ", flange_from_base" if self.inverted else ""
        return f"{self.rotation}{unit}, positions in {self.unit}{ends}"

    @property
    def options(self) -> str:
        """What to type for it."""
        angle = f" --angles {'deg' if self.degrees else 'rad'}" if self.angles else ""
        inverted = " --inverted" if self.inverted else ""
        return f"--rotation {self.rotation}{angle} --unit {self.unit}{inverted}"


ROBOTS = {
    "ur": PoseForm("rotvec", degrees=False, unit="m"),
    "kuka": PoseForm("zyx"),
    "fanuc": PoseForm("wpr"),
    "yaskawa": PoseForm("wpr"),
    "abb": PoseForm("quat-wxyz"),
    "staubli": PoseForm("xyz"),
    "kawasaki": PoseForm("zyz"),
    "ros": PoseForm("quat-xyzw", unit="m"),
}
"""What a make of robot usually shows."""


def forms_for(columns: int) -> list[PoseForm]:
    """Every form that rows of so many numbers can have, base_from_flange."""
    if columns == 6:
        rotations = [
            PoseForm(name, degrees) for name in ("rotvec", *EULER) for degrees in (True, False)
        ]
    elif columns == 7:
        rotations = [PoseForm(name) for name in QUATERNIONS]
    elif columns == 12:
        rotations = [PoseForm(name) for name in MATRICES]
    elif columns == 16:
        rotations = [PoseForm("matrix"), PoseForm("matrix-columns")]
    else:
        rotations = []
    return [replace(form, unit=unit) for form in rotations for unit in UNIT_MM]


def flanges(numbers: Array, form: PoseForm) -> Array:
    """(n, 4, 4) base_from_flange from rows (n, 6), (n, 7), (n, 12) or (n, 16).

    Raises ValueError naming the first row that is not a pose of this form.
    """
    if form.rotation not in {each.rotation for each in forms_for(numbers.shape[1])}:
        raise ValueError(
            f"a {form.rotation} pose does not have {numbers.shape[1]} numbers: "
            "position and quaternion are 7, position and angles 6, a matrix 12 or 16"
        )
    poses = _matrices(numbers, form) if form.rotation in MATRICES else _composed(numbers, form)
    poses[:, :3, 3] *= form.unit_mm
    return inverse(poses) if form.inverted else poses


def to_numbers(pose: Array, form: PoseForm) -> Array:
    """One base_from_flange (4, 4) as this robot shows it."""
    shown = inverse(pose[None])[0] if form.inverted else pose
    position = shown[:3, 3] / form.unit_mm
    if form.rotation in MATRICES:
        return _written(shown[:3, :3], position, form)
    turn = Rotation.from_matrix(shown[:3, :3])
    if form.rotation in QUATERNIONS:
        numbers = turn.as_quat(canonical=True)
        return np.concatenate(
            [position, np.roll(numbers, 1) if form.rotation == "quat-wxyz" else numbers]
        )
    if form.rotation == "rotvec":
        angles = turn.as_rotvec(degrees=form.degrees)
    else:
        with warnings.catch_warnings():  # at the gimbal's lock one of many answers is as good
            warnings.simplefilter("ignore", UserWarning)
            angles = turn.as_euler(EULER[form.rotation], degrees=form.degrees)
    return np.concatenate([position, angles])


def _written(turn: Array, position: Array, form: PoseForm) -> Array:
    if form.rotation == "rotation-position":
        return np.concatenate([turn.ravel(), position])
    rows = np.column_stack([turn, position])
    return np.asarray((rows if form.rotation == "matrix" else rows.T).ravel())


def _composed(numbers: Array, form: PoseForm) -> Array:
    poses = np.tile(np.eye(4), (len(numbers), 1, 1))
    poses[:, :3, :3] = _rotation(numbers[:, 3:], form).as_matrix()
    poses[:, :3, 3] = numbers[:, :3]
    return poses


def _rotation(numbers: Array, form: PoseForm) -> Rotation:
    if form.rotation in QUATERNIONS:
        lengths = np.linalg.norm(numbers, axis=1)
        off = np.abs(lengths - 1) > UNIT_LENGTH
        if off.any():
            row = int(off.argmax())
            raise ValueError(
                f"pose {row + 1}: the quaternion must have length 1, got {lengths[row]:.4f}"
            )
        xyzw = np.roll(numbers, -1, axis=1) if form.rotation == "quat-wxyz" else numbers
        return Rotation.from_quat(xyzw)
    if form.rotation == "rotvec":
        return Rotation.from_rotvec(numbers, degrees=form.degrees)
    return Rotation.from_euler(EULER[form.rotation], numbers, degrees=form.degrees)


def _matrices(numbers: Array, form: PoseForm) -> Array:
    poses = np.tile(np.eye(4), (len(numbers), 1, 1))
    if form.rotation == "rotation-position":
        poses[:, :3, :3] = numbers[:, :9].reshape(-1, 3, 3)
        poses[:, :3, 3] = numbers[:, 9:]
    elif form.rotation == "matrix-columns":
        poses[:, : numbers.shape[1] // 4] = numbers.reshape(len(numbers), 4, -1).swapaxes(1, 2)
    else:
        poses[:, : numbers.shape[1] // 4] = numbers.reshape(len(numbers), -1, 4)
    return np.array([_checked(row, pose) for row, pose in enumerate(poses, start=1)])


def _checked(row: int, pose: Array) -> Array:
    if np.abs(pose[3] - LAST_ROW).max() > UNIT_LENGTH:
        raise ValueError(f"pose {row}: a matrix ends with 0 0 0 1, got {pose[3]}")
    pose[:3, :3] = _orthonormal(pose[:3, :3])
    try:
        return rigid(pose)
    except ValueError as error:
        raise ValueError(f"pose {row}: {error}") from error


def _orthonormal(turn: Array) -> Array:
    """Printed matrices have few digits: the nearest rotation, if it is near."""
    u, size, vt = np.linalg.svd(turn)
    if np.abs(size - 1).max() > UNIT_LENGTH:
        return turn
    nearest: Array = u @ vt
    return nearest
