"""A speck of one picture against the views that saw its place: dust is refuted, a mark is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.coarse import coarse_recipe
from tests.kits.repository import BRACKET
from tests.kits.small_scan import WHOLE
from voxgate.runtime.comparison.expected import height_mm
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.engines.engine import open_engine
from voxgate.runtime.inspection import witnesses
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.transforms import apply, invert

pytestmark = pytest.mark.slow

SPECK_PX = 3
LEAVES = 0.25  # of the grey
PLACES = 2
WITNESSES = 4  # views that measured the place, besides the one that is spoilt
FAR_MM = 20.0
BLIND_PX = 12
BESIDE_PX = (8, -7)  # nearer, one shows in the place of the other

Point = npt.NDArray[np.float64]
Pixels = dict[int, tuple[int, int]]
"""View -> (column, row) of one place of the part."""


@pytest.fixture(scope="module")
def inspector(request: pytest.FixtureRequest) -> Iterator[Inspector]:
    """Of the example's pictures as they are at night, of half their size by day."""
    folder = request.getfixturevalue("bracket_recipe") if WHOLE else coarse_recipe()[0]
    recipe = Recipe.load(folder)
    calibration = open_scan(BRACKET / "good").calibration
    made = Inspector(recipe, calibration, open_engine(recipe), Limits())
    yield made
    made.close()


@cache
def _good(inspector: Inspector) -> tuple[View, ...]:
    found = views_of(open_scan(BRACKET / "good"), 10**9, np.inf)
    views = (view for view in found if isinstance(view, View))
    return tuple(views if WHOLE else map(inspector.equipment.reduced, views))


@pytest.fixture(scope="module")
def places(inspector: Inspector) -> list[Pixels]:
    """Places of the part, FAR_MM from each other, that more than WITNESSES views measured, well
    inside its outline."""
    rng = np.random.default_rng(5)
    found: list[Pixels] = []
    taken: list[Point] = []
    for _ in range(20_000):
        number = int(rng.integers(len(_good(inspector))))
        row, column = (
            int(rng.integers(20, side - 20)) for side in _good(inspector)[number].image.shape
        )
        place = _point(inspector, number, row, column)
        if place is None or any(np.linalg.norm(place - other) < FAR_MM for other in taken):
            continue
        pixels = _seen(inspector, place)
        if number in pixels and len(pixels) > WITNESSES:
            found.append({number: pixels.pop(number), **pixels})
            taken.append(place)
        if len(found) == PLACES:
            break
    return found


def _point(inspector: Inspector, number: int, row: int, column: int) -> Point | None:
    """Where on the part a pixel looks; None beside it, at an edge of it or on dark surface."""
    view, rays = _good(inspector)[number], inspector.equipment.rays
    assert view.depth_mm is not None
    around = (slice(row - 6, row + 7), slice(column - 6, column + 7))
    depth = view.depth_mm[around]
    high = _heights_mm(inspector)[number][around]
    if not (np.isfinite(depth).all() and np.ptp(depth) < 6.0 and (high > 4.0).all()):
        return None
    if not view.image[around].min() > 70 or np.ptp(view.image[around].astype(int)) > 60:
        return None
    z = float(view.depth_mm[row, column])
    ray = np.array([rays.x[row, column] * z, rays.y[row, column] * z, z])
    return apply(view.part_from_camera, ray)


@cache
def _heights_mm(inspector: Inspector) -> list[npt.NDArray[np.float32]]:
    rays = inspector.equipment.rays
    measured = ((view.depth_mm, view.part_from_camera) for view in _good(inspector))
    return [height_mm(depth, rays, pose) for depth, pose in measured if depth is not None]


def _seen(inspector: Inspector, place: Point) -> Pixels:
    rays, found = inspector.equipment.rays, {}
    for number, view in enumerate(_good(inspector)):
        camera = apply(invert(view.part_from_camera), place)
        u, v = (int(each) for each in np.rint(rays.project(camera[None])[0]))
        height, width = view.image.shape
        assert view.depth_mm is not None
        if 20 <= u < width - 20 and 20 <= v < height - 20:
            depth = view.depth_mm[v - 3 : v + 4, u - 3 : u + 4]
            if np.isfinite(depth).all() and abs(depth[3, 3] - camera[2]) < 0.5:
                found[number] = (u, v)
    return found


def _with_specks(inspector: Inspector, specks: Sequence[tuple[int, tuple[int, int]]]) -> list[View]:
    views, half = list(_good(inspector)), SPECK_PX // 2
    for number, (u, v) in specks:
        image = views[number].image.copy()
        image[v - half : v + half + 1, u - half : u + half + 1] = (
            image[v - half : v + half + 1, u - half : u + half + 1] * LEAVES
        ).astype(np.uint8)
        views[number] = replace(views[number], image=image)
    return views


def _without_return(view: View, u: int, v: int) -> View:
    """The sensor has measured nothing around a pixel."""
    assert view.depth_mm is not None
    depth_mm = view.depth_mm.copy()
    depth_mm[v - BLIND_PX : v + BLIND_PX + 1, u - BLIND_PX : u + BLIND_PX + 1] = np.nan
    return replace(view, depth_mm=depth_mm)


def _first(place: Pixels) -> tuple[int, tuple[int, int]]:
    return next(iter(place.items()))


def test_dust_in_one_picture_rejects_a_part_that_others_saw_clean(
    inspector: Inspector, places: list[Pixels]
) -> None:
    for place in places:
        verdict = _inspect(inspector, _with_specks(inspector, [_first(place)]))
        assert verdict.outcome is Outcome.PASS, (place, verdict.notes)
        assert verdict.score is not None
        assert verdict.score < 1.0


def test_dust_of_two_pictures_side_by_side_on_the_part_is_taken_for_a_mark_of_both(
    inspector: Inspector, places: list[Pixels]
) -> None:
    first, *others = places[-1].items()
    beside = (
        _with_specks(inspector, [first, (other, (u, v + px))])
        for other, (u, v) in others
        for px in BESIDE_PX
    )
    joined = next(views for views in beside if _is_one_defect_of_two_views(inspector, views))
    verdict = _inspect(inspector, joined)
    assert verdict.outcome is Outcome.PASS, verdict.notes


def test_the_same_mark_in_every_picture_of_its_place_is_taken_for_dust(
    inspector: Inspector, places: list[Pixels]
) -> None:
    for place in places:
        assert _verdict(inspector, list(place.items())).outcome is Outcome.FAIL


def test_a_mark_that_nobody_else_could_see_is_taken_for_dust(
    inspector: Inspector, places: list[Pixels]
) -> None:
    for place in places:
        number, at = _first(place)
        views = _with_specks(inspector, [(number, at)])
        for other, (u, v) in place.items():
            if other != number:
                views[other] = _without_return(views[other], u, v)
        assert _inspect(inspector, views).outcome is not Outcome.PASS


def test_dust_passes_though_nobody_was_asked_in_time(
    inspector: Inspector, places: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The robot waits: models are run again so often and no more."""
    monkeypatch.setattr(witnesses, "MOST_RUNS", 2)
    dusty = _with_specks(inspector, [_first(places[0])])
    assert _inspect(inspector, dusty).outcome is not Outcome.PASS


def test_dirt_on_the_lens_is_not_named(inspector: Inspector) -> None:
    u, v = _common_pixel(inspector)
    verdict = _verdict(inspector, [(number, (u, v)) for number in range(len(_good(inspector)))])
    assert verdict.outcome is Outcome.INDETERMINATE
    words = [note.detail for note in verdict.notes if note.reason is Reason.VIEWS_DISAGREE]
    assert any("lens" in detail for detail in words), verdict.notes


def _is_one_defect_of_two_views(inspector: Inspector, views: list[View]) -> bool:
    """Whether their voxels touch, and none is both's."""
    with pytest.MonkeyPatch.context() as nobody:
        nobody.setattr(witnesses, "MOST_SPECKS", 0)
        defects = _inspect(inspector, views).defects
    said = [np.unique(np.concatenate(ids)) for ids in inspector.volume.supports.values()]
    everybody = np.concatenate(said)
    apart = len(np.unique(everybody)) == len(everybody)
    return apart and [defect.views for defect in defects] == [2]


def _verdict(inspector: Inspector, specks: list[tuple[int, tuple[int, int]]]) -> Verdict:
    return _inspect(inspector, _with_specks(inspector, specks))


def _inspect(inspector: Inspector, views: list[View]) -> Verdict:
    return inspector.inspect(views, reduced=not WHOLE)


def _common_pixel(inspector: Inspector) -> tuple[int, int]:
    """Where most pictures show the part."""
    height, width = _good(inspector)[0].image.shape
    rng = np.random.default_rng(3)
    tries = [
        (
            int(rng.integers(width // 4, 3 * width // 4)),
            int(rng.integers(height // 4, 3 * height // 4)),
        )
        for _ in range(300)
    ]

    def shown(pixel: tuple[int, int]) -> int:
        u, v = pixel
        return sum(
            _point(inspector, number, v, u) is not None for number in range(len(_good(inspector)))
        )

    return max(tries, key=shown)
