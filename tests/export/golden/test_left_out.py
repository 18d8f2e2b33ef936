"""What a golden scan shows of how good parts stand, by a sensor beside the camera: a place that it
tells otherwise from everywhere is loud on every part, and the quiet rest is held tightly.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import rig, scene
from voxgate.export.golden.golden import load_golden
from voxgate.export.packing.package import RecipeParts, recipe_of
from voxgate.export.progress import Bar, silent
from voxgate.export.reference.good_parts import taught
from voxgate.export.reference.reference import build_parts
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.geometry.seen_through import depth_of
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Verdict, View
from voxgate.runtime.transforms import apply

VOXEL_MM = 3.0  # of this sensor's pixels three span one
PATCH = ((-6.0, 8.0, 23.0), (12.0, 26.0, 27.0))  # of the top of the body
NOISE_MM = 0.7  # of a pixel there: of so many together nothing is left
STEP: scene.Box = ((-6.0, 8.0, 25.0), (12.0, 26.0, 25.25))
STANDING = scene.offset((0.4, -0.3, 0.0), (0.0, 0.0, 0.2))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> RecipeParts:
    return _taught(tmp_path_factory.mktemp("quiet"), rig.ring(seed=100))


def test_a_place_that_is_told_otherwise_from_everywhere_is_raised_on_every_good_part(
    quiet: RecipeParts, tmp_path: Path
) -> None:
    restless = _taught(tmp_path, _restless(rig.ring(seed=100), 1))
    good = _restless(rig.ring(part_from_instance=STANDING), 2)
    assert _inspect(restless, good)[1].max() < 0.75
    unaware = restless.manifest.model_copy(update={"raised_mm": quiet.manifest.raised_mm})
    assert _inspect(replace(restless, manifest=unaware), good)[1].max() > 1.0


def test_a_step_that_each_view_lets_pass_is_PASS_by_a_sensor_beside_the_camera(
    quiet: RecipeParts,
) -> None:
    stepped = rig.ring((*scene.PART, STEP), STANDING)
    verdict, raised = _inspect(quiet, stepped)
    assert verdict.outcome is Outcome.FAIL
    assert raised.max() > 1.0
    unasked = quiet.manifest.model_copy(update={"raised_mm": None})
    verdict, _ = _inspect(replace(quiet, manifest=unasked), stepped)
    assert verdict.outcome is Outcome.PASS


def test_what_one_good_part_taught_is_forgotten_by_the_next(
    quiet: RecipeParts, tmp_path: Path
) -> None:
    stepped = rig.write(tmp_path / "stepped", rig.ring((*scene.PART, STEP), STANDING))
    plain = rig.write(tmp_path / "plain", rig.ring(part_from_instance=STANDING))
    raised_mm = taught(quiet, [stepped, plain], True, Bar(silent)).manifest.raised_mm
    assert raised_mm is not None
    assert quiet.manifest.raised_mm is not None
    assert raised_mm > 1.5 * quiet.manifest.raised_mm


def _taught(folder: Path, views: list[View]) -> RecipeParts:
    scan = rig.write(folder / "golden", views)
    return build_parts(load_golden(scan, voxel_mm=VOXEL_MM), name="rig")


def _restless(views: Sequence[View], seed: int) -> list[View]:
    rng = np.random.default_rng(seed)
    return [replace(view, sensed=_noisy(view.shape, rng)) for view in views]


def _noisy(sensed: View, rng: np.random.Generator) -> View:
    depth_mm = depth_of(sensed)
    points = rig.rays().shape.points(depth_mm).astype(np.float64)
    at = apply(sensed.part_from_camera, points)
    low, high = (np.array(corner) for corner in PATCH)
    inside = ((at > low) & (at < high)).all(axis=-1)
    noise_mm = np.where(inside, rng.normal(0, NOISE_MM, depth_mm.shape), 0.0)
    return replace(sensed, depth_mm=(depth_mm + noise_mm).astype(np.float32))


def _inspect(parts: RecipeParts, views: Sequence[View]) -> tuple[Verdict, npt.NDArray[np.float32]]:
    """And what all views together call raised, 1 = threshold."""
    with closing(Inspector.open(recipe_of(parts), rig.calibration(), Limits())) as inspector:
        inspector.start()
        for view in views:
            inspector.add(view)
        verdict, raised = inspector.finish(), inspector.equipment.together.raised
        return verdict, np.zeros(1, np.float32) if raised is None else raised.agreed()[1]
