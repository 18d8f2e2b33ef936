"""A camera that stands in the cell must be placed by what moves, and said to be what it is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from tests.kits.repository import ROOT
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration

EXAMPLE = json.loads((ROOT / "examples/bracket/calibration.json").read_text())
Matrix = npt.NDArray[np.float64]


def _random(seed: int) -> Matrix:
    generator = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    matrix[:3, 3] = generator.uniform(-500, 500, 3)
    return matrix


def _told(**keys: Any) -> Calibration:
    said = {key: value for key, value in EXAMPLE.items() if key not in ("digest", "T_flange_cam")}
    if "T_flange_part" in keys:
        said.pop("T_base_part")
    placed = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in keys.items()}
    return Calibration.from_text(json.dumps(said | placed))


def test_a_part_in_the_grippers_hand_is_not_seen_from_where_the_robot_was() -> None:
    camera, held, flange = _random(1), _random(2), _random(3)
    known = _told(mounting="eye_to_hand", T_base_cam=camera, T_flange_part=held)
    # a point of the part, on its way through every frame
    point_part = np.array([10.0, 20.0, 30.0, 1.0])
    point_camera = np.linalg.solve(camera, flange @ held @ point_part)
    assert np.allclose(known.part_from_camera(flange) @ point_camera, point_part)


def test_a_standing_camera_before_a_standing_part_does_not_move_with_the_robot() -> None:
    camera = _random(1)
    known = _told(mounting="eye_to_hand", T_base_cam=camera)
    expected = np.linalg.solve(np.array(EXAMPLE["T_base_part"]), camera)
    for flange in (_random(3), _random(4)):
        assert np.allclose(known.part_from_camera(flange), expected)


def test_the_same_numbers_in_another_mounting_are_another_calibration() -> None:
    camera, part = _random(1), np.array(EXAMPLE["T_base_part"])
    digests = {
        _told(T_flange_cam=camera).digest,
        _told(mounting="eye_to_hand", T_base_cam=camera).digest,
        _told(mounting="eye_to_hand", T_base_cam=camera, T_flange_part=part).digest,
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"mounting": "eye_to_hand", "T_flange_cam": np.eye(4)}, "T_flange_cam is of another"),
        ({"mounting": "eye_in_hand", "T_base_cam": np.eye(4)}, "T_base_cam is of another"),
        ({"mounting": "eye_to_hand"}, "T_base_cam"),
        ({"mounting": "ceiling", "T_base_cam": np.eye(4)}, "mounting must be eye_in_hand or"),
        ({"T_flange_cam": np.eye(4), "T_flange_part": np.eye(4)}, "nothing moves"),
    ],
)
def test_a_mounting_that_contradicts_itself_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(CalibrationError, match=said):
        _told(**keys)


def test_a_part_that_stands_and_is_carried_is_refused() -> None:
    both = {**EXAMPLE, "mounting": "eye_to_hand", "T_base_cam": np.eye(4).tolist()}
    both |= {"T_flange_part": np.eye(4).tolist()}
    both = {key: value for key, value in both.items() if key not in ("digest", "T_flange_cam")}
    with pytest.raises(CalibrationError, match="T_flange_part and T_base_part"):
        Calibration.from_text(json.dumps(both))
