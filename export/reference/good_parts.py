"""What further good parts teach: where they differ from the golden one, and by how much.

good scan -> inspected by the recipe of the golden scan alone -> how each view differs, in grey and
in shape -> on the golden pixels -> more tolerance there. Nothing else of the recipe changes, so no
part scores more than it would without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.golden.gloss import LIGHT_SIGMA_PX
from voxgate.export.packing.package import RecipeParts, ReferenceViews, recipe_of
from voxgate.export.progress import Bar
from voxgate.export.reference.filter_bank import UNSTEADY
from voxgate.runtime.comparison.expected import SPREAD_UNIT_MM, ExpectedView
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.fusion.host import Described
from voxgate.runtime.geometry.projected import project_into
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import GreyImage, Note, Outcome, Picture, Verdict, View
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import lost_frames, views_of
from voxgate.runtime.transforms import Transform, apply

# What a good part was seen to differ by scores at most this afterwards; what scored less teaches
# nothing, for noise is everywhere.
TAUGHT_SCORE = 0.5
SMOOTH_PX = 3
REACH_PX = 7  # the next part's label lies elsewhere again
BYTE_MAX = 255.0

FloatMap = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """By how much good parts differed, (views, h, w) float32 at golden pixels, 0 where they did
    not: grey levels, and mm along the normal, at pixels of what measured depth."""

    grey: FloatMap
    shape_mm: FloatMap


def taught(parts: RecipeParts, scans: Sequence[Path], force: bool, bar: Bar) -> RecipeParts:
    """The recipe with more tolerance where good parts differ from the golden one.

    force: also by parts that the recipe FAILs. Raises RecipeError for such without it, and
    ScanError for a scan that proves nothing.
    """
    assert parts.reference is not None  # a recipe of a golden scan holds its views
    full_scale = float(parts.threshold["full_scale_tolerances"])
    most = _none_of(parts.reference)
    tint, agreed = parts.manifest.tint, parts.manifest.agreed
    raised_mm = parts.manifest.raised_mm
    calibration = open_scan(scans[0]).calibration
    with closing(Inspector.open(recipe_of(parts), calibration, DEFAULTS.limits)) as inspector:
        inspector.keeps_shape = True
        for scan in scans:
            bar.say(f"learn from {scan.name}")
            verdict = inspector.inspect(_arrivals(scan))
            _check(scan, verdict, force)
            assert verdict.alignment is not None  # or it would have been INDETERMINATE
            together = inspector.equipment.together
            if together.tints is not None:
                tint = max(tint, together.tints.usual_for(TAUGHT_SCORE))
            if together.faint is not None:
                agreed = max(agreed, together.faint.usual_for(TAUGHT_SCORE))
            if together.raised is not None:
                raised_mm = max(raised_mm or 0.0, together.raised.usual_for(TAUGHT_SCORE))
            for planned, described in inspector.described.items():
                score = inspector.equipment.scores_of(described, described.view.picture)
                own = _spread(described, score, full_scale, parts.manifest.tolerance_mm)
                golden, view = inspector.equipment.golden[planned], described.view
                rays, moved = inspector.equipment.rays, verdict.alignment.reference_from_part
                for kept, seen, pixels in (
                    (most.grey, own.grey, _golden_pixels(view, golden, moved, rays)),
                    (
                        most.shape_mm,
                        own.shape_mm,
                        _golden_pixels(view.shape, golden.shape, moved, rays.shape),
                    ),
                ):
                    kept[planned] = np.maximum(kept[planned], _placed(seen, pixels))
    raised_mm = None if raised_mm is None else round(raised_mm, 4)
    usual = {"tint": round(tint, 3), "agreed": round(agreed, 3), "raised_mm": raised_mm}
    return _with(parts, most, usual, scans)


def _none_of(reference: ReferenceViews) -> Spread:
    depth = reference.depth_counts if reference.sensed is None else reference.sensed.depth_counts
    return Spread(np.zeros(reference.gloss.shape, np.float32), np.zeros(depth.shape, np.float32))


def _arrivals(folder: Path) -> list[View | Note]:
    scan = open_scan(folder)
    found = views_of(scan, DEFAULTS.max_gap_ns, np.inf)
    placed = [each if isinstance(each, View) else each.note for each in found]
    return [*lost_frames(scan), *placed]


def _check(scan: Path, verdict: Verdict, force: bool) -> None:
    words = "; ".join(note.detail for note in verdict.notes[:2])
    if verdict.outcome is Outcome.INDETERMINATE:
        raise ScanError(f"{scan}: this scan teaches nothing: {words}")
    if verdict.outcome is Outcome.FAIL and not force:
        raise RecipeError(
            f"the golden scan alone FAILs {scan}: {words}: look at the part, leave the scan out if "
            "it is bad, or say --force if it is good"
        )


def _spread(
    described: Described, score: FloatMap, full_scale: float, tolerance_mm: float
) -> Spread:
    """(h, w) of one view, at its own pixels: tolerance that would let its differences score
    TAUGHT_SCORE."""
    view, registered = described.view, described.registered
    assert registered is not None  # the recipe compares with golden views
    loud = _reaching((score >= TAUGHT_SCORE).astype(np.float32)) > 0
    expected = registered.reference_picture
    seen = view.picture if view.picture.shape == expected.shape else view.image
    grey = _difference(seen, expected) / np.float32(TAUGHT_SCORE * full_scale)
    over = np.maximum(np.square(registered.shape.geometry / np.float32(TAUGHT_SCORE)) - 1, 0)
    shape_mm = np.float32(tolerance_mm) * np.sqrt(over)
    return Spread(np.where(loud, grey, np.float32(0)), np.asarray(shape_mm, np.float32))


def _difference(picture: Picture, reference: Picture) -> FloatMap:
    """(h, w) grey levels, under one light, as far as the model's smoothing leaves them; of the
    colour that differs most."""
    own, golden = picture.astype(np.float32), reference.astype(np.float32)
    bright, known = (_slow(grey_and_colour(each)[0]) for each in (picture, reference))
    light = ((bright + 1) / (known + 1)).reshape(*bright.shape, *(1,) * (own.ndim - 2))
    apart = np.abs(cv2.blur(own - light * golden, (SMOOTH_PX, SMOOTH_PX))).astype(np.float32)
    return apart if apart.ndim == 2 else apart.max(axis=2)


def _slow(grey: GreyImage) -> FloatMap:
    blurred = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), LIGHT_SIGMA_PX)
    return np.asarray(blurred, np.float32)


def _golden_pixels(
    view: View, golden: ExpectedView, reference_from_part: Transform, rays: Rays
) -> tuple[Mask, npt.NDArray[np.intp]]:
    """(h, w) which pixels land in the golden picture, and where (n,), as flat numbers."""
    assert view.depth_mm is not None  # the inspector has refused it
    points = rays.points(view.depth_mm).astype(np.float64)
    part = apply(view.part_from_camera, points).reshape(-1, 3)
    reference_mm = apply(reference_from_part, part)
    at = project_into(reference_mm, golden.part_from_camera, rays)
    numbers = at.rows * rays.x.shape[1] + at.columns
    return at.inside.reshape(rays.x.shape), numbers[at.inside]


def _placed(seen: FloatMap, at: tuple[Mask, npt.NDArray[np.intp]]) -> FloatMap:
    """(h, w) the most that landed on or near each golden pixel."""
    inside, numbers = at
    found = np.zeros_like(seen)
    np.maximum.at(found.reshape(-1), numbers, seen[inside])
    return _reaching(found)


def _reaching(plane: FloatMap) -> FloatMap:
    return np.asarray(cv2.dilate(plane, np.ones((REACH_PX, REACH_PX), np.uint8)), np.float32)


def _with(
    parts: RecipeParts, most: Spread, usual: Mapping[str, float | None], scans: Sequence[Path]
) -> RecipeParts:
    """Grey adds to the golden part's own flicker as the model reads it, shape goes beside it."""
    assert parts.reference is not None  # a recipe of a golden scan holds its views
    flicker = np.hypot(parts.reference.gloss.astype(np.float32), most.grey / UNSTEADY)
    counts = np.minimum(np.rint(most.shape_mm / SPREAD_UNIT_MM), BYTE_MAX).astype(np.uint8)
    reference = replace(
        parts.reference,
        gloss=np.minimum(np.rint(flicker), BYTE_MAX).astype(np.uint8),
    ).with_spread(counts)
    record = {
        "source": [scan.name for scan in scans],
        "grey_share": round(float((most.grey > 0).mean()), 4),
        "shape_share": round(float((counts > 0).mean()), 4),
        **usual,
    }
    return replace(
        parts,
        manifest=parts.manifest.model_copy(update=usual),
        reference=reference,
        threshold={**parts.threshold, "good_parts": record},
    )
