"""A picture that hides a defect, or shows one where there is none, misleads whoever looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voxgate.runtime.errors import VoxGateError
from voxgate.sim.demo import verdict_picture
from voxgate.sim.demo.cloud import Cloud
from voxgate.sim.demo.splat import Eye, cubes, edge_light, splat
from voxgate.sim.demo.verdict_picture import (
    HEIGHT_PX,
    WIDTH_PX,
    AnomalyVolume,
    Label,
    best_azimuths,
    picture,
    write_png,
)

pytestmark = pytest.mark.slow

ORIGIN = np.zeros(3)


def _wall() -> Cloud:
    """A plate in the x-z plane, 100 x 60 mm, as seen from +y and from -y."""
    x, z = np.meshgrid(np.arange(0, 100, 0.5), np.arange(0, 60, 0.5))
    points = np.stack([x.ravel(), np.full(x.size, 20.0), z.ravel()], axis=1).astype(np.float32)
    ones = np.ones(len(points), dtype=np.float32)
    return Cloud(points, 0.5 * ones, ones, ones, points[::50], spacing_mm=0.5)


def _volume(*ijk: tuple[int, int, int], score: float = 3.0) -> AnomalyVolume:
    cells = np.array(ijk, dtype=np.int32).reshape(-1, 3)
    return AnomalyVolume(cells, np.full(len(cells), score, np.float32), ORIGIN, 2.0)


def _colourful(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Pixels of the hero view that no grey surface has; title and scale left out."""
    hero = image[110 : HEIGHT_PX - 10, :1190].astype(int)
    return np.asarray((hero.max(axis=2) - hero.min(axis=2)) > 60)


@pytest.fixture(scope="module", autouse=True)
def _edges_are_not_smoothed() -> Iterator[None]:
    """Drawn at its own size, in a quarter of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict_picture, "OVERSAMPLE", 1)
        yield


@pytest.fixture(scope="module")
def marked() -> npt.NDArray[np.uint8]:
    """A plate with an anomaly, and no label."""
    return picture(_wall(), _volume((20, 10, 15), (21, 10, 15)), (), "", "")


def test_a_part_without_anomaly_is_grey() -> None:
    image = picture(_wall(), _volume(), (), "plate: PASS", "")
    assert image.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert image.std() > 5
    assert not _colourful(image).any()


def test_a_voxel_above_the_threshold_is_seen_and_one_below_is_not(
    marked: npt.NDArray[np.uint8],
) -> None:
    below = picture(_wall(), _volume((20, 10, 15), score=0.4), (), "plate: PASS", "")
    assert 50 < _colourful(marked).sum() < 20_000
    assert not _colourful(below).any()


def test_the_eye_goes_to_the_side_where_the_defect_can_be_seen() -> None:
    in_front = tuple((20 + n, 13, 15) for n in range(5))  # y = 26 mm: beyond the plate's +y face
    azimuth = best_azimuths(_wall(), _volume(*in_front))[0]
    assert np.sin(np.radians(azimuth)) > 0.4


def test_a_label_is_written_in_millimetres(marked: npt.NDArray[np.uint8]) -> None:
    label = Label((41.0, 21.0, 31.0), (12.42, 8.0, 6.0), 3.2)
    assert label.text == "12.4 x 8.0 x 6.0 mm"
    written = picture(_wall(), _volume((20, 10, 15), (21, 10, 15)), (label,), "", "")
    assert (marked != written).any()


def test_the_framed_part_fills_the_picture_and_stays_inside() -> None:
    cloud = _wall()
    for azimuth in (0.0, 77.0, 200.0):
        eye = Eye.framing(cloud.points, azimuth, 30.0, (320, 200))
        uv, z_mm = eye.pixels(cloud.points)
        assert np.isfinite(z_mm).all()
        assert (uv >= 0).all()
        assert (uv < (320, 200)).all()
        assert ((uv.max(axis=0) - uv.min(axis=0)) / (320, 200)).max() > 0.8


def test_the_near_surface_hides_the_far_one() -> None:
    x, z = np.meshgrid(np.linspace(-10, 10, 80), np.linspace(-10, 10, 80))
    points = [np.stack([x, np.full_like(x, y), z], axis=2).reshape(-1, 3) for y in (0.0, 30.0)]
    cloud = np.concatenate(points).astype(np.float32)
    values = np.repeat(np.array([[0.2], [0.9]], dtype=np.float32), 6400, axis=0)
    eye = Eye.framing(cloud, 90.0, 0.0, (100, 100))  # from +y: the plane at 30 mm is near
    layer = splat(eye, cloud, values, np.ones(len(cloud), np.float32), 3)
    middle = layer.values[30:70, 30:70, 0]
    np.testing.assert_allclose(middle, 0.9, atol=1e-5)
    light = edge_light(layer.z_mm)
    assert 0 <= light.min() <= light.max() <= 1


def test_a_block_of_voxels_has_no_inner_faces() -> None:
    block = np.argwhere(np.ones((3, 3, 3))).astype(np.int32)
    points, rows, _ = cubes(block, ORIGIN, 2.0, spacing_mm=0.7)
    per_face = len(cubes(block[:1], ORIGIN, 2.0, 0.7)[0]) // 6
    assert len(points) == 6 * 9 * per_face
    assert set(rows) == set(range(27)) - {13}
    assert points.min() == 0
    assert points.max() == 6


def test_a_file_that_is_no_volume_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "volume.npz"
    file.write_bytes(b"not a volume")
    with pytest.raises(VoxGateError, match="not a volume"):
        AnomalyVolume.load(file)
    np.savez(file, ijk=np.zeros((1, 3)))
    with pytest.raises(VoxGateError, match="score"):
        AnomalyVolume.load(file)


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(VoxGateError, match="cannot be written"):
        write_png(tmp_path / "none" / "picture.png", np.zeros((4, 4, 3), np.uint8))
