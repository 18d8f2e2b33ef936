"""What shines: a broad sheen is light, and hides no mark; what glitters or wanders is borne."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from tests.kits import scene
from voxgate.export.golden.gloss import gloss
from voxgate.export.reference.filter_bank import FULL_SCALE, filter_bank
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import apply

RING = [scene.camera(azimuth, 55.0) for azimuth in range(0, 360, 45)]
TO_LAMP = np.array([0.3, -0.2, 0.93])
DULL, HIGHLIGHT = 70.0, 120.0  # grey levels
FLASH = 60.0
PLACE_MM = np.array([8.0, -6.0, 10.0])  # on the plate's upper face
NOISE_GREY = 1.0

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
Plane = npt.NDArray[np.float64]
Shade = Callable[[View, Points], Plane]
"""A view, and the point (h, w, 3) of the part at each of its pixels -> grey levels (h, w)."""


# --- what it says of a surface ------------------------------------------------------------------


def test_a_face_that_shines_as_a_whole_is_said_to_flicker() -> None:
    views = _plate(_in_turns)
    for view, flicker in zip(views, _gloss(views), strict=True):
        assert np.median(flicker[_face(view)]) < FLASH / 10


def test_a_highlight_that_wanders_over_a_face_is_taken_for_light() -> None:
    def spotlit(view: View, points: Points) -> Plane:
        at_mm = (12.0 * view.frame_id - 42.0, 0.0, 10.0)
        return np.where(_near(points, at_mm, 5.0), DULL + FLASH, DULL)

    views = _plate(spotlit)
    for view, flicker in zip(views, _gloss(views), strict=True):
        its_own = _near(_points(view), (12.0 * view.frame_id - 42.0, 0.0, 10.0), 3.0)
        assert np.median(flicker[its_own]) > 0.8 * FLASH


def test_where_a_shiny_face_meets_a_dull_one_light_explains_the_border() -> None:
    """The mean of a place holds both, and suits neither."""

    def half(view: View, points: Points) -> Plane:
        return np.where(points[..., 0] > 0, _in_turns(view, points), DULL)

    views = _plate(half)
    for view, flicker in zip(views, _gloss(views), strict=True):
        across = _points(view)[..., 0]
        border, far = _face(view) & (np.abs(across - 2) < 2), _face(view) & (np.abs(across) > 45)
        assert np.median(flicker[border]) > 0.25 * _rms_in_turns(view)
        assert np.median(flicker[far]) < FLASH / 10


def test_what_other_views_do_not_see_is_held_for_dark() -> None:
    """A sensor that had no return there tells of no light."""
    first, *others = _plate(_in_turns)
    blind = [_silenced(view, _points(view)[..., 0] > 0) for view in others]
    beside = _face(first) & (np.abs(_points(first)[..., 0] + 6) < 3)
    assert np.median(_gloss([first, *blind])[0][beside]) < FLASH / 10


def test_the_grain_of_a_painted_face_is_said_to_glitter() -> None:
    """It is the same in every view, as bright as the light there."""
    grain = np.random.default_rng(5).normal(0, 12, (300, 300))

    def painted(view: View, points: Points) -> Plane:
        i, j = (np.floor(points[..., k] / 2.5).astype(int) % 300 for k in (0, 1))
        return np.asarray((0.8 + 0.05 * view.frame_id) * (110 + grain[i, j]))

    views = _plate(painted)
    for view, flicker in zip(views, _gloss(views), strict=True):
        assert np.median(flicker[_face(view)]) < 0.8 * 12


# --- what follows for the parts -----------------------------------------------------------------


def test_a_dark_spot_of_3_mm_on_a_face_with_a_broad_sheen_is_missed() -> None:
    golden = _plate(_metal(0.0, 40))
    found = _scores(
        golden, _spotted(_metal(0.0, 40)), lambda view: _near(_points(view), PLACE_MM, 4)
    )
    assert np.median(found) > 1.3
    assert max(_scores(golden, _metal(0.0, 40), _face)) < 0.3


@pytest.mark.parametrize(("tilt", "sharpness"), [(0.08, 120), (0.1, 60), (0.15, 60)], ids=str)
def test_another_part_of_a_metal_that_glitters_fails(tilt: float, sharpness: float) -> None:
    """Its facets lie elsewhere; what one golden view shows of them says too little."""
    golden, another = (_metal(tilt, sharpness, seed) for seed in (3, 9))
    views = _plate(golden)
    assert max(_scores(views, another, _face, bears_gloss=False)) > 1.1
    assert max(_scores(views, another, _face)) < 1


# --- plates, all of 120 x 80 mm, at about 1 px per mm -------------------------------------------


def _plate(shade: Shade) -> list[View]:
    """Seen from all around."""
    bare = [scene.look(pose, scene.PLATE, noise_mm=0.0, seed=k) for k, pose in enumerate(RING)]
    return [_shown(view, shade) for view in bare]


def _shown(view: View, shade: Shade, noise_seed: int = 0) -> View:
    """The view with the plate in this shade."""
    rng = np.random.default_rng((noise_seed, view.frame_id))
    points = _points(view)
    noisy = shade(view, points) + rng.normal(0, NOISE_GREY, points.shape[:2])
    on_part = points[..., 2] > scene.TABLE_Z_MM
    return replace(view, image=np.where(on_part, noisy.clip(0, 255), view.image).astype(np.uint8))


def _in_turns(view: View, points: Points) -> Plane:
    """Each view shows another brightness, a little more on one side."""
    return DULL + (view.frame_id % 3) / 2 * FLASH * (1 + points[..., 0] / 400)


def _rms_in_turns(view: View) -> float:
    """How far the other views are from this one, at the plate's middle."""
    apart = [
        (k % 3 - view.frame_id % 3) / 2 * FLASH for k in range(len(RING)) if k != view.frame_id
    ]
    return float(np.sqrt(np.mean(np.square(apart))))


def _metal(tilt: float, sharpness: float, seed: int = 0) -> Shade:
    """Facets of 1 mm, tilted at random (rms, rad), bright where they look half way to the lamp."""
    tilts = np.random.default_rng(seed).normal(0, tilt, (2, 400, 400))

    def shade(view: View, points: Points) -> Plane:
        i, j = (np.floor(points[..., k]).astype(int) % 400 for k in (0, 1))
        facing = _unit(np.stack([*tilts[:, i, j], np.ones(i.shape)], axis=-1))
        half_way = _unit(_unit(view.part_from_camera[:3, 3] - points) + _unit(TO_LAMP))
        shine = np.maximum((facing * half_way).sum(-1), 0) ** sharpness
        return np.asarray(DULL + HIGHLIGHT * shine)

    return shade


def _spotted(shade: Shade) -> Shade:
    """With a spot of 3 mm that is a third darker."""

    def spotted(view: View, points: Points) -> Plane:
        return np.where(_near(points, PLACE_MM, 1.5), 0.67, 1.0) * shade(view, points)

    return spotted


def _unit(vectors: Points) -> Points:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _silenced(view: View, where: Mask) -> View:
    return replace(view, depth_mm=np.where(where, np.nan, scene.depth(view)).astype(np.float32))


def _points(view: View) -> Points:
    camera = scene.rays().points(np.nan_to_num(scene.depth(view), nan=1.0)).astype(np.float64)
    return apply(view.part_from_camera, camera)


def _face(view: View) -> Mask:
    """Pixels of the upper face, off its rim."""
    x, y, z = np.moveaxis(_points(view), -1, 0)
    return np.asarray((np.abs(x) < 52) & (np.abs(y) < 32) & (z > 9))


def _near(points: Points, at_mm: Sequence[float] | Points, radius_mm: float) -> Mask:
    return np.asarray(np.linalg.norm(points - at_mm, axis=-1) < radius_mm)


def _gloss(views: Sequence[View]) -> npt.NDArray[np.uint8]:
    return gloss(views, scene.rays(), scene.TABLE_Z_MM).grey


def _scores(
    golden: Sequence[View],
    shade: Shade,
    where: Callable[[View], Mask],
    bears_gloss: bool = True,
) -> list[float]:
    """The largest score of a plate in this shade, in every view."""
    size_px = scene.rays().x.shape
    model = filter_bank((size_px[0], size_px[1]), FULL_SCALE).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = []
    for view, flicker in zip(golden, _gloss(golden), strict=True):
        seen = _shown(view, shade, noise_seed=1)
        borne = flicker if bears_gloss else np.zeros_like(flicker)
        planes = {"image": seen.image, "reference": view.image, "gloss": borne}
        (score,) = session.run(None, {name: each[None, None] for name, each in planes.items()})
        found.append(float(score[0, 0][where(view)].max()))
    return found
