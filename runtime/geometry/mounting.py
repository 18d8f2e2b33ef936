"""What the robot moves: the camera in front of a standing part, the part in front of a standing
camera, or neither."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.strict_json import Fields, quoted
from voxgate.runtime.geometry.pinhole import transform_of
from voxgate.runtime.transforms import Transform, invert

EYE_IN_HAND, EYE_TO_HAND = "eye_in_hand", "eye_to_hand"
KEYS = {EYE_IN_HAND: "T_flange_cam", EYE_TO_HAND: "T_base_cam"}
"""Under which the camera's place stands."""
CARRIED, STANDING = "T_flange_part", "T_base_part"


@dataclass(frozen=True, slots=True, eq=False)
class Mounting:
    """Where camera and part are fixed.

    camera: flange_from_camera; base_from_camera of one that stands in the cell (fixed).
    part: base_from_part; flange_from_part of one that the robot, or a turntable, carries.
    """

    camera: Transform
    part: Transform
    fixed: bool = False
    carried: bool = False

    @property
    def still(self) -> bool:
        """Whether the robot moves neither."""
        return self.fixed and not self.carried

    def part_from_camera(self, base_from_flange: npt.NDArray[np.float64]) -> Transform:
        """(..., 4, 4) the camera in the part's frame, at flange poses (..., 4, 4)."""
        return np.asarray(invert(self.part) @ self._moved(base_from_flange) @ self.camera)

    def arm_mm(self, lever_mm: float) -> float:
        """How far the flange is from the part's origin, at most.

        lever_mm: from the camera to the part's origin.
        """
        if not self.fixed:
            return lever_mm + float(np.linalg.norm(self.camera[:3, 3]))
        return float(np.linalg.norm(self.part[:3, 3]))

    def of_sensor(self, camera_from_sensor: Transform) -> Mounting:
        """Of a device that is fixed to the camera."""
        return replace(self, camera=self.camera @ camera_from_sensor)

    def _moved(self, base_from_flange: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """From what the camera is fixed to, to what the part is fixed to."""
        if not self.fixed:
            return base_from_flange
        if self.carried:
            return np.asarray(np.linalg.inv(base_from_flange), np.float64)
        return np.broadcast_to(np.eye(4), base_from_flange.shape)

    @property
    def placing(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Every number that places the camera before the part."""
        kind = (np.array([1.0, float(self.carried)]),) if self.fixed else ()
        return self.camera, self.part, *kind


def mounting_of(fields: Fields) -> Mounting:
    """Of a calibration. Raises ValueError with the key that is missing, or one too many."""
    word = fields.text("mounting") if fields.has("mounting") else EYE_IN_HAND
    if word not in KEYS:
        raise ValueError(f"mounting must be {' or '.join(KEYS)}, got {quoted(word)}")
    fixed, carried = word == EYE_TO_HAND, fields.has(CARRIED)
    other = KEYS[EYE_IN_HAND if fixed else EYE_TO_HAND]
    if fields.has(other):
        raise ValueError(f"{other} is of another mounting than {word}: take one of them out")
    if carried and not fixed:
        raise ValueError(f"{CARRIED}: camera and part both on the flange: nothing moves")
    if carried and fields.has(STANDING):
        raise ValueError(f"{CARRIED} and {STANDING}: the part hangs on the robot, or it stands")
    return Mounting(
        transform_of(fields, KEYS[word]),
        transform_of(fields, CARRIED if carried else STANDING),
        fixed,
        carried,
    )
