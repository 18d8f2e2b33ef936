"""What a sensor beside the camera measured must not lie on the wrong pixel of the picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import rig, scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.brought import as_seen, with_depth
from voxgate.runtime.nouns import View

NOISE_MM = 5 * scene.NOISE_MM
ROUNDED_MM = 1.0  # a corner is cut between two of the sensor's pixels
ANOTHER_MM = 6.0  # the steepest surface between two of the sensor's pixels


def _brought(azimuth_deg: float, threads: int = 1) -> View:
    with Crew(threads) as crew:
        return with_depth(rig.look(scene.camera(azimuth_deg)), rig.rays(), crew)


def _cast(azimuth_deg: float) -> npt.NDArray[np.float32]:
    """What a sensor in the camera itself would measure, without noise."""
    return scene.depth(scene.look(scene.camera(azimuth_deg), noise_mm=0.0, through=rig.rays()))


@pytest.mark.parametrize("azimuth_deg", [0.0, 75.0, 160.0, 250.0])
def test_no_pixel_gets_the_depth_of_another_surface(azimuth_deg: float) -> None:
    found, truth = scene.depth(_brought(azimuth_deg)), _cast(azimuth_deg)
    both = np.isfinite(found) & np.isfinite(truth)
    off_mm = np.abs(found[both] - truth[both])
    assert np.percentile(off_mm, 99) < NOISE_MM
    # an edge lies somewhere between two of the sensor's pixels: nothing beyond it may show through
    assert off_mm.max() < ANOTHER_MM
    assert (off_mm > ROUNDED_MM).mean() < 5e-4
    assert both.mean() > 0.75  # the rest lies in the sensor's own shadow, or outside its picture


def test_what_hides_behind_nearer_surface_is_not_seen() -> None:
    """Of the tower's far side the sensor measures what the camera cannot see."""
    azimuth_deg = 0.0
    found, truth = scene.depth(_brought(azimuth_deg)), _cast(azimuth_deg)
    assert not (found > truth + ANOTHER_MM).any()


def test_surface_that_is_seen_from_behind_says_nothing() -> None:
    """A sensor beside a plate that stands on its edge: the camera looks at the other side."""
    plate = (((-40.0, -1.0, 0.0), (40.0, 1.0, 60.0)),)
    pose = scene.camera(azimuth_deg=3.0, elevation_deg=20.0)
    with Crew(1) as crew:
        view = with_depth(rig.look(pose, plate), rig.rays(), crew)
    truth = scene.depth(scene.look(pose, plate, noise_mm=0.0, through=rig.rays()))
    found = scene.depth(view)
    assert not (np.abs(found - truth) > ANOTHER_MM).any()


def test_two_threads_give_the_same_bits() -> None:
    one, two = _brought(75.0, threads=1), _brought(75.0, threads=2)
    np.testing.assert_array_equal(scene.depth(one), scene.depth(two))
    assert one.sensed_at is not None
    assert two.sensed_at is not None
    np.testing.assert_array_equal(one.sensed_at, two.sensed_at)


def test_what_the_sensor_says_is_shown_where_the_camera_sees_it() -> None:
    view = _brought(75.0)
    assert view.sensed is not None
    assert view.sensed.depth_mm is not None
    away_mm = np.linalg.norm(rig.rays().shape.points(view.sensed.depth_mm), axis=-1)
    seen = as_seen(np.nan_to_num(away_mm).astype(np.float32), view)
    known = np.isfinite(scene.depth(view))
    assert (seen[~known] == 0).all()
    own = rig.rays().points(scene.depth(view))[known].astype(np.float64)
    sensor_from_camera = np.linalg.inv(rig.camera_from_sensor())
    from_sensor = own @ sensor_from_camera[:3, :3].T + sensor_from_camera[:3, 3]
    off_mm = np.abs(np.linalg.norm(from_sensor, axis=-1) - seen[known])
    assert np.percentile(off_mm, 99) < 2.0  # a pixel of the sensor on a slope


def test_aligned_depth_is_left_as_it_is() -> None:
    view = scene.look(scene.camera(0.0))
    with Crew(1) as crew:
        assert with_depth(view, scene.rays(), crew) is view
