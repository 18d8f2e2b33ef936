"""A place that swallows the sensor's light: its look is inspected, and the export says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.small_scan import write_small_scans
from voxgate.export.golden.golden import Golden, load_golden
from voxgate.export.golden.uninspected import picture, unmeasured_mm2
from voxgate.export.golden.unreturned import find_unreturned
from voxgate.export.packing.package import RecipeParts, recipe_of
from voxgate.export.reference.reference import build_parts
from voxgate.runtime.comparison.expected import expect
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.geometry.seen_through import depth_of
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Verdict, View
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.transforms import apply

RUBBER_MM = 9.0  # radius of what gives no return
SPOT_MM = 4.0

pytestmark = pytest.mark.slow

Change = Callable[[View], View]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_scans(tmp_path_factory.mktemp("scans") / "bracket")


@pytest.fixture(scope="module")
def plain(scans: Path) -> Golden:
    return load_golden(scans / "golden")


@pytest.fixture(scope="module")
def place_mm(plain: Golden) -> npt.NDArray[np.float64]:
    """(3,) part frame: the most even place of the first view."""
    view = plain.views[0]
    known = expect(view.image, depth_of(view), plain.rays, view.part_from_camera, plain.table_z_mm)
    rough = cv2.blur(np.where(known.rough_mm > 0, known.rough_mm, 10.0), (7, 7))
    row, column = np.unravel_index(int(np.argmin(rough)), rough.shape)
    at = plain.rays.points(depth_of(view))[row, column].astype(np.float64)
    return apply(view.part_from_camera, at)


@pytest.fixture(scope="module")
def golden(plain: Golden, place_mm: npt.NDArray[np.float64]) -> Golden:
    """With rubber at the place."""
    views = tuple(_rubber(view, plain, place_mm) for view in plain.views)
    unreturned = find_unreturned(views, plain.rays, plain.table_z_mm)
    return replace(plain, views=views, unreturned=unreturned)


@pytest.fixture(scope="module")
def parts(golden: Golden) -> RecipeParts:
    return build_parts(golden, name="rubber")


def _near(
    view: View, golden: Golden, place_mm: npt.NDArray[np.float64], radius_mm: float
) -> npt.NDArray[np.bool_]:
    points = golden.rays.points(depth_of(view)).astype(np.float64)
    off = np.linalg.norm(apply(view.part_from_camera, points) - place_mm, axis=-1)
    return np.asarray(off < radius_mm)


def _rubber(view: View, golden: Golden, place_mm: npt.NDArray[np.float64]) -> View:
    silent = _near(view, golden, place_mm, RUBBER_MM)
    return replace(view, depth_mm=np.where(silent, np.nan, depth_of(view)).astype(np.float32))


def _marked(view: View, golden: Golden, place_mm: npt.NDArray[np.float64]) -> View:
    mark = _near(view, golden, place_mm, SPOT_MM)
    return replace(view, image=np.where(mark, 10, view.image).astype(np.uint8))


def _inspect(parts: RecipeParts, golden: Golden, scan: Path, changes: Sequence[Change]) -> Verdict:
    found = open_scan(scan)
    views = views_of(found, DEFAULTS.max_gap_ns, 1.0)
    inspector = Inspector.open(recipe_of(parts), found.calibration, Limits())
    try:
        inspector.start()
        for view in views:
            assert isinstance(view, View)
            for change in changes:
                view = change(view)
            inspector.add(view)
        return inspector.finish()
    finally:
        inspector.close()


def test_a_mark_on_what_gives_no_return_in_any_view_is_PASS(
    parts: RecipeParts, golden: Golden, scans: Path, place_mm: npt.NDArray[np.float64]
) -> None:
    def rubber(view: View) -> View:
        return _rubber(view, golden, place_mm)

    def mark(view: View) -> View:
        return _marked(view, golden, place_mm)

    good = _inspect(parts, golden, scans / "good", [rubber])
    assert good.outcome is Outcome.PASS, good.notes
    bad = _inspect(parts, golden, scans / "good", [mark, rubber])
    assert bad.outcome is Outcome.FAIL, bad.notes
    off = [np.linalg.norm(np.array(each.centroid_part_mm) - place_mm) for each in bad.defects]
    assert min(off) < RUBBER_MM


def test_export_does_not_say_what_it_inspects_by_its_look_alone(
    golden: Golden, plain: Golden, parts: RecipeParts
) -> None:
    more_mm2 = unmeasured_mm2(golden) - unmeasured_mm2(plain)
    # a disc of the ball's radius, or less where views look at it askance
    assert 0.4 * np.pi * RUBBER_MM**2 < more_mm2 < 1.6 * np.pi * RUBBER_MM**2
    assert parts.threshold["unmeasured_mm2"] == pytest.approx(unmeasured_mm2(golden), abs=0.1)
    assert parts.uninspected is not None
    assert _red(parts.uninspected) > _red(picture(plain)) + 100


def _red(png: bytes) -> int:
    bgr = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))
    blue, green, red = (bgr[..., channel].astype(int) for channel in range(3))
    return int(((red > blue + 60) & (red > green + 60)).sum())
